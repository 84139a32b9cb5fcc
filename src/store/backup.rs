//! Copies the embedded database to one file while it is in use.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::connection::{self, DatabaseKind};
use super::copy::tables::{Table, all};
use super::statement::number;
use super::{AnyConnection, StoreError, state};
use crate::config::Database;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this is for SQLite; back PostgreSQL up with pg_dump or with your server's own backups")]
    NotSqlite,
    #[error("{0} exists already; name a new file")]
    Exists(String),
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("the copy is damaged, and was not kept: {0}")]
    Damaged(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for BackupError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The contents of a backup.
#[derive(Debug, serde::Serialize)]
pub struct BackupReport {
    pub file: String,
    pub bytes: u64,
    /// Rows of each table.
    pub tables: Vec<(&'static str, i64)>,
    /// Whether the copy is marked as a backup. The database of an older version has no place for the mark.
    pub marked: bool,
}

/// A callback with the bytes written so far, and roughly how many there will be.
pub type TellBytes<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// How often it is told.
const OFTEN: Duration = Duration::from_millis(500);

#[derive(QueryableByName)]
struct QuickCheckRow {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

/// Writes the database at `url`, as it is at one moment, to a new file that only its owner may read. It is written
/// under another name, checked, and renamed when it is complete and on the disk.
///
/// `VACUUM INTO` reads in one transaction and blocks no writer. The database's log, `-wal`, grows by everything
/// written meanwhile.
pub fn back_up(url: &str, file: &Path, tell: TellBytes<'_>) -> Result<BackupReport, BackupError> {
    if DatabaseKind::of(url) != Some(DatabaseKind::Sqlite) {
        return Err(BackupError::NotSqlite);
    }
    if let Some(path) = connection::missing(url) {
        return Err(StoreError::Missing(path.to_owned()).into());
    }
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.display().to_string()));
    }
    let failed = |error: io::Error| BackupError::File(file.display().to_string(), error);
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = tempfile::Builder::new()
        .prefix(".countersign-backup-")
        .suffix(".partial")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(dir)
        .map_err(failed)?;
    let mut source = connection::open(url, &Database::default())?;
    write(&mut source, partial.path(), tell)?;
    let marked = !source.is_behind()?;
    let tables = check(partial.path(), marked)?;
    let bytes = partial.as_file().metadata().map_err(failed)?.len();
    partial.as_file().sync_all().map_err(failed)?;
    // If somebody has made a file with this name meanwhile, theirs stays.
    partial.persist_noclobber(file).map_err(|e| failed(e.error))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
    Ok(BackupReport { file: file.display().to_string(), bytes, tables, marked })
}

fn write(source: &mut AnyConnection, partial: &Path, tell: TellBytes<'_>) -> Result<(), BackupError> {
    let path = partial.to_str().ok_or_else(|| {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "the path must be UTF-8");
        BackupError::File(partial.display().to_string(), cause)
    })?;
    let pages = "SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size";
    let total = u64::try_from(number(source, pages)?).unwrap_or_default();
    let statement = format!("VACUUM INTO '{}'", path.replace('\'', "''"));
    let (written, until_written) = channel();
    Ok(std::thread::scope(|scope| {
        scope.spawn(move || follow(partial, total, &until_written, tell));
        let done = source.batch_execute(&statement);
        drop(written);
        done
    })?)
}

/// Reports the size of the file until the other end of the channel is dropped.
fn follow(partial: &Path, total: u64, until: &Receiver<()>, tell: TellBytes<'_>) {
    while until.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
        if let Ok(found) = partial.metadata() {
            tell(found.len(), total);
        }
    }
}

/// Checks a backup, counts its rows, and marks it if possible. It is opened without the service's settings, which
/// would change it.
fn check(file: &Path, mark: bool) -> Result<Vec<(&'static str, i64)>, BackupError> {
    let path = file.display().to_string();
    let opened = diesel::SqliteConnection::establish(&path);
    let mut connection = AnyConnection::Sqlite(opened.map_err(|e| StoreError::Open(format!("{path}: {e}")))?);
    let said: Vec<QuickCheckRow> = diesel::sql_query("PRAGMA quick_check").load(&mut connection)?;
    match said.as_slice() {
        [only] if only.quick_check == "ok" => {}
        [first, ..] => return Err(BackupError::Damaged(first.quick_check.clone())),
        [] => return Err(BackupError::Damaged("it cannot be checked".to_owned())),
    }
    if mark {
        state::mark_restored(&mut connection)?;
    }
    let count = |table: &'static Table| {
        let rows = number(&mut connection, &format!("SELECT count(*) AS n FROM {}", table.name))?;
        Ok((table.name, rows))
    };
    all().map(count).collect()
}
