//! The embedded database: a file on this machine.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::StoreError;
use super::migration::{MigrationFailure, MigrationResult};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// WAL lets readers continue beside the writer. `synchronous=FULL`: with NORMAL, a power failure loses redeemed
/// assertions, which could then be redeemed again. `busy_timeout` is for other processes. Checkpoints are made beside
/// the writer; a commit makes one only if those are far behind.
const SETTINGS: &str = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; \
    PRAGMA wal_autocheckpoint = 20000;";

/// The characters that have a meaning in SQLite's `file:` URLs.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// How long opening waits for another process.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes the write lock at the start. The default, DEFERRED, fails at once with "database is locked" when a
/// transaction that has read wants to write.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

pub(super) fn open(url: &str) -> Result<SqliteConnection, StoreError> {
    let path = url.strip_prefix("sqlite://").unwrap_or(url);
    let failed = |e: &dyn std::fmt::Display| StoreError::Open(format!("{path}: {e}"));
    if !is_no_file(path) {
        make_private(path.into());
    }
    let mut connection = SqliteConnection::establish(path).map_err(|e| failed(&e))?;
    let began = Instant::now();
    while let Err(error) = connection.batch_execute(SETTINGS) {
        // While another process switches a new file to WAL, SQLite refuses instead of waiting for `busy_timeout`.
        if !error.to_string().contains("locked") || began.elapsed() > PATIENCE {
            return Err(failed(&error));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(connection)
}

/// Opens a database without changing its settings, and creates nothing.
pub(super) fn open_unchanged(url: &str) -> Result<SqliteConnection, StoreError> {
    let path = url.strip_prefix("sqlite://").unwrap_or(url);
    let failed = |e: &dyn std::fmt::Display| StoreError::Open(format!("{path}: {e}"));
    let place = match is_no_file(path) {
        true => path.to_owned(),
        false => format!("file:{}?mode=rw", utf8_percent_encode(path, NOT_IN_A_PATH)),
    };
    let mut connection = SqliteConnection::establish(&place).map_err(|e| failed(&e))?;
    connection.batch_execute("PRAGMA busy_timeout = 2000").map_err(|e| failed(&e))?;
    Ok(connection)
}

/// The database's file, and the ones that SQLite keeps beside it while it is open.
pub(super) fn files(url: &str) -> Vec<PathBuf> {
    match url.strip_prefix("sqlite://") {
        Some(path) if !is_no_file(path) => {
            ["", "-wal", "-shm", "-journal"].map(|suffix| format!("{path}{suffix}").into()).into()
        }
        _ => Vec::new(),
    }
}

/// Names that SQLite does not take as a file's.
fn is_no_file(path: &str) -> bool {
    path.is_empty() || path == ":memory:" || path.starts_with("file:")
}

/// Creates a missing file so that nobody else can read it: SQLite would create it with mode 0644, and gives `-wal` and
/// `-shm` the database's mode. An existing file is not opened: closing it would release SQLite's locks.
fn make_private(mut path: PathBuf) {
    const MOST_LINKS: usize = 8;
    for _ in 0..MOST_LINKS {
        // SQLite reports a file that cannot be created.
        if OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).is_ok() || path.exists() {
            return;
        }
        // A link to a file that is not there yet.
        let Ok(target) = path.read_link() else { return };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
}

pub(super) fn migrate(connection: &mut SqliteConnection) -> MigrationResult<Vec<String>> {
    // One process at a time: a second one waits for the first, and then finds nothing pending.
    let applied = connection.immediate_transaction(|c| {
        c.run_pending_migrations(MIGRATIONS)
            .map(|versions| versions.iter().map(ToString::to_string).collect())
            .map_err(MigrationFailure)
    });
    applied.map_err(|MigrationFailure(error)| error)
}

pub(super) fn is_behind(connection: &mut SqliteConnection) -> MigrationResult<bool> {
    connection.has_pending_migration(MIGRATIONS)
}

pub(super) fn unknown_migrations(connection: &mut SqliteConnection) -> MigrationResult<Vec<String>> {
    let ours = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS)?;
    let ours: Vec<String> = ours.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied = connection.applied_migrations()?.into_iter().map(|version| version.to_string());
    let mut unknown: Vec<String> = applied.filter(|version| !ours.contains(version)).collect();
    unknown.sort();
    Ok(unknown)
}
