//! The key that a token is bound to, as the token and introspection say it.

use serde::{Deserialize, Serialize};

/// The `cnf` of a token that is bound to a key (RFC 9449 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation<T> {
    /// The thumbprint of the key (RFC 7638).
    pub jkt: T,
}

/// How a token is presented: with a proof of the key that it is bound to (RFC 9449 §7.1), or alone (RFC 6750).
pub fn token_type(key_thumbprint: Option<&str>) -> &'static str {
    if key_thumbprint.is_some() { "DPoP" } else { "Bearer" }
}
