//! The recent revocations in memory. Older ones concern only tokens that have expired.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError, RwLock};

use foldhash::quality::RandomState;
use tokio::sync::watch;

use crate::clock::{Clock, Moment, UnixSeconds};
use crate::model::revocation::Revocation;
use crate::model::signing_key::MAX_TOKEN_LIFETIME;
use crate::store::revocations::{NewRevocations, RevocationCursor, page};
use crate::store::{AnyConnection, Store, StoreError};
use crate::token::{RevocationKey, TokenMarks};

/// How much longer than any token lives a revocation is kept, in seconds: the clocks of processes differ.
const MARGIN: i64 = 300;

/// Rows that are read at a time.
const PORTION: usize = 2_000;

/// The revocations that can concern a token that has not expired.
pub struct RevokedTokens {
    /// The latest time of issue that is revoked, by object. An object takes about 25 bytes, or 50 after growth.
    issued_until: RwLock<HashMap<RevocationKey, UnixSeconds, RandomState>>,
    /// The position in the table up to which they are known.
    known_to: watch::Sender<RevocationCursor>,
    /// When the database was last asked successfully.
    asked_at: Mutex<Moment>,
}

impl RevokedTokens {
    /// Reads every revocation that still matters.
    pub async fn load(store: &Store, clock: &dyn Clock) -> Result<Self, StoreError> {
        let revoked = Self {
            issued_until: RwLock::default(),
            known_to: watch::Sender::default(),
            asked_at: Mutex::new(Moment::now(clock)),
        };
        revoked.read_from(store, clock, None).await?;
        // The last row is read however old it is: it says where the table ends.
        revoked.forget_old(clock.now());
        Ok(revoked)
    }

    /// Takes over what was revoked since the last time. Calls must not overlap.
    pub async fn follow(&self, store: &Store, clock: &dyn Clock) -> Result<(), StoreError> {
        let (asked_at, known_to) = (Moment::now(clock), *self.known_to.borrow());
        store.check_home()?;
        self.read_from(store, clock, Some(known_to)).await?;
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = asked_at;
        Ok(())
    }

    /// Reads to the end of the table, a portion at a time: all rows at once would take more memory than is kept of them.
    async fn read_from(
        &self,
        store: &Store,
        clock: &dyn Clock,
        mut cursor: Option<RevocationCursor>,
    ) -> Result<(), StoreError> {
        let since = oldest_that_matters(clock.now());
        loop {
            let new = store.read(move |c: &mut AnyConnection| page(c, cursor, since, PORTION)).await?;
            if new.is_reset && cursor.is_some() {
                tracing::warn!("the database was replaced; its revocations are added to those already known");
            }
            let is_last = new.items.len() < PORTION;
            cursor = Some(new.cursor);
            self.take(new);
            if is_last {
                return Ok(());
            }
        }
    }

    fn take(&self, new: NewRevocations) {
        let is_news = *self.known_to.borrow() != new.cursor;
        if !new.items.is_empty() {
            let mut issued_until = self.issued_until.write().unwrap_or_else(PoisonError::into_inner);
            new.items.iter().for_each(|revocation| add(&mut issued_until, revocation));
        }
        if is_news {
            self.known_to.send_replace(new.cursor);
        }
    }

    /// Whether a token that was issued at a time is revoked.
    pub fn is_revoked(&self, marks: &TokenMarks, issued_at: UnixSeconds) -> bool {
        let issued_until = self.issued_until.read().unwrap_or_else(PoisonError::into_inner);
        if issued_until.is_empty() {
            return false;
        }
        marks.keys().iter().any(|key| issued_until.get(key).is_some_and(|until| issued_at <= *until))
    }

    /// Whether the database was asked successfully within so many seconds. Otherwise nobody can tell which tokens are
    /// revoked.
    pub fn is_current(&self, clock: &dyn Clock, max_age: i64) -> bool {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).age(clock) <= max_age
    }

    /// Hears of each change, by the position up to which revocations are known.
    pub fn subscribe(&self) -> watch::Receiver<RevocationCursor> {
        self.known_to.subscribe()
    }

    /// How many objects have a revocation.
    pub fn count(&self) -> usize {
        self.issued_until.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets revocations that concern only expired tokens.
    pub fn forget_old(&self, now: UnixSeconds) {
        let mut issued_until = self.issued_until.write().unwrap_or_else(PoisonError::into_inner);
        issued_until.retain(|_, until| *until >= oldest_that_matters(now));
        if issued_until.len() < issued_until.capacity() / 4 {
            issued_until.shrink_to_fit();
        }
    }
}

/// The time before which revocations concern only tokens that have expired.
pub fn oldest_that_matters(now: UnixSeconds) -> UnixSeconds {
    now - MAX_TOKEN_LIFETIME - MARGIN
}

fn add(known: &mut HashMap<RevocationKey, UnixSeconds, RandomState>, revocation: &Revocation) {
    let key = RevocationKey::of(revocation.kind, &revocation.object);
    match known.entry(key) {
        Entry::Occupied(mut before) => {
            let until = before.get_mut();
            *until = revocation.issued_until.max(*until);
        }
        Entry::Vacant(place) => drop(place.insert(revocation.issued_until)),
    }
}
