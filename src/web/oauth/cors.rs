//! The token endpoint for clients that run in a browser (the CORS protocol of the Fetch standard).

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::dpop::{DPOP, DPOP_NONCE};

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(600);
/// The revision of MCP that a client speaks; clients send it to authorization servers as well.
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Opens an endpoint to the pages of these origins, compared byte for byte; none if there are none. Cookies are never
/// allowed: a client proves who it is in the request. Preflights are answered here, before a body or a database is
/// looked at.
pub(super) fn for_pages_of(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::POST])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, DPOP, PROTOCOL_VERSION])
            .expose_headers([DPOP_NONCE, REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
            .max_age(MAX_AGE)
    })
}
