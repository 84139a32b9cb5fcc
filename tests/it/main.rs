//! One test binary: the real router on loopback, a fresh database file, a real identity provider.

mod harness;
mod idp;

mod assertion;
mod client;
mod fuzz;
mod issuer_keys;
mod metadata;
mod request;
