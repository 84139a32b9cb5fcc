//! Checks the public keys that a client is registered with.

use std::collections::HashSet;

use serde_json::Value;

use crate::idp::key::{Unusable, VerificationKey};
use crate::oauth::error::shown;

/// Most keys of one client: the one that it signs with, and those before and after it.
const MAX_KEYS: usize = 20;
/// Longest key set as text, in bytes.
const MAX_JWKS: usize = 16 * 1024;
/// Members with which anybody could sign as the client (RFC 7518 §6.2.2 and §6.3.2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// Why a key set is refused.
#[derive(Debug, thiserror::Error)]
pub enum JwksFault {
    /// It is no JWK Set (RFC 7517 §5).
    #[error("expected an object with `keys` alone, a list of 1 to {MAX_KEYS} public keys.")]
    NotASet,
    /// The whole set is too long.
    #[error("it is longer than {MAX_JWKS} bytes. Give the public keys alone, without certificates.")]
    TooLong,
    /// A key cannot verify a signature, or would let others sign.
    #[error("{key} {why}. Give public keys for RS256, PS256, ES256, ES384 or EdDSA (Ed25519).")]
    Key {
        /// The key in words.
        key: String,
        /// Its fault.
        why: Unusable,
    },
    /// A key has something in it that no key has.
    #[error("{0} has a member that is no text, no flag and no list of texts.")]
    Member(String),
    /// The `kid` does not tell which key is meant.
    #[error("two keys have the kid {0}.")]
    SameKid(String),
}

/// Checks a key set, which `text` is too.
pub(super) fn check(jwks: &Value, text: &str) -> Result<(), JwksFault> {
    let set = jwks.as_object().filter(|set| set.len() == 1).ok_or(JwksFault::NotASet)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(JwksFault::NotASet)?;
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return Err(JwksFault::NotASet);
    }
    if text.len() > MAX_JWKS {
        return Err(JwksFault::TooLong);
    }
    let mut kids = HashSet::new();
    for (index, jwk) in keys.iter().enumerate() {
        let kid = jwk.get("kid").and_then(Value::as_str);
        let key =
            || kid.map_or_else(|| format!("key {}", index + 1), |kid| format!("the key {}", shown(kid)));
        check_key(jwk, key)?;
        if kid.is_some_and(|kid| !kids.insert(kid)) {
            return Err(JwksFault::SameKid(shown(kid.unwrap_or_default())));
        }
    }
    Ok(())
}

fn check_key(jwk: &Value, key: impl Fn() -> String) -> Result<(), JwksFault> {
    let unusable = |why| JwksFault::Key { key: key(), why };
    let members = jwk.as_object().ok_or_else(|| unusable(Unusable::NotAnObject))?;
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(unusable(Unusable::Private));
    }
    let is_text_list = |list: &Vec<Value>| list.iter().all(Value::is_string);
    let is_plain =
        |value: &Value| value.is_string() || value.is_boolean() || value.as_array().is_some_and(is_text_list);
    if !members.values().all(is_plain) {
        return Err(JwksFault::Member(key()));
    }
    VerificationKey::from_jwk(jwk).map(drop).map_err(unusable)
}
