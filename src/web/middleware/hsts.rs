//! OPS-02: a client that has reached us over TLS once keeps using it.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::response::Response;

use super::around::Around;
use crate::oauth::error::TokenError;

/// Tells clients to stay with https, if the issuer uses it.
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
