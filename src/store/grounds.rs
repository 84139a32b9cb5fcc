//! What many sign-ins were decided on and how, kept once. Their rows in the decision log name it, and hold only what
//! is each one's own.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use diesel::prelude::*;
use serde_json::Value;

use super::schema::sign_in_grounds;
use super::{AnyConnection, StoreError, insert_unless_there};
use crate::clock::{MAX_DIFFERENCE, UnixSeconds};
use crate::random::{digest, short_digest};

/// How long rows may name grounds after these were noted, in seconds.
const GOOD_FOR: i64 = 24 * 3600;
/// After how long they are noted again.
const REFRESH: i64 = GOOD_FOR / 2;
/// How much longer than the rows of the log they are kept, in seconds: rows name them until [`GOOD_FOR`] is over, and
/// replicas' clocks differ.
const MARGIN: i64 = 2 * GOOD_FOR;
/// Between attempts to note them, in seconds.
const PAUSE: i64 = 60;

/// Facts and decisions, both JSON. The facts lack what is one person's or one moment's.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_in_grounds)]
pub struct Grounds {
    /// Of the two texts.
    digest: String,
    decisions: String,
    facts: String,
    /// When they were noted last; rows name them for up to a day longer.
    used_at: UnixSeconds,
}

impl Grounds {
    /// Of decisions on facts.
    pub fn new(decisions: &str, facts: String, now: UnixSeconds) -> Self {
        let digest = digest(&format!("{decisions}\0{facts}"));
        Self {
            digest: short_digest(&digest).to_owned(),
            decisions: decisions.to_owned(),
            facts,
            used_at: now,
        }
    }
}

/// How a decision that may be made again finds its grounds in the database.
#[derive(Debug, Default)]
pub struct Reference {
    digest: OnceLock<String>,
    noted_at: AtomicI64,
    tried_at: AtomicI64,
    was_used: AtomicBool,
}

impl Reference {
    /// What rows may name. None before [`Self::note`], and when that is too long ago.
    pub fn digest(&self, now: UnixSeconds) -> Option<&str> {
        let is_good = is_within(now, self.noted_at.load(Ordering::Acquire), GOOD_FOR);
        self.digest.get().filter(|_| is_good).map(String::as_str)
    }

    /// Whether the grounds are to be noted, again or for the first time, by whoever asks. Not at the first use: a
    /// decision that is made once has nothing in common with others.
    pub fn is_due(&self, now: UnixSeconds) -> bool {
        if !self.was_used.load(Ordering::Relaxed) {
            self.was_used.store(true, Ordering::Relaxed);
            return false;
        }
        let tried_at = self.tried_at.load(Ordering::Relaxed);
        !is_within(now, self.noted_at.load(Ordering::Relaxed), REFRESH)
            && !is_within(now, tried_at, PAUSE)
            && self.tried_at.compare_exchange(tried_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Says that they are in the database.
    pub fn note(&self, grounds: &Grounds) {
        let _ = self.digest.set(grounds.digest.clone());
        self.noted_at.store(grounds.used_at, Ordering::Release);
    }
}

/// Whether it is not longer ago than so many seconds, and not in the future either: the clock may have been set back.
fn is_within(now: UnixSeconds, at: UnixSeconds, seconds: i64) -> bool {
    (-MAX_DIFFERENCE..seconds).contains(&now.saturating_sub(at))
}

/// Notes that grounds are in use.
pub fn keep(connection: &mut AnyConnection, grounds: &Grounds) -> Result<(), StoreError> {
    let row = sign_in_grounds::table.find(&grounds.digest);
    let touched =
        diesel::update(row).set(sign_in_grounds::used_at.eq(grounds.used_at)).execute(connection)?;
    if touched == 0 {
        insert_unless_there(connection, |c| {
            diesel::insert_into(sign_in_grounds::table).values(grounds).execute(c)
        })?;
    }
    Ok(())
}

/// Those with these digests, by digest.
pub(super) fn find(
    connection: &mut AnyConnection,
    digests: Vec<&str>,
) -> QueryResult<HashMap<String, Grounds>> {
    let found: Vec<Grounds> = sign_in_grounds::table
        .filter(sign_in_grounds::digest.eq_any(digests))
        .select(Grounds::as_select())
        .load(connection)?;
    Ok(found.into_iter().map(|grounds| (grounds.digest.clone(), grounds)).collect())
}

impl Grounds {
    /// Gives a row's decisions and facts back; `own` are the facts that the row itself has.
    pub(super) fn complete(&self, decisions: &mut String, own: &mut String) -> Result<(), StoreError> {
        decisions.clone_from(&self.decisions);
        *own = put_together(&self.facts, own)?;
        Ok(())
    }
}

/// Facts that sign-ins have in common, and those of one of them on top. All JSON.
pub fn put_together(below: &str, above: &str) -> Result<String, StoreError> {
    let parse = |text| serde_json::from_str(text).map_err(|e| StoreError::Damaged(e.to_string()));
    let mut whole: Value = parse(below)?;
    overlay(&mut whole, parse(above)?);
    Ok(whole.to_string())
}

/// Objects member by member; anything else takes the place of what was there.
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

/// Deletes those whose sign-ins are gone as well.
pub(super) fn prune(connection: &mut AnyConnection, sign_ins_before: UnixSeconds) -> QueryResult<usize> {
    let old = sign_in_grounds::used_at.lt(sign_ins_before - MARGIN);
    diesel::delete(sign_in_grounds::table.filter(old)).execute(connection)
}
