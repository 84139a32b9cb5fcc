//! Tests that need PostgreSQL servers of their own: `scripts/test` runs them with the tests on PostgreSQL.

mod cluster;
mod connection;
mod console;
mod faults;
mod hung;
mod log_stream;
mod pooler;
mod proxy;
mod stale;
