//! The admin API, noun by noun.

mod access;
mod clients;
mod effect;
mod harness;
mod identity_provider;
mod logs;
mod members;
mod resources;
mod teamspaces;
