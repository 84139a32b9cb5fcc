//! The writes of the token endpoint: used assertions, members, rows of the decision log.
//!
//! One transaction writes many requests, since a durable commit costs the same for one as for a hundred. Each request
//! has its own outcome.

mod columns;
mod entry;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;

use super::conflict::Conflict;
use super::decision_body::{KnownBodies, Noted};
use super::schema::used_assertions;
use super::sign_ins::NewSignIn;
use super::state::State;
use super::{AnyConnection, StoreError, changes};
use crate::clock::UnixSeconds;
use crate::random::short_digest;
pub use entry::{ClientAssertionUse, Committed, MemberChange, ProofUse, RedeemError, Redemption};

/// The writes of one request; a refusal writes only its log row.
#[derive(Debug, Clone)]
pub struct Entry {
    pub redemption: Option<Redemption>,
    pub sign_in: Arc<NewSignIn>,
}

/// The outcome of one entry; on a conflict, nothing of it was written.
pub type Verdict = Result<(), Conflict>;

/// The outcome of a batch, once its transaction is committed.
pub(super) struct WrittenBatch {
    pub verdicts: Vec<Verdict>,
    /// Bodies of decisions that are in the database now.
    pub bodies: Vec<Noted>,
}

/// An entry's position in its batch.
type Index = usize;

/// Why an assertion cannot be redeemed, whoever it is about: it was used, or that is no longer known.
pub fn use_conflict(
    connection: &mut AnyConnection,
    assertion: &str,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<Option<Conflict>, StoreError> {
    let row = used_assertions::table.filter(used_assertions::assertion.eq(short_digest(assertion)));
    let is_used = row.count().get_result::<i64>(connection)? > 0;
    let untold = State::read(connection)?.conflict(issued_at, expires_at);
    Ok(untold.or(is_used.then_some(Conflict::Replayed)))
}

/// Records the use of something that is used once, under the digest of its name. Returns false if it was used before.
pub fn consume(
    connection: &mut AnyConnection,
    digest: &str,
    expires_at: UnixSeconds,
) -> Result<bool, StoreError> {
    let rows = [(short_digest(digest), expires_at)];
    let consumed = match connection {
        AnyConnection::Sqlite(connection) => sqlite::consume(connection, &rows)?,
        #[cfg(feature = "postgres")]
        AnyConnection::Postgres(connection) => postgres::consume(connection, &rows)?,
    };
    Ok(consumed == [true])
}

/// Uses up the assertion by which a client authenticated for something else than an exchange. On a conflict nothing is
/// written.
pub fn consume_client_assertion(
    connection: &mut AnyConnection,
    used: &ClientAssertionUse,
) -> Result<Option<Conflict>, StoreError> {
    if State::read(connection)?.conflict(used.issued_at, used.expires_at).is_some() {
        return Ok(Some(Conflict::ClientAssertionTooOld));
    }
    let is_new = consume(connection, &used.id, used.expires_at)?;
    Ok((!is_new).then_some(Conflict::ClientAssertionReplayed))
}

/// Writes a batch inside a transaction of [`AnyConnection::begin_with_config_lock`]. Every process uses the same order
/// (assertions, then each teamspace with its members, then decision bodies, by key), so that two of them seldom
/// deadlock on PostgreSQL, which would end one of them. After an error the transaction must be rolled back.
pub(super) fn write(
    connection: &mut AnyConnection,
    entries: &[Entry],
    known: &KnownBodies,
) -> Result<WrittenBatch, StoreError> {
    let mut batch = EntryBatch { entries, verdicts: vec![Ok(()); entries.len()], released: Vec::new() };
    batch.check_state(connection)?;
    batch.consume(connection)?;
    batch.admit(connection)?;
    batch.touch(connection)?;
    batch.give_back(connection)?;
    let bodies = batch.record(connection, known)?;
    Ok(WrittenBatch { verdicts: batch.verdicts, bodies })
}

/// Characters in the row that is written to test writing. A PostgreSQL page holds only a few such rows, so the test
/// shows whether the table can grow.
const REHEARSED: usize = 1800;

/// Writes a refusal's row, as a sign-in does, inside a transaction that the caller rolls back.
pub(super) fn rehearse(connection: &mut AnyConnection, now: UnixSeconds) -> Result<(), StoreError> {
    let sign_in = NewSignIn { at: now, detail: "x".repeat(REHEARSED), ..NewSignIn::default() };
    let entry = Entry { redemption: None, sign_in: Arc::new(sign_in) };
    write(connection, &[entry], &KnownBodies::default()).map(drop)
}

/// The key of an assertion or a proof that is used once, and what it means if it was used before.
struct UsedKey<'a> {
    key: &'a str,
    expires_at: UnixSeconds,
    index: Index,
    conflict: Conflict,
    /// Of several that were used before, the one with the highest rank is told. Who has not proved to be the client hears
    /// nothing about the other two.
    rank: u8,
}

impl<'a> UsedKey<'a> {
    /// Those of one entry.
    fn of(index: Index, redemption: &'a Redemption) -> impl Iterator<Item = Self> {
        let (key, expires_at) = (short_digest(&redemption.assertion), redemption.expires_at);
        let of_person = Self { key, expires_at, index, conflict: Conflict::Replayed, rank: 1 };
        let of_client = redemption.client_assertion.as_ref().map(|used| Self {
            key: short_digest(&used.id),
            expires_at: used.expires_at,
            index,
            conflict: Conflict::ClientAssertionReplayed,
            rank: 2,
        });
        let of_key = redemption.proof.as_ref().map(|used| Self {
            key: short_digest(&used.id),
            expires_at: used.expires_at,
            index,
            conflict: Conflict::ProofReplayed,
            rank: 0,
        });
        std::iter::once(of_person).chain(of_client).chain(of_key)
    }
}

struct EntryBatch<'a> {
    entries: &'a [Entry],
    verdicts: Vec<Verdict>,
    /// The keys of assertions that were used up for an entry that later met a conflict.
    released: Vec<&'a str>,
}

impl<'a> EntryBatch<'a> {
    /// The redemptions without a conflict so far.
    fn redemptions(&self) -> Vec<(Index, &'a Redemption)> {
        let sound = self.entries.iter().zip(&self.verdicts).enumerate().filter(|(_, (_, v))| v.is_ok());
        sound.filter_map(|(i, (entry, _))| Some((i, entry.redemption.as_ref()?))).collect()
    }

    fn object(&mut self, index: Index, objection: Conflict) {
        if let Some(verdict) = self.verdicts.get_mut(index) {
            *verdict = Err(objection);
        }
    }

    /// Rejects decisions made under another configuration, unless all changes are about other teamspaces. That
    /// includes members: this is where suspended or unlinked ones are noticed. It also refuses assertions that may
    /// have been used without a trace.
    fn check_state(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let redemptions = self.redemptions();
        let generations = redemptions.iter().map(|(_, redemption)| redemption.generation);
        let Some(oldest) = generations.min_by_key(|generation| generation.number) else {
            return Ok(());
        };
        let state = State::read(connection)?;
        let steps = changes::between(connection, oldest, state.generation)?;
        for (index, redemption) in redemptions {
            let teamspace = self.entries.get(index).and_then(|entry| entry.sign_in.teamspace_id.as_deref());
            let client = redemption.client_assertion.as_ref();
            let proof = redemption.proof.as_ref();
            if steps.concern(redemption.generation, teamspace) {
                self.object(index, Conflict::ConfigurationChanged);
            } else if client.is_some_and(|c| state.conflict(c.issued_at, c.expires_at).is_some()) {
                self.object(index, Conflict::ClientAssertionTooOld);
            } else if let Some(objection) = state.conflict(redemption.issued_at, redemption.expires_at) {
                self.object(index, objection);
            } else if proof.is_some_and(|p| state.conflict(p.issued_at, p.expires_at).is_some()) {
                self.object(index, Conflict::ProofTooOld);
            }
        }
        Ok(())
    }

    /// The primary key decides: of all transactions with one assertion, only one succeeds.
    fn consume(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let mut keys: Vec<UsedKey<'a>> =
            self.redemptions().into_iter().flat_map(|(index, r)| UsedKey::of(index, r)).collect();
        keys.sort_by_key(|used| used.key);
        let rows: Vec<_> = keys.iter().map(|used| (used.key, used.expires_at)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let consumed: Vec<bool> = match connection {
            AnyConnection::Sqlite(connection) => sqlite::consume(connection, &rows)?,
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(connection) => postgres::consume(connection, &rows)?,
        };
        let (new, mut known): (Vec<_>, Vec<_>) =
            keys.into_iter().zip(consumed).partition(|(_, is_new)| *is_new);
        known.sort_by_key(|(used, _)| used.rank);
        for (used, _) in known {
            self.object(used.index, used.conflict);
        }
        // A refused request uses up none of them.
        let given_back = new.into_iter().filter(|(used, _)| self.verdicts.get(used.index) != Some(&Ok(())));
        let given_back: Vec<&str> = given_back.map(|(used, _)| used.key).collect();
        self.released.extend(given_back);
        Ok(())
    }

    /// Admits new members. One who finds no seat must not affect the others.
    fn admit(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let mut newcomers = self.redemptions();
        newcomers.retain(|(_, redemption)| redemption.member.order().is_some());
        newcomers.sort_by_key(|(_, redemption)| redemption.member.order());
        for (index, redemption) in newcomers {
            let at = self.entries.get(index).map_or(0, |entry| entry.sign_in.at);
            match redemption.member.apply(connection, at) {
                Ok(()) => {}
                Err(RedeemError::Conflict(objection)) => self.release(index, objection),
                Err(RedeemError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reports a conflict for an entry whose assertions are used up already.
    fn release(&mut self, index: Index, objection: Conflict) {
        self.object(index, objection);
        let redemption = self.entries.get(index).and_then(|entry| entry.redemption.as_ref());
        let keys = redemption.into_iter().flat_map(|redemption| UsedKey::of(index, redemption));
        self.released.extend(keys.map(|used| used.key));
    }

    /// Notes the last sign-in of existing members.
    fn touch(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let mut latest: HashMap<&str, UnixSeconds> = HashMap::new();
        let mut known = Vec::new();
        for (index, redemption) in self.redemptions() {
            let MemberChange::Known { member_id } = &redemption.member else { continue };
            let at = self.entries.get(index).map_or(0, |entry| entry.sign_in.at);
            let last = latest.entry(member_id).or_insert(at);
            *last = at.max(*last);
            known.push((index, member_id.as_str()));
        }
        if latest.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&str, UnixSeconds)> = latest.into_iter().collect();
        let found: HashSet<String> = match connection {
            AnyConnection::Sqlite(connection) => sqlite::touch(connection, &rows)?,
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(connection) => postgres::touch(connection, &rows)?,
        };
        for (index, member_id) in known {
            if !found.contains(member_id) {
                self.release(index, Conflict::FactsChanged);
            }
        }
        Ok(())
    }

    fn give_back(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for key in &self.released {
            diesel::delete(used_assertions::table.filter(used_assertions::assertion.eq(key)))
                .execute(connection)?;
        }
        Ok(())
    }

    /// Appends the log rows, after the decision bodies that they refer to and the database may lack.
    fn record(&self, connection: &mut AnyConnection, known: &KnownBodies) -> Result<Vec<Noted>, StoreError> {
        let sound = self.entries.iter().zip(&self.verdicts).filter(|(_, verdict)| verdict.is_ok());
        let rows: Vec<&NewSignIn> = sound.map(|(entry, _)| entry.sign_in.as_ref()).collect();
        let bodies = known.missing(rows.iter().filter_map(|row| Some((row.body.as_deref()?, row.at))));
        match connection {
            AnyConnection::Sqlite(connection) => {
                sqlite::intern(connection, &bodies)?;
                sqlite::record(connection, &rows)?;
            }
            #[cfg(feature = "postgres")]
            AnyConnection::Postgres(connection) => {
                postgres::intern(connection, &bodies)?;
                postgres::record(connection, &rows)?;
            }
        }
        Ok(bodies.into_iter().map(|(body, at)| (body.id().clone(), at)).collect())
    }
}
