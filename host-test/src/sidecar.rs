//! The sidecar's main loop, run in a thread.
//!
//! It exists so that tests and runs of a real Fluent Bit get their pod files from the code that a node runs. The
//! rule it keeps: the loop is the library's; this module only sets paths, ports and credentials.

use crate::kubelet::FakeKubelet;
use nodesieve_podlist::Limits;
use nodesieve_sidecar::exposition;
use nodesieve_sidecar::{LogEvent, PodListSource, Sidecar, SidecarSettings, StartError, TlsTrust, Watched};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// The token that [`settings`] has and the kubelet should want to see.
pub const TOKEN: &str = "token-of-a-service-account";

/// Why the sidecar could not be run or asked.
#[derive(Debug, Error)]
pub enum SidecarError {
    /// Its files could not be made.
    #[error("make {path} for the sidecar: {reason}")]
    Make {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It did not start.
    #[error("start sidecar: {0}")]
    Start(#[from] StartError),
    /// There was no thread or runtime for it, or it ended with a panic.
    #[error("start sidecar: {0}")]
    Thread(String),
    /// It does not answer.
    #[error("ask sidecar for {path}: {reason}")]
    Ask {
        /// What was asked for.
        path: String,
        /// Why there is no answer.
        reason: Box<ureq::Error>,
    },
    /// What was waited for did not come.
    #[error("wait for sidecar to {what}: not within {timeout:?}; it says:\n{metrics}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// For how long.
        timeout: Duration,
        /// Its metrics.
        metrics: String,
    },
}

/// Settings as on a node, below `root`: token and CA certificate are written there, pod files go to `run/nodesieve/pods`, and
/// `var/log` is watched.
///
/// # Errors
/// [`SidecarError::Make`] when the disk says no.
pub fn settings(kubelet: &FakeKubelet, root: &Path) -> Result<SidecarSettings, SidecarError> {
    let make = |path: &Path, made: std::io::Result<()>| {
        made.map_err(|reason| SidecarError::Make { path: path.to_owned(), reason })
    };
    for directory in ["run/nodesieve", "var/log/containers", "var/log/pods", "var/run/secrets"] {
        let path = root.join(directory);
        make(&path, fs::create_dir_all(&path))?;
    }
    let (token_file, ca_file) = (root.join("var/run/secrets/token"), root.join("var/run/secrets/ca.crt"));
    make(&token_file, fs::write(&token_file, format!("{TOKEN}\n")))?;
    make(&ca_file, fs::write(&ca_file, kubelet.ca_pem()))?;
    Ok(SidecarSettings {
        pods_api: None,
        source: Some(PodListSource::Kubelet(nodesieve_sidecar::KubeletSettings {
            host: kubelet.address().ip().to_string(),
            port: kubelet.address().port(),
            trust: TlsTrust::Authority { ca_file, server_name: None },
            token_file,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(25),
        })),
        interval: Duration::from_secs(30),
        limits: Limits::default(),
        pods_dir: root.join("run/nodesieve/pods"),
        grace: Duration::from_secs(600),
        watched: Watched {
            logs: Some(root.join("var/log/containers")),
            pod_logs: Some(root.join("var/log/pods")),
        },
        listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
        ready_after: Duration::from_secs(20),
        filter_metrics: root.join("run/nodesieve/metrics.prom"),
        tap: None,
    })
}

/// A sidecar whose main loop turns. Dropping it stops it as SIGTERM would.
pub struct RunningSidecar {
    address: Option<SocketAddr>,
    tap_address: Option<SocketAddr>,
    events: Arc<Mutex<Vec<LogEvent>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningSidecar {
    /// Starts it; its port is bound when this returns.
    ///
    /// # Errors
    /// [`SidecarError`].
    pub fn start(settings: SidecarSettings) -> Result<RunningSidecar, SidecarError> {
        let events: Arc<Mutex<Vec<LogEvent>>> = Arc::default();
        let heard = Arc::clone(&events);
        let log = move |said: &LogEvent| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(said.clone());
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, starts) = std::sync::mpsc::channel();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|reason| SidecarError::Thread(reason.to_string()))?;
        let thread = std::thread::Builder::new().name("sidecar".into()).spawn(move || {
            runtime.block_on(async {
                match Sidecar::start(settings, Box::new(log)).await {
                    Ok(sidecar) => {
                        let _ = started.send(Ok((sidecar.address(), sidecar.tap_address())));
                        sidecar
                            .run(async {
                                let _ = stopped.await;
                            })
                            .await;
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        let thread = thread.map_err(|reason| SidecarError::Thread(reason.to_string()))?;
        let (address, tap_address) =
            starts.recv().map_err(|reason| SidecarError::Thread(reason.to_string()))??;
        Ok(RunningSidecar { address, tap_address, events, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it answers.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where it shows verdicts.
    pub fn tap_address(&self) -> Option<SocketAddr> {
        self.tap_address
    }

    /// Status and text of an answer, such as that for `/metrics`.
    ///
    /// # Errors
    /// [`SidecarError::Ask`].
    pub fn get(&self, path: &str) -> Result<(u16, String), SidecarError> {
        let failed =
            |reason: ureq::Error| SidecarError::Ask { path: path.to_owned(), reason: Box::new(reason) };
        let Some(address) = self.address else { return Ok((0, String::new())) };
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let mut response =
            config.new_agent().get(format!("http://{address}{path}")).call().map_err(failed)?;
        Ok((response.status().as_u16(), response.body_mut().read_to_string().map_err(failed)?))
    }

    /// The value of a series of its metrics, `nodesieve_sidecar_pods` or with labels.
    ///
    /// # Errors
    /// [`SidecarError::Ask`].
    pub fn metric(&self, series: &str) -> Result<Option<f64>, SidecarError> {
        let (_, text) = self.get("/metrics")?;
        Ok(exposition::value(&text, series))
    }

    /// Waits until `condition` holds for the value of a series.
    ///
    /// # Errors
    /// [`SidecarError::TimedOut`] and [`SidecarError::Ask`].
    pub fn wait_until(
        &self,
        series: &str,
        condition: impl Fn(f64) -> bool,
        timeout: Duration,
    ) -> Result<f64, SidecarError> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(value) = self.metric(series)?.filter(|value| condition(*value)) {
                return Ok(value);
            }
            if Instant::now() >= deadline {
                let metrics = self.get("/metrics")?.1;
                return Err(SidecarError::TimedOut { what: format!("change {series}"), timeout, metrics });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its log events so far.
    pub fn events(&self) -> Vec<LogEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RunningSidecar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
