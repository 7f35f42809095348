//! What lines look like next to others.

use super::*;
use crate::json::push_string;
use crate::severity::LevelMemo;
use proptest::prelude::*;

fn shape_of(text: &str) -> LineShape {
    let mut content = Vec::new();
    push_string(&mut content, text.as_bytes());
    let line = Line::new(&content[1..content.len() - 1]);
    Look::at(&line, severity::read(&line)).shape
}

#[test]
fn an_indented_line_that_says_something_of_itself_is_no_part() {
    for text in [
        "    2026-11-20T10:00:00.000Z [INFO]  agent: Synced",
        "    2026-11-20 10:00:00 started",
        " INFO app::http: GET /a 200",
        "   ERROR db: connection refused",
        " E1120 10:00:00.000001       1 main.go:1] failed",
        "\tERROR\tcontroller\tfailed",
        "  {\"level\":\"info\",\"msg\":\"x\"}",
        "  {\"a\":1}",
        "  ts=1 msg=x",
    ] {
        assert_eq!(shape_of(text), LineShape::Own, "{text}");
    }
    assert!(matches!(
        shape_of("  Traceback (most recent call last):"),
        LineShape::Opening { is_indented: true, .. }
    ));
    for text in [
        "    g()",
        "  code: 'ECONNREFUSED'",
        "      An unhandled exception has occurred",
        "\t(id) VALUES (7)",
    ] {
        assert_eq!(shape_of(text), LineShape::Indented, "{text}");
    }
}

#[test]
fn frames_are_known_wherever_they_stand() {
    for text in [
        "\tat com.example.Shop.pay(Shop.java:188)",
        "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1595:16) {",
        "   at App.Get() in /src/App.cs:line 5",
        "             at /rustc/abc/library/std/src/panicking.rs:652:5",
        "... 23 more",
        "\t... 87 common frames omitted",
        "Caused by: java.io.IOException: x",
        "  File \"/app/a.py\", line 1, in <module>",
        "    ~~~~^^^",
        "\t/usr/local/go/src/net/http/server.go:1868 +0xb9",
        "created by net/http.(*Server).Serve in goroutine 1",
        "#0 /app/a.php(3): f()",
        "\tfrom a.rb:3:in 'f'",
        "   0: std::panicking::begin_panic",
        "Original Stack Trace:",
        "\t*__checkpoint ⇢ Request to GET http://api:8080/v1 [DefaultWebClient]",
    ] {
        assert_eq!(shape_of(text), LineShape::Frame, "{text}");
    }
    for text in
        ["at noon (local time)", "...", "from here on", "Caused trouble", "#1 in the list", "created by hand"]
    {
        assert_ne!(shape_of(text), LineShape::Frame, "{text}");
    }
}

proptest! {
    /// What a line is next to others need not be found out where its front says that it stands for itself: no report takes it
    /// that is not open, and it opens none.
    #[test]
    fn a_single_line_is_what_a_look_at_it_says(
        lines in prop::collection::vec(prop_oneof![
            (r"(2026-11-20 10:00:00,123 |10\.0\.1\.7 - - \[20/Nov/2026:10:00:00 \+0000\] |\{)",
             r#"(INFO|ERROR|"GET / HTTP/1.1" 200|"level":"info","msg":"x"|"level":"error"|at a)"#,
             r"( [ -~]{0,20}|\{|\[|\}| |)").prop_map(|(front, level, end)| format!("{front}{level}{end}")),
            "[ -~]{0,30}",
        ], 1..30),
    ) {
        let mut memo = LevelMemo::default();
        for text in lines {
            let mut content = Vec::new();
            push_string(&mut content, text.as_bytes());
            let line = Line::new(&content[1..content.len() - 1]);
            let glimpse = memo.read(&line);
            let look = Look::at(&line, glimpse.reading);
            if glimpse.is_single {
                prop_assert!(matches!(look.shape, LineShape::Own | LineShape::Bare), "{}: {:?}", text, look);
                prop_assert_eq!(Body::opened_by(&look), Body::Plain, "{}", text);
                prop_assert_eq!(Body::Plain.continued_by(&look, true), None, "{}", text);
                prop_assert!(!look.is_failure || text.starts_with('{'), "{}", text);
            }
        }
    }
}
