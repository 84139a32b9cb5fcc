//! What every process knows about revocations without asking the database.

mod known_tokens;
mod pages;
mod revoked;

pub use known_tokens::{KnownToken, KnownTokens};
pub use pages::{RevocationPage, RevocationPages};
pub use revoked::{RevokedTokens, oldest_that_matters};
