//! Decision bodies, each stored once. The rows of the decision log refer to them and hold only their own values.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use foldhash::quality::RandomState;
use serde_json::Value;

use super::schema::sign_in_grounds;
use super::{AnyConnection, StoreError};
use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::model::decision_body::{BodyId, DecisionBody};

/// How long rows may refer to a body after its use was noted, in seconds; then it is noted again.
const REFRESH: i64 = 12 * 3600;
/// How much longer than log rows a body is kept, in seconds: rows may refer to it until [`REFRESH`] is over, and
/// replicas' clocks differ.
const MARGIN: i64 = 48 * 3600;
/// The most bodies that are remembered as stored, about 100 bytes each; beyond that, the memory is emptied.
const MAX_KNOWN: usize = 16_384;

/// A body that a row refers to, and the time of that row.
pub(super) type Use<'a> = (&'a DecisionBody, UnixSeconds);
/// A stored body, and when its use was noted.
pub(super) type Noted = (BodyId, UnixSeconds);

/// The bodies known to be stored: a row that refers to one of them writes nothing else.
#[derive(Debug, Default)]
pub struct KnownBodies(Mutex<HashMap<BodyId, UnixSeconds, RandomState>>);

impl KnownBodies {
    /// The bodies that must be written along with their rows, each once, in the order of their keys.
    pub(super) fn missing<'a>(&self, uses: impl Iterator<Item = Use<'a>>) -> Vec<Use<'a>> {
        let known = self.lock();
        let is_known = |(body, at): &Use<'_>| {
            known.get(body.id()).is_some_and(|noted_at| is_within(*at, *noted_at, REFRESH))
        };
        let mut missing: Vec<Use<'a>> = uses.filter(|used| !is_known(used)).collect();
        missing.sort_unstable_by(|(one, at), (other, later)| (one.id(), later).cmp(&(other.id(), at)));
        missing.dedup_by(|(one, _), (other, _)| one.id() == other.id());
        missing
    }

    /// Notes that the transaction which wrote these bodies is committed.
    pub(super) fn note(&self, written: Vec<Noted>) {
        if written.is_empty() {
            return;
        }
        let mut known = self.lock();
        if known.len() + written.len() > MAX_KNOWN {
            known.clear();
        }
        known.extend(written);
    }

    /// Forgets which bodies are stored.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BodyId, UnixSeconds, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a time is within so many seconds before now. A time in the future does not count: the clock may have been
/// set back.
fn is_within(now: UnixSeconds, at: UnixSeconds, seconds: i64) -> bool {
    (-MAX_DIFFERENCE..seconds).contains(&now.saturating_sub(at))
}

/// A body as it is stored.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sign_in_grounds)]
pub(super) struct Stored {
    digest: String,
    decisions: String,
    facts: String,
}

/// The bodies with these keys, by key.
pub(super) fn find(connection: &mut AnyConnection, keys: Vec<&str>) -> QueryResult<HashMap<String, Stored>> {
    let found: Vec<Stored> = sign_in_grounds::table
        .filter(sign_in_grounds::digest.eq_any(keys))
        .select(Stored::as_select())
        .load(connection)?;
    Ok(found.into_iter().map(|body| (body.digest.clone(), body)).collect())
}

impl Stored {
    /// The answer to each question, as JSON.
    pub(super) fn into_decisions(self) -> String {
        self.decisions
    }

    /// The key that belongs to its content.
    pub(super) fn key(&self) -> BodyId {
        DecisionBody::new(self.decisions.clone(), self.facts.clone()).id().clone()
    }

    /// Restores a row's decisions and facts; `own` are the facts in the row itself.
    pub(super) fn complete(&self, decisions: &mut String, own: &mut String) -> Result<(), StoreError> {
        decisions.clone_from(&self.decisions);
        *own = put_together(&self.facts, own)?;
        Ok(())
    }
}

/// Puts a row's own facts on top of the shared ones. All are JSON.
pub fn put_together(below: &str, above: &str) -> Result<String, StoreError> {
    let parse = |text| serde_json::from_str(text).map_err(|e| StoreError::Damaged(e.to_string()));
    let mut whole: Value = parse(below)?;
    overlay(&mut whole, parse(above)?);
    Ok(whole.to_string())
}

/// Merges objects member by member; any other value replaces the old one.
fn overlay(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                overlay(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Deletes the bodies whose sign-ins have been deleted.
pub(super) fn prune(
    connection: &mut AnyConnection,
    known: &KnownBodies,
    sign_ins_before: UnixSeconds,
) -> QueryResult<()> {
    let old = sign_in_grounds::used_at.lt(sign_ins_before - MARGIN);
    // Forget them, unless a clock that was ahead is right again.
    if diesel::delete(sign_in_grounds::table.filter(old)).execute(connection)? > 0 {
        known.forget();
    }
    Ok(())
}
