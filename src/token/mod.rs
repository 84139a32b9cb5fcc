//! Our access tokens: from a grant to a signed token.

mod grant;
mod mint;

pub use grant::Grant;
pub use mint::{TokenResponse, mint, preview};
