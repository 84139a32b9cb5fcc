//! Reads policies again when their files change, and remembers why a set could not be read.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::watch::{PolicyFiles, ReloadFailure, Watch};
use crate::clock::{UnixSeconds, rfc3339};
use crate::policy::Policies;

/// How long a reading is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// When files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadTrigger {
    /// When they have changed and come to rest.
    IfChanged,
    /// In any case.
    Now,
}

/// A failure that has not been mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// The time at which it was found.
    pub at: UnixSeconds,
    /// The first problem of the set.
    pub failure: ReloadFailure,
}

impl LastError {
    /// For people and programs that ask.
    pub fn view(&self) -> Value {
        json!({ "at": rfc3339(self.at), "file": self.failure.file, "message": self.failure.message })
    }
}

/// A set of policy files that is read again and again.
pub struct PolicyReloader {
    /// Its name in the log.
    name: &'static str,
    place: PolicyFiles,
    watch: Arc<tokio::sync::Mutex<Watch>>,
    /// Allows one reading at a time, until its set is in force: of two, the older must not win.
    pub turn: tokio::sync::Mutex<()>,
    last_error: ArcSwapOption<LastError>,
    /// A reading that took too long and is still under way.
    pending: tokio::sync::Mutex<Option<PendingRead>>,
}

/// The outcome of reading the files.
type PendingRead = oneshot::Receiver<Option<Result<Policies, ReloadFailure>>>;

impl PolicyReloader {
    /// A reloader of the files that `watch` knows; `name` stands for them in the log.
    pub fn new(name: &'static str, watch: Watch) -> Self {
        Self {
            name,
            place: watch.place().clone(),
            watch: Arc::new(tokio::sync::Mutex::new(watch)),
            turn: tokio::sync::Mutex::default(),
            last_error: ArcSwapOption::empty(),
            pending: tokio::sync::Mutex::default(),
        }
    }

    /// Where the set is read from.
    pub fn place(&self) -> &PolicyFiles {
        &self.place
    }

    /// Why the last reading failed; none when it was good.
    pub fn last_error(&self) -> Option<Arc<LastError>> {
        self.last_error.load_full()
    }

    /// The text that was read, if any was.
    pub async fn read(
        &self,
        look: ReloadTrigger,
        now: UnixSeconds,
    ) -> Option<Result<Policies, ReloadFailure>> {
        if look == ReloadTrigger::IfChanged && self.place.are_built_in() {
            return None;
        }
        let failed = |why: &str| Some(Err(ReloadFailure::of(&self.place.dir.shown(), why)));
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

    /// Reads on another thread than those that answer requests: reading is slow, and a network file system may hang.
    async fn begin(&self, look: ReloadTrigger, now: UnixSeconds) -> std::io::Result<PendingRead> {
        let mut watch = Arc::clone(&self.watch).lock_owned().await;
        let (answer, answered) = oneshot::channel();
        let read = move || {
            let result = match look {
                ReloadTrigger::IfChanged => watch.look(now),
                ReloadTrigger::Now => Some(watch.force_reload(now)),
            };
            if answer.send(result).is_err() {
                watch.forget();
            }
        };
        std::thread::Builder::new().name("policies".into()).spawn(read)?;
        Ok(answered)
    }

    /// Remembers a failure, and logs it with its consequence unless it is the same as the last one.
    pub fn note_failure(&self, failure: ReloadFailure, now: UnixSeconds, so: &str) {
        let known = self.last_error.load();
        if known.as_ref().is_some_and(|last| last.failure == failure) {
            return;
        }
        let (set, ReloadFailure { file, message: problem }) = (self.name, &failure);
        tracing::error!(set, file, problem, "cannot read the policies; {so}");
        self.last_error.store(Some(Arc::new(LastError { at: now, failure })));
    }

    /// Forgets the failure, since a reading was good.
    pub fn note_success(&self) {
        if self.last_error.swap(None).is_some() {
            tracing::info!(set = self.name, "the policies can be read again");
        }
    }

    /// Says that a set is taken over.
    pub fn note_new(&self, policies: &Policies) {
        tracing::info!(set = self.name, hash = policies.hash, "loaded the policies");
        for warning in &policies.warnings {
            tracing::warn!(set = self.name, warning, "policy");
        }
    }
}
