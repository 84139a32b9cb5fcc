//! The things that the service knows: plain data with the rules about it, without input and output.

pub mod actor_kind;
pub mod client;
pub mod console_user;
pub mod decision_body;
pub mod identity_provider;
pub mod kill_switch;
pub mod log;
pub mod member;
pub mod member_link;
pub mod resource;
pub mod revocation;
pub(crate) mod scope;
pub mod seats;
pub mod signal_endpoint;
pub mod signing_key;
pub mod teamspace;
pub mod trust;
