//! The token endpoint's code for a denial.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `error` for somebody who is not entitled. RFC 6749 §5.2 has none for that at the token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenialError {
    /// Tells clients that a new assertion does not help.
    #[default]
    AccessDenied,
    /// The only code of RFC 6749 that fits. Clients may try again with a new assertion.
    InvalidGrant,
}
