//! `countersign apply` and `export`: files as what a service is to have.

mod big;
mod credentials;
mod export;
mod failures;
mod harness;
mod moves;
mod plan;
mod process;
mod reading;
mod secrets;
