//! The parser, on any input.

use countersign::oauth::authorization_details::{Detail, DetailCandidates, DetailTypes, check_places, parse};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::harness::RESOURCE;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z\\PC]{0,6}".prop_map(Value::from),
        select(vec!["mcp_tool", "payment", RESOURCE, "https://mcp.example.com/mcp/a"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            select(vec!["type", "tools", "locations", "actions", "identifier", "server"])
                .prop_map(str::to_owned),
            "[a-z]{1,3}"
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value with the members of every object the other way round.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(reversed).collect()),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// No text makes it panic, and what it takes keeps the bounds.
    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,80}") {
        if let Ok(details) = parse(&text) {
            prop_assert!((1..=16).contains(&details.len()));
        }
    }

    /// What is read means what was written, has one text in whatever order its members came, and is read again from it.
    #[test]
    fn a_detail_has_one_text(members in proptest::collection::vec(any_json(), 1..4)) {
        let entries: Vec<Value> = members
            .into_iter()
            .map(|value| match value {
                Value::Object(mut members) => {
                    members.entry("type").or_insert(json!("payment"));
                    Value::Object(members)
                }
                other => json!({ "type": "payment", "x": other }),
            })
            .collect();
        let text = Value::Array(entries.clone()).to_string();
        let other = reversed(&Value::Array(entries.clone())).to_string();
        prop_assert_eq!(parse(&text).is_ok(), parse(&other).is_ok());
        let Ok(details) = parse(&text) else { return Ok(()) };
        prop_assert_eq!(&details, &parse(&other).unwrap());
        for (detail, entry) in details.iter().zip(&entries) {
            prop_assert_eq!(&detail.to_value(), entry);
            let again: Value = serde_json::from_str(&detail.to_string()).unwrap();
            prop_assert_eq!(&Detail::try_from(again).unwrap(), detail);
            prop_assert_eq!(reversed(entry).to_string().len(), detail.to_string().len());
        }
        let types = DetailTypes::with([("payment", "{}")]).unwrap();
        if types.check(&details).is_ok() && check_places(&details, RESOURCE).is_ok() {
            let limits: Vec<&Detail> = details.iter().filter(|detail| detail.is_tool_limit()).collect();
            prop_assert!(limits.iter().all(|limit| limit.tools().count() > 0));
        }
    }

    /// Whatever assertion and request have: a limit of the assertion is never widened, and never lost.
    #[test]
    fn a_limit_is_never_widened(
        claimed in proptest::collection::vec(proptest::collection::vec(select(vec!["a", "b", "c"]), 1..3), 0..3),
        requested in proptest::option::of(proptest::collection::vec(proptest::collection::vec(select(vec!["a", "b", "c", "d"]), 0..3), 1..3)),
    ) {
        let detail = |tools: &Vec<&str>| {
            let mut members = Map::new();
            let is_limit = !tools.is_empty();
            members.insert("type".to_owned(), json!(if is_limit { "mcp_tool" } else { "payment" }));
            members.extend(is_limit.then(|| ("tools".to_owned(), json!(tools))));
            Detail::try_from(Value::Object(members)).unwrap()
        };
        let all = |lists: &Vec<Vec<&str>>| lists.iter().map(detail).collect::<Vec<_>>();
        let (claims, request) = (all(&claimed), requested.as_ref().map(all));
        let Some(candidates) = DetailCandidates::of(&claims, request.as_deref()) else {
            prop_assert!(claims.is_empty() && request.is_none());
            return Ok(());
        };
        let allowed: Vec<&str> = claimed.concat();
        let has_limit = !allowed.is_empty();
        prop_assert!(candidates.has_tool_limit() || !has_limit);
        for candidate in candidates.decided.iter().filter(|candidate| candidate.detail.is_tool_limit() && has_limit) {
            prop_assert!(candidate.authorized && candidate.detail.tools().all(|tool| allowed.contains(&tool)));
        }
        for refused in &candidates.refused {
            prop_assert!(has_limit && refused.tools().any(|tool| !allowed.contains(&tool)));
        }
    }
}
