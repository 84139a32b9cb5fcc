//! The issuer's signing keys, fetched once and refreshed when they have to be.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::{Mutex, RwLock};

/// A key that left the set stops working after this many seconds.
const MAX_AGE: u64 = 300;
/// Seconds between two fetches, so that invented key ids do not hammer the issuer.
const COOL_DOWN: u64 = 2;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SET_BYTES: usize = 64 * 1024;

/// Why the key set could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyFetchError {
    #[error("the key set could not be fetched")]
    Http(#[from] reqwest::Error),
    #[error("the file with the roots cannot be read")]
    Roots(#[from] std::io::Error),
    #[error("the key set is too large")]
    TooLarge,
    #[error("the key set is not a JWK set")]
    Json(#[from] serde_json::Error),
    #[error("the key set was not available a moment ago")]
    CoolingDown,
}

/// A verification key and the one algorithm it is for (RFC 8725 section 3.1).
#[derive(Clone)]
pub(super) struct IssuerKey {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The cached key set of one issuer.
pub(super) struct IssuerKeySet {
    jwks_uri: String,
    /// Roots in PEM beside the system's.
    ca_file: Option<PathBuf>,
    /// Read by every request; never locked while fetching.
    fetched: RwLock<Option<FetchedKeySet>>,
    /// The time of the last attempt; held while fetching, so that there is one at a time.
    last_attempt: Mutex<Option<u64>>,
}

struct FetchedKeySet {
    at: u64,
    keys: HashMap<String, IssuerKey>,
}

impl FetchedKeySet {
    /// Distances are absolute: a clock set back must not freeze the cache.
    fn is_fresh(&self, now: u64) -> bool {
        now.abs_diff(self.at) < MAX_AGE
    }
}

impl IssuerKeySet {
    pub(super) fn new(jwks_uri: String, ca_file: Option<PathBuf>) -> Self {
        Self { jwks_uri, ca_file, fetched: RwLock::default(), last_attempt: Mutex::default() }
    }

    /// The key with this id; `None` when the issuer, asked just now, does not publish it.
    pub(super) async fn find(&self, kid: &str, now: u64) -> Result<Option<IssuerKey>, KeyFetchError> {
        if let Some(key) = self.cached(kid, now).await {
            return Ok(Some(key));
        }
        self.refresh(now).await?;
        Ok(self.cached(kid, now).await)
    }

    async fn cached(&self, kid: &str, now: u64) -> Option<IssuerKey> {
        let fetched = self.fetched.read().await;
        fetched.as_ref().filter(|set| set.is_fresh(now)).and_then(|set| set.keys.get(kid).cloned())
    }

    /// Fetches the set, unless that happened within the cool-down, by whomever.
    async fn refresh(&self, now: u64) -> Result<(), KeyFetchError> {
        let mut last_attempt = self.last_attempt.lock().await;
        if last_attempt.is_some_and(|at| now.abs_diff(at) < COOL_DOWN) {
            let fetched = self.fetched.read().await;
            return match fetched.as_ref() {
                Some(set) if set.is_fresh(now) => Ok(()),
                _ => Err(KeyFetchError::CoolingDown),
            };
        }
        *last_attempt = Some(now);
        let keys = fetch(&self.jwks_uri, self.ca_file.as_deref()).await?;
        *self.fetched.write().await = Some(FetchedKeySet { at: now, keys });
        Ok(())
    }
}

async fn fetch(jwks_uri: &str, ca_file: Option<&Path>) -> Result<HashMap<String, IssuerKey>, KeyFetchError> {
    // Built per fetch: fetches are rare, and building can fail where no CA store is installed.
    // The address is 127.0.0.1, so no name is looked up.
    // A redirect could lead to somebody else's keys; a proxy cannot see our loopback.
    let mut builder = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(path) = ca_file {
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&std::fs::read(path)?)?);
    }
    let mut response = builder.build()?.get(jwks_uri).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_SET_BYTES {
            return Err(KeyFetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let set: JwkSet = serde_json::from_slice(&body)?;
    Ok(usable_keys(&set))
}

/// The keys by id. RFC 7517 section 5: keys that are not understood are ignored.
fn usable_keys(set: &JwkSet) -> HashMap<String, IssuerKey> {
    let mut keys = HashMap::new();
    for jwk in &set.keys {
        if let (Some(kid), Some(key)) = (&jwk.common.key_id, verification_key(jwk)) {
            keys.entry(kid.clone()).or_insert(key);
        }
    }
    keys
}

/// The allow-list: ES256, `EdDSA` with Ed25519, RS256. Symmetric keys have no place in it.
fn verification_key(jwk: &Jwk) -> Option<IssuerKey> {
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        _ => return None,
    };
    // RFC 7517 sections 4.2 and 4.4: both members are optional, but binding when present.
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let agrees = jwk.common.key_algorithm.is_none_or(|stated| stated == name);
    if !signs || !agrees {
        return None;
    }
    Some(IssuerKey { algorithm, decoding: DecodingKey::from_jwk(jwk).ok()? })
}
