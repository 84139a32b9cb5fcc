//! Filters of lists of users (RFC 7644 §3.4.2.2), as far as identity providers use them.

use std::str::FromStr;

use serde_json::Value;

use super::fault::ScimFault;
use super::path::{AttributePath, equals};

/// The longest filter, in bytes.
const MAX_FILTER: usize = 1024;

/// The users that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserFilter {
    /// The one with this id.
    Id(String),
    /// The one with this user name, in lower case.
    UserName(String),
    /// Those with this id at the identity provider.
    ExternalId(String),
    /// The one with this email address, in lower case.
    Email(String),
}

impl FromStr for UserFilter {
    type Err = ScimFault;

    fn from_str(text: &str) -> Result<Self, ScimFault> {
        Some(text.trim()).filter(|text| text.len() <= MAX_FILTER).and_then(parse).ok_or(ScimFault::Filter)
    }
}

fn parse(text: &str) -> Option<UserFilter> {
    let (path, rest) = AttributePath::parse(text)?;
    let (Value::String(value), "") = equals(rest).map(|(value, rest)| (value, rest.trim()))? else {
        return None;
    };
    if path.extension.is_some() || value.contains('\0') {
        return None;
    }
    let attribute = path.attribute.to_ascii_lowercase();
    let part = path.sub_attribute.map(|part| part.to_ascii_lowercase());
    match (attribute.as_str(), part.as_deref(), path.selection.is_some()) {
        ("id", None, false) => Some(UserFilter::Id(value)),
        ("username", None, false) => Some(UserFilter::UserName(value.to_lowercase())),
        ("externalid", None, false) => Some(UserFilter::ExternalId(value)),
        ("emails", Some("value"), _) | ("emails", None, false) => {
            Some(UserFilter::Email(value.to_lowercase()))
        }
        _ => None,
    }
}
