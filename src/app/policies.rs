//! Keeping the policies up to date with their files, and their sets in the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use crate::metrics::Reload;
use crate::policy::Policies;
use crate::policy::reload::ReloadTrigger;
use crate::shadow::Shadow;
use crate::store::{StoreError, policy_sets};

/// What comes of a set that cannot be read while there is one in force.
const LAST_GOOD_STAY: &str = "the last good ones stay";

/// Which sets the database is known to have, as being in force at about this time.
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
    /// Takes over the policies if their files say something else. A set that cannot be read leaves the last
    /// good one in force. Requests that have begun end under the set that they began with.
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

    /// Takes over the shadow set if its files say something else.
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
