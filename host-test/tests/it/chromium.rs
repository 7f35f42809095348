//! A headless Chromium, driven over its debugging pipe: JSON texts, each with a NUL behind it, on descriptors 3 and 4.

use base64::Engine as _;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A browser with one page.
pub struct Chromium {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<Value>,
    session: String,
    sent: u64,
    /// What the page has complained about.
    pub complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian has it, or `CHROMIUM`.
pub fn find() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let usual =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.is_file())
}

impl Chromium {
    /// Opens a page.
    pub fn open(program: &Path, url: &str) -> Chromium {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                "--window-size=1440,900",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, answers) = channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for text in BufReader::new(output).split(0) {
                let Ok(text) = text else { return };
                if sender.send(serde_json::from_slice(&text).unwrap()).is_err() {
                    return;
                }
            }
        });
        let commands = child.stdin.take();
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser =
            Chromium { child, commands, answers, session, sent: 0, complaints, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser.call("Page.navigate", json!({ "url": url }));
        browser
    }

    /// Calls a method of the protocol and waits for its answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.try_call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The same, or what the browser says why not.
    fn try_call(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": parameters });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let commands = self.commands.as_mut().unwrap();
        commands.write_all(command.to_string().as_bytes()).unwrap();
        commands.write_all(b"\0").unwrap();
        commands.flush().unwrap();
        loop {
            let answer =
                self.answers.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.sent {
                let error = &answer["error"];
                return if error.is_null() { Ok(answer["result"].clone()) } else { Err(error.clone()) };
            }
            self.note(&answer);
        }
    }

    /// The value of an expression, awaited if it is a promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        self.try_evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_evaluate(&mut self, expression: &str) -> Result<Value, Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.try_call("Runtime.evaluate", parameters)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(thrown.clone()),
        }
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_evaluate(&format!("!!({expression})")) {
                Ok(Value::Bool(true)) => return,
                Ok(_) => {}
                // The question went to a page that another was taking the place of.
                Err(error) if error["code"] == -32000 => {}
                Err(error) => panic!("{expression}: {error}"),
            }
            assert!(Instant::now() < until, "never true: {expression}; {:?}", self.complaints);
            // The browser has its own clock; this only keeps the pipe from being flooded.
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Types text where the focus is, as a keyboard's input method would.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses and releases a key.
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code }),
            );
        }
    }

    /// Puts a picture of the page where `NODESIEVE_SCREENSHOTS` says, for people to look at.
    pub fn picture(&mut self, name: &str) {
        let Some(directory) = std::env::var_os("NODESIEVE_SCREENSHOTS") else { return };
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let data =
            base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(PathBuf::from(directory).join(format!("{name}.png")), data).unwrap();
    }

    fn note(&mut self, event: &Value) {
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => event["params"]["exceptionDetails"].to_string(),
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                event["params"].to_string()
            }
            _ => return,
        };
        self.complaints.push(complaint);
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
