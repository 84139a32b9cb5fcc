//! Our access tokens: from a grant to a signed token, and from a token back to its claims.

mod access_token;
mod confirmation;
mod grant;
mod mint;
mod tool_access;
mod verify;

pub use access_token::{AccessToken, RevocationKey, TokenMarks};
pub use confirmation::{Confirmation, token_type};
pub use grant::Grant;
pub use mint::{TokenResponse, mint, preview};
pub use tool_access::ToolAccess;
pub use verify::verify;
