//! Filters, paths and patches: whatever comes, they answer, and what they accept means what it says.

use countersign::scim::{AttributePath, UserDocument, UserFilter, UserPatch};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Pieces of filters and paths, and strange characters.
fn piece() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "userName", "emails", "value", "[", "]", ".", " ", "eq", "\"", "\\", "urn:", ":", "2.0", "User",
        "type", "{", "active",
    ];
    prop_oneof![proptest::sample::select(WORDS).prop_map(str::to_owned), any::<char>().prop_map(String::from)]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\é]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = proptest::sample::select(&["value", "type", "active", "emails", "userName", "primary"][..]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<Value>()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(pieces in proptest::collection::vec(piece(), 0..12)) {
        let text = pieces.concat();
        let _ = (text.parse::<UserFilter>(), text.parse::<AttributePath>());
    }

    #[test]
    fn a_filter_finds_the_text_that_was_quoted(name in "[^\0]{0,40}") {
        let quoted = Value::from(name.as_str()).to_string();
        let filters = [format!("userName eq {quoted}"), format!(" EXTERNALID  eQ {quoted} ")];
        let found = filters.map(|filter| filter.parse());
        prop_assert_eq!(found, [Ok(UserFilter::UserName(name.to_lowercase())), Ok(UserFilter::ExternalId(name.clone()))]);
        let more = format!("userName eq {quoted} x").parse::<UserFilter>();
        prop_assert!(more.is_err());
        let path: AttributePath = format!("emails[type eq {quoted}].value").parse().unwrap();
        let selection = path.selection.unwrap();
        prop_assert_eq!((selection.value, path.sub_attribute.as_deref()), (Value::from(name), Some("value")));
    }

    /// Patches never fail on a document, and `active` is what the last one said.
    #[test]
    fn patches_leave_a_document(
        steps in proptest::collection::vec((0..3usize, 0..7usize, value()), 1..8),
        active: bool,
    ) {
        let paths = [Value::Null, json!("emails"), json!("emails.value"), json!("emails[type eq \"work\"].value"),
            json!("emails[primary eq true]"), json!("name.givenName"), json!("urn:a:2.0:User:b.c")];
        let verbs = ["add", "replace", "remove"];
        let operation = |(verb, path, value): (usize, usize, Value)| {
            let (verb, path) = (verbs[verb], paths[path].clone());
            json!({ "op": verb, "path": path, "value": value })
        };
        let mut operations: Vec<Value> = steps.into_iter().map(operation).collect();
        operations.push(json!({ "op": "Replace", "path": "active", "value": active }));
        let body = json!({ "Operations": operations }).to_string();
        if let Ok(patch) = UserPatch::read(body.as_bytes()) {
            let mut document = UserDocument::read(br#"{"userName":"d@acme.com","emails":[{"type":"work"}]}"#).unwrap();
            patch.apply(&mut document);
            prop_assert_eq!(document.active(), Ok(Some(active)));
            let _ = (document.user_name(), document.external_id(), document.email());
            prop_assert!(document.into_profile().is_ok_and(|profile| profile.len() <= 4096));
        }
    }
}
