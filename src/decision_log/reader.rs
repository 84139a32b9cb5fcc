//! Reads the decision log from start to end, in one process at a time. The database stores the position, so the next
//! process continues there.

use crate::clock::{Clock, MAX_DIFFERENCE};
use crate::store::log_streams::{self, CommitWatermark, Lease, Position, View};
use crate::store::{Store, StoreError};

/// How long no other process reads, in seconds. If a reading process is killed, reading pauses for this long.
const LEASE: i64 = 20;
/// The least time that a lease must have left before work begins, in seconds.
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

    /// The highest id up to which no more rows can appear.
    pub fn settled(&self) -> i64 {
        self.watermark.settled()
    }

    /// Notes how much of the log can be seen now.
    pub fn see(&mut self, view: View) {
        self.watermark.see(view);
    }

    /// Takes or renews the lease if possible. Returns whether this process is the one that reads.
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
