//! One test binary: the real router on loopback, a fresh database file, a real identity provider.

mod harness;
mod idp;

mod address;
mod admin;
mod assertion;
mod commands;
mod grant;
mod interop;
mod json;
mod policies;
mod replay;
mod subject;
mod token;
