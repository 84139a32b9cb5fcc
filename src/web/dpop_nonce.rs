//! The nonce for the next proof (RFC 9449 §8.2), in each answer to a request with a proof: so a client that goes on learns
//! of a new one before its own is too old.

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::app::App;
use crate::dpop::{DPOP, DPOP_NONCE};

/// Adds the nonce to the answer, if proofs need one.
pub(super) fn supply_nonce(app: &App, request: &HeaderMap, response: &mut Response) {
    if !request.contains_key(DPOP) {
        return;
    }
    let nonces = app.dpop_nonces(app.clock.now());
    let nonce = nonces.and_then(|nonces| HeaderValue::from_str(nonces.current()?).ok());
    if let Some(nonce) = nonce {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
}
