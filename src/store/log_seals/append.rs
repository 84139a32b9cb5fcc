//! Making seals.

use diesel::prelude::*;

use super::content::{self, LogRow};
use super::key::SealKey;
use super::{MAX_ROWS, Seal, newest};
use crate::clock::UnixSeconds;
use crate::model::log::Log;
use crate::store::log_streams::{View, complete_to, end_of};
use crate::store::schema::log_seals;
use crate::store::{AnyConnection, StoreError, is_duplicate};

/// How far apart the times of rows under one seal may be, in seconds. They are deleted together, so a row may be kept
/// this much longer than `retention`.
const SPAN: i64 = 60;
/// Rows that one step reads.
const STEP: usize = 8 * MAX_ROWS;

/// The current ends of a log and of its chain.
#[derive(Clone)]
pub struct Ends {
    /// The rows' end, with what is known of transactions under way.
    pub view: View,
    /// The last seal of the chain; none where nothing is sealed yet.
    pub newest: Option<Seal>,
}

/// Looks at both ends.
pub fn look(connection: &mut AnyConnection, log: Log) -> Result<Ends, StoreError> {
    Ok(Ends { newest: newest(connection, log)?, view: end_of(connection, log)? })
}

/// The next seals to append, and whether there may be more.
pub struct Next {
    /// The seals in their order; empty when every row has one.
    pub seals: Vec<Seal>,
    /// Whether the step ended because it was long enough, and not because the rows ended.
    pub is_more: bool,
}

/// Makes the seals for the first unsealed rows. `ends` is what was seen, and `settled` an id up to which no more rows
/// can appear.
pub fn next(
    connection: &mut AnyConnection,
    log: Log,
    (ends, settled): (&Ends, i64),
    key: Option<&SealKey>,
    now: UnixSeconds,
) -> Result<Next, StoreError> {
    let mut chain = Chain { log, newest: ends.newest.clone(), key, now };
    let after = chain.newest.as_ref().map_or(0, |seal| seal.last_id);
    let to = complete_to(connection, &ends.view, settled);
    let Some(table) = content::table_of(log, content::FORMAT) else {
        return Ok(Next { seals: Vec::new(), is_more: false });
    };
    let rows = content::read(connection, table, (after, to), STEP)?;
    let mut seals: Vec<Seal> = ranges(&rows).into_iter().map(|range| chain.seal(range)).collect();
    if seals.is_empty() && chain.needs_key() {
        seals.push(chain.seal(&[]));
    }
    Ok(Next { seals, is_more: rows.len() == STEP })
}

/// Rows by the seals that they are to be under.
fn ranges(rows: &[LogRow]) -> Vec<&[LogRow]> {
    let mut ranges = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let near = rest.iter().take(MAX_ROWS).take_while(|row| (row.at - first.at).abs() <= SPAN).count();
        let (range, others) = rest.split_at(near.max(1));
        ranges.push(range);
        rest = others;
    }
    ranges
}

/// The chain that seals are appended to.
struct Chain<'a> {
    log: Log,
    newest: Option<Seal>,
    key: Option<&'a SealKey>,
    now: UnixSeconds,
}

impl Chain<'_> {
    /// Whether the newest seal was made with another key, or with none.
    fn needs_key(&self) -> bool {
        match (&self.newest, self.key) {
            (Some(newest), Some(key)) => newest.key_id != key.id(),
            _ => false,
        }
    }

    fn seal(&mut self, rows: &[LogRow]) -> Seal {
        let newest = self.newest.as_ref();
        let (last_id, newest_at) = newest.map_or((0, 0), |seal| (seal.last_id, seal.newest_at));
        let mut seal = Seal {
            log: self.log,
            number: newest.map_or(1, |seal| seal.number + 1),
            format: content::FORMAT,
            last_id: rows.last().map_or(last_id, |row| row.id),
            row_count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
            newest_at: rows.iter().map(|row| row.at).max().unwrap_or(newest_at),
            sealed_at: self.now,
            digest: String::new(),
            key_id: String::new(),
            code: String::new(),
            pruned_before: None,
        };
        seal.digest = content::digest(&seal, newest.map_or("", |seal| &seal.digest), rows);
        if let Some(key) = self.key {
            key.authenticate(&mut seal);
        }
        self.newest = Some(seal.clone());
        seal
    }
}

/// Appends seals, inside a transaction. False when another process was first: then nothing is written.
pub fn append(connection: &mut AnyConnection, seals: &[Seal], to: Option<&Seal>) -> Result<bool, StoreError> {
    let Some(first) = seals.first() else { return Ok(true) };
    let end = newest(connection, first.log)?;
    if end.as_ref().map(|seal| &seal.digest) != to.map(|seal| &seal.digest) {
        return Ok(false);
    }
    let added = connection.transaction(|connection| {
        seals.iter().try_for_each(|seal| {
            diesel::insert_into(log_seals::table).values(seal).execute(connection).map(drop)
        })
    });
    match added {
        Err(error) if is_duplicate(&error) => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}
