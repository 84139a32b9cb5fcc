//! How remembered decisions are used, and how large they may get.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::PolicyCache;
use crate::policy::facts::Facts;

/// The most decisions that are kept, about 2 KiB each; beyond that, the cache is emptied.
pub(super) const MAX_DECISIONS: usize = 4096;
/// The longest facts and answers that are kept, as JSON, in bytes: an assertion may carry long texts.
const MAX_SIZE: usize = 4096;

/// How remembered decisions are used, and how many rechecks gave a different result.
#[derive(Debug)]
pub struct CacheControl {
    settings: PolicyCache,
    hits: AtomicU64,
    differences: AtomicU64,
}

impl CacheControl {
    /// With nothing counted yet.
    pub fn new(settings: PolicyCache) -> Self {
        Self { settings, hits: AtomicU64::new(0), differences: AtomicU64::new(0) }
    }

    /// How many rechecked decisions came out differently.
    pub fn differences(&self) -> u64 {
        self.differences.load(Ordering::Relaxed)
    }

    /// Whether decisions are remembered.
    pub(super) fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// Whether this remembered decision is due for a recheck.
    pub(super) fn is_recheck_due(&self) -> bool {
        match u64::from(self.settings.recheck_one_in) {
            0 => false,
            one_in => self.hits.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1,
        }
    }

    /// Counts and reports a recheck that came out differently, without saying who it is about.
    pub(super) fn note_difference(&self, teamspace: &str, remembered: &str, made_again: &str) {
        self.differences.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            %teamspace,
            %remembered,
            %made_again,
            "a remembered decision was wrong; the one made again takes effect. Set policy_cache.enabled = false, and report it"
        );
    }
}

/// Whether facts, with so many bytes of answers, are small enough to be kept.
pub(super) fn is_small(facts: &Facts, answers: usize) -> bool {
    serde_json::to_string(facts).is_ok_and(|json| json.len() + answers <= MAX_SIZE)
}
