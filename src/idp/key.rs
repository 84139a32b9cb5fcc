//! One public key of an issuer, prepared once, with the algorithms that it may verify.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::model::trust::TrustedKey;

/// Whether assertions may be signed with an algorithm. Only asymmetric ones: if a public key could be used as an HMAC
/// secret, anybody could sign (RFC 8725 §3.1). `Ed25519` is the newer name of EdDSA with the only curve that we
/// support (RFC 9864 §2.2).
pub fn allowed_algorithm(alg: &str) -> Option<Algorithm> {
    match alg {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "ES384" => Some(Algorithm::ES384),
        "EdDSA" | "Ed25519" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// Their names (RFC 7518 §3.1, RFC 9864).
pub const ALGORITHM_NAMES: [&str; 6] = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];
/// The same, for people.
pub const ALLOWED_ALGORITHMS: &str = "RS256, PS256, ES256, ES384 and EdDSA (Ed25519)";

/// Most characters of a key's name that are told; an issuer chooses it.
const MAX_NAME: usize = 64;

/// Why a key of a set is left out, as the end of a sentence that begins with "the key".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The member of `keys` is a text, a number or a list.
    #[error("is not a JSON object")]
    NotAnObject,
    /// The key has private parts, such as `d`.
    #[error("is a private key, which nobody should publish")]
    Private,
    /// `use` is not `sig`, or `key_ops` lacks `verify` (RFC 7517 §4.2 and §4.3).
    #[error("is not for verifying signatures (`use` or `key_ops`)")]
    OtherUse,
    /// A symmetric key, or a curve that no allowed algorithm has.
    #[error("is of another kind than RSA, P-256, P-384 and Ed25519 (`kty`, `crv`)")]
    Kind,
    /// `alg` (RFC 7517 §4.4) is for encryption, or for keys of another kind.
    #[error("has an `alg` that is not for signatures of its kind")]
    Alg,
    /// A member that keys of its kind must have is absent or malformed.
    #[error("has no `{0}` in base64url")]
    Missing(&'static str),
    /// RSA with a modulus that is too short to be safe, or so long that verifying is slow; in bits.
    #[error("is RSA with {0} bits; expected 2048 to 8192")]
    RsaSize(usize),
    /// RSA with a public exponent that is not an odd number over 1.
    #[error("has an `e` that is even, 1, or longer than 8 bytes")]
    Exponent,
    /// A coordinate of the wrong length (RFC 7518 §6.2.1.2).
    #[error("has an `{name}` of {found} bytes; its curve needs {wanted}")]
    Length {
        /// The member's name, `x` or `y`.
        name: &'static str,
        /// Its bytes.
        found: usize,
        /// The bytes of the curve's coordinates.
        wanted: usize,
    },
    /// Coordinates that do not fulfil the curve's equation.
    #[error("is not a point on its curve")]
    OffCurve,
    /// Any of the above; why is not known any more.
    #[error("could not be used when the keys were last fetched")]
    WhenFetched,
}

impl Unusable {
    /// Whether it was never meant for signatures: providers publish such keys beside the others.
    pub fn is_for_something_else(&self) -> bool {
        *self == Self::OtherUse
    }
}

/// A key, prepared for an algorithm.
type PreparedKey = (Algorithm, ParsedPublicKey);

/// A key that can verify assertions.
pub struct VerificationKey {
    /// The key's identifier in its set (RFC 7517 §4.5); none where the set gives it none.
    pub kid: Option<String>,
    /// Parsed once for each algorithm that the key's type, curve and `alg` allow, so that checking a signature parses
    /// nothing.
    prepared: Vec<PreparedKey>,
    /// The JSON text of which RFC 7638 §3 takes the hash: only the members that make the key what it is, in order.
    required: Box<str>,
    /// The algorithm that the key is confined to, if its set says so.
    alg: Option<String>,
}

impl VerificationKey {
    /// Reads a JWK (RFC 7517). An unusable key does not spoil its set: providers publish encryption keys and new kinds
    /// beside the ones that we need.
    pub fn from_jwk(jwk: &Value) -> Result<Self, Unusable> {
        let jwk = Jwk(jwk.as_object().ok_or(Unusable::NotAnObject)?);
        if jwk.get("d").is_some() {
            return Err(Unusable::Private);
        }
        if !jwk.is_for_verification() {
            return Err(Unusable::OtherUse);
        }
        let (mut prepared, required) = jwk.prepare()?;
        if let Some(alg) = jwk.get("alg") {
            let only = alg.as_str().and_then(allowed_algorithm).ok_or(Unusable::Alg)?;
            prepared.retain(|(algorithm, _)| *algorithm == only);
        }
        if prepared.is_empty() {
            return Err(Unusable::Alg);
        }
        let [kid, alg] = ["kid", "alg"].map(|name| jwk.text(name).map(str::to_owned));
        Ok(Self { kid, prepared, required: required.into(), alg })
    }

    /// Its thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> String {
        encode(digest(&SHA256, self.required.as_bytes()).as_ref())
    }

    /// Its names: the one in the set, which may be cut, and its thumbprint.
    pub fn names(&self) -> TrustedKey {
        let kid = self.kid.as_ref().map(|kid| kid.chars().take(MAX_NAME).collect());
        TrustedKey { kid, thumbprint: self.thumbprint() }
    }

    /// The key as a JWK, with nothing but what verifying needs.
    pub fn to_jwk(&self) -> Value {
        let mut jwk: Map<String, Value> = serde_json::from_str(&self.required).unwrap_or_default();
        for (name, text) in [("kid", &self.kid), ("alg", &self.alg)] {
            jwk.extend(text.as_ref().map(|text| (name.to_owned(), text.as_str().into())));
        }
        Value::Object(jwk)
    }

    /// Whether the key's type, curve and `alg` fit a header's algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.prepared_for(algorithm).is_some()
    }

    /// Whether this key made the signature over the message. An ECDSA signature has the fixed form, r and s side by
    /// side (RFC 7518 §3.4).
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.prepared_for(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn prepared_for(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.prepared.iter().find(|(allowed, _)| *allowed == algorithm).map(|(_, key)| key)
    }
}

/// The members of a key. `null` counts as absent: some providers write every member that they know.
struct Jwk<'a>(&'a Map<String, Value>);

impl<'a> Jwk<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    fn is_for_verification(&self) -> bool {
        let for_signatures = self.get("use").is_none_or(|value| value == "sig");
        let verifies = match self.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => false,
        };
        for_signatures && verifies
    }

    /// Prepares the key, and writes the members that RFC 7638 §3.2 and RFC 8037 §2 require, in the order of their names.
    /// Every value is base64url or a name of ours, so nothing has to be escaped.
    fn prepare(&self) -> Result<(Vec<PreparedKey>, String), Unusable> {
        match (self.text("kty"), self.text("crv")) {
            (Some("RSA"), _) => {
                let (n, e) = (self.bytes("n")?, self.bytes("e")?);
                let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
                let required = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n));
                Ok((rsa(n, e)?, required))
            }
            (Some("EC"), Some("P-256")) => {
                let (key, required) = self.point("P-256", 32, &ECDSA_P256_SHA256_FIXED)?;
                Ok((vec![(Algorithm::ES256, key)], required))
            }
            (Some("EC"), Some("P-384")) => {
                let (key, required) = self.point("P-384", 48, &ECDSA_P384_SHA384_FIXED)?;
                Ok((vec![(Algorithm::ES384, key)], required))
            }
            (Some("OKP"), Some("Ed25519")) => {
                let x = self.bytes("x")?;
                if x.len() != 32 {
                    return Err(Unusable::Length { name: "x", found: x.len(), wanted: 32 });
                }
                let required = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(&x));
                let key = ParsedPublicKey::new(&ED25519, x).map_err(|_| Unusable::OffCurve)?;
                Ok((vec![(Algorithm::EdDSA, key)], required))
            }
            _ => Err(Unusable::Kind),
        }
    }

    /// A member in base64url. RFC 7515 §2 has no padding; libraries that add it mean the same bytes.
    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Unusable> {
        const PADDING: GeneralPurposeConfig =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        const ENGINE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PADDING);
        let text = self.text(name).filter(|text| !text.is_empty());
        text.and_then(|text| ENGINE.decode(text).ok()).ok_or(Unusable::Missing(name))
    }

    /// Reads a point. Parsing it checks that it is on the curve.
    fn point(
        &self,
        crv: &str,
        size: usize,
        curve: &'static dyn VerificationAlgorithm,
    ) -> Result<(ParsedPublicKey, String), Unusable> {
        let (x, y) = (self.coordinate("x", size)?, self.coordinate("y", size)?);
        let required = format!(r#"{{"crv":"{crv}","kty":"EC","x":"{}","y":"{}"}}"#, encode(&x), encode(&y));
        let uncompressed = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = ParsedPublicKey::new(curve, uncompressed).map_err(|_| Unusable::OffCurve)?;
        Ok((key, required))
    }

    /// A number of `size` bytes. RFC 7518 §6.2.1.2 requires leading zeros. Some libraries drop them, or add one more
    /// before a number that would look negative.
    fn coordinate(&self, name: &'static str, size: usize) -> Result<Vec<u8>, Unusable> {
        let written = self.bytes(name)?;
        let number = without_leading_zeros(&written);
        let too_long = Unusable::Length { name, found: written.len(), wanted: size };
        let missing = size.checked_sub(number.len()).ok_or(too_long)?;
        Ok(std::iter::repeat_n(0, missing).chain(number.iter().copied()).collect())
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// 2048 to 8192 bits (RFC 7518 §3.3 sets the lower bound, CPU the upper), and an odd exponent above 1:
/// with an exponent of 1 anything is a valid signature.
fn rsa(n: &[u8], e: &[u8]) -> Result<Vec<PreparedKey>, Unusable> {
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(Unusable::RsaSize(bits));
    }
    let is_odd = e.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || e == [1] || e.len() > 8 {
        return Err(Unusable::Exponent);
    }
    let components = RsaPublicKeyComponents { n, e };
    let unsound = |_| Unusable::Missing("n");
    Ok(vec![
        (Algorithm::RS256, components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).map_err(unsound)?),
        (Algorithm::PS256, components.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).map_err(unsound)?),
    ])
}

fn without_leading_zeros(mut number: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = number {
        number = rest;
    }
    number
}
