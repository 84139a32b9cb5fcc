//! Callers whose address cannot be read. They share the budget of their proxy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::ClientIpSource;

/// How often the log mentions that addresses cannot be read.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Counts requests whose header did not give the caller's address.
#[derive(Default)]
pub struct UnreadableAddresses {
    count: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl UnreadableAddresses {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one, and tells so once a minute.
    pub fn note(&self, source: ClientIpSource) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        drop(told);
        tracing::warn!(
            count,
            client_ip_source = ?source,
            "a request has no such header, or no address in it; the address of its connection is used instead"
        );
    }
}
