//! Questions of `countersign doctor` to a database: whether it can be written, and whether its writes survive. Nothing is
//! changed: every transaction here is rolled back.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use super::schema::admin_events;
use super::{AnyConnection, StoreError, ledger};
use crate::clock::UnixSeconds;

/// The settings of a database file.
#[derive(Debug)]
pub struct SqliteSettings {
    /// SQLite's version.
    pub version: String,
    /// `wal`, unless another program has changed it.
    pub journal_mode: String,
}

/// The settings of a server.
#[derive(Debug, QueryableByName)]
pub struct PostgresSettings {
    /// The server's version.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// The server's own value; each of our sessions raises it to `on`.
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// `on` or `off`: whether a commit waits for the disk.
    #[diesel(sql_type = Text)]
    pub fsync: String,
    /// `on` or `off`: whether a page that was half written can be mended.
    #[diesel(sql_type = Text)]
    pub full_page_writes: String,
    /// `synchronous_standby_names`; empty where a commit waits for no standby.
    #[diesel(sql_type = Text)]
    pub standby_names: String,
    /// How many standbys are connected.
    #[diesel(sql_type = BigInt)]
    pub standbys: i64,
    /// Whether this connection is encrypted.
    #[diesel(sql_type = Bool)]
    pub tls: bool,
    /// The server's address; empty for a socket on this machine.
    #[diesel(sql_type = Text)]
    pub address: String,
    /// The size of the database, in words.
    #[diesel(sql_type = Text)]
    pub size: String,
}

/// The settings of either kind.
#[derive(Debug)]
pub enum DatabaseSettings {
    /// A database file.
    Sqlite(SqliteSettings),
    /// A server.
    Postgres(PostgresSettings),
}

const POSTGRES_SETTINGS: &str = "SELECT current_setting('server_version') AS version, \
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit, \
    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes, \
    current_setting('synchronous_standby_names') AS standby_names, \
    (SELECT count(*) FROM pg_stat_replication) AS standbys, \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls, \
    coalesce(host(inet_server_addr()), '') AS address, \
    pg_size_pretty(pg_database_size(current_database())) AS size";

/// Our tables that this user may not read or write; Diesel's own table is only read.
const WITHOUT_RIGHTS: &str = "SELECT relname::text AS name FROM pg_class \
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND NOT (has_table_privilege(oid, 'SELECT') \
    AND (relname = '__diesel_schema_migrations' OR (has_table_privilege(oid, 'INSERT') \
    AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')))) ORDER BY 1";

#[derive(QueryableByName)]
struct SqliteVersion {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

#[derive(QueryableByName)]
struct TableName {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The settings that decide whether a commit survives a crash.
pub fn settings(connection: &mut AnyConnection) -> QueryResult<DatabaseSettings> {
    if matches!(connection, AnyConnection::Sqlite(_)) {
        let version = diesel::sql_query("SELECT sqlite_version() AS version");
        let SqliteVersion { version } = version.get_result(connection)?;
        let JournalMode { journal_mode } = diesel::sql_query("PRAGMA journal_mode").get_result(connection)?;
        return Ok(DatabaseSettings::Sqlite(SqliteSettings { version, journal_mode }));
    }
    diesel::sql_query(POSTGRES_SETTINGS).get_result(connection).map(DatabaseSettings::Postgres)
}

/// Whether this version can serve the database. Diesel would make its own table to find out, so that is rolled back.
pub fn check_version(connection: &mut AnyConnection) -> Result<(), StoreError> {
    rolled_back(connection, AnyConnection::begin_read, AnyConnection::check_version)
}

/// Writes a row as a sign-in does.
pub fn check_write(connection: &mut AnyConnection, now: UnixSeconds) -> Result<(), StoreError> {
    rolled_back(connection, AnyConnection::begin_write, |c| ledger::rehearse(c, now))
}

fn rolled_back<T>(
    connection: &mut AnyConnection,
    begin: impl FnOnce(&mut AnyConnection) -> QueryResult<()>,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    begin(connection)?;
    let done = work(connection);
    connection.roll_back();
    done
}

/// The tables that this user may not read and write. SQLite has no users.
pub fn without_rights(connection: &mut AnyConnection) -> QueryResult<Vec<String>> {
    if matches!(connection, AnyConnection::Sqlite(_)) {
        return Ok(Vec::new());
    }
    let tables: Vec<TableName> = diesel::sql_query(WITHOUT_RIGHTS).load(connection)?;
    Ok(tables.into_iter().map(|table| table.name).collect())
}

/// The time of the last `countersign db backup`; none if there was none, as with backups by other programs.
pub fn last_backup(connection: &mut AnyConnection) -> QueryResult<Option<UnixSeconds>> {
    let backups = admin_events::table.filter(admin_events::action.eq("database.backup"));
    backups.select(admin_events::at).order(admin_events::id.desc()).first(connection).optional()
}
