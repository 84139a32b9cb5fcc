//! YAML as a tree of values with their lines. JSON is YAML too.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Options, Spanned};

use super::node::{LONGEST_FILE, Node, NodeKey, NodeValue};

/// Deepest nesting. Our own objects need eight levels.
const DEEPEST: usize = 32;
/// Most values of a file, and most that its aliases may stand for.
const MOST_VALUES: usize = 1_000_000;
const MOST_ALIASED: usize = 100_000;

/// The documents, or the first fault with its line.
pub fn parse(text: &str) -> Result<Vec<Node>, (u64, String)> {
    serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| fault(&error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_nodes: MOST_VALUES,
            max_events: 4 * MOST_VALUES,
            max_documents: 100_000,
            max_total_scalar_bytes: LONGEST_FILE,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_ALIASED,
        },
        // Reported with the other mistakes.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn fault(error: &Error) -> (u64, String) {
    let line = error.location().map_or(0, |location| location.line());
    let text = error.to_string();
    // The place is said before the text.
    let text = text.split(" at line ").next().unwrap_or_default();
    (line, text.lines().next().unwrap_or_default().trim_end_matches([':', ',']).to_owned())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let found = Spanned::<NodeValue>::deserialize(from)?;
        Ok(Self { line: found.referenced.line(), value: found.value })
    }
}

impl<'de> Deserialize<'de> for NodeKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let found = Spanned::<String>::deserialize(from)?;
        Ok(Self { line: found.referenced.line(), name: found.value })
    }
}

impl<'de> Deserialize<'de> for NodeValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = NodeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_none<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<NodeValue, D::Error> {
        NodeValue::deserialize(from)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<NodeValue, E> {
        Ok(NodeValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<NodeValue, E> {
        Ok(NodeValue::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<NodeValue, E> {
        Ok(i64::try_from(number).map_or_else(|_| NodeValue::Other(number.to_string()), NodeValue::Whole))
    }

    fn visit_i128<E>(self, number: i128) -> Result<NodeValue, E> {
        Ok(NodeValue::Other(number.to_string()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<NodeValue, E> {
        Ok(NodeValue::Other(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<NodeValue, E> {
        Ok(NodeValue::Other(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<NodeValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(NodeValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<NodeValue, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(NodeValue::Object(members))
    }
}
