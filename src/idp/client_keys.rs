//! The public keys of clients that sign their own assertions: registered here, or fetched from their `jwks_uri`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::Algorithm;

use super::cached_document::{AskingRules, CachedDocument, TooManyWait};
use super::fetch::{FetchError, Fetcher};
use super::key::VerificationKey;
use super::key_set::{KeySet, NoUsableKey};
use crate::clock::Clock;
use crate::config::Jwks;
use crate::model::client::KeySource;
use crate::oauth::json::parse_object;

/// Why there is no key to verify a client's assertion with.
#[derive(Debug, thiserror::Error)]
pub enum ClientKeyError {
    /// The client has no key with this id that fits the algorithm. The text says which keys it has.
    #[error("{0}")]
    Unknown(String),
    /// No usable key is cached, and the client's `jwks_uri` cannot be fetched.
    #[error("the client's keys cannot be fetched")]
    Unreachable,
    /// The keys are being fetched, and enough requests wait for them already.
    #[error("too many requests wait for the client's keys")]
    Busy,
}

/// Why a key set was not taken over.
#[derive(Debug, thiserror::Error)]
enum JwksUriError {
    #[error("jwks_uri {0}")]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    NoUsableKey(#[from] NoUsableKey),
}

/// The keys of one client, and where they come from: after a change of that, they are others.
struct KeysOfClient {
    source: KeySource,
    /// The registered ones; none if they are fetched.
    registered: Option<KeySet>,
    fetched: Arc<CachedDocument<KeySet>>,
}

/// The prepared keys of every client that has used one. Clients do not wait for one another.
#[derive(Clone)]
pub struct ClientKeys {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    config: Jwks,
    entries: Arc<Mutex<HashMap<String, Arc<KeysOfClient>>>>,
}

impl ClientKeys {
    /// An empty cache. Operators register clients, so the private origins that are exempt for all teamspaces may be
    /// asked.
    pub fn new(fetcher: &Fetcher, clock: Arc<dyn Clock>, config: Jwks) -> Self {
        Self { fetcher: fetcher.for_operators(), clock, config, entries: Arc::default() }
    }

    /// The keys that may have signed an assertion of a client.
    pub async fn find(
        &self,
        client_id: &str,
        source: &KeySource,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Arc<VerificationKey>>, ClientKeyError> {
        let entry = self.entry(client_id, source);
        let KeySource::Fetched(uri) = source else {
            let unreadable =
                || ClientKeyError::Unknown("the client's registered keys are unusable".to_owned());
            return candidates(entry.registered.as_ref().ok_or_else(unreadable)?, kid, algorithm);
        };
        let rules = AskingRules {
            min_interval: self.config.min_refresh_interval.as_secs(),
            max_stale: self.config.max_stale.as_secs(),
        };
        let has_key = |keys: &KeySet| !keys.candidates(kid, algorithm).is_empty();
        let fetch = || self.clone().fetch_or_log(client_id.to_owned(), uri.clone());
        match entry.fetched.get(&self.clock, rules, has_key, fetch).await {
            Err(TooManyWait) => Err(ClientKeyError::Busy),
            Ok(None) => Err(ClientKeyError::Unreachable),
            Ok(Some(keys)) => candidates(&keys.content, kid, algorithm),
        }
    }

    /// The seconds between two requests for the keys of a client.
    pub fn min_refresh_interval(&self) -> u64 {
        self.config.min_refresh_interval.std().as_secs()
    }

    /// Forgets a client whose registration has changed.
    pub fn forget(&self, client_id: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(client_id);
    }

    fn entry(&self, client_id: &str, source: &KeySource) -> Arc<KeysOfClient> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(client_id).filter(|entry| entry.source == *source) {
            return Arc::clone(entry);
        }
        let registered = match source {
            KeySource::Registered(jwks) => read_registered(jwks),
            KeySource::Fetched(_) => None,
        };
        let fetched = CachedDocument::empty();
        let new = Arc::new(KeysOfClient { source: source.clone(), registered, fetched });
        entries.insert(client_id.to_owned(), Arc::clone(&new));
        new
    }

    async fn fetch_or_log(self, client_id: String, uri: String) -> Option<(KeySet, i64)> {
        let fetched = self.fetch(&uri).await;
        fetched.inspect_err(|error| tracing::warn!(client_id, %error, "cannot refresh a client's keys")).ok()
    }

    async fn fetch(&self, uri: &str) -> Result<(KeySet, i64), JwksUriError> {
        let fetched = self.fetcher.get(uri).await?;
        let keys = KeySet::parse(&fetched.json)?;
        let longest = self.config.max_age.as_secs();
        Ok((keys, fetched.max_age.map_or(longest, |age| age.clamp(60, longest))))
    }
}

/// It was checked when it was saved.
fn read_registered(jwks: &str) -> Option<KeySet> {
    KeySet::parse(&parse_object(jwks.as_bytes())?.into()).ok()
}

fn candidates(
    keys: &KeySet,
    kid: Option<&str>,
    algorithm: Algorithm,
) -> Result<Vec<Arc<VerificationKey>>, ClientKeyError> {
    match keys.candidates(kid, algorithm) {
        found if found.is_empty() => Err(ClientKeyError::Unknown(keys.why_none(kid, algorithm))),
        found => Ok(found),
    }
}
