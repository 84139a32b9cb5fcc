//! Decides which refusals get a row of the decision log, and counts the others. Refused callers must not be able to
//! fill the disk: of each kind a few are written, and one more row says how many others were like them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::budget_of;
use crate::clock::UnixSeconds;
use crate::oauth::error::Reason;
use crate::store::sign_ins::NewSignIn;

/// All strangers together get this many times the rows of one address.
const ALL_STRANGERS: u32 = 10;
/// The most kinds that are told apart; further ones are counted by their reason alone.
const MAX_KINDS: usize = 1024;
/// A waiting row drops its facts and decisions if they have more bytes than this.
const MAX_WAITING: usize = 16 * 1024;

/// The key by which refusals are counted together. The teamspace stands for the issuer: a caller can invent issuers
/// that lead to none, and client names that have not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RefusalKind {
    client_id: String,
    teamspace_id: Option<String>,
    reason: String,
}

impl RefusalKind {
    fn of_anybody(reason: &str) -> Self {
        Self { client_id: String::new(), teamspace_id: None, reason: reason.to_owned() }
    }
}

/// Refusals of one kind since the last flush.
#[derive(Debug, Default)]
struct Count {
    written: u32,
    /// The first one without a row of its own, and the number of further ones.
    waiting: Option<Box<NewSignIn>>,
}

/// Everything since the last flush.
#[derive(Debug, Default)]
struct Minute {
    kinds: HashMap<RefusalKind, Count>,
    addresses: HashMap<IpAddr, u32>,
    strangers: u32,
}

/// The refusals in this process. [`Refusals::take`] begins a new minute.
#[derive(Debug)]
pub struct Refusals {
    most: u32,
    minute: Mutex<Minute>,
}

impl Refusals {
    /// Allows at most `most` rows per minute for each kind, and for each stranger's address.
    pub fn new(most: u32) -> Self {
        Self { most, minute: Mutex::default() }
    }

    /// Whether a client's refusal should be written now; otherwise it is counted.
    pub fn is_due(&self, record: &NewSignIn) -> bool {
        let mut minute = self.lock();
        let kind = minute.kind_of(record);
        let count = minute.kinds.entry(kind.clone()).or_default();
        if count.written < self.most {
            count.written += 1;
            return true;
        }
        count.wait(&kind, record);
        false
    }

    /// Whether to write the refusal of a caller who has not authenticated. One address must not crowd out the others' refusals, and all
    /// addresses together must not fill the disk. Frequent ones are only counted.
    pub fn is_due_of_stranger(&self, record: &NewSignIn, address: IpAddr) -> bool {
        let mut minute = self.lock();
        if record.reason != Reason::RATE_LIMITED.as_str() && minute.admits(address, self.most) {
            return true;
        }
        let kind = RefusalKind::of_anybody(&record.reason);
        minute.kinds.entry(kind.clone()).or_default().wait(&kind, record);
        false
    }

    /// The rows that stand for counted refusals, dated `now`.
    pub fn take(&self, now: UnixSeconds) -> Vec<NewSignIn> {
        let minute = std::mem::take(&mut *self.lock());
        let waiting = minute.kinds.into_values().filter_map(|count| count.waiting);
        waiting.map(|row| NewSignIn { at: now, ..*row }).collect()
    }

    /// Counts a row again that could not be written.
    pub fn give_back(&self, row: &NewSignIn) {
        let mut minute = self.lock();
        let kind = minute.kind_of(row);
        minute.kinds.entry(kind.clone()).or_default().wait(&kind, row);
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    fn admits(&mut self, address: IpAddr, most: u32) -> bool {
        if self.strangers >= most.saturating_mul(ALL_STRANGERS) {
            return false;
        }
        let written = self.addresses.entry(budget_of(address)).or_default();
        if *written >= most {
            return false;
        }
        *written += 1;
        self.strangers += 1;
        true
    }

    fn kind_of(&self, record: &NewSignIn) -> RefusalKind {
        let kind = RefusalKind {
            client_id: record.client_id.clone(),
            teamspace_id: record.teamspace_id.clone(),
            reason: record.reason.clone(),
        };
        match self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&kind) {
            true => kind,
            false => RefusalKind::of_anybody(&kind.reason),
        }
    }
}

impl Count {
    fn wait(&mut self, kind: &RefusalKind, record: &NewSignIn) {
        if let Some(first) = &mut self.waiting {
            first.repeated = first.repeated.saturating_add(record.repeated).saturating_add(1);
            return;
        }
        // The row stands for its whole kind, whatever name this caller has claimed.
        let mut row = record.clone();
        row.client_id.clone_from(&kind.client_id);
        row.teamspace_id.clone_from(&kind.teamspace_id);
        if row.teamspace_id.is_none() {
            row.identity_provider_id.clear();
        }
        if row.facts.len() + row.body.as_ref().map_or(0, |body| body.size()) > MAX_WAITING {
            (row.facts, row.body) = Default::default();
        }
        self.waiting = Some(Box::new(row));
    }
}
