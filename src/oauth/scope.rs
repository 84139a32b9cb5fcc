//! Scopes as texts (RFC 6749 §3.3), and those that can be decided on.

use serde::{Deserialize, Serialize};

use super::authorization_details::DetailCandidates;
use super::error::Reason;

/// Longest `scope` parameter, and most scopes in one.
const MAX_SCOPE: usize = 4096;
const MAX_SCOPES: usize = 100;

/// Scopes of OpenID Connect that mean something at an identity provider only: never granted, and
/// `offline_access` would promise a refresh token.
const NEVER: [&str; 2] = ["openid", "offline_access"];

/// Whether a scope is one that no token of ours carries.
pub fn is_never_granted(scope: &str) -> bool {
    NEVER.contains(&scope)
}

/// Why a text is no list of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeFault {
    /// Over 4096 bytes.
    TooLong,
    /// A scope has a character that RFC 6749 §3.3 does not allow.
    Character,
    /// Over 100 different scopes.
    TooMany,
}

/// A scope parameter or claim as its scopes, without repetition: RFC 6749 §3.3.
pub fn split_scope(text: &str) -> Result<Vec<String>, ScopeFault> {
    if text.len() > MAX_SCOPE {
        return Err(ScopeFault::TooLong);
    }
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !is_scope_token(scope) {
            return Err(ScopeFault::Character);
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    if scopes.len() > MAX_SCOPES { Err(ScopeFault::TooMany) } else { Ok(scopes) }
}

/// `scope-token` of RFC 6749 §3.3: printable ASCII but for space, `"` and `\`.
pub fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\')
}

/// The scopes and details to be decided, and those that are out already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Candidates {
    /// The scopes that policies decide, without repetition, in the order of the answer.
    pub scopes: Vec<String>,
    /// The scopes that are refused whatever policies say, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<(String, Reason)>,
    /// Whether assertion or request asked for scopes, so that granting none is an error.
    pub asked: bool,
    /// The request's scope parameter, where a policy reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Vec<String>>,
    /// The authorization details; none where neither assertion nor request has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<DetailCandidates>>,
}
