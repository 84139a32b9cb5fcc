//! One public key of an issuer, prepared once, with the algorithms it may verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// The algorithms an assertion may be signed with: asymmetric ones only, since a public key taken for
/// an HMAC secret would let everybody sign (RFC 8725 §3.1).
pub fn allowed_algorithm(alg: &str) -> Option<Algorithm> {
    match alg {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// A key that can verify assertions.
pub struct VerificationKey {
    pub kid: Option<String>,
    algorithms: &'static [Algorithm],
    /// The `alg` of the JWK, which narrows what the key's type allows.
    only: Option<Algorithm>,
    decoding: DecodingKey,
}

impl VerificationKey {
    /// From a JWK (RFC 7517); none when it is not a public signing key that we can use. A set with such
    /// keys stays usable: providers publish encryption keys and new kinds beside the ones we need.
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let jwk = jwk.as_object()?;
        if jwk.contains_key("d") || !is_for_verification(jwk) {
            return None;
        }
        let only = match text(jwk, "alg") {
            Some(alg) => Some(allowed_algorithm(alg)?),
            None if jwk.contains_key("alg") => return None,
            None => None,
        };
        let (algorithms, decoding) = prepare(jwk)?;
        if only.is_some_and(|only| !algorithms.contains(&only)) {
            return None;
        }
        let kid = text(jwk, "kid").map(str::to_owned);
        Some(Self { kid, algorithms, only, decoding })
    }

    /// Whether the key's type, curve and `alg` fit a header's algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this key made the signature (base64url) over the message.
    pub fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        self.fits(algorithm)
            && jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, algorithm)
                .unwrap_or(false)
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    jwk.get(key).and_then(Value::as_str)
}

fn is_for_verification(jwk: &Map<String, Value>) -> bool {
    let for_signatures = jwk.get("use").is_none_or(|value| value == "sig");
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    for_signatures && verifies
}

fn prepare(jwk: &Map<String, Value>) -> Option<(&'static [Algorithm], DecodingKey)> {
    match (text(jwk, "kty")?, text(jwk, "crv")) {
        ("RSA", _) => {
            let (n, e) = (text(jwk, "n")?, text(jwk, "e")?);
            is_sound_rsa(n, e).then_some(())?;
            let key = DecodingKey::from_rsa_components(n, e).ok()?;
            Some((&[Algorithm::RS256, Algorithm::PS256], key))
        }
        ("EC", Some("P-256")) => Some((&[Algorithm::ES256], elliptic(jwk, 32)?)),
        ("EC", Some("P-384")) => Some((&[Algorithm::ES384], elliptic(jwk, 48)?)),
        ("OKP", Some("Ed25519")) => {
            let x = text(jwk, "x")?;
            (decoded(x)?.len() == 32).then_some(())?;
            Some((&[Algorithm::EdDSA], DecodingKey::from_ed_components(x).ok()?))
        }
        _ => None,
    }
}

fn decoded(value: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(value).ok()
}

/// 2048 to 8192 bits (RFC 7518 §3.3 sets the lower bound, CPU the upper), and an odd exponent above 1:
/// with an exponent of 1 anything is a valid signature.
fn is_sound_rsa(n: &str, e: &str) -> bool {
    let (Some(n), Some(e)) = (decoded(n), decoded(e)) else { return false };
    let significant = n.iter().skip_while(|byte| **byte == 0);
    let bits = significant.clone().count() * 8
        - significant.clone().next().map_or(0, |byte| byte.leading_zeros() as usize);
    let exponent: Vec<u8> = e.into_iter().skip_while(|byte| *byte == 0).collect();
    let odd_above_one = exponent.last().is_some_and(|last| last % 2 == 1) && exponent != [1];
    (2048..=8192).contains(&bits) && odd_above_one && exponent.len() <= 8
}

/// A point that is on the curve: a signature check parses it, and tells a bad key from a bad signature.
fn elliptic(jwk: &Map<String, Value>, size: usize) -> Option<DecodingKey> {
    use aws_lc_rs::agreement::{ECDH_P256, ECDH_P384, ParsedPublicKey, UnparsedPublicKey};
    let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
    let (x_bytes, y_bytes) = (decoded(x)?, decoded(y)?);
    (x_bytes.len() == size && y_bytes.len() == size).then_some(())?;
    let point: Vec<u8> = std::iter::once(4).chain(x_bytes).chain(y_bytes).collect();
    let curve = if size == 32 { &ECDH_P256 } else { &ECDH_P384 };
    ParsedPublicKey::try_from(UnparsedPublicKey::new(curve, point)).ok()?;
    DecodingKey::from_ec_components(x, y).ok()
}
