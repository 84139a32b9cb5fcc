//! The console: its pages through the real router, and over real connections what all of them have in common.

mod activity;
mod audit;
mod browser;
mod clients;
mod enterprise;
mod frame;
mod listener;
mod members;
mod overview;
mod policies;
mod resources;
mod session_list;
mod sessions;
mod setup_links;
mod setup_tokens;
mod system;
mod teamspaces;
mod visitor;
