//! Names requests.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::response::Response;

use super::around::Around;
use crate::clock::Clock;
use crate::oauth::error::TokenError;
use crate::request_id;

/// The id that links a request to its log lines and its decision log row; answered as `X-Request-Id`.
#[derive(Debug, Clone, Default)]
pub struct RequestId(pub Arc<str>);

/// Gives each request an id. A caller's own id is not used: it could be another request's, or text made to mislead
/// readers of the log.
#[derive(Clone)]
pub struct NameRequests(pub Arc<dyn Clock>);

impl Around for NameRequests {
    type Kept = RequestId;

    fn before(&self, request: &mut Request) -> Result<RequestId, TokenError> {
        let id = RequestId(request_id::new(self.0.now()).into());
        request.extensions_mut().insert(id.clone());
        Ok(id)
    }

    fn after(id: RequestId, response: &mut Response) {
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert("x-request-id", value);
        }
    }
}
