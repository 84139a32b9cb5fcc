//! The console: its pages through the real router, and over real connections what all of them have in common.

pub mod activity;
mod audit;
pub mod bad_input;
pub mod browser;
mod clients;
mod enterprise;
mod frame;
mod listener;
mod members;
mod openid;
mod overview;
mod plans;
mod policies;
mod refusals;
mod resources;
mod roles;
mod scim_tokens;
mod session_list;
mod sessions;
mod setup_links;
mod setup_tokens;
mod system;
mod teamspaces;
pub mod visitor;
mod what_if;
