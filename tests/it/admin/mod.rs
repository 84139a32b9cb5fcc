//! The admin API, noun by noun.

mod access;
pub mod audit;
mod budget;
mod clients;
mod commands;
mod console_sessions;
pub mod effect;
mod errors;
pub mod harness;
mod identity_provider;
mod identity_providers;
pub mod logs;
mod long_lists;
mod members;
mod openapi;
mod permissions;
mod resource_credentials;
mod resources;
mod setup_links;
mod sign_in_search;
mod teamspaces;
