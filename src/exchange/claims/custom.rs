//! Claims that an identity provider's configuration declares.

use serde_json::{Map, Value};

use super::reader::{ClaimRead, Reader};
use crate::model::identity_provider::{ClaimType, CustomClaim};
use crate::policy::facts::ClaimValue;

/// Longest text, in bytes.
const MAX_TEXT: usize = 512;
/// Most texts of a list.
const MAX_TEXTS: usize = 100;

/// Reads the claim's value with its declared type. One text counts as a list of one.
pub(super) fn read(payload: &Map<String, Value>, claim: &CustomClaim) -> ClaimRead<ClaimValue> {
    let (claims, name) = (Reader::new(payload)?, claim.name.as_str());
    Ok(match claim.claim_type {
        ClaimType::Text => claims.text(name, MAX_TEXT)?.map(ClaimValue::Text),
        ClaimType::Long => claims.taken(name, "a whole number", Value::as_i64)?.map(ClaimValue::Long),
        ClaimType::Boolean => claims.flag(name)?.map(ClaimValue::Boolean),
        ClaimType::Texts => {
            let expected = format!("at most {MAX_TEXTS} strings of 1 to {MAX_TEXT} bytes without NUL");
            claims.taken(name, &expected, texts)?.map(ClaimValue::Texts)
        }
    })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let items = match value {
        Value::Array(items) if items.len() <= MAX_TEXTS => items.as_slice(),
        Value::Array(_) => return None,
        one => std::slice::from_ref(one),
    };
    let is_good = |text: &&str| (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0');
    items.iter().map(|item| item.as_str().filter(is_good).map(str::to_owned)).collect()
}
