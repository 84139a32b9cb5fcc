//! Keeping the policies up to date with their files, and their sets in the database.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::App;
use crate::clock::{UnixSeconds, rfc3339};
use crate::metrics::Reload;
use crate::policy::Policies;
use crate::policy::watch::{Failure, Watch};
use crate::shadow::Shadow;
use crate::store::{StoreError, policy_sets};

/// How long a reading is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// What comes of a set that cannot be read while there is one in force.
const LAST_GOOD_STAY: &str = "the last good ones stay";

/// When files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// When they have changed and come to rest.
    IfChanged,
    /// In any case.
    Now,
}

/// A failure that has not been mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    pub at: UnixSeconds,
    pub failure: Failure,
}

impl LastError {
    /// For people and programs that ask.
    pub fn view(&self) -> Value {
        json!({ "at": rfc3339(self.at), "file": self.failure.file, "message": self.failure.message })
    }
}

/// A place that policies are read from again and again.
pub struct Followed {
    /// What the log calls it.
    name: &'static str,
    dir: PathBuf,
    watch: Arc<tokio::sync::Mutex<Watch>>,
    /// One reading at a time, until its set is in force: of two, the older must not have the last word.
    turn: tokio::sync::Mutex<()>,
    last_error: ArcSwapOption<LastError>,
    /// A reading that took too long, and is still waited for.
    pending: tokio::sync::Mutex<Option<Answer>>,
}

/// What a reading comes to.
type Answer = oneshot::Receiver<Option<Result<Policies, Failure>>>;

impl Followed {
    pub(crate) fn new(name: &'static str, watch: Watch) -> Self {
        Self {
            name,
            dir: watch.dir().to_owned(),
            watch: Arc::new(tokio::sync::Mutex::new(watch)),
            turn: tokio::sync::Mutex::default(),
            last_error: ArcSwapOption::empty(),
            pending: tokio::sync::Mutex::default(),
        }
    }

    /// Why the last reading came to nothing; none when it was good.
    pub fn last_error(&self) -> Option<Arc<LastError>> {
        self.last_error.load_full()
    }

    /// What is read, if anything is.
    async fn read(&self, look: Look, now: UnixSeconds) -> Option<Result<Policies, Failure>> {
        let failed = |why: &str| Some(Err(Failure::of(&self.dir, why)));
        let mut pending = self.pending.lock().await;
        let mut answer = match pending.take() {
            Some(answer) => answer,
            None => match self.begin(look, now).await {
                Ok(answer) => answer,
                Err(error) => return failed(&format!("cannot start a thread: {error}")),
            },
        };
        match tokio::time::timeout(PATIENCE, &mut answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => failed("reading the policies panicked"),
            Err(_) => {
                *pending = Some(answer);
                failed("reading the policies takes very long; what comes of it is still waited for")
            }
        }
    }

    /// Reads away from the threads that answer requests: it takes long, and a network file system may hang.
    async fn begin(&self, look: Look, now: UnixSeconds) -> std::io::Result<Answer> {
        let mut watch = Arc::clone(&self.watch).lock_owned().await;
        let (answer, answered) = oneshot::channel();
        let read = move || {
            let result = match look {
                Look::IfChanged => watch.look(now),
                Look::Now => Some(watch.insist(now)),
            };
            if answer.send(result).is_err() {
                watch.forget();
            }
        };
        std::thread::Builder::new().name("policies".into()).spawn(read)?;
        Ok(answered)
    }

    /// Remembers a failure, and logs it unless it is still the last one, with what comes of it.
    fn note_failure(&self, failure: Failure, now: UnixSeconds, so: &str) {
        let known = self.last_error.load();
        if known.as_ref().is_some_and(|last| last.failure == failure) {
            return;
        }
        let (set, Failure { file, message: problem }) = (self.name, &failure);
        tracing::error!(set, file, problem, "cannot read the policies; {so}");
        self.last_error.store(Some(Arc::new(LastError { at: now, failure })));
    }

    /// Forgets the failure, since a reading was good.
    fn note_success(&self) {
        if self.last_error.swap(None).is_some() {
            tracing::info!(set = self.name, "the policies can be read again");
        }
    }

    /// Says that a set is taken over.
    fn note_new(&self, policies: &Policies) {
        tracing::info!(set = self.name, hash = policies.hash, "took over the policies");
        for warning in &policies.warnings {
            tracing::warn!(set = self.name, warning, "policy");
        }
    }
}

/// Which sets the database is known to have, as being in force at about this time.
#[derive(Default)]
pub(super) struct Kept {
    hashes: Mutex<Vec<String>>,
    failing: AtomicBool,
}

impl Kept {
    fn has(&self, hash: &str) -> bool {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == hash)
    }

    fn note(&self, hash: &str) {
        self.failing.store(false, Ordering::Relaxed);
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).push(hash.to_owned());
    }

    fn forget(&self) {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl App {
    /// Takes over the policies if their files say something else. A set that cannot be read leaves the last
    /// good one in force. Requests that have begun end under the set that they began with.
    pub async fn follow_policies(&self, look: Look) {
        let _turn = self.policy_files.turn.lock().await;
        let now = self.clock.now();
        let new = match self.policy_files.read(look, now).await {
            None => return,
            Some(Ok(new)) => new,
            Some(Err(failure)) => {
                self.metrics.count_reload(Reload::Failed);
                return self.policy_files.note_failure(failure, now, LAST_GOOD_STAY);
            }
        };
        self.policy_files.note_success();
        if new.hash == self.policies.load().hash {
            return self.metrics.count_reload(Reload::Unchanged);
        }
        let new = Arc::new(new);
        self.keep(&new).await;
        self.policy_files.note_new(&new);
        self.policies.store(new);
        self.tell_unknown_names();
        self.metrics.count_reload(Reload::Loaded);
    }

    /// Takes over the shadow set if its files say something else.
    pub async fn follow_shadow(&self, look: Look) {
        let Some(shadow) = &self.shadow else { return };
        let _turn = shadow.files.turn.lock().await;
        let now = self.clock.now();
        let new = match shadow.files.read(look, now).await {
            None => return,
            Some(Ok(new)) => Arc::new(new),
            Some(Err(failure)) => {
                let is_first = shadow.policies().is_none();
                let so = if is_first { "nothing is tried until they can be read" } else { LAST_GOOD_STAY };
                return shadow.files.note_failure(failure, now, so);
            }
        };
        shadow.files.note_success();
        if shadow.policies().is_none_or(|policies| policies.hash != new.hash) {
            self.keep(&new).await;
            shadow.files.note_new(&new);
            shadow.set(new);
        }
    }

    /// Writes the sets in force to the database, unless that was done since [`Self::prune`] ran last: what a
    /// sign-in was decided by can then be looked up for as long as the sign-in.
    pub async fn keep_sets(&self) {
        self.keep(&self.policies()).await;
        if let Some(policies) = self.shadow.as_ref().and_then(Shadow::policies) {
            self.keep(&policies).await;
        }
    }

    /// A database that cannot be written stops no set from coming into force; it is tried again.
    async fn keep(&self, policies: &Arc<Policies>) {
        if self.kept.has(&policies.hash) {
            return;
        }
        let (set, now) = (Arc::clone(policies), self.clock.now());
        let kept = self
            .store
            .write(move |c| Ok::<_, StoreError>(policy_sets::keep(c, &set.hash, &set.content, now)?));
        match kept.await {
            Ok(()) => self.kept.note(&policies.hash),
            Err(error) if !self.kept.failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, hash = policies.hash, "cannot keep the policy set; trying again");
            }
            Err(_) => {}
        }
    }

    /// Has [`Self::keep_sets`] note once more that the sets are in force.
    pub(super) fn forget_kept_sets(&self) {
        self.kept.forget();
    }
}
