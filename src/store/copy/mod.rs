//! Copies everything from one database to another, of either kind, and verifies it.
//!
//! The copy is one state of the source, read in one transaction. The target may hold the beginning of the same copy,
//! that is, the first rows of each table in the order of their keys: the copy continues there.

pub(super) mod digest;
mod progress;
pub(super) mod rows;
mod side;
pub mod tables;

use std::sync::mpsc::{SyncSender, sync_channel};

use super::connection::{self, DatabaseKind, shown};
use super::{StoreError, replicas};
use crate::clock::UnixSeconds;
use crate::config::Database;
pub use digest::Digest;
use progress::CopyWork;
pub use progress::{CopyProgress, CopyStep, TellProgress};
use rows::CopiedRow;
use side::{Side, Summary};
use tables::{GENERATION, TABLES, Table, all};

/// Why there is no complete copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Both URLs lead to one database.
    #[error("FROM and TO are the same database")]
    Same,
    /// A process serves FROM: its URL without the password, and the process's name.
    #[error(
        "{0} is being served by {1}: what it writes from now on would not be in the copy; stop it, and copy \
         15 seconds later"
    )]
    Served(String, String),
    /// TO has tables that no version of this service makes.
    #[error("TO holds tables of something else; nothing was changed")]
    Foreign,
    /// FROM lacks migrations of this version.
    #[error("FROM is a database of an older version; run `countersign migrate` for it")]
    FromBehind,
    /// FROM has migrations that this version does not know.
    #[error("FROM is a database of a newer version; copy it with that one")]
    FromAhead,
    /// TO has some of the migrations and not all.
    #[error("TO is a database of an older version; name an empty one. Nothing was changed")]
    Behind,
    /// The first table of TO with rows that FROM does not have at the same place.
    #[error(
        "TO holds rows of `{0}` that are not the beginning of FROM's; name an empty database. Nothing was changed"
    )]
    Holds(&'static str),
    /// PostgreSQL has no text with the character NUL, and SQLite does.
    #[error(
        "`{table}` has a row with NUL in a text, which PostgreSQL cannot store: {}; change it and copy again",
        key.escape_debug()
    )]
    Nul {
        /// The table of FROM.
        table: &'static str,
        /// The row's primary key.
        key: String,
    },
    /// One of the databases failed; what was copied stays, and the same command goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The two databases of a copy.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The URL of the database that is read.
    pub from: String,
    /// The URL of the database that is written: an empty one, or one that an interrupted copy has begun.
    pub to: String,
    /// Whether FROM may be written to during the copy; later writes are not copied.
    pub while_serving: bool,
}

/// The outcome of a copy.
#[derive(Debug, serde::Serialize)]
pub struct CopyReport {
    /// The databases, without passwords.
    pub from: String,
    /// The database that was written, without its password.
    pub to: String,
    /// Migrations that TO got.
    pub applied: Vec<String>,
    /// Every table, in the order of the copy.
    pub tables: Vec<TableComparison>,
    /// Rows of the decision log in which NUL was replaced by U+FFFD, in both digests.
    pub replaced: u64,
    /// Whether FROM was written to since the copy began: then the copy is out of date.
    pub moved_on: bool,
}

/// A table of both databases, read after the copy.
#[derive(Debug, serde::Serialize)]
pub struct TableComparison {
    /// The table's name, the same in both databases.
    pub name: &'static str,
    /// Rows that were written by this run.
    pub copied: u64,
    /// The rows of FROM.
    pub from: Digest,
    /// The rows of TO. The copy is complete when both digests are the same.
    pub to: Digest,
}

impl CopyReport {
    /// The tables that are not the same.
    pub fn different(&self) -> impl Iterator<Item = &TableComparison> {
        self.tables.iter().filter(|table| table.from != table.to)
    }
}

impl Copy {
    /// Copies, or continues a copy, and verifies it. `tell` gets the progress.
    pub fn run(&self, now: UnixSeconds, tell: TellProgress<'_>) -> Result<CopyReport, CopyError> {
        if self.from == self.to {
            return Err(CopyError::Same);
        }
        let mut from = self.open_from(now)?;
        from.connection.begin_read()?;
        let marks = from.marks()?;
        let mut to = Side { connection: open(&self.to)?, without_nul: false };
        let applied = to.prepare()?;
        let held = compare(&mut from, &mut to, tell)?;
        carry(&mut from, &mut to, &held, tell)?;
        let (generation, _) = from.read(&GENERATION, &[], GENERATION.batch)?;
        to.complete(&generation, from.last_ids()?)?;
        let summaries = verify(&mut from, &mut to, tell)?;
        // The transaction of the copy sees nothing new.
        from.connection.commit()?;
        let moved_on = from.marks()? != marks;
        let replaced = summaries.iter().map(|(from, _)| from.replaced).sum();
        let held = held.iter().map(|held| held.digest.rows).chain(std::iter::once(0));
        let tables = all().zip(held).zip(summaries).map(|((table, held), (from, to))| TableComparison {
            name: table.name,
            copied: to.digest.rows.saturating_sub(held),
            from: from.digest,
            to: to.digest,
        });
        let tables = tables.collect();
        Ok(CopyReport { from: shown(&self.from), to: shown(&self.to), applied, tables, replaced, moved_on })
    }

    fn open_from(&self, now: UnixSeconds) -> Result<Side, CopyError> {
        if let Some(path) = connection::missing(&self.from) {
            return Err(StoreError::Missing(path.to_owned()).into());
        }
        let mut connection = open(&self.from)?;
        if connection.is_behind()? {
            return Err(CopyError::FromBehind);
        }
        // Anything that this version does not know would be left out unnoticed.
        if !connection.unknown_migrations()?.is_empty() {
            return Err(CopyError::FromAhead);
        }
        let names: Vec<String> =
            replicas::running(&mut connection, now)?.into_iter().map(|replica| replica.name).collect();
        if !names.is_empty() && !self.while_serving {
            return Err(CopyError::Served(shown(&self.from), names.join(", ")));
        }
        Ok(Side { connection, without_nul: DatabaseKind::of(&self.to) == Some(DatabaseKind::Postgres) })
    }
}

/// Large tables take their time.
fn open(url: &str) -> Result<super::AnyConnection, CopyError> {
    let place = url.to_owned();
    let opened = move || {
        let mut connection = connection::open(&place, &Database::default())?;
        connection.lift_timeouts()?;
        Ok(connection)
    };
    Ok(super::Store::in_time(url, &Database::default(), opened)?)
}

/// Finds the rows that TO already has in each of [`TABLES`]; they must be FROM's first rows.
fn compare(from: &mut Side, to: &mut Side, tell: TellProgress<'_>) -> Result<Vec<Summary>, CopyError> {
    let work = CopyWork::new(tell, CopyStep::Comparing, to.count()? * 2);
    let mut held = Vec::new();
    for table in &TABLES {
        let there = to.summarize(table, None, &work)?;
        if from.summarize(table, Some(there.digest.rows), &work)?.digest != there.digest {
            return Err(CopyError::Holds(table.name));
        }
        held.push(there);
    }
    let same =
        to.summarize(&GENERATION, None, &work)?.digest == from.summarize(&GENERATION, None, &work)?.digest;
    match same || to.is_at_first_generation()? {
        true => Ok(held),
        false => Err(CopyError::Holds(GENERATION.name)),
    }
}

type RowBatch = Result<(&'static Table, Vec<CopiedRow>), CopyError>;

/// Copies the rows that TO lacks. One thread reads while the other writes.
fn carry(from: &mut Side, to: &mut Side, held: &[Summary], tell: TellProgress<'_>) -> Result<(), CopyError> {
    let there: u64 = held.iter().map(|held| held.digest.rows).sum();
    let work = CopyWork::new(tell, CopyStep::Copying, from.count()?.saturating_sub(there));
    let (sender, batches) = sync_channel::<RowBatch>(2);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(error) = read_behind(from, held, &sender) {
                // If nobody waits for it, the other side has failed with its own error.
                let _ = sender.send(Err(error));
            }
        });
        for batch in batches {
            let (table, rows) = batch?;
            to.insert(table, &rows)?;
            work.add(table, rows.len());
        }
        Ok(())
    })
}

fn read_behind(from: &mut Side, held: &[Summary], sender: &SyncSender<RowBatch>) -> Result<(), CopyError> {
    for (table, held) in TABLES.iter().zip(held) {
        let mut last = held.last.clone();
        loop {
            let (rows, _) = from.read(table, &last, table.batch)?;
            let Some(row) = rows.last() else { break };
            last = table.key_of(row);
            if sender.send(Ok((table, rows))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads every table of both, at the same time.
fn verify(
    from: &mut Side,
    to: &mut Side,
    tell: TellProgress<'_>,
) -> Result<Vec<(Summary, Summary)>, CopyError> {
    let work = &CopyWork::new(tell, CopyStep::Verifying, from.count()? + to.count()?);
    to.connection.begin_read()?;
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| from.summarize_all(work));
        let theirs = to.summarize_all(work);
        (ours.join(), theirs)
    });
    to.connection.commit()?;
    // A thread that panicked has told why.
    let ours = ours.map_err(|_| StoreError::Stopped)??;
    Ok(ours.into_iter().zip(theirs?).collect())
}
