//! The RS256 signing key: generate, keep, publish, sign, verify.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::Error;

/// The one key of the identity provider.
pub(super) struct IdpSigningKey {
    pair: KeyPair,
    public: RsaPublicKeyComponents<Vec<u8>>,
    kid: String,
}

impl IdpSigningKey {
    /// A fresh RSA-2048 key, named by its RFC 7638 thumbprint.
    pub(super) fn generate() -> Result<Self, Error> {
        Ok(Self::of(KeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::KeyGeneration)?))
    }

    /// The key that [`Self::to_pkcs8`] wrote.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, Error> {
        Ok(Self::of(KeyPair::from_pkcs8(der).map_err(|_| Error::KeyFormat)?))
    }

    /// The private key, to be kept.
    pub(super) fn to_pkcs8(&self) -> Result<Vec<u8>, Error> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| Error::KeyFormat)?;
        Ok(der.as_ref().to_vec())
    }

    fn of(pair: KeyPair) -> Self {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let kid = thumbprint(&public);
        Self { pair, public, kid }
    }

    /// The public key as a JWK set (RFC 7517 section 5).
    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(&self.public.n),
            "e": URL_SAFE_NO_PAD.encode(&self.public.e),
        }]})
    }

    /// A compact JWS (RFC 7515 section 7.1) of the claims, with an explicit `typ`.
    ///
    /// Signed with aws-lc-rs itself: it exports RSA keys as PKCS#8 only, and jsonwebtoken
    /// takes PKCS#1 without its PEM feature.
    pub(super) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Error> {
        let header = json!({ "alg": "RS256", "kid": self.kid, "typ": typ });
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| Error::Sign)?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    /// The claims of a token that this key signed with this `typ`. The caller checks them.
    pub(super) fn verify<C: DeserializeOwned>(&self, typ: &str, token: &str) -> Result<C, Error> {
        let mut validation = Validation::new(Algorithm::RS256);
        // jsonwebtoken reads the system clock and takes any overlap of `aud`.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_rsa_raw_components(&self.public.n, &self.public.e);
        let data = jsonwebtoken::decode::<C>(token, &key, &validation)?;
        // RFC 8725 section 3.11: one key signs two kinds of tokens, only `typ` tells them apart.
        if data.header.typ.as_deref() != Some(typ) {
            return Err(Error::TokenType);
        }
        Ok(data.claims)
    }
}

/// RFC 7638 section 3: the required members in lexicographic order, without white space.
fn thumbprint(public: &RsaPublicKeyComponents<Vec<u8>>) -> String {
    let canonical = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(&public.e),
        URL_SAFE_NO_PAD.encode(&public.n),
    );
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}
