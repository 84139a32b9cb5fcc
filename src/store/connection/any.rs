//! The connection to either database, in a file of its own for the sake of one lint.

#![expect(missing_docs, reason = "Diesel's derive makes public items without documentation")]

/// A connection to the configured database.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// A database file, by SQLite compiled in.
    Sqlite(diesel::SqliteConnection),
    /// A PostgreSQL server, by libpq.
    #[cfg(feature = "postgres")]
    Postgres(diesel::PgConnection),
}
