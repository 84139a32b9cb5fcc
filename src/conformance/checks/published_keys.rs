//! The keys that the server publishes, and whether one of them made a signature.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::conformance::suite::Suite;
use crate::conformance::wire::{Probe, opened};
use crate::idp::key::{VerificationKey, allowed_algorithm};

/// Why nothing can be said about a signature.
pub const NO_KEYS: &str = "the metadata has no jwks_uri";

/// Whether a published key made the signature of a JWT; none if nothing says where the keys are.
pub async fn is_by_published_key(suite: &Suite, token: &str) -> Option<bool> {
    let url = suite.metadata.get("jwks_uri").and_then(Value::as_str).filter(|url| !url.is_empty())?;
    let keys = Probe::get(url).send(&suite.http).await;
    let header = opened(token, 0).unwrap_or_default();
    let all = keys.member("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_named = |key: &&Value| header.get("kid").is_none() || key.get("kid") == header.get("kid");
    Some(all.iter().filter(is_named).any(|key| verifies(&header, key, token)))
}

fn verifies(header: &Value, key: &Value, token: &str) -> bool {
    let named = header.get("alg").and_then(Value::as_str).and_then(allowed_algorithm);
    let (Some(algorithm), Ok(key)) = (named, VerificationKey::from_jwk(key)) else { return false };
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    let signature = URL_SAFE_NO_PAD.decode(signature);
    signature.is_ok_and(|signature| key.verifies(algorithm, message.as_bytes(), &signature))
}
