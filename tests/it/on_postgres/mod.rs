//! What needs PostgreSQL servers of its own: `scripts/test` runs it with the tests on PostgreSQL.

mod cluster;
mod connection;
mod faults;
mod hung;
mod log_stream;
mod pooler;
mod proxy;
mod stale;
