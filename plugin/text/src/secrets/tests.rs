//! Kinds by examples; the corpus of the harness has the rest.

use super::*;
use proptest::prelude::*;

fn found(kind: Kind, text: &str) -> Vec<&str> {
    let mut hits = Vec::new();
    kind.find(text.as_bytes(), None, &mut hits);
    hits.sort_by_key(|hit| hit.start);
    hits.into_iter().map(|hit| &text[hit]).collect()
}

#[test]
fn each_kind_finds_its_own_and_leaves_what_is_near() {
    for (kind, text, hits) in [
        (Kind::Email, "<Jörg.Ö+x@exämple.example.de>, a@b.c", &["Jörg.Ö+x@exämple.example.de"] as &[&str]),
        (Kind::Email, "a@b@c.de x@1.2.3 @y.de me@host", &["b@c.de"]),
        (
            Kind::Ipv4,
            "10.0.0.1:80 (192.0.2.255) 1.2.3 1.2.3.4.5 v1.2.3.4 1.2.3.256 01.2.3.4 203.0.113.9.",
            &["10.0.0.1", "192.0.2.255", "203.0.113.9"],
        ),
        (
            Kind::Ipv6,
            "[2001:db8::1]:443 fe80::1%eth0 12:34:56 aa:bb:cc:dd:ee:ff std::vec ::1, ::",
            &["2001:db8::1", "fe80::1", "::1"],
        ),
        (
            Kind::Ipv6,
            "1:2:3:4:5:6:7:8 1:2:3:4:5:6:7 ::ffff:192.0.2.1.",
            &["1:2:3:4:5:6:7:8", "::ffff:192.0.2.1"],
        ),
        (
            Kind::CreditCard,
            "4111111111111111 4111-1111-1111-1111 4111 1111 1111 1112 3782 822463 10005",
            &["4111111111111111", "4111-1111-1111-1111", "3782 822463 10005"],
        ),
        (Kind::CreditCard, "x4111111111111111 0.4111111111111111 4111-1111 1111-1111 1764338059123456", &[]),
        (
            Kind::AwsKey,
            "id=AKIAIOSFODNN7EXAMPLE aws_secret_access_key = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
            &["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
        ),
        (Kind::AwsKey, "AKIAIOSFODNN7EXAMPL akiaiosfodnn7example XAKIAIOSFODNN7EXAMPLE", &[]),
        (
            Kind::Jwt,
            "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_9;",
            &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_9"],
        ),
        (Kind::Jwt, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0 eyJh.b.c xeyJh.eyJ.c", &[]),
        (Kind::BearerToken, "Authorization: Bearer abc.def-123= bearer of bad news", &["abc.def-123="]),
        (
            Kind::PrivateKey,
            "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b -----BEGIN PRIVATE KEY-----\nX",
            &[
                "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN PRIVATE KEY-----\nX",
            ],
        ),
        (Kind::PrivateKey, "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY----- PRIVATE KEY", &[]),
    ] {
        assert_eq!(found(kind, text), hits, "{} in {text}", kind.name());
    }
}

#[test]
fn a_secret_key_is_known_by_the_name_of_its_value_too() {
    let mut hits = Vec::new();
    let text = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    Kind::AwsKey.find(text, Some(b"SecretAccessKey"), &mut hits);
    assert!(hits.len() == 1 && hits[0] == (0..40));
    hits.clear();
    Kind::AwsKey.find(text, Some(b"sha1"), &mut hits);
    assert_eq!(hits, []);
}

#[test]
fn a_key_over_several_lines_is_followed_to_its_end() {
    assert!(ends_in_private_key(b"-----BEGIN EC PRIVATE KEY-----"));
    assert!(!ends_in_private_key(b"-----BEGIN EC PRIVATE KEY-----x-----END EC PRIVATE KEY-----"));
    for (line, expected) in [
        ("MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj", Some(InPrivateKey::Part)),
        ("Proc-Type: 4,ENCRYPTED", Some(InPrivateKey::Part)),
        ("", Some(InPrivateKey::Part)),
        ("-----END EC PRIVATE KEY-----", Some(InPrivateKey::End)),
        ("GET / 200", None),
    ] {
        assert_eq!(continues_private_key(line.as_bytes()), expected, "{line}");
    }
}

/// Texts of what the kinds look at.
fn near_secrets() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "Z",
        "0",
        "4",
        "1",
        ".",
        ":",
        "::",
        "@",
        "-",
        "_",
        " ",
        "/",
        "+",
        "=",
        "\"",
        "\\",
        "ü",
        "eyJ",
        "ey",
        "J",
        "AKIA",
        "IOSFODNN7EXAMPLE",
        "secret",
        "_access_key",
        "bearer ",
        "12345678",
        "-----BEGIN ",
        "-----END ",
        "PRIVATE KEY-----",
        "example.com",
        "4111111111111111",
        "10.0.0.1",
        "fe80::1",
        "\n",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn hits_are_apart_and_seen_by_the_sieve(text in near_secrets()) {
        for (kind, name, _) in Kind::ALL {
            let mut hits = Vec::new();
            kind.find(text.as_bytes(), None, &mut hits);
            hits.sort_by_key(|hit| hit.start);
            let mut free = 0;
            for hit in &hits {
                prop_assert!(hit.start >= free && hit.end > hit.start, "{name}: {hits:?}");
                prop_assert!(text.get(hit.clone()).is_some(), "{name}: {hits:?}");
                free = hit.end;
            }
            if !hits.is_empty() {
                prop_assert!(Sieve::new(kind.signs()).may_hit(text.as_bytes()), "{name}");
            }
        }
    }

    #[test]
    fn a_text_is_seen_wherever_it_stands(before in "[a-zA-Z@. ]{0,70}", word in "[a-z]{2,9}", behind in "[a-z ]{0,70}") {
        let exact = format!("{before}{word}{behind}");
        prop_assert!(Sieve::new([Sign::text(word.as_bytes())]).may_hit(exact.as_bytes()));
        let loud = format!("{before}{}{behind}", word.to_uppercase());
        prop_assert!(Sieve::new([Sign::word(word.as_bytes())]).may_hit(loud.as_bytes()));
        let wanted = b"zzq";
        let has = exact.as_bytes().windows(3).any(|part| part == wanted);
        prop_assert_eq!(Sieve::new([Sign::text(wanted)]).may_hit(exact.as_bytes()), has);
    }
}
