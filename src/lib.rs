//! Countersign: a policy-driven authorization server for MCP's Enterprise-Managed Authorization.
//!
//! The modules, in the order in which a request meets them: [`web`] turns bytes into types;
//! [`exchange`] is the flow from an assertion to a token; [`idp`] fetches the issuer's keys;
//! [`policy`] decides; [`store`] writes; [`signing`] signs. [`shadow`] asks what
//! other policies would have decided; [`log_stream`] sends the decision log elsewhere; [`disclosure`] says what a
//! teamspace may learn about policies; [`resolver`] looks up host names for all that connect to somewhere. [`app`] holds the parts, [`config`]
//! what the operator says, [`cli`] the commands, [`demo`] everything on loopback.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decision_log;
pub mod demo;
pub mod disclosure;
pub mod email;
pub mod exchange;
pub mod idp;
pub mod limits;
pub mod metrics;
pub mod model;
pub mod oauth;
pub mod policy;
pub mod random;
pub mod request_id;
pub mod resolver;
pub mod shadow;
pub mod signing;
pub mod store;
pub mod telemetry;
mod terminal;
mod text_enum;
pub mod web;
