//! The page in a real browser; says "skipped" where there is none.

use crate::chromium::{self, Chromium};
use base64::Engine as _;
use host_test::playground::{Asset, PageServer, page, write};
use nodesieve_preview::inputs::{Record, pasted};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

fn assets() -> Vec<Asset> {
    static PAGE: OnceLock<Vec<Asset>> = OnceLock::new();
    PAGE.get_or_init(|| page().unwrap()).clone()
}

/// One browser at a time: several on two cores would measure each other.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) fn browser() -> Option<(MutexGuard<'static, ()>, PageServer, Chromium)> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(program) = chromium::find() else {
        crate::support::skip("chromium", "no chromium");
        return None;
    };
    let server = PageServer::start(assets(), 0).unwrap();
    let browser = Chromium::open(&program, &server.url());
    Some((alone, server, browser))
}

pub(crate) const COMPLETE: &str = "document.querySelector('#status')?.textContent.includes(' ms')";

/// Replaces the rules as a person would who selects all and types.
pub(crate) fn type_rules(browser: &mut Chromium, rules: &str) {
    browser.evaluate(
        "document.querySelector('#editor .cm-content').focus(); getSelection().selectAllChildren(document.querySelector('#editor .cm-content'))",
    );
    browser.type_text(rules);
}

/// Drops a file on the page.
pub(crate) fn drop_file(browser: &mut Chromium, name: &str, content: &str) {
    let (name, content) = (json!(name), json!(content));
    browser.evaluate(&format!(
        "(() => {{ const data = new DataTransfer(); data.items.add(new File([{content}], {name})); \
         document.body.dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true, cancelable: true }})); }})()"
    ));
}

/// What an asset holds that is compressed.
pub(crate) fn unpacked(name: &str) -> Vec<u8> {
    let asset = assets().into_iter().find(|asset| asset.name == name).unwrap();
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(asset.content.as_slice()).read_to_end(&mut content).unwrap();
    content
}

/// The records of the page's sample.
pub(crate) fn sample() -> Vec<Record> {
    pasted("", &unpacked("sample.gz"), "kube.var.log.containers.").records
}

fn number_kept(browser: &mut Chromium) -> u64 {
    let text = browser.evaluate("document.querySelector('#panel .figure.kept .number').textContent");
    text.as_str().unwrap().chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn the_page_is_small_and_names_nobody_else() {
    let assets = assets();
    let bytes: usize = assets.iter().map(|asset| asset.content.len()).sum();
    let sizes: Vec<_> = assets.iter().map(|asset| (&*asset.name, asset.content.len())).collect();
    // Two thirds of it are the engine, which is half of that compressed.
    assert!(bytes < 2_000_000, "{bytes}: {sizes:?}");
    let directory = tempfile::tempdir().unwrap();
    write(&assets, directory.path()).unwrap();
    for asset in &assets {
        assert_eq!(std::fs::read(directory.path().join(&asset.name)).unwrap(), asset.content);
        let text = String::from_utf8_lossy(&asset.content);
        let is_ours = ["html", "css", "js"].iter().any(|end| asset.name.ends_with(end))
            && !asset.name.starts_with("vendor");
        // Names of XML vocabularies are no addresses.
        let foreign = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!is_ours || !foreign.contains("://"), "{} names another place", asset.name);
    }
}

/// What the server answers to a request as it stands, up to the end of its head.
fn asked(address: &str, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).split("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn page_and_worker_may_load_their_own_files_only_and_other_names_are_refused() {
    let server = PageServer::start(assets(), 0).unwrap();
    let url = server.url();
    let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).unwrap();
    let index = assets().into_iter().find(|asset| asset.name == "index.html").unwrap().content;
    let index = String::from_utf8(index).unwrap();
    let (_, meta) = index.split_once("Content-Security-Policy\" content=\"").unwrap();
    let policy = meta.split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("connect-src 'self'"), "{policy}");
    for path in ["/", "/worker.js", "/engine_bg.wasm"] {
        let head = asked(address, path, address);
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(policy), "{path}: {head}");
    }
    assert!(asked(address, "/engine_bg.wasm", address).contains("application/wasm"));
    assert!(asked(address, "/none", address).starts_with("HTTP/1.1 404"));
    assert!(asked(address, "/", "evil.example").starts_with("HTTP/1.1 403"));
}

#[test]
fn the_editor_is_what_its_package_file_builds() {
    let playground = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground");
    let directory = tempfile::tempdir().unwrap();
    let (editor, vendor) = (directory.path().join("editor"), directory.path().join("vendor"));
    std::fs::create_dir_all(&editor).unwrap();
    std::fs::create_dir_all(&vendor).unwrap();
    for name in ["package.json", "entry.js", "bundle.js"] {
        std::fs::copy(playground.join("editor").join(name), editor.join(name)).unwrap();
    }
    let npm = |arguments: &[&str]| Command::new("npm").args(arguments).current_dir(&editor).output();
    let installed = npm(&["install", "--no-package-lock", "--no-audit", "--no-fund"]);
    if !installed.is_ok_and(|output| output.status.success()) {
        crate::support::skip("npm", "no npm, or it reaches no packages");
        return;
    }
    let bundled = npm(&["run", "bundle"]).unwrap();
    assert!(bundled.status.success(), "{}", String::from_utf8_lossy(&bundled.stderr));
    let built = std::fs::read(vendor.join("codemirror.js")).unwrap();
    assert!(
        built == std::fs::read(playground.join("vendor/codemirror.js")).unwrap(),
        "vendor/codemirror.js is another"
    );
}

#[test]
fn a_person_sees_what_a_rule_does_before_it_is_rolled_out() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    // A picture in the middle of a fade shows nothing that a person would see.
    let calm = json!([{ "name": "prefers-reduced-motion", "value": "reduce" }]);
    browser.call("Emulation.setEmulatedMedia", json!({ "features": calm }));
    browser.evaluate("document.querySelector('#list').focus()");
    browser.press("Home", 36);
    browser.press("Enter", 13);
    browser.wait_for("!document.querySelector('#explanation').hidden");
    let fits = "document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth";
    assert_eq!(browser.evaluate(fits), true, "{}", browser.evaluate("document.querySelector('#panel').scrollWidth + ' of ' + document.querySelector('#panel').clientWidth"));
    browser.picture("light");
    browser.evaluate("document.querySelector('#cost').scrollIntoView({ block: 'end' })");
    browser.picture("light-cost");
    browser.press("Escape", 27);
    // The text of a kept record.
    browser.evaluate("document.querySelector('input[name=verdict][value=kept]').click(); document.querySelector('#list').focus()");
    browser.press("Home", 36);
    browser.press("Enter", 13);
    browser.wait_for("document.querySelector('#explanation-title')?.textContent.includes('Kept')");
    let added = "[...document.querySelectorAll('#explanation .member.added')].some(member => member.textContent.includes('kubernetes'))";
    assert_eq!(browser.evaluate(added), true);
    browser.press("Escape", 27);
    browser.evaluate("document.querySelector('input[name=verdict][value=all]').click()");
    let before = number_kept(&mut browser);

    // A rule with a mistake: the diagnostic has its place, and the verdicts stay.
    type_rules(
        &mut browser,
        "version: 1\nrules:\n  - name: all-of-checkout\n    when: { namespase: payments }\n    drop: {}\n    reason: a test\n",
    );
    browser.wait_for("document.querySelector('#findings-list')?.textContent.includes('NS201')");
    let finding = browser.evaluate("document.querySelector('#findings-list').textContent");
    let finding = finding.as_str().unwrap();
    assert!(finding.contains("4:") && finding.contains("namespace"), "place and help: {finding}");
    assert_eq!(number_kept(&mut browser), before);
    browser.picture("mistake");

    // Mended, and the counts change.
    type_rules(
        &mut browser,
        "version: 1\nrules:\n  - name: all-of-checkout\n    when: { namespace: payments }\n    drop: {}\n    reason: a test\n",
    );
    browser.wait_for("document.querySelector('#findings').hidden && document.querySelector('#panel [data-row=all-of-checkout]')");
    let sample = sample();
    let of_checkout = sample.iter().filter(|record| record.tag.contains("_payments_")).count();
    browser.wait_for(&format!(
        "Number(document.querySelector('#panel .figure .number').textContent.replace(/\\D/g, '')) === {}",
        sample.len()
    ));
    assert_eq!(number_kept(&mut browser), (sample.len() - of_checkout) as u64);
    assert_ne!(number_kept(&mut browser), before);

    // The explanation of a dropped record names the rule.
    browser.evaluate("document.querySelector('input[name=verdict][value=dropped]').click()");
    browser.wait_for("document.querySelector('#list [role=option]')");
    browser.evaluate("document.querySelector('#list').focus()");
    browser.press("Home", 36);
    browser.press("Enter", 13);
    browser.wait_for("!document.querySelector('#explanation').hidden");
    let explanation = browser.evaluate("document.querySelector('#explanation').textContent");
    assert!(explanation.as_str().unwrap().contains("Dropped by the rule all-of-checkout"), "{explanation}");
    browser.picture("explanation");
    browser.press("Escape", 27);
    browser.wait_for("document.querySelector('#explanation').hidden");

    // Dark, and on a telephone.
    browser.call(
        "Emulation.setEmulatedMedia",
        json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] }),
    );
    browser.picture("dark");
    // The three columns are seen whole there, too.
    let is_whole = "(document.querySelector('#cost').scrollIntoView(), [...document.querySelectorAll('#cost thead th')].length >= 5 \
        && [...document.querySelectorAll('#cost th, #cost td')].every(cell => { const box = cell.getBoundingClientRect(); \
        return box.width > 0 && box.left >= 0 && box.right <= innerWidth + 1; }))";
    assert_eq!(browser.evaluate(is_whole), true);
    browser.picture("cost-dark");
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true }),
    );
    assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    browser.picture("phone");
    browser.evaluate("[...document.querySelectorAll('[role=tab]')].find(tab => tab.textContent.includes('Volume')).click()");
    assert_eq!(browser.evaluate(is_whole), true);
    browser.picture("cost-phone");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// What decides how soon a person sees something: how much is loaded, and how much is judged before that. The rest is the machine's.
#[test]
fn the_first_verdicts_wait_for_two_megabytes_and_two_thousand_records_and_no_more() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    let first = browser.evaluate("performance.getEntriesByName('verdicts')[0].detail").as_u64().unwrap();
    assert!((1..=2_000).contains(&first) && sample().len() > 2_400, "{first} of {}", sample().len());
    let loaded = browser.evaluate(
        "(verdicts => performance.getEntriesByType('resource').filter(entry => entry.responseEnd <= verdicts) \
         .map(entry => entry.encodedBodySize).reduce((sum, size) => sum + size, 0))(performance.getEntriesByName('verdicts')[0].startTime)",
    );
    assert!((300_000..2_000_000).contains(&loaded.as_u64().unwrap()), "{loaded} bytes");
    let ours = browser.evaluate(
        "performance.getEntriesByType('resource').every(entry => new URL(entry.name).origin === location.origin)",
    );
    assert_eq!(ours, true);
}

#[test]
fn the_whole_volume_is_printed_and_nothing_that_is_cut_off() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    browser.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    for width in [1440, 720, 390] {
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false }),
        );
        let hidden = "(element => getComputedStyle(element).display === 'none')";
        for id in ["rules", "lines"] {
            assert_eq!(browser.evaluate(&format!("{hidden}(document.querySelector('#{id}'))")), true, "{id}");
        }
        // The last section is on the paper, which is as long as it takes.
        let is_there = "(cost => cost.height > 100 && cost.bottom <= document.documentElement.scrollHeight + 1)(document.querySelector('#cost').getBoundingClientRect())";
        assert_eq!(browser.evaluate(is_there), true, "{width}");
        let cut = "(panel => panel.scrollHeight - panel.clientHeight)(document.querySelector('#panel'))";
        assert_eq!(browser.evaluate(cut), 0, "{width}");
    }
    browser.call("Emulation.clearDeviceMetricsOverride", json!({}));
    browser.call("Emulation.setEmulatedMedia", json!({}));
    let pdf = browser.call("Page.printToPDF", json!({}));
    let pdf = base64::engine::general_purpose::STANDARD.decode(pdf["data"].as_str().unwrap()).unwrap();
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!((2..9).contains(&pages), "{pages} pages");
    browser.picture("print");
}

#[test]
fn a_link_brings_rules_and_lines_to_another_page_and_a_broken_one_does_no_harm() {
    let Some((_alone, server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    drop_file(&mut browser, "mine.log", "only ü one\nand two");
    browser.wait_for("document.querySelector('#panel .figure .number').textContent === '2'");
    type_rules(
        &mut browser,
        "version: 1\nrules: [{ name: shared, when: { message: two }, drop: {}, reason: r }]\n",
    );
    browser.wait_for("document.querySelector('#panel [data-row=shared]')");
    browser.evaluate("document.querySelector('#share').click()");
    browser.wait_for("location.hash.startsWith('#v1.')");
    let link = browser.evaluate("location.href").as_str().unwrap().to_owned();
    drop(browser);
    let program = chromium::find().unwrap();
    let mut other = Chromium::open(&program, &link);
    other.wait_for(COMPLETE);
    other.wait_for("document.querySelector('#panel [data-row=shared]')");
    other.wait_for("document.querySelector('#list').textContent.includes('only ü one')");
    assert_eq!((number_kept(&mut other), other.complaints.len()), (1, 0));
    drop(other);
    let mut broken = Chromium::open(&program, &format!("{}#v1.AAAA", server.url()));
    broken.wait_for(COMPLETE);
    broken.wait_for("document.querySelector('#note').textContent.includes('damaged')");
}

#[test]
fn prices_are_those_of_the_program_until_a_person_changes_them() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    let value = |id: &str| format!("document.querySelector('#price-{id}').value");
    let shown = [value("firehose"), value("cloudwatch")]
        .map(|value| browser.evaluate(&value).as_str().unwrap().parse::<f64>().unwrap());
    assert_eq!(shown, [host_test::money::FIREHOSE_PER_GB, host_test::money::CLOUDWATCH_PER_GB]);
    browser.evaluate("const price = document.querySelector('#price-cloudwatch'); price.value = '7'; price.dispatchEvent(new Event('input', { bubbles: true }))");
    browser.wait_for("document.querySelector('#cost').textContent.includes('CloudWatch Logs at $7 a GB')");
    assert_eq!(browser.evaluate("document.querySelector('#fleet') === null"), true);
    let nodes = |count: &str| {
        format!(
            "(() => {{ const nodes = document.querySelector('#nodes'); nodes.value = '{count}'; nodes.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
        )
    };
    browser.evaluate(&nodes("250"));
    browser.wait_for("document.querySelector('#fleet')?.textContent.includes('250 nodes')");
    // No such number of nodes: the field says so, and what is shown stays.
    browser.evaluate(&nodes("2.5"));
    browser.wait_for("document.querySelector('#nodes').getAttribute('aria-invalid') === 'true'");
    assert_eq!(browser.evaluate("document.querySelector('#fleet').textContent.includes('250 nodes')"), true);
}

#[test]
fn a_hundred_thousand_lines_do_not_freeze_it_and_a_keystroke_is_answered_by_the_first_of_them() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    let paste = |count: usize| {
        format!(
            "(() => {{ const lines = Array.from({{ length: {count} }}, (_, n) => `level=${{n % 9 ? 'info' : 'error'}} msg=\"request ${{n}} took ${{n % 700}}ms\" path=/cart/${{n % 50}}`).join('\\n'); \
             const data = new DataTransfer(); data.items.add(new File([lines], 'lines.log')); \
             document.body.dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true, cancelable: true }})); }})()"
        )
    };
    let shows = |count: &str| {
        format!(
            "document.querySelector('#status').textContent.replace(/\\D+/g, ' ').trim().startsWith('{count}') && {COMPLETE}"
        )
    };
    type_rules(
        &mut browser,
        "version: 1\nrules:\n  - name: rule\n    when: { message: cart }\n    sample: { rate: 1/10 }\n",
    );
    // Of how many records the page shows verdicts when it first shows those of the new rules: each keystroke makes the rule's name
    // longer.
    let keystroke = "(async () => { const content = document.querySelector('#editor .cm-content'); content.focus(); \
        const line = [...content.querySelectorAll('.cm-line')].find(line => line.textContent.includes('name:')); \
        getSelection().collapse(line, line.childNodes.length); \
        const panel = document.querySelector('#panel'); const name = line.textContent.split(': ')[1] + 'x'; \
        const changed = new Promise(done => new MutationObserver((_, observer) => panel.querySelector(`[data-row=${name}]`) && (observer.disconnect(), done())).observe(panel, { childList: true })); \
        document.execCommand('insertText', false, 'x'); await changed; \
        return Number(panel.querySelector('.figure .number').textContent.replace(/\\D/g, '')); })()";
    browser.evaluate(&paste(10_000));
    browser.wait_for(&shows("10 000"));
    for _ in 0..3 {
        let seen = browser.evaluate(keystroke).as_u64().unwrap();
        assert!((1..5_000).contains(&seen), "first verdicts after {seen} of 10,000 records");
    }

    // What the page shows while it runs: some of the records first, and all in the end. What it draws for each is bounded below.
    browser.evaluate("window.shown = []; new MutationObserver(() => shown.push(Number(document.querySelector('#panel .figure .number')?.textContent.replace(/\\D/g, '')))).observe(document.querySelector('#panel'), { childList: true, subtree: true })");
    browser.evaluate(&paste(100_000));
    browser.wait_for(&shows("110 000"));
    let shown = browser.evaluate("[...new Set(shown)].filter(number => number !== 10000)");
    let shown: Vec<u64> = shown.as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).collect();
    assert!(shown[0] < 5_000 && shown[1] > shown[0], "{shown:?}");
    assert_eq!(shown.last(), Some(&110_000), "{shown:?}");
    let elements = browser.evaluate("document.querySelectorAll('*').length").as_u64().unwrap();
    assert!(elements < 10_000, "{elements} elements");
    assert!(
        browser.evaluate("document.querySelectorAll('#list [role=option]').length").as_u64().unwrap() < 400
    );
    browser.evaluate("document.querySelector('#list').focus()");
    browser.press("End", 35);
    browser.press("Enter", 13);
    browser.wait_for("!document.querySelector('#explanation').hidden");
    let explanation = browser.evaluate("document.querySelector('#explanation').textContent");
    assert!(explanation.as_str().unwrap().contains("request 99999"), "{explanation}");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
