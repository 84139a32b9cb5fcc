//! The database: version, rights, settings that decide whether a commit survives, room.

use std::path::Path;
use std::sync::Arc;

use super::exposed::{self, ExposedFile};
use super::in_thread;
use super::line::{DoctorGroup, DoctorLine, Lines};
use super::patient::{ClockReadings, StoredState};
use super::volume::Volume;
use crate::clock::{Clock, UnixSeconds, rfc3339};
use crate::config::Config;
use crate::store::connection::{self, AnyConnection, DatabaseKind};
use crate::store::inspection::{self, DatabaseSettings, PostgresSettings, SqliteSettings};
use crate::store::snapshot::Snapshot;
use crate::store::{StoreError, connection::shown};
use crate::store::{replicas, signing_keys};

const MIGRATE: &str =
    "Run `countersign migrate`. `serve` does so by itself on SQLite, unless it has `--no-migrate`.";

/// Examines the database, and returns what the other checks need; none if it cannot be read.
pub(super) async fn examine(
    config: &Config,
    clock: &Arc<dyn Clock>,
    readings: &ClockReadings,
    lines: &Lines,
) -> Option<StoredState> {
    let (config, clock) = (config.clone(), Arc::clone(clock));
    let (readings, lines) = (readings.clone(), lines.clone());
    in_thread(move || look(&config, &*clock, &readings, &lines)).await.ok().flatten()
}

fn look(config: &Config, clock: &dyn Clock, readings: &ClockReadings, lines: &Lines) -> Option<StoredState> {
    file(config, lines);
    let mut connection = open(config, lines)?;
    if let Err(error) = inspection::check_version(&mut connection) {
        let (message, fix) = version_problem(&error);
        lines.fail("migrations", message, fix);
        return None;
    }
    lines.ok("migrations", "Every migration of this version is applied, and no other.");
    let done = read(&mut connection, clock, readings, lines);
    let cannot_read = |error: StoreError| {
        let fix = "Look at the database's own log, and give this user the rights of the tables' owner.";
        lines.fail("read", format!("The database cannot be read as the service does: {error}."), fix);
    };
    done.map_err(cannot_read).ok()
}

fn read(
    connection: &mut AnyConnection,
    clock: &dyn Clock,
    readings: &ClockReadings,
    lines: &Lines,
) -> Result<StoredState, StoreError> {
    let now = clock.now();
    writing(connection, now, lines)?;
    readings.note("database", connection.time()?, clock.now());
    durability(inspection::settings(connection)?, lines);
    if let Some(at) = inspection::last_backup(connection)? {
        lines.ok("backup", format!("The last `countersign db backup` was at {}.", rfc3339(at)));
    }
    Ok(StoredState {
        snapshot: Snapshot::load(connection)?,
        keys: signing_keys::all(connection)?,
        replicas: replicas::running(connection, now)?,
    })
}

/// The file of an embedded database and its volume.
fn file(config: &Config, lines: &Lines) {
    let Some(file) = connection::files(&config.database_url).into_iter().next().filter(|file| file.exists())
    else {
        return;
    };
    for ExposedFile { path, mode, command } in exposed::database_files(config) {
        let message = format!("{} has mode {mode}: others on this machine can read it.", path.display());
        lines.fail("file_mode", message, format!("Run `{command}`."));
    }
    let place = file.canonicalize().unwrap_or(file);
    match Volume::of(place.parent().unwrap_or(Path::new("."))) {
        Ok(volume) => volume.examine(lines),
        Err(error) => lines.warn(
            "disk_space",
            format!("The room on the disk of {} cannot be found out: {error}.", place.display()),
            "Look at it with `df`.",
        ),
    }
}

fn open(config: &Config, lines: &Lines) -> Option<AnyConnection> {
    let url = &config.database_url;
    let fail = |error: StoreError| {
        lines.fail("connection", format!("{}.", capital(&error.to_string())), fix_of_connection(url));
    };
    if let Some(path) = connection::missing(url) {
        lines.fail(
            "connection",
            format!("There is no database at {path}."),
            "If there was one before, put it back. Otherwise run `countersign migrate`; `serve` creates it as well.",
        );
        return None;
    }
    connection::check_sessions(url, &config.database).map_err(fail).ok()?;
    let connection = connection::open_unchanged(url, &config.database).map_err(fail).ok()?;
    let sessions = match DatabaseKind::of(url) {
        Some(DatabaseKind::Postgres) => ", and no pooler takes its sessions away",
        _ => "",
    };
    lines.ok("connection", format!("{} can be opened{sessions}.", shown(url)));
    Some(connection)
}

fn fix_of_connection(url: &str) -> &'static str {
    match DatabaseKind::of(url) {
        Some(DatabaseKind::Postgres) => {
            "Correct `database_url`, or look at the server: does it run, does it let this user and address in \
             (pg_hba.conf), is it the primary, is the pooler in session mode?"
        }
        _ => {
            "Correct `database_url`, or give the service's user the right to read and write this file and its directory."
        }
    }
}

fn version_problem(error: &StoreError) -> (String, &'static str) {
    match error {
        StoreError::Behind => ("Migrations are pending: this version needs them.".to_owned(), MIGRATE),
        StoreError::Ahead(unknown) => (
            format!("The database is of a newer version: this one does not know its migrations {unknown}."),
            "Run a version that knows them, or restore a backup that was taken before them.",
        ),
        error => (format!("The list of applied migrations cannot be read: {error}."), MIGRATE),
    }
}

fn writing(connection: &mut AnyConnection, now: UnixSeconds, lines: &Lines) -> Result<(), StoreError> {
    let tables = inspection::without_rights(connection)?;
    if !tables.is_empty() {
        lines.fail(
            "rights",
            format!("This user may not read and write all tables: {}.", tables.join(", ")),
            "Make the service's user the owner of the tables, or grant it SELECT, INSERT, UPDATE and DELETE on them.",
        );
        return Ok(());
    }
    match inspection::check_write(connection, now) {
        Ok(()) => lines.ok("rights", "A row of the decision log can be written; it was rolled back."),
        Err(error) => lines.fail(
            "rights",
            format!("No row of the decision log can be written: {error}."),
            "Look for a full disk, a read-only file or directory, another program's lock, or missing rights.",
        ),
    }
    Ok(())
}

/// The lines about the settings of a database.
pub fn lines_about(settings: DatabaseSettings) -> Vec<DoctorLine> {
    let lines = Lines::new(DoctorGroup::Database);
    durability(settings, &lines);
    lines.take()
}

fn durability(settings: DatabaseSettings, lines: &Lines) {
    match settings {
        DatabaseSettings::Sqlite(SqliteSettings { version, journal_mode }) => {
            lines.ok("version", format!("SQLite {version}, compiled in."));
            match journal_mode.as_str() {
                "wal" => lines.ok("durability", "The journal mode is WAL, and each commit is synced to the disk."),
                mode => lines.warn(
                    "durability",
                    format!("The journal mode is {mode}, not WAL: another program has changed it."),
                    "Nothing, if the service starts: it sets WAL again. Keep other programs away from the file.",
                ),
            }
        }
        DatabaseSettings::Postgres(settings) => {
            let PostgresSettings { version, size, .. } = &settings;
            lines.ok("version", format!("PostgreSQL {version}; the database has {size}."));
            survival(&settings, lines);
            encryption(&settings, lines);
        }
    }
}

/// Whether a commit survives a crash, and the loss of the server.
fn survival(settings: &PostgresSettings, lines: &Lines) {
    let PostgresSettings { synchronous_commit, fsync, full_page_writes, standby_names, standbys, .. } =
        settings;
    let off: Vec<&str> = [("fsync", fsync), ("full_page_writes", full_page_writes)]
        .into_iter()
        .filter_map(|(name, value)| (value == "off").then_some(name))
        .collect();
    let remote = match (standby_names.is_empty(), standbys) {
        (false, _) => format!("a commit waits for standbys ({standby_names})"),
        (true, 0) => "there is no standby".to_owned(),
        (true, _) => "a commit waits for no standby".to_owned(),
    };
    if !off.is_empty() {
        return lines.fail(
            "durability",
            format!("{} is off: after a crash of the server the database may be damaged.", off.join(" and ")),
            "Switch it on in postgresql.conf and reload.",
        );
    }
    if standby_names.is_empty() && *standbys > 0 {
        return lines.warn(
            "durability",
            "There are standbys, and a commit waits for none of them: after a failover, assertions redeemed in the lost \
             commits can be redeemed again.",
            "Set synchronous_standby_names, such as `ANY 1 (*)`.",
        );
    }
    let server = match synchronous_commit.as_str() {
        "off" | "local" | "remote_write" => {
            format!(
                "synchronous_commit is {synchronous_commit} on the server and on in the service's sessions"
            )
        }
        value => format!("synchronous_commit is {value}"),
    };
    lines.ok("durability", format!("fsync and full_page_writes are on, {server}, {remote}."));
}

fn encryption(PostgresSettings { tls, address, .. }: &PostgresSettings, lines: &Lines) {
    let is_here = address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match (tls, address.is_empty() || is_here) {
        (true, _) => lines.ok("tls", "The connection is encrypted."),
        (false, true) => lines.ok("tls", "The server is on this machine: nothing leaves it."),
        (false, false) => lines.warn(
            "tls",
            format!("The connection to {address} is not encrypted: it carries emails and signing keys."),
            "Write `sslmode=verify-full` in `database_url`, unless you trust this network as you trust the machine.",
        ),
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
