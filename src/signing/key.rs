//! One signing key, parsed once, so that signing parses nothing.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

use jsonwebtoken::Algorithm;

use super::SigningError;
use crate::clock::UnixSeconds;
use crate::config::SigningAlg;
use crate::idp::key::{VerificationKey, allowed_algorithm};
use crate::model::signing_key::Scheduled;

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

/// The type of a JWT that we sign, in its header: one must not pass for the other (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtType {
    /// An access token (RFC 9068 §2.1).
    AccessToken,
    /// An answer of introspection (RFC 9701 §5).
    TokenIntrospection,
}

impl JwtType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::TokenIntrospection => "token-introspection+jwt",
        }
    }

    /// The encoded header with its dot.
    fn header(self, alg: SigningAlg, kid: &str) -> String {
        let header = json!({ "alg": alg.as_str(), "kid": kid, "typ": self.as_str() }).to_string();
        format!("{}.", URL_SAFE_NO_PAD.encode(header))
    }
}

/// A key that signs access tokens, and answers about them.
pub struct SigningKey {
    kid: String,
    signs_from: UnixSeconds,
    pair: Pair,
    /// The encoded header `{"typ":"at+jwt",…}`, the same for every token, with its dot.
    header: String,
    introspection_header: String,
    public_jwk: Value,
    /// The public key, for tokens that come back.
    verification_key: VerificationKey,
    algorithm: Algorithm,
    random: SystemRandom,
    /// Derived from the private key, so that everybody who has the one has the other.
    nonce_key: hmac::Key,
}

/// A new private key in PKCS#8.
pub(super) fn generate_pkcs8(alg: SigningAlg) -> Result<Vec<u8>, SigningError> {
    let random = SystemRandom::new();
    let failed = |_| SigningError::Generation;
    match alg {
        SigningAlg::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map(|document| document.as_ref().to_vec())
            .map_err(failed),
        SigningAlg::EdDsa => {
            Ed25519KeyPair::generate_pkcs8(&random).map(|document| document.as_ref().to_vec()).map_err(failed)
        }
        SigningAlg::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            Ok(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?.as_ref().to_vec())
        }
    }
}

impl Scheduled for SigningKey {
    fn signs_from(&self) -> UnixSeconds {
        self.signs_from
    }
}

impl SigningKey {
    pub(super) fn from_pkcs8(
        kid: String,
        alg: SigningAlg,
        signs_from: UnixSeconds,
        pkcs8: &[u8],
    ) -> Result<Self, SigningError> {
        let pair = Pair::parse(alg, pkcs8).ok_or_else(|| SigningError::Damaged(kid.clone()))?;
        let mut public_jwk = pair.public_jwk().ok_or_else(|| SigningError::Damaged(kid.clone()))?;
        if let Some(jwk) = public_jwk.as_object_mut() {
            jwk.insert("kid".into(), kid.as_str().into());
            jwk.insert("alg".into(), alg.as_str().into());
            jwk.insert("use".into(), "sig".into());
        }
        let header = JwtType::AccessToken.header(alg, &kid);
        let introspection_header = JwtType::TokenIntrospection.header(alg, &kid);
        let damaged = || SigningError::Damaged(kid.clone());
        let algorithm = allowed_algorithm(alg.as_str()).ok_or_else(damaged)?;
        let verification_key = VerificationKey::from_jwk(&public_jwk).map_err(|_| damaged())?;
        let random = SystemRandom::new();
        let private = hmac::Key::new(hmac::HMAC_SHA256, pkcs8);
        let derived = hmac::sign(&private, b"countersign dpop nonces");
        let nonce_key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Ok(Self {
            kid,
            signs_from,
            pair,
            header,
            introspection_header,
            public_jwk,
            verification_key,
            algorithm,
            random,
            nonce_key,
        })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The published part of it.
    pub fn public_jwk(&self) -> &Value {
        &self.public_jwk
    }

    /// Whether this is the encoded header of its access tokens.
    pub fn writes_header(&self, header: &str) -> bool {
        self.header.strip_suffix('.') == Some(header)
    }

    /// Whether this key made the signature over the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verification_key.verifies(self.algorithm, message, signature)
    }

    /// A code that only holders of this key can make. It serves for nonces alone.
    pub fn nonce_code(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.nonce_key, message)
    }

    /// The claims as a JWS in compact serialization (RFC 7515 §7.1).
    pub fn sign(&self, jwt_type: JwtType, claims: &impl Serialize) -> Result<String, SigningError> {
        let claims = serde_json::to_vec(claims).map_err(|_| SigningError::Sign)?;
        let mut token = match jwt_type {
            JwtType::AccessToken => self.header.clone(),
            JwtType::TokenIntrospection => self.introspection_header.clone(),
        };
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(&self.random, token.as_bytes()).ok_or(SigningError::Sign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl Pair {
    fn parse(alg: SigningAlg, pkcs8: &[u8]) -> Option<Self> {
        match alg {
            SigningAlg::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Es256)
            }
            SigningAlg::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::EdDsa),
            SigningAlg::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self::Rs256),
        }
    }

    fn sign(&self, random: &SystemRandom, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Es256(pair) => pair.sign(random, message).ok().map(|s| s.as_ref().to_vec()),
            Self::EdDsa(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }

    fn public_jwk(&self) -> Option<Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Es256(pair) => {
                // An uncompressed point: 4, x, y.
                let (x, y) = pair.public_key().as_ref().get(1..65)?.split_at(32);
                Some(json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) }))
            }
            Self::EdDsa(pair) => {
                Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }))
            }
            Self::Rs256(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                Some(json!({ "kty": "RSA", "n": text(n), "e": text(e) }))
            }
        }
    }
}
