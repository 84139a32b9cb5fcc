//! Countersign: a policy-driven authorization server for MCP's Enterprise-Managed Authorization.
//!
//! The modules below are listed in layers, bottom up. A module uses only modules of lower layers, and within a folder
//! no two files use each other; a test checks both.
//!
//! From the top: [`web`] turns bytes into types. [`exchange`] is the flow from an assertion to a token, and
//! [`admin`] the work of administrators. [`idp`] fetches the issuer's keys, [`policy`] decides, [`store`] writes,
//! `token` makes the access token and [`signing`] signs it. [`revocation`] knows which tokens were revoked, and
//! [`active_token`] says whether one is active; `resource_server` is what MCP servers ask about them. [`shadow`]
//! asks what other policies would have decided, [`decision_log`] shows what was decided, and [`disclosure`] limits
//! what a teamspace may learn about policies. [`limits`] bounds everything that callers can make grow. [`resolver`]
//! looks up host names, `openid` signs people in to the console, and [`tls`] has the certificate of our listeners.
//! [`app`] holds the parts, [`runtime`] runs them, [`config`] is the operator's configuration, [`manifest`] reads
//! files that declare what a service is to have, [`doctor`] examines a live deployment and [`conformance`] any server
//! of this kind, [`cli`] has the commands, and `demo` everything on loopback. [`scim`] reads what identity providers send about people.

pub mod clock;
pub mod email;
pub mod random;
mod serde_words;
mod service_manager;
pub mod shipped;
pub mod telemetry;
mod text_enum;

pub mod config;
pub mod request_id;
mod terminal;

pub mod oauth;
pub mod resolver;

pub mod model;

pub mod scim;

pub mod manifest;

pub mod policy;

pub mod store;

pub mod idp;

pub mod limits;
pub mod signing;
pub mod tls;

pub mod dpop;

mod openid;
pub mod token;

pub mod revocation;

pub mod disclosure;
pub mod metrics;
pub mod shadow;

pub mod app;

pub mod active_token;
pub mod decision_log;
pub mod exchange;

pub mod forward_auth;
mod resource_server;

pub mod admin;

pub mod signals;

pub mod web;

pub mod runtime;

pub mod doctor;

pub mod conformance;

#[cfg(feature = "demo")]
pub mod demo;

pub mod cli;
