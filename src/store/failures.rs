//! Whether sign-ins can be written, as shown by the sign-ins themselves.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::StoreError;
use super::ledger::RedeemError;

/// The outcome of the last writes of sign-ins.
#[derive(Debug, Default)]
pub struct Failures {
    /// Whether the last one failed.
    failing: AtomicBool,
    happened: Notify,
}

impl Failures {
    pub(super) fn note(&self, outcome: &Result<(), RedeemError>) {
        let failed = match outcome {
            // Too much work is no fault of the database.
            Err(RedeemError::Store(StoreError::Overloaded)) => return,
            Err(RedeemError::Store(_)) => true,
            Ok(()) | Err(RedeemError::Conflict(_)) => false,
        };
        // This reads first: if each request stored, the cache line would move between cores.
        if self.failing.load(Ordering::Relaxed) != failed {
            self.failing.store(failed, Ordering::Relaxed);
        }
        if failed {
            self.happened.notify_one();
        }
    }

    /// Whether the last write failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Waits for the next failed write; one since the last call counts.
    pub async fn happened(&self) {
        self.happened.notified().await;
    }
}
