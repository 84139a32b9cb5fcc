//! One public key of an issuer, prepared once, with the algorithms it may verify.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
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
    /// Parsed once for each algorithm that the key's type, curve and `alg` allow: checking a signature
    /// parses nothing.
    prepared: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerificationKey {
    /// From a JWK (RFC 7517); none when it is not a public signing key that we can use. A set with such
    /// keys stays usable: providers publish encryption keys and new kinds beside the ones we need.
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let jwk = jwk.as_object()?;
        if jwk.contains_key("d") || !is_for_verification(jwk) {
            return None;
        }
        let mut prepared = prepare(jwk)?;
        match jwk.get("alg") {
            None => {}
            Some(alg) => {
                let only = allowed_algorithm(alg.as_str()?)?;
                prepared.retain(|(algorithm, _)| *algorithm == only);
            }
        }
        let kid = text(jwk, "kid").map(str::to_owned);
        (!prepared.is_empty()).then_some(Self { kid, prepared })
    }

    /// Whether the key's type, curve and `alg` fit a header's algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.prepared_for(algorithm).is_some()
    }

    /// Whether this key made the signature over the message. Of ECDSA it is the fixed form, r and s side
    /// by side (RFC 7518 §3.4).
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.prepared_for(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn prepared_for(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.prepared.iter().find(|(allowed, _)| *allowed == algorithm).map(|(_, key)| key)
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

fn prepare(jwk: &Map<String, Value>) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
    match (text(jwk, "kty")?, text(jwk, "crv")) {
        ("RSA", _) => rsa(&decoded(text(jwk, "n")?)?, &decoded(text(jwk, "e")?)?),
        ("EC", Some("P-256")) => Some(vec![(Algorithm::ES256, elliptic(jwk, 32, &ECDSA_P256_SHA256_FIXED)?)]),
        ("EC", Some("P-384")) => Some(vec![(Algorithm::ES384, elliptic(jwk, 48, &ECDSA_P384_SHA384_FIXED)?)]),
        ("OKP", Some("Ed25519")) => {
            let x = decoded(text(jwk, "x")?)?;
            (x.len() == 32).then_some(())?;
            Some(vec![(Algorithm::EdDSA, ParsedPublicKey::new(&ED25519, x).ok()?)])
        }
        _ => None,
    }
}

fn decoded(value: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(value).ok()
}

/// 2048 to 8192 bits (RFC 7518 §3.3 sets the lower bound, CPU the upper), and an odd exponent above 1:
/// with an exponent of 1 anything is a valid signature.
fn rsa(n: &[u8], e: &[u8]) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
    let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let odd_above_one = e.last().is_some_and(|last| last % 2 == 1) && e != [1];
    ((2048..=8192).contains(&bits) && odd_above_one && e.len() <= 8).then_some(())?;
    let components = RsaPublicKeyComponents { n, e };
    Some(vec![
        (Algorithm::RS256, components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?),
        (Algorithm::PS256, components.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).ok()?),
    ])
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}

/// Coordinates of exactly `size` bytes (RFC 7518 §6.2.1.2), of a point that is on the curve: parsing it
/// checks that.
fn elliptic(
    jwk: &Map<String, Value>,
    size: usize,
    algorithm: &'static dyn VerificationAlgorithm,
) -> Option<ParsedPublicKey> {
    let (x, y) = (decoded(text(jwk, "x")?)?, decoded(text(jwk, "y")?)?);
    (x.len() == size && y.len() == size).then_some(())?;
    let uncompressed: Vec<u8> = std::iter::once(4).chain(x).chain(y).collect();
    ParsedPublicKey::new(algorithm, uncompressed).ok()
}
