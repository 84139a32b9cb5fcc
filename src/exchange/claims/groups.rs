//! The directory groups that an assertion names. Either all of them are known, or none.

use serde_json::{Map, Value};

use super::reader::{ClaimFault, ClaimRead, Reader, kind, shallow};

/// Most groups that are read.
const MAX_GROUPS: usize = 1000;
/// The longest name of a group, in bytes.
const MAX_NAME: usize = 1024;

/// Reads the names from the groups claim, whatever its name. One text is one group, exactly as it is.
pub fn read(payload: &Map<String, Value>, claim: &str) -> ClaimRead<Vec<String>> {
    // Microsoft sends this claim when there are too many groups to list.
    if payload.get("hasgroups").is_some_and(|told| *told != Value::Bool(false)) {
        return Err(fault(claim, "hasgroups, which says that there are groups and not which"));
    }
    let Some(value) = Reader::new(payload)?.get(claim)? else { return Ok(None) };
    let names = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(names) if names.len() <= MAX_GROUPS => names.as_slice(),
        other => return Err(fault(claim, &kind(other))),
    };
    let name = |value: &Value| match value {
        Value::String(name) if is_group_name(name) => Ok(name.clone()),
        Value::String(name) if name.is_empty() => Err(fault(claim, "an empty name")),
        Value::String(name) if name.len() > MAX_NAME => {
            Err(fault(claim, &format!("a name of {} bytes", name.len())))
        }
        Value::String(_) => Err(fault(claim, "a name with a control character")),
        other => Err(fault(claim, &format!("an array with {} in it", shallow(other)))),
    };
    names.iter().map(name).collect::<Result<_, _>>().map(Some)
}

/// Whether a text can be a group's name. Policies must be able to name the groups that they keep out.
fn is_group_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn fault(claim: &str, got: &str) -> ClaimFault {
    let expected = format!("the name of a group or an array of at most {MAX_GROUPS} names");
    ClaimFault::new(claim, &expected, got)
}
