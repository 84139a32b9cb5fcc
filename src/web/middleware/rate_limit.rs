//! Refuses callers that send too many requests, if that limit is on.

use std::sync::Arc;

use axum::extract::Request;

use super::around::Around;
use super::caller_address::CallerAddress;
use crate::app::App;
use crate::oauth::error::TokenError;

/// Counts requests by the caller's address.
#[derive(Clone)]
pub struct RateLimit(pub Arc<App>);

impl Around for RateLimit {
    type Kept = ();

    fn before(&self, request: &mut Request) -> Result<(), TokenError> {
        let caller = CallerAddress::of(request.extensions());
        self.0.limits.check_address(caller.0).map_err(TokenError::from)
    }
}
