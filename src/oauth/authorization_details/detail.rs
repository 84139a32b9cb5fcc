//! One authorization detail (RFC 9396 §2).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fault::DetailsFault;
use crate::oauth::json::parse_array;

/// The type that limits a token to some tools of its MCP server.
pub const MCP_TOOL: &str = "mcp_tool";

/// The most details of one assertion or request, and the most bytes that they have together as JSON.
const MAX_DETAILS: usize = 16;
const MAX_BYTES: usize = 4096;

/// The common fields that are arrays of strings (RFC 9396 §2.2).
const LISTS: [&str; 4] = ["locations", "actions", "datatypes", "privileges"];

/// An object with a type, whose common fields are of the right kind. Its members are sorted at every depth, so that equal
/// details have one text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Detail(Map<String, Value>);

impl Detail {
    /// Its `type`.
    pub fn detail_type(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// A member that is a string.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_str()
    }

    /// The strings of a member that is an array.
    pub fn list(&self, member: &str) -> impl Iterator<Item = &str> {
        self.0.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether it limits the token to its tools.
    pub fn is_tool_limit(&self) -> bool {
        self.detail_type() == MCP_TOOL
    }

    /// The tools that it lets through; none unless it is a limit.
    pub fn tools(&self) -> impl Iterator<Item = &str> {
        self.list("tools").filter(|_| self.is_tool_limit())
    }

    /// As JSON.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// The text that all equal details have: JSON with sorted members.
impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl TryFrom<Value> for Detail {
    type Error = DetailsFault;

    fn try_from(value: Value) -> Result<Self, DetailsFault> {
        let malformed = |what: &str| Err(DetailsFault::Malformed(what.to_owned()));
        let Value::Object(members) = value else { return malformed("an entry is no object") };
        match members.get("type") {
            Some(Value::String(name)) if !name.is_empty() => {}
            _ => return malformed("an entry has no type that is a string"),
        }
        let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        if let Some(field) = LISTS.into_iter().find(|name| members.get(*name).is_some_and(|v| !is_list(v))) {
            return malformed(&format!("{field} must be an array of strings"));
        }
        if members.get("identifier").is_some_and(|value| !value.is_string()) {
            return malformed("identifier must be a string");
        }
        Ok(Self(sorted(members)))
    }
}

/// Whether the limits to tools among details, if there are any, let a tool through.
pub fn allow_tool(details: &[Detail], name: &str) -> bool {
    let mut limits = details.iter().filter(|detail| detail.is_tool_limit()).peekable();
    limits.peek().is_none() || limits.any(|limit| limit.tools().any(|tool| tool == name))
}

/// Reads the value of the claim, or of the parameter.
pub fn read(value: Value) -> Result<Vec<Detail>, DetailsFault> {
    let malformed = |what: String| DetailsFault::Malformed(what);
    let Value::Array(entries) = value else { return Err(malformed("they are no array".to_owned())) };
    if !(1..=MAX_DETAILS).contains(&entries.len()) {
        return Err(malformed(format!("{} entries; 1 to {MAX_DETAILS} are read", entries.len())));
    }
    let details = entries.into_iter().map(Detail::try_from).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = details.iter().map(|detail| detail.to_string().len()).sum();
    if bytes > MAX_BYTES {
        return Err(malformed(format!("{bytes} bytes; at most {MAX_BYTES} are read")));
    }
    Ok(details)
}

/// Reads the parameter of a token request.
pub fn parse(text: &str) -> Result<Vec<Detail>, DetailsFault> {
    let malformed = || DetailsFault::Malformed("no JSON array without repeated names".to_owned());
    read(Value::Array(parse_array(text.as_bytes()).ok_or_else(malformed)?))
}

/// The depth is bounded by the strict reader, which everything from outside has passed.
fn sorted(members: Map<String, Value>) -> Map<String, Value> {
    let mut members: Vec<(String, Value)> = members.into_iter().collect();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    members.into_iter().map(|(name, value)| (name, with_sorted_members(value))).collect()
}

fn with_sorted_members(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(sorted(members)),
        Value::Array(items) => Value::Array(items.into_iter().map(with_sorted_members).collect()),
        other => other,
    }
}
