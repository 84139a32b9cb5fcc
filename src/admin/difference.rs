//! The part of a change that the audit log keeps: the members that differ, each cut to a bound. The members are those
//! of our own views, so a row is at most a few KiB, whatever somebody sends.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// Longest text of a value, in bytes of JSON; of a longer one the beginning is kept, and its length.
const MAX_VALUE: usize = 256;

/// The old and the new value as they are kept; none when nothing differs.
pub fn of(old: Option<Value>, new: Option<Value>) -> Option<(Option<Value>, Option<Value>)> {
    let (old, new) = match (old, new) {
        (Some(Value::Object(mut old)), Some(Value::Object(mut new))) => {
            keep_differing(&mut old, &mut new);
            if old.is_empty() && new.is_empty() {
                return None;
            }
            (Some(Value::Object(old)), Some(Value::Object(new)))
        }
        (old, new) => (old, new),
    };
    Some((old.map(cut_members), new.map(cut_members)))
}

fn keep_differing(old: &mut Map<String, Value>, new: &mut Map<String, Value>) {
    old.retain(|name, before| match new.get_mut(name) {
        Some(after) if before == after => {
            new.remove(name);
            false
        }
        Some(Value::Array(after)) => {
            if let Value::Array(before) = before {
                keep_differing_entries(before, after);
            }
            true
        }
        _ => true,
    });
}

/// Keeps, of two lists, only the entries that the other one lacks. In a list of a thousand, the added entry would
/// otherwise be cut off.
fn keep_differing_entries(old: &mut Vec<Value>, new: &mut Vec<Value>) {
    let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<HashSet<_>>();
    let (before, after) = (texts(old), texts(new));
    old.retain(|entry| !after.contains(&entry.to_string()));
    new.retain(|entry| !before.contains(&entry.to_string()));
}

fn cut_members(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, cut(value))).collect(),
        other => cut(other),
    }
}

fn cut(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.len() <= MAX_VALUE {
        return value;
    }
    json!({ "begins": text.get(..text.floor_char_boundary(MAX_VALUE)), "bytes": text.len() })
}
