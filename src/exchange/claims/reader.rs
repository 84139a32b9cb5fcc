//! Typed access to the claims of an assertion, including claims that cannot be used.

use serde_json::{Map, Value};

use crate::clock::UnixSeconds;
use crate::oauth::error::{CLAIM_MALFORMED, Reason, TokenError, shown};

/// The largest accepted time: the year 9999.
const MAX_TIME: f64 = 253_402_300_799.0;

/// A claim as the assertion has it: absent, known or unusable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said<T> {
    /// There is no such claim, or it is null.
    #[default]
    Absent,
    /// The claim's value, of the form that is expected.
    Known(T),
    /// There is a claim, but its value cannot be used.
    NotKnown(ClaimFault),
}

/// Why a claim cannot be used: what was expected, and what kind of value came. It never holds the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClaimFault(String);

/// The result of reading a claim. A caller that needs the claim refuses on a fault; one that does not keeps it as
/// [`Said`].
pub type ClaimRead<T> = Result<Option<T>, ClaimFault>;

impl<T> Said<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::NotKnown(_) => None,
        }
    }

    /// The value itself, if it is known.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::NotKnown(_) => None,
        }
    }

    /// Why there is a claim and no value.
    pub fn fault(&self) -> Option<&ClaimFault> {
        match self {
            Self::NotKnown(fault) => Some(fault),
            Self::Absent | Self::Known(_) => None,
        }
    }

    /// The value for a caller that needs it: an unusable claim is an error.
    pub fn needed(&self) -> Result<Option<&T>, TokenError> {
        self.fault().map_or(Ok(self.known()), |fault| Err(fault.clone().into()))
    }
}

impl<T> From<ClaimRead<T>> for Said<T> {
    fn from(read: ClaimRead<T>) -> Self {
        match read {
            Ok(None) => Self::Absent,
            Ok(Some(value)) => Self::Known(value),
            Err(fault) => Self::NotKnown(fault),
        }
    }
}

impl ClaimFault {
    /// Describes a fault. `name` may be configured by an administrator; everything else is our own text.
    pub(super) fn new(name: &str, expected: &str, got: &str) -> Self {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = if plain { name.to_owned() } else { shown(name) };
        Self(format!("{name} must be {expected}; got {got}"))
    }

    fn of(name: &str, expected: &str, value: &Value) -> Self {
        Self::new(name, expected, &kind(value))
    }
}

impl From<ClaimFault> for TokenError {
    fn from(fault: ClaimFault) -> Self {
        Self::invalid_grant(Reason::CLAIM_MALFORMED, CLAIM_MALFORMED).detail(fault.0)
    }
}

/// The kind of a value, in words: the value itself may be personal data.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) => format!("a string of {} bytes", text.len()),
        Value::Array(items) => match items.iter().find(|item| !item.is_string()) {
            Some(other) => format!("an array with {} in it", shallow(other)),
            None => format!("an array of {}", items.len()),
        },
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The same, without a look into an array.
pub(super) fn shallow(value: &Value) -> String {
    if value.is_array() { "an array".to_owned() } else { kind(value) }
}

/// Typed access to a claims object.
pub(super) struct Reader<'a> {
    claims: &'a Map<String, Value>,
    /// The claims whose values are elsewhere (OpenID Connect Core §5.6.2).
    elsewhere: Option<&'a Map<String, Value>>,
}

impl<'a> Reader<'a> {
    pub fn new(claims: &'a Map<String, Value>) -> Result<Self, ClaimFault> {
        let elsewhere = match claims.get("_claim_names") {
            None => None,
            Some(Value::Object(names)) => Some(names),
            Some(other) => return Err(ClaimFault::of("_claim_names", "an object", other)),
        };
        Ok(Self { claims, elsewhere })
    }

    /// The claim's value. We do not fetch values that are elsewhere, so such a claim cannot be used.
    pub fn get(&self, name: &str) -> ClaimRead<&'a Value> {
        match self.elsewhere.is_some_and(|names| names.contains_key(name)) {
            true => Err(ClaimFault::new(name, "in the assertion itself", "a reference in _claim_names")),
            false => Ok(self.claims.get(name)),
        }
    }

    /// The claim's value, if `take` understands it.
    pub fn taken<T>(
        &self,
        name: &str,
        expected: &str,
        take: impl Fn(&'a Value) -> Option<T>,
    ) -> ClaimRead<T> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        take(value).map(Some).ok_or_else(|| ClaimFault::of(name, expected, value))
    }

    pub fn text(&self, name: &str, max: usize) -> ClaimRead<String> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        match value {
            // PostgreSQL cannot store NUL in a text.
            Value::String(text) if (1..=max).contains(&text.len()) && !text.contains('\0') => {
                Ok(Some(text.clone()))
            }
            other => Err(ClaimFault::of(name, &format!("a string of 1 to {max} bytes without NUL"), other)),
        }
    }

    pub fn required_text(&self, name: &str, max: usize) -> Result<String, TokenError> {
        self.text(name, max)?.ok_or_else(|| missing(name))
    }

    /// A NumericDate (RFC 7519 §2): a number of seconds, possibly with a fraction.
    pub fn time(&self, name: &str) -> ClaimRead<f64> {
        let time = |value: &Value| value.as_f64().filter(|time| (0.0..=MAX_TIME).contains(time));
        self.taken(name, "a number of seconds since 1970", time)
    }

    pub fn required_time(&self, name: &str) -> Result<f64, TokenError> {
        self.time(name)?.ok_or_else(|| missing(name))
    }

    /// As whole seconds; the fraction is cut.
    pub fn seconds(&self, name: &str) -> ClaimRead<UnixSeconds> {
        // In range, since `time` has bounded it.
        Ok(self.time(name)?.map(|time| time as UnixSeconds))
    }

    pub fn flag(&self, name: &str) -> ClaimRead<bool> {
        self.taken(name, "true or false without quotes", Value::as_bool)
    }

    pub fn list(&self, name: &str) -> ClaimRead<Vec<String>> {
        self.taken(name, "an array of strings", strings)
    }

    /// A list of strings, or one string, where the RFCs allow it.
    pub fn one_or_more(&self, name: &str) -> ClaimRead<Vec<String>> {
        let take = |value: &Value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            other => strings(other),
        };
        self.taken(name, "a string or an array of strings", take)
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(super) fn missing(name: &str) -> TokenError {
    TokenError::invalid_grant(
        Reason::CLAIM_MISSING,
        "The assertion lacks a required claim: the identity provider has to add it.",
    )
    .detail(format!("{name} is missing"))
}
