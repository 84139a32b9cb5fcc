//! The keys that proofs are made with: asymmetric ones, and of each the public half only.

use serde_json::Value;

use crate::idp::key::{Unusable, VerificationKey};

/// The members that only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads a public key. One with a private member is refused, even where that member is null: whoever writes one may send
/// its value the next time.
pub(super) fn public_key(jwk: &Value) -> Result<VerificationKey, Unusable> {
    match PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
        true => Err(Unusable::Private),
        false => VerificationKey::from_jwk(jwk),
    }
}

/// The thumbprint of the key that a `cnf` claim names: by `jkt` (RFC 9449 §6.1) or by `jwk` (RFC 7800 §3.2). None for
/// every other claim, also for one that names a second thing: a part of it would go unproved.
pub fn named_thumbprint(cnf: &Value) -> Option<String> {
    let members = cnf.as_object()?;
    let mut named = members.iter();
    match (named.next()?, named.next()) {
        ((name, Value::String(jkt)), None) if name == "jkt" => is_thumbprint(jkt).then(|| jkt.clone()),
        ((name, jwk), None) if name == "jwk" => public_key(jwk).ok().map(|key| key.thumbprint()),
        _ => None,
    }
}

/// Whether a text is a SHA-256 in base64url without padding: 43 characters, of which the last has 4 bits.
fn is_thumbprint(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == 43 && text.bytes().all(is_digit) && text.ends_with(|last| "AEIMQUYcgkosw048".contains(last))
}
