//! The console: its pages through the real router, and over real connections what all of them have in common.

mod browser;
mod enterprise;
mod frame;
mod listener;
mod members;
mod overview;
mod sessions;
mod setup_tokens;
mod teamspaces;
mod visitor;
