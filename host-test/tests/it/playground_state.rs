//! What the page keeps and what can be undone: nothing that was typed is lost without a message.

use crate::chromium::Chromium;
use crate::playground::{COMPLETE, browser, drop_file, type_rules};
use serde_json::json;

fn rules(name: &str) -> String {
    format!("version: 1\nrules: [{{ name: {name}, when: {{ message: GET }}, drop: {{}}, reason: r }}]\n")
}

/// Waits until the panel is of this rule and of so many records.
fn wait_for_run(browser: &mut Chromium, rule: &str, records: usize) {
    browser.wait_for(&format!(
        "document.querySelector('#panel [data-row={rule}]') && document.querySelector('#panel .figure .number').textContent === '{records}'"
    ));
}

fn share(browser: &mut Chromium) {
    browser.evaluate("window.before = location.hash; document.querySelector('#share').click()");
    // Who may not write to the clipboard shows the link.
    browser.wait_for("location.hash !== before && (document.querySelector('#share-dialog').open || document.querySelector('#note').textContent.includes('copied'))");
    browser.evaluate("document.querySelector('#share-dialog').close()");
}

fn reload(browser: &mut Chromium) {
    browser.evaluate("window.isOld = true");
    browser.call("Page.reload", json!({}));
    browser.wait_for("!window.isOld");
}

fn editor_holds(browser: &mut Chromium, name: &str) -> bool {
    let held = browser.evaluate("document.querySelector('#editor .cm-content').textContent");
    held.as_str().unwrap().contains(name)
}

#[test]
fn a_reload_keeps_rules_lines_and_prices_also_behind_a_link() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    drop_file(&mut browser, "mine.log", "GET a\nPOST b");
    type_rules(&mut browser, &rules("typed"));
    wait_for_run(&mut browser, "typed", 2);
    browser.evaluate("const price = document.querySelector('#price-firehose'); price.value = '0,5'; price.dispatchEvent(new Event('input', { bubbles: true }))");
    browser.wait_for("document.querySelector('#cost')?.textContent.includes('Firehose at $0.5 a GB')");
    reload(&mut browser);
    wait_for_run(&mut browser, "typed", 2);
    browser.wait_for("document.querySelector('#cost')?.textContent.includes('Firehose at $0.5 a GB')");

    share(&mut browser);
    type_rules(&mut browser, &rules("later"));
    wait_for_run(&mut browser, "later", 2);
    // Also one that comes before the engine has answered, and one behind the way back to where there was no link.
    reload(&mut browser);
    reload(&mut browser);
    wait_for_run(&mut browser, "later", 2);
    browser.evaluate("history.back()");
    // The page hears of it a moment after the address has changed.
    browser.wait_for("location.hash === '' && sessionStorage.getItem('nodesieve.from') === ''");
    reload(&mut browser);
    wait_for_run(&mut browser, "later", 2);
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn address_and_rules_agree_on_the_way_back_and_forth() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    drop_file(&mut browser, "mine.log", "GET a\nPOST b");
    for name in ["first", "second"] {
        type_rules(&mut browser, &rules(name));
        wait_for_run(&mut browser, name, 2);
        share(&mut browser);
    }
    browser.evaluate("history.back()");
    wait_for_run(&mut browser, "first", 2);
    browser.evaluate("history.forward()");
    wait_for_run(&mut browser, "second", 2);
    assert!(editor_holds(&mut browser, "second"));
    browser.evaluate("document.querySelector('#skip').click()");
    assert_eq!(browser.evaluate("document.activeElement.id"), "list");
    assert_eq!(browser.evaluate("location.hash.startsWith('#v1.')"), true);
}

#[test]
fn a_link_without_lines_leaves_those_that_are_there() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    // More than a link or a reload can hold.
    browser.evaluate(
        "(() => { const data = new DataTransfer(); data.items.add(new File(['GET '.repeat(600_000) + '\\nPOST '.repeat(600_000)], 'large.log')); \
         document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); })()",
    );
    for name in ["first", "second"] {
        type_rules(&mut browser, &rules(name));
        browser.wait_for(&format!("document.querySelector('#panel [data-row={name}]')"));
        share(&mut browser);
    }
    browser.evaluate("history.back()");
    browser.wait_for("document.querySelector('#panel [data-row=first]')");
    browser.wait_for("document.querySelector('#status').textContent.includes(' records in')");
    assert_eq!(browser.evaluate("document.querySelector('#inputs').textContent.includes('large.log')"), true);
}

#[test]
fn another_rule_file_can_be_undone_and_what_is_none_changes_nothing() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    type_rules(&mut browser, &rules("typed"));
    browser.wait_for("document.querySelector('#panel [data-row=typed]')");
    drop_file(&mut browser, "deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
    browser.wait_for("document.querySelector('#note').textContent.includes('no rule file')");
    assert!(editor_holds(&mut browser, "typed"));
    drop_file(&mut browser, "other.yaml", &rules("opened"));
    browser.wait_for("document.querySelector('#panel [data-row=opened]')");
    browser.evaluate("document.querySelector('#editor .cm-content').focus()");
    browser.call(
        "Input.dispatchKeyEvent",
        json!({ "type": "rawKeyDown", "key": "z", "code": "KeyZ", "windowsVirtualKeyCode": 90, "modifiers": 2 }),
    );
    browser.wait_for("document.querySelector('#panel [data-row=typed]')");
    assert!(editor_holds(&mut browser, "typed") && !editor_holds(&mut browser, "opened"));
}

#[test]
fn lines_that_wait_for_metadata_are_told_of_until_there_are_pods() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    assert_eq!(browser.evaluate("document.querySelector('#hint').hidden"), true);
    drop_file(&mut browser, "mine.log", "GET a\nPOST b");
    browser.wait_for("!document.querySelector('#hint').hidden");
    let hint = browser.evaluate("document.querySelector('#hint').textContent");
    assert!(hint.as_str().unwrap().starts_with("2 of 2 records kept for want of metadata"), "{hint}");
    let pods = r#"{"items":[{"metadata":{"name":"pasted","namespace":"default"}}]}"#;
    drop_file(&mut browser, "pods.json", pods);
    browser.wait_for("document.querySelector('#hint').hidden");
    browser.evaluate("document.querySelector('#clear').click()");
    browser.wait_for("document.querySelector('#shown').textContent === '0 records'");
}

#[test]
fn in_a_low_window_the_page_scrolls_and_the_explanation_can_be_read() {
    let Some((_alone, _server, mut browser)) = browser() else { return };
    browser.wait_for(COMPLETE);
    for (width, height, scrolls) in [(360, 225, true), (844, 390, true), (720, 450, true), (900, 520, false)]
    {
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
        browser.evaluate(
            "document.querySelector('#tab-lines').click(); document.querySelector('#list').focus()",
        );
        browser.press("Home", 36);
        browser.press("Enter", 13);
        browser.wait_for("!document.querySelector('#explanation').hidden");
        let height_of = |id: &str| format!("document.querySelector('#{id}').offsetHeight");
        let shown = browser.evaluate(&height_of("explanation")).as_f64().unwrap();
        assert!(shown > 0.5 * f64::from(height), "{width}x{height}: {shown}");
        assert!(browser.evaluate(&height_of("list")).as_f64().unwrap() > 200.0, "{width}x{height}");
        let can_scroll = "getComputedStyle(document.body).overflowY !== 'hidden' && document.documentElement.scrollHeight > innerHeight";
        assert_eq!(browser.evaluate(can_scroll), scrolls, "{width}x{height}");
        assert_eq!(browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
        browser.press("Escape", 27);
        browser.wait_for("document.querySelector('#explanation').hidden");
    }
}
