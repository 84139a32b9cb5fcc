//! What an MCP server asks with its credentials: whether a token is active, and which tokens were revoked.

mod authenticate;
mod introspection;
mod revocation_list;

pub use authenticate::{ResourceServer, authenticate, authenticate_by_form};
pub use introspection::{TokenDescription, introspect};
pub use revocation_list::{RevocationQuery, list};
