//! The registered types of authorization details, each with the JSON Schema that its details must fit.

use std::collections::BTreeMap;
use std::fmt;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use super::detail::{Detail, MCP_TOOL};
use super::fault::DetailsFault;
use crate::oauth::json::parse_object;

/// The schema of the built-in type.
pub const MCP_TOOL_SCHEMA: &str = include_str!("../../../schema/mcp_tool.schema.json");

/// The longest name of a tool in bytes, also in the header that repeats it. Servers are advised to keep names within 128
/// characters, of which each has at most four bytes. A schema counts characters.
pub const MAX_TOOL_NAME: usize = 512;

/// The only dialect: what others mean by a keyword is not what is checked.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The most memory of one compiled pattern, in bytes.
const MAX_PATTERN: usize = 256 * 1024;

/// The types with their compiled schemas.
pub struct DetailTypes(BTreeMap<String, Validator>);

/// A type that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct UnusableType {
    /// Its name.
    pub name: String,
    /// The fault of its schema.
    pub why: String,
}

impl DetailTypes {
    /// The built-in type, and others by their names with the texts of their schemas.
    pub fn with<'t>(configured: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, UnusableType> {
        let all = std::iter::once((MCP_TOOL, MCP_TOOL_SCHEMA)).chain(configured);
        let compiled = all.map(|(name, text)| {
            let unusable = |why| UnusableType { name: name.to_owned(), why };
            Ok((name.to_owned(), compile(text).map_err(unusable)?))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Checks that details are of known types and fit their schemas.
    pub fn check(&self, details: &[Detail]) -> Result<(), DetailsFault> {
        details.iter().try_for_each(|detail| {
            let detail_type = detail.detail_type().to_owned();
            let Some(schema) = self.0.get(&detail_type) else {
                return Err(DetailsFault::UnknownType(detail_type));
            };
            if detail.tools().any(|tool| tool.len() > MAX_TOOL_NAME) {
                let why = format!("the name of a tool has more than {MAX_TOOL_NAME} bytes");
                return Err(DetailsFault::Unfit { detail_type, why });
            }
            schema.validate(&detail.to_value()).map_err(|error| {
                // Without the value, which is the caller's.
                let (place, masked) = (error.instance_path().as_str().to_owned(), error.masked().to_string());
                let place = if place.is_empty() { "the top".to_owned() } else { plain(&place) };
                let why = format!("{} at {place}", plain(&masked));
                DetailsFault::Unfit { detail_type, why }
            })
        })
    }
}

impl fmt::Debug for DetailTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A text with names of the caller's in it: short, and printable.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    text.chars().take(200).map(shown).collect()
}

/// Compiles a schema. Nothing outside it is read, its formats are checked, and its patterns are of the kind that takes
/// linear time.
fn compile(text: &str) -> Result<Validator, String> {
    let schema = parse_object(text.as_bytes())
        .ok_or("is no JSON object, repeats a name, or is nested more than 16 levels deep")?;
    if schema.get("$schema").is_some_and(|dialect| dialect != DIALECT) {
        return Err(format!("$schema must be {DIALECT}, or left out"));
    }
    if let Some(reference) = outside(&schema) {
        return Err(format!("$ref {reference:?} leads outside the schema"));
    }
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN);
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(patterns)
        .build(&Value::Object(schema))
        .map_err(|error| format!("is no usable JSON Schema: {error}"))
}

/// The first reference to another document.
fn outside(schema: &Map<String, Value>) -> Option<&str> {
    let own = ["$ref", "$dynamicRef"].into_iter().filter_map(|name| schema.get(name)?.as_str());
    let leads_out = own.into_iter().find(|reference| !reference.starts_with('#'));
    leads_out.or_else(|| schema.values().find_map(outside_of_value))
}

fn outside_of_value(value: &Value) -> Option<&str> {
    match value {
        Value::Object(members) => outside(members),
        Value::Array(items) => items.iter().find_map(outside_of_value),
        _ => None,
    }
}
