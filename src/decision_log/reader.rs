//! Reading the decision log from its beginning to its end, by one process at a time. How far it was read stands in the
//! database, so that the next process goes on from there.

use crate::clock::{Clock, MAX_DIFFERENCE};
use crate::store::log_streams::{self, CommitWatermark, Lease, Position, View};
use crate::store::{Store, StoreError};

/// For how long no other process reads, in seconds: how long a reader waits after its process was killed.
const LEASE: i64 = 20;
/// The least that must be left of a lease before work begins, in seconds.
const LEAST_LEASE: i64 = 10;

/// One reader of the log, in this process.
#[derive(Debug)]
pub struct LogReader {
    name: String,
    /// This process, in leases.
    holder: String,
    watermark: CommitWatermark,
}

impl LogReader {
    /// A reader that has seen nothing.
    pub fn new(name: &str, holder: &str) -> Self {
        Self { name: name.to_owned(), holder: holder.to_owned(), watermark: CommitWatermark::default() }
    }

    /// The highest id below which no row can appear any more.
    pub fn settled(&self) -> i64 {
        self.watermark.settled()
    }

    /// Takes note of what can be seen of the log now.
    pub fn see(&mut self, view: View) {
        self.watermark.see(view);
    }

    /// Whether this process is the one that reads. It takes the lease, or renews it, where it can.
    pub async fn hold(&self, store: &Store, clock: &dyn Clock, at: &Position) -> Result<bool, StoreError> {
        let lease = self.lease(clock);
        let (left, is_mine) = (at.held_until - lease.now, at.holder == self.holder);
        let runs = (1..=LEASE + MAX_DIFFERENCE).contains(&left);
        if runs && (!is_mine || left >= LEAST_LEASE) {
            return Ok(is_mine);
        }
        let name = self.name.clone();
        store.write(move |c| log_streams::claim(c, &name, &lease)).await
    }

    /// The lease that begins now.
    pub fn lease(&self, clock: &dyn Clock) -> Lease {
        let now = clock.now();
        Lease { holder: self.holder.clone(), now, until: now + LEASE }
    }

    /// Lets other processes read at once.
    pub async fn release(&self, store: &Store) -> Result<(), StoreError> {
        let (name, holder) = (self.name.clone(), self.holder.clone());
        store.write(move |c| log_streams::release(c, &name, &holder)).await
    }
}
