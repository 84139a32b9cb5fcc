//! The keys of configured issuers: fetched once, prepared once, and refreshed by one request at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore};

use super::ask_issuer::{FetchedKeys, IssuerAnswer, ask_issuer};
use super::discovery::check_jwks_uri;
use super::fetch::Fetcher;
use super::key::VerificationKey;
use super::key_set::KeySet;
use super::trust::{Observation, ObservedKeys, TrustRecord};
use crate::clock::{Clock, MAX_DIFFERENCE, Moment};
use crate::config::Jwks;
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::NamedByMetadata;
use crate::store::issuer_keys::StoredKeys;

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

/// The most requests that wait for the keys of one issuer. Each of them holds a slot of the gate, and an issuer that
/// does not answer must not use up all slots.
const MAX_WAITING: usize = 64;

/// Keys, and how long they are good.
struct Cached {
    keys: KeySet,
    fetched: Moment,
    /// How many seconds the keys are used without asking again.
    max_age: i64,
    /// Whether they come from the database.
    is_restored: bool,
}

impl Cached {
    /// Whether the keys can be used without asking. After the clock was set back, their age is doubtful; and what became
    /// of stored ones since they were fetched, only the issuer knows.
    fn is_fresh(&self, clock: &dyn Clock) -> bool {
        !self.is_restored
            && self.fetched.age(clock) < self.max_age
            && !self.fetched.is_before_step_back(clock)
    }
}

/// When an issuer was last asked.
#[derive(Default)]
struct LastAsk {
    /// The time; none before the first.
    at: Option<Moment>,
    /// The digest of what was then written down, and when.
    noted: Option<(String, Moment)>,
}

impl LastAsk {
    fn is_within(&self, seconds: i64, clock: &dyn Clock) -> bool {
        self.at.is_some_and(|at| at.age(clock) < seconds)
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
    /// The last request for keys; held while asking, so that only one request is under way.
    asked: Arc<AsyncMutex<LastAsk>>,
    waiting: Semaphore,
    /// Whether its metadata named something else than was saved when it was last asked.
    metadata_differs: AtomicBool,
}

/// The cache for all issuers. Issuers do not wait for one another.
#[derive(Clone)]
pub struct IssuerKeys {
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    config: Jwks,
    /// What is fetched is written there; none for commands that only read.
    record: Option<TrustRecord>,
    entries: Arc<Mutex<HashMap<String, Arc<CachedKeys>>>>,
}

impl IssuerKeys {
    /// An empty cache.
    pub fn new(fetcher: Fetcher, clock: Arc<dyn Clock>, config: Jwks, record: Option<TrustRecord>) -> Self {
        Self { fetcher, clock, config, record, entries: Arc::default() }
    }

    /// Where it writes what is fetched.
    pub fn record(&self) -> Option<&TrustRecord> {
        self.record.as_ref()
    }

    /// The number of issuers whose metadata named something else than was saved when this process last asked them.
    pub fn differing_metadata(&self) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|entry| entry.metadata_differs.load(Ordering::Relaxed)).count()
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
            asked: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
            metadata_differs: AtomicBool::new(false),
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
        let asked = match Arc::clone(&entry.asked).try_lock_owned() {
            Ok(guard) => guard,
            Err(_) if self.has_usable(entry, kid, alg) => return Ok(()),
            Err(_) => {
                let _waiting = entry.waiting.try_acquire().map_err(|_| KeyError::Busy)?;
                Arc::clone(&entry.asked).lock_owned().await
            }
        };
        let interval = self.config.min_refresh_interval.as_secs();
        if !asked.is_within(interval, &*self.clock) && self.cached(entry, kid, alg).is_none() {
            self.ask(entry, provider, asked).await;
        }
        Ok(())
    }

    /// Asks an issuer that nobody needs at the moment, so that its changes are noticed; not if it is being asked, or was
    /// within `interval` seconds.
    pub async fn look(&self, teamspace: &str, provider: &IdentityProvider, interval: i64) {
        let entry = self.entry(teamspace, provider);
        if let Ok(asked) = Arc::clone(&entry.asked).try_lock_owned()
            && !asked.is_within(interval, &*self.clock)
        {
            self.ask(&entry, provider, asked).await;
        }
    }

    async fn ask(
        &self,
        entry: &Arc<CachedKeys>,
        provider: &IdentityProvider,
        mut asked: OwnedMutexGuard<LastAsk>,
    ) {
        asked.at = Some(Moment::now(&*self.clock));
        let (cache, entry, provider) = (self.clone(), Arc::clone(entry), provider.clone());
        // This runs as a separate task: a client that hangs up must not cancel what others wait for.
        let asking = tokio::spawn(async move { cache.ask_now(&entry, &provider, &mut asked).await });
        if let Err(error) = asking.await {
            tracing::error!(%error, "refreshing an issuer's keys ended early");
        }
    }

    async fn ask_now(&self, entry: &CachedKeys, provider: &IdentityProvider, asked: &mut LastAsk) {
        let fetcher = self.fetcher.on_behalf_of(&entry.teamspace);
        let IssuerAnswer { named, keys } =
            ask_issuer(&fetcher, provider, self.config.max_age.as_secs()).await;
        if let Some(named) = named {
            let differs = !named.agrees(&provider.issuer, &provider.jwks_uri);
            entry.metadata_differs.store(differs, Ordering::Relaxed);
            self.note(asked, self.observation(provider, named, keys.as_ref().ok())).await;
        }
        match keys {
            // Only once a key that is gone is gone from the database too: it must not come back with a restart.
            Ok(FetchedKeys { keys, max_age }) => {
                let fetched = Moment::now(&*self.clock);
                entry.keys.store(Some(Arc::new(Cached { keys, fetched, max_age, is_restored: false })));
            }
            Err(error) => {
                tracing::warn!(issuer = provider.issuer, %error, "cannot refresh an issuer's keys");
                self.restore(entry, provider).await;
            }
        }
    }

    fn has_usable(&self, entry: &CachedKeys, kid: Option<&str>, alg: Algorithm) -> bool {
        let set = entry.keys.load();
        set.as_ref().is_some_and(|set| self.is_usable(set) && !set.keys.candidates(kid, alg).is_empty())
    }

    /// Whether the keys may be used while the issuer cannot be reached.
    fn is_usable(&self, set: &Cached) -> bool {
        set.fetched.age(&*self.clock) < set.max_age + self.config.max_stale.as_secs()
    }

    fn observation(
        &self,
        provider: &IdentityProvider,
        named: NamedByMetadata,
        keys: Option<&FetchedKeys>,
    ) -> Observation {
        let keys = keys.map(|FetchedKeys { keys, max_age }| ObservedKeys {
            stored: keys.to_stored(),
            names: keys.trusted(),
            max_age: *max_age,
        });
        let (issuer, jwks_uri) = (provider.issuer.clone(), provider.jwks_uri.clone());
        Observation { issuer, jwks_uri, at: self.clock.now(), named, keys }
    }

    /// Writes down what was fetched, unless this process has written just that a short while ago. Sign-ins go on if that
    /// fails; the next fetch tries again.
    async fn note(&self, asked: &mut LastAsk, seen: Observation) {
        let Some(record) = &self.record else { return };
        let digest = seen.digest();
        let longest = self.config.max_age.as_secs();
        let max_age = seen.keys.as_ref().map_or(longest, |keys| keys.max_age);
        let is_known = |(known, at): &(String, Moment)| *known == digest && at.age(&*self.clock) < max_age;
        if asked.noted.as_ref().is_some_and(is_known) {
            return;
        }
        let issuer = seen.issuer.clone();
        match record.write(seen).await {
            Ok(()) => asked.noted = Some((digest, Moment::now(&*self.clock))),
            Err(error) => {
                asked.noted = None;
                tracing::warn!(issuer, %error, "cannot store an issuer's keys: they would not survive a restart");
            }
        }
    }

    /// Takes the stored keys while an issuer does not answer, if they are newer than those in memory. They are good for as
    /// long as if this process had fetched them, but the issuer is asked again as soon as it may be.
    async fn restore(&self, entry: &CachedKeys, provider: &IdentityProvider) {
        let Some(record) = &self.record else { return };
        // Where it may not be asked any more, its keys are not used either.
        let fetcher = self.fetcher.on_behalf_of(&entry.teamspace);
        let is_allowed = check_jwks_uri(&fetcher, &provider.issuer, &provider.jwks_uri).is_ok()
            && [&provider.issuer, &provider.jwks_uri].iter().all(|url| fetcher.check_url(url).is_ok());
        if !is_allowed {
            return;
        }
        match record.stored(&provider.issuer, &provider.jwks_uri).await {
            Ok(Some(stored)) => self.take(entry, &stored),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(issuer = provider.issuer, %error, "cannot read an issuer's stored keys");
            }
        }
    }

    fn take(&self, entry: &CachedKeys, stored: &StoredKeys) {
        let age = self.clock.now() - stored.fetched_at;
        let is_newer = entry.keys.load().as_ref().is_none_or(|set| set.fetched.at() < stored.fetched_at);
        // A time in the future says nothing about the age.
        if !is_newer || age < -MAX_DIFFERENCE {
            return;
        }
        let keys = match KeySet::of_stored(&stored.keys) {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(issuer = stored.issuer, %error, "an issuer's stored keys cannot be read");
                return;
            }
        };
        let set = Cached {
            keys,
            fetched: Moment::ago(&*self.clock, age.max(0)),
            max_age: stored.max_age.clamp(0, self.config.max_age.as_secs()),
            is_restored: true,
        };
        if self.is_usable(&set) {
            tracing::info!(
                issuer = stored.issuer,
                age,
                "using an issuer's stored keys while it does not answer"
            );
            entry.keys.store(Some(Arc::new(set)));
        }
    }
}
