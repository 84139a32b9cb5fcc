//! One test binary: the real router on loopback, a fresh database file, a real identity provider.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]
#![allow(clippy::disallowed_macros, reason = "what is measured is printed")]

mod custom_claims;
mod database;
mod dns;
mod files;
mod harness;
mod idp;
mod process;

mod active_token;
mod address;
mod admin;
mod apply;
mod assertion;
mod authorization_details;
mod benchmarks;
mod browser;
mod client;
mod client_assertion;
mod client_documents;
mod clocks;
mod commands;
mod configuration;
mod conformance;
mod connections;
mod console;
mod db;
mod decision_bodies;
mod dev_idp;
mod disclosure;
mod docs;
mod doctor;
mod documents;
mod dpop;
mod email;
mod ending;
mod examples;
mod explain;
mod exposed;
mod facts;
mod forward_auth;
mod forward_auth_tools;
mod fuzz;
mod generated_requests;
mod grant;
mod health;
mod interop;
mod introspection;
mod issuer_keys;
mod issuer_lookup;
mod issuer_trust;
mod json;
mod landing;
mod layers;
mod ledger;
mod link;
mod log_stream;
mod log_writer;
mod logging;
mod mcp_request;
mod messages;
mod metadata;
mod metrics;
mod middleware;
mod model;
mod no_email;
mod not_applied;
mod not_known;
#[cfg(feature = "postgres")]
mod on_postgres;
mod one_file;
mod overload;
mod packages;
mod policies;
mod policy_cache;
mod policy_check;
mod policy_diff;
mod policy_fmt;
mod policy_limits;
mod policy_lint;
mod policy_memo;
mod policy_mutation;
mod policy_schema;
mod policy_source;
mod policy_test;
mod progress;
mod protected_resource;
mod protected_server;
#[cfg(feature = "prove")]
mod prove;
mod providers;
mod proxies;
mod reasons;
mod refusals;
mod reload;
mod replaced;
mod replay;
mod replicas;
mod request;
mod requirements;
mod resolver;
mod runtime;
mod saml;
mod scim;
mod seals;
mod seats;
mod shadow;
mod sign_in_counts;
mod signals;
mod step_up;
mod stop;
mod subject;
mod test_on_reload;
mod tls;
mod token;
mod token_life;
mod tool_policies;
mod upgrade;
mod verification_key;
