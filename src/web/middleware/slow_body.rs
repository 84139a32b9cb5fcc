//! Refuses requests whose body did not arrive in time.

use axum::extract::Request;

use super::around::Around;
use crate::oauth::error::TokenError;
use crate::web::body::TooSlow;

/// Refuses requests marked by `web::body`: only here does the refusal get an id and a log line.
#[derive(Clone)]
pub struct RefuseSlowBodies;

impl Around for RefuseSlowBodies {
    type Kept = ();

    fn before(&self, request: &mut Request) -> Result<(), TokenError> {
        match request.extensions().get::<TooSlow>() {
            None => Ok(()),
            Some(TooSlow) => Err(TokenError::timeout()),
        }
    }
}
