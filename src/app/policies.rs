//! Keeps the policies up to date with their files, and archives their sets in the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use crate::metrics::Reload;
use crate::policy::Policies;
use crate::policy::reload::ReloadTrigger;
use crate::shadow::Shadow;
use crate::store::policy_sets::PastSetTimes;
use crate::store::{StoreError, policy_sets};

/// The end of the log line about a set that cannot be read while another one is in force.
const LAST_GOOD_STAY: &str = "the last good ones stay";

/// How many seconds may lie between the notes of a set and of its shadow set.
const AT_ONCE: i64 = 5;

/// The sets that the database is known to hold as in force at about this time.
#[derive(Default)]
pub(super) struct ArchivedSets {
    hashes: Mutex<Vec<String>>,
    failing: AtomicBool,
}

impl ArchivedSets {
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
    /// Loads the policies if their files have changed. If a set cannot be read, the last good one stays in force.
    /// Requests under way finish with the set that they began with.
    pub async fn follow_policies(&self, look: ReloadTrigger) {
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

    /// Loads the shadow set if its files have changed.
    pub async fn follow_shadow(&self, look: ReloadTrigger) {
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

    /// Writes the sets in force to the database, unless that was done since [`Self::prune`] last ran. The policies
    /// behind a sign-in can then be looked up for as long as the sign-in is kept.
    pub async fn keep_sets(&self) {
        self.keep(&self.policies()).await;
        if let Some(policies) = self.shadow.as_ref().and_then(Shadow::policies) {
            self.keep(&policies).await;
        }
    }

    /// Warns if the policies in the binary take the place of others, as they do where a directory is missing.
    pub(super) async fn tell_replaced_set(&self) -> Result<(), StoreError> {
        if !self.policy_files.place().dir.is_built_in() {
            return Ok(());
        }
        let (sets, own) = (self.store.read(policy_sets::list).await?, self.policies().hash.clone());
        let Some(latest) = sets.iter().map(|set| set.last_in_force_at).max() else { return Ok(()) };
        let was_latest = |set: &PastSetTimes| set.hash == own && set.last_in_force_at + AT_ONCE >= latest;
        if !sets.iter().any(was_latest) {
            tracing::warn!(
                hash = own,
                "the policies in the binary take the place of others that were in force; unless this is an upgrade, put the \
                 directory of policies back and name it in `policy_dir`"
            );
        }
        Ok(())
    }

    /// A database that cannot be written stops no set from coming into force; the write is tried again.
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
                tracing::error!(%error, hash = policies.hash, "cannot store the policy set; trying again");
            }
            Err(_) => {}
        }
    }

    /// Makes [`Self::keep_sets`] note the sets in force once more.
    pub(super) fn forget_kept_sets(&self) {
        self.kept.forget();
    }
}
