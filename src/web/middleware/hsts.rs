//! OPS-02: whoever has reached us over TLS once does not come without it.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::response::Response;

use super::around::Around;
use crate::oauth::error::TokenError;

/// Asks clients to stay with https, if the issuer is served so.
#[derive(Clone)]
pub struct Hsts {
    is_https: bool,
}

impl Hsts {
    /// For the service of an issuer.
    pub fn of(issuer: &str) -> Self {
        Self { is_https: issuer.starts_with("https://") }
    }
}

impl Around for Hsts {
    type Kept = bool;

    fn before(&self, _: &mut Request) -> Result<bool, TokenError> {
        Ok(self.is_https)
    }

    fn after(is_https: bool, response: &mut Response) {
        if is_https {
            let value = HeaderValue::from_static("max-age=31536000");
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, value);
        }
    }
}
