//! The keys of configured issuers: fetched once, prepared once, and refreshed by one request at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::discovery::{DiscoveryError, check_jwks_uri, discover};
use super::fetch::{FetchError, Fetcher};
use super::key::VerificationKey;
use super::key_set::{KeySet, NoUsableKey};
use crate::clock::{Clock, Moment};
use crate::config::Jwks;
use crate::model::identity_provider::IdentityProvider;

/// Why there is no key to verify an assertion with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The issuer publishes no key with this id that fits the algorithm. The text says which keys it publishes.
    #[error("{0}")]
    Unknown(String),
    /// No usable key is cached, and the issuer cannot be reached.
    #[error("the issuer's keys cannot be fetched")]
    Unreachable,
    /// The keys are being fetched, and enough requests wait for them already.
    #[error("too many requests wait for the issuer's keys")]
    Busy,
}

/// Why a key set was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("jwks_uri {0}")]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    NoUsableKey(#[from] NoUsableKey),
}

/// The most requests that wait for the keys of one issuer. Each of them holds a slot of the gate, and an issuer that
/// does not answer must not use up all slots.
const MAX_WAITING: usize = 64;

/// Keys, and how long they are good.
struct Cached {
    keys: KeySet,
    fetched: Moment,
    /// How many seconds the keys are used without asking again.
    max_age: i64,
}

impl Cached {
    /// Whether the keys can be used without asking. After the clock was set back, their age is doubtful.
    fn is_fresh(&self, clock: &dyn Clock) -> bool {
        self.fetched.age(clock) < self.max_age && !self.fetched.is_before_step_back(clock)
    }
}

/// The cache entry of one issuer.
struct CachedKeys {
    /// The slug of the teamspace that trusts it. It decides which private origins may be asked.
    teamspace: String,
    /// The source of its keys: a request that began under an older configuration must not leave the old keys behind
    /// for the new source.
    jwks_uri: String,
    keys: ArcSwapOption<Cached>,
    /// The time of the last request for keys; held while asking, so that only one request is under way.
    asked_at: Arc<AsyncMutex<Option<Moment>>>,
    waiting: Semaphore,
}

/// The cache for all issuers. Issuers do not wait for one another.
#[derive(Clone)]
pub struct IssuerKeys {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    config: Jwks,
    entries: Arc<Mutex<HashMap<String, Arc<CachedKeys>>>>,
}

impl IssuerKeys {
    /// An empty cache.
    pub fn new(fetcher: Fetcher, clock: Arc<dyn Clock>, config: Jwks) -> Self {
        Self { fetcher, clock, config, entries: Arc::default() }
    }

    /// The keys that may have signed an assertion of a configured issuer.
    pub async fn find(
        &self,
        teamspace: &str,
        provider: &IdentityProvider,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Arc<VerificationKey>>, KeyError> {
        let entry = self.entry(teamspace, provider);
        if let Some(found) = self.cached(&entry, kid, algorithm) {
            return Ok(found);
        }
        self.refresh(&entry, provider, kid, algorithm).await?;
        match entry.keys.load_full().filter(|set| self.is_usable(set)) {
            None => Err(KeyError::Unreachable),
            Some(set) => match set.keys.candidates(kid, algorithm) {
                found if found.is_empty() => Err(KeyError::Unknown(set.keys.why_none(kid, algorithm))),
                found => Ok(found),
            },
        }
    }

    /// Forgets an issuer whose configuration has changed.
    pub fn forget(&self, issuer: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(issuer);
    }

    fn entry(&self, teamspace: &str, provider: &IdentityProvider) -> Arc<CachedKeys> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |entry: &&Arc<CachedKeys>| entry.jwks_uri == provider.jwks_uri && entry.teamspace == teamspace;
        if let Some(entry) = entries.get(&provider.issuer).filter(is_same) {
            return Arc::clone(entry);
        }
        let new = Arc::new(CachedKeys {
            teamspace: teamspace.to_owned(),
            jwks_uri: provider.jwks_uri.clone(),
            keys: ArcSwapOption::empty(),
            asked_at: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
        });
        entries.insert(provider.issuer.clone(), Arc::clone(&new));
        new
    }

    /// Keys that are fresh and known.
    fn cached(
        &self,
        entry: &CachedKeys,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Option<Vec<Arc<VerificationKey>>> {
        let set = entry.keys.load();
        let set = set.as_ref().filter(|set| set.is_fresh(&*self.clock))?;
        let found = set.keys.candidates(kid, alg);
        (!found.is_empty()).then_some(found)
    }

    /// Asks the issuer, unless somebody did so within the interval. While another request is asking, this one waits
    /// only if it has no usable key at all: a slow issuer delays one sign-in, not all of them.
    async fn refresh(
        &self,
        entry: &Arc<CachedKeys>,
        provider: &IdentityProvider,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Result<(), KeyError> {
        let mut asked_at = match Arc::clone(&entry.asked_at).try_lock_owned() {
            Ok(guard) => guard,
            Err(_) if self.has_usable(entry, kid, alg) => return Ok(()),
            Err(_) => {
                let _waiting = entry.waiting.try_acquire().map_err(|_| KeyError::Busy)?;
                Arc::clone(&entry.asked_at).lock_owned().await
            }
        };
        let interval = self.config.min_refresh_interval.as_secs();
        let was_asked = asked_at.is_some_and(|at| at.age(&*self.clock) < interval);
        if was_asked || self.cached(entry, kid, alg).is_some() {
            return Ok(());
        }
        *asked_at = Some(Moment::now(&*self.clock));
        let (cache, entry, provider) = (self.clone(), Arc::clone(entry), provider.clone());
        // This runs as a separate task: a client that hangs up must not cancel what others wait for.
        let asking = tokio::spawn(async move {
            match cache.fetch(&entry.teamspace, &provider).await {
                Ok(set) => entry.keys.store(Some(Arc::new(set))),
                Err(error) => {
                    tracing::warn!(issuer = provider.issuer, %error, "cannot refresh an issuer's keys");
                }
            }
            drop(asked_at);
        });
        if let Err(error) = asking.await {
            tracing::error!(%error, "refreshing an issuer's keys ended early");
        }
        Ok(())
    }

    fn has_usable(&self, entry: &CachedKeys, kid: Option<&str>, alg: Algorithm) -> bool {
        let set = entry.keys.load();
        set.as_ref().is_some_and(|set| self.is_usable(set) && !set.keys.candidates(kid, alg).is_empty())
    }

    /// Whether the keys may be used while the issuer cannot be reached.
    fn is_usable(&self, set: &Cached) -> bool {
        set.fetched.age(&*self.clock) < set.max_age + self.config.max_stale.as_secs()
    }

    /// Fetches the metadata first: an issuer that changed its name or moved its keys is not followed silently.
    async fn fetch(&self, teamspace: &str, provider: &IdentityProvider) -> Result<Cached, RefreshError> {
        let fetcher = self.fetcher.on_behalf_of(teamspace);
        let metadata = discover(&fetcher, &provider.issuer).await?;
        if metadata.jwks_uri.as_deref() != Some(&provider.jwks_uri) {
            tracing::warn!(
                issuer = provider.issuer,
                saved = provider.jwks_uri,
                "the issuer's metadata names another jwks_uri; the saved one is used until it is saved again"
            );
        }
        check_jwks_uri(&fetcher, &provider.issuer, &provider.jwks_uri)?;
        let fetched = fetcher.get(&provider.jwks_uri).await?;
        let keys = KeySet::parse(&fetched.json)?;
        let longest = self.config.max_age.as_secs();
        let max_age = fetched.max_age.map_or(longest, |age| age.clamp(60, longest));
        Ok(Cached { keys, fetched: Moment::now(&*self.clock), max_age })
    }
}
