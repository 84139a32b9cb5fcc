//! Signing in to the console with OpenID Connect (Core 1.0, Discovery 1.0), by the authorization code flow with PKCE.
//!
//! 1. [`Attempt::begin`] makes a random secret, which the browser keeps in a cookie. State, nonce and PKCE verifier follow
//!    from it, so any replica can go on.
//! 2. [`OpenIdProvider::authorize_url`] is where the browser goes.
//! 3. It comes back with an [`Answer`]: [`OpenIdProvider::person`] checks it against the attempt, redeems the code and
//!    verifies the ID token.
//!
//! Who the [`SignedInPerson`] is to this deployment, and that an attempt is finished once only, is for [`crate::admin`] to see to.

mod answer;
mod attempt;
mod discovered;
mod error;
mod http;
mod person;
mod provider;

pub use answer::Answer;
pub use attempt::{Attempt, LIFETIME};
pub use error::SignInError;
pub use person::SignedInPerson;
pub use provider::OpenIdProvider;
