//! What a person has to do at the identity provider before they get in (RFC 9470).

use serde::Serialize;

/// The sign-in that is asked for: another method, a fresher one, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepUp {
    /// The authentication context class references that will do, with spaces between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    /// The longest time since the sign-in, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

impl StepUp {
    /// Asks for something, or is none.
    pub fn of(acr_values: Option<String>, max_age: Option<i64>) -> Option<Self> {
        (acr_values.is_some() || max_age.is_some()).then_some(Self { acr_values, max_age })
    }
}
