//! The keys that the server publishes, and whether one of them made a signature.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::conformance::suite::Suite;
use crate::conformance::wire::{Probe, opened};

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
    let part = |name: &str| {
        let text = key.get(name).and_then(Value::as_str).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
    };
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let point = || [vec![4], part("x"), part("y")].concat();
    let by = |algorithm: &'static dyn VerificationAlgorithm, key: Vec<u8>| {
        UnparsedPublicKey::new(algorithm, key).verify(message.as_bytes(), &signature).is_ok()
    };
    let rsa = |parameters| {
        let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
        key.verify(parameters, message.as_bytes(), &signature).is_ok()
    };
    match header.get("alg").and_then(Value::as_str).unwrap_or_default() {
        "ES256" => by(&ECDSA_P256_SHA256_FIXED, point()),
        "ES384" => by(&ECDSA_P384_SHA384_FIXED, point()),
        "EdDSA" | "Ed25519" => by(&ED25519, part("x")),
        "RS256" => rsa(&RSA_PKCS1_2048_8192_SHA256),
        "PS256" => rsa(&RSA_PSS_2048_8192_SHA256),
        _ => false,
    }
}
