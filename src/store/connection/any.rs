//! The connection to either database. Diesel's derive makes further public items beside it, which stay in this file.

/// A connection to the configured database.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// A database file, by SQLite compiled in.
    Sqlite(diesel::SqliteConnection),
    /// A PostgreSQL server, by libpq.
    #[cfg(feature = "postgres")]
    Postgres(diesel::PgConnection),
}
