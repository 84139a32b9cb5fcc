//! What every process knows about revocations without asking the database.

mod known_tokens;
mod pages;
mod revoked;
mod token_uses;

pub use known_tokens::{KnownToken, KnownTokens};
pub use pages::{RevocationPage, RevocationPages};
pub use revoked::{RevokedTokens, oldest_that_matters};
pub use token_uses::{LookedAtBy, TokenUses, UseCounter};
