//! Signals of identity providers: signed events that end people's sessions here. Three protocols share one verifier
//! and one effect, and differ in the form of their tokens and answers.
//!
//! A signal is authenticated by a key of an identity provider that the teamspace trusts, and reaches the members of that
//! teamspace only.

mod authenticate;
mod back_channel_logout;
mod claims;
mod end_sessions;
mod global_revocation;
mod refusal;
mod security_event;
pub mod subject;

pub(crate) use back_channel_logout::log_out;
pub(crate) use global_revocation::GlobalRevocation;
pub(crate) use refusal::SignalRefusal;
pub(crate) use security_event::{Received, receive};
