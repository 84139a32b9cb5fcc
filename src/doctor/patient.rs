//! The deployment under examination.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::{Clock, UnixSeconds};
use crate::config::Config;
use crate::idp::fetch::Fetcher;
use crate::store::replicas::Replica;
use crate::store::signing_keys::StoredKey;
use crate::store::snapshot::Snapshot;

/// Everything that the checks need.
pub(super) struct Patient {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    /// A client with the service's rules.
    pub fetcher: Fetcher,
    /// A client for our own URLs.
    pub own: Fetcher,
    /// The state in the database; none if it cannot be read.
    pub stored: Option<StoredState>,
    pub readings: ClockReadings,
}

/// The part of the database that other checks need.
pub(super) struct StoredState {
    pub snapshot: Snapshot,
    /// Latest first.
    pub keys: Vec<StoredKey>,
    /// The processes that serve it.
    pub replicas: Vec<Replica>,
}

/// This machine's time minus another's, in seconds, with a name for the other.
pub(super) type ClockReading = (String, i64);

/// The clocks that were read during the checks.
#[derive(Clone, Default)]
pub(super) struct ClockReadings(Arc<Mutex<Vec<ClockReading>>>);

impl ClockReadings {
    /// Notes another's time, if it is known.
    pub fn note(&self, of: &str, theirs: Option<UnixSeconds>, ours: UnixSeconds) {
        let Some(theirs) = theirs else { return };
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.push((of.to_owned(), ours.saturating_sub(theirs)));
    }

    /// Takes all of them, by name.
    pub fn take(&self) -> Vec<ClockReading> {
        let mut readings = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        readings.sort();
        readings
    }
}
