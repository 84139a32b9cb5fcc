//! The reading of subject identifiers.

use countersign::signals::subject::{Subject, SubjectFault};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[test]
fn each_format_has_exactly_its_members() {
    let read = |value: Value| Subject::read(&value);
    assert_eq!(read(json!({ "format": "email", "email": "A@B.co" })), Ok(Subject::Email("a@b.co".into())));
    let iss_sub = Subject::IssuerSubject { iss: "i".into(), sub: "s".into() };
    assert_eq!(read(json!({ "format": "iss_sub", "iss": "i", "sub": "s" })), Ok(iss_sub));
    assert_eq!(read(json!({ "format": "opaque", "id": "x" })), Ok(Subject::Opaque("x".into())));
    for malformed in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "format": null }),
        json!({ "email": "a@b.co" }),
        json!({ "format": "email" }),
        json!({ "format": "email", "email": "a" }),
        json!({ "format": "email", "email": ["a@b.co"] }),
        json!({ "format": "email", "email": "a@b.co", "sub": "s" }),
        json!({ "format": "iss_sub", "iss": "i" }),
        json!({ "format": "iss_sub", "iss": "i", "sub": "" }),
        json!({ "format": "iss_sub", "iss": "i", "sub": "a\u{0}b" }),
        json!({ "format": "opaque", "id": "x".repeat(256) }),
        json!({ "format": "opaque", "id": 7 }),
    ] {
        assert_eq!(read(malformed.clone()), Err(SubjectFault::Malformed), "{malformed}");
    }
    for unknown in ["complex", "EMAIL", "aliases", "did", ""] {
        assert_eq!(read(json!({ "format": unknown, "id": "x" })), Err(SubjectFault::UnknownFormat));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
        "[a-z]{1,8}@[a-z]{1,8}\\.com".prop_map(Value::from),
        prop_oneof!["email", "iss_sub", "opaque", "complex"].prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| {
        let name = prop_oneof!["format", "email", "iss", "sub", "id", "[a-z]{1,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is read can be written in one way only, and is what came, but for the case of an email.
    #[test]
    fn whatever_is_read_is_what_was_written(value in value()) {
        let Ok(subject) = Subject::read(&value) else { return Ok(()) };
        let written = match subject {
            Subject::Email(email) => {
                prop_assert_eq!(&email, &email.to_lowercase());
                json!({ "format": "email", "email": email })
            }
            Subject::IssuerSubject { iss, sub } => json!({ "format": "iss_sub", "iss": iss, "sub": sub }),
            Subject::Opaque(id) => json!({ "format": "opaque", "id": id }),
        };
        let lower = |value: &Value| value.to_string().to_lowercase().parse::<Value>().unwrap();
        prop_assert_eq!(lower(&written), lower(&value));
    }

    /// Each sound identifier is taken.
    #[test]
    fn sound_identifiers_are_taken(iss in "https://[a-z]{1,20}\\.com/?", sub in "[!-~]{1,255}") {
        let iss_sub = json!({ "format": "iss_sub", "iss": iss, "sub": sub });
        prop_assert_eq!(Subject::read(&iss_sub), Ok(Subject::IssuerSubject { iss, sub: sub.clone() }));
        prop_assert_eq!(Subject::read(&json!({ "format": "opaque", "id": sub })), Ok(Subject::Opaque(sub)));
    }
}
