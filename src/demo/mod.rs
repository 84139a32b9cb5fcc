//! The parts of the demo that are not Countersign itself.

pub mod identity_provider;
pub mod mcp_server;
