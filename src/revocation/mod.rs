//! What every process knows about revocations without asking the database.

mod known_tokens;
mod revoked;

pub use known_tokens::{KnownToken, KnownTokens};
pub use revoked::RevokedTokens;
