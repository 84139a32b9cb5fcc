//! Watches whether this machine's clock can be trusted: expiry and deletion depend on it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::{Clock, MAX_DIFFERENCE, Moment, UnixSeconds};

/// How long nothing is deleted after the clock was set ahead, in seconds: it may be wrong now, and set back later.
const DOUBT: i64 = 3600;

/// The facts known about the clock.
pub struct ClockWatch {
    /// This machine's time minus the database's, in seconds.
    difference: AtomicI64,
    /// How often the clock was set.
    steps: AtomicU64,
    seen: Mutex<Seen>,
}

struct Seen {
    last: Moment,
    /// When it was found to have been set ahead.
    set_ahead: Option<Moment>,
}

impl ClockWatch {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        let seen = Seen { last: Moment::now(clock), set_ahead: None };
        Self { difference: AtomicI64::new(0), steps: AtomicU64::new(0), seen: Mutex::new(seen) }
    }

    /// Checks whether the clock was set since the last check, and compares it with the database's clock, if that is
    /// another one.
    pub(super) fn look(&self, clock: &dyn Clock, database_time: Option<UnixSeconds>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seconds) = seen.last.step_since(clock) {
            self.steps.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(seconds, "this machine's clock was set");
            if seconds > MAX_DIFFERENCE {
                seen.set_ahead = Some(Moment::now(clock));
            }
        }
        seen.last = Moment::now(clock);
        drop(seen);
        let Some(theirs) = database_time else { return };
        let seconds = clock.now() - theirs;
        let before = self.difference.swap(seconds, Ordering::Relaxed);
        match (before.abs() > MAX_DIFFERENCE, seconds.abs() > MAX_DIFFERENCE) {
            (false, true) => {
                tracing::error!(seconds, "this machine's clock differs from the database's; set it right")
            }
            (true, false) => tracing::info!(seconds, "this machine's clock agrees with the database's again"),
            _ => {}
        }
    }

    /// This machine's time minus the database's, in seconds.
    pub fn difference(&self) -> i64 {
        self.difference.load(Ordering::Relaxed)
    }

    /// How often the clock was set while this process ran.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Why sign-ins cannot be judged by the clock; none when they can.
    pub fn problem(&self) -> Option<&'static str> {
        let differs = self.difference().abs() > MAX_DIFFERENCE;
        differs.then_some("this machine's clock differs from the database's by more than 60 s")
    }

    /// Whether rows that look old by the clock may be deleted. A clock that is behind deletes too little, which does
    /// no harm.
    pub(super) fn may_delete(&self, clock: &dyn Clock) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let in_doubt = seen.set_ahead.is_some_and(|at| clock.ticks() - at.ticks() < DOUBT);
        self.difference() <= MAX_DIFFERENCE && !in_doubt
    }
}
