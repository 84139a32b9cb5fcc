//! Checkpoints SQLite's write-ahead log without blocking the writer. If a commit first had to carry thousands of pages
//! over to the database file, everybody behind it would wait.
//!
//! A separate connection does most of the work while commits go on. The writer then carries over the pages added
//! meanwhile: the log starts from its beginning again only when nothing is left.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::connection::{AnyConnection, open};
use super::{StoreError, watchdog};
use crate::config::Database;

/// The number of pages in the log that start a checkpoint: about forty megabytes. Commits are slower during one, so it
/// should be rare.
const PAGES: i64 = 10_000;
/// How many jobs pass between two looks at the log's size; a job writes one or two pages.
const JOBS: u64 = 64;

const IDLE: u8 = 0;
const AT_WORK: u8 = 1;
/// The writer's turn.
const DONE: u8 = 2;

/// The writer's side.
pub(super) struct Checkpoints {
    begin: Sender<()>,
    state: Arc<AtomicU8>,
    jobs: Cell<u64>,
}

#[derive(QueryableByName)]
struct Pages {
    #[diesel(sql_type = BigInt)]
    log: i64,
    #[diesel(sql_type = BigInt)]
    checkpointed: i64,
}

impl Checkpoints {
    /// Starts the thread that does the large part.
    pub fn start(url: &str, config: &Database) -> Result<Self, StoreError> {
        let (begin, begun) = bounded(1);
        let state = Arc::new(AtomicU8::new(IDLE));
        let (url, config, done) = (url.to_owned(), config.clone(), Arc::clone(&state));
        watchdog::spawn("store-checkpoint", move || work(&url, &config, &begun, &done))?;
        Ok(Self { begin, state, jobs: Cell::new(0) })
    }

    /// Makes the checkpoint that is due after this many jobs.
    pub fn follow(&self, connection: &mut AnyConnection, jobs: u64) {
        self.jobs.set(self.jobs.get() + jobs);
        let outcome = match self.state.load(Ordering::Acquire) {
            IDLE if self.jobs.get() >= JOBS => self.look(connection),
            DONE => {
                self.state.store(IDLE, Ordering::Release);
                carry_over(connection)
            }
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "cannot checkpoint");
        }
    }

    fn look(&self, connection: &mut AnyConnection) -> QueryResult<()> {
        self.jobs.set(0);
        let Pages { log, checkpointed } =
            diesel::sql_query("PRAGMA wal_checkpoint = NOOP").get_result(connection)?;
        if log - checkpointed >= PAGES {
            // This is set first, since the thread may finish before this one continues.
            self.state.store(AT_WORK, Ordering::Release);
            if self.begin.try_send(()).is_err() {
                self.state.store(IDLE, Ordering::Release);
            }
        }
        Ok(())
    }
}

fn work(url: &str, config: &Database, begun: &Receiver<()>, state: &AtomicU8) {
    let mut connection = None;
    while begun.recv().is_ok() {
        let outcome = match &mut connection {
            Some(connection) => Ok(connection),
            None => open(url, config).map(|opened| connection.insert(opened)),
        };
        let outcome = outcome.and_then(|connection| Ok(carry_over(connection)?));
        if let Err(error) = outcome {
            // The writer does all of it then.
            tracing::warn!(%error, "cannot checkpoint beside the writer");
            connection = None;
        }
        state.store(DONE, Ordering::Release);
    }
}

#[derive(QueryableByName)]
struct Truncation {
    #[diesel(sql_type = BigInt)]
    busy: i64,
}

/// Carries everything over and empties the log, so that the file alone is the whole database. False if another process
/// is in the way. PostgreSQL has no such file.
pub(super) fn finish(connection: &mut AnyConnection) -> QueryResult<bool> {
    if !matches!(connection, AnyConnection::Sqlite(_)) {
        return Ok(true);
    }
    let outcome: Truncation = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(connection)?;
    Ok(outcome.busy == 0)
}

/// As far as nobody is in the way.
fn carry_over(connection: &mut AnyConnection) -> QueryResult<()> {
    diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").execute(connection)?;
    Ok(())
}
