//! `POST /oauth2/token`: checks the request's transport before its meaning (RFC 6749 §3.2).

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::exchange::{TokenCall, exchange, refuse_early};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::token::TokenResponse;
use crate::web::MAX_BODY;
use crate::web::error::forbid_caching;
use crate::web::middleware::{CallerAddress, RequestId};

/// Exchanges an assertion for an access token.
pub async fn token(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let RequestId(request_id) = parts.extensions.get().cloned().unwrap_or_default();
    let CallerAddress(address) = CallerAddress::of(&parts.extensions);
    let exchange_in_time = app.store.for_one_request(async {
        match read_form(&parts, body).await {
            Err(error) => refuse_early(&app, error, &request_id, address).await,
            Ok(body) => {
                let authorization = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                let call = TokenCall { authorization, body: &body, address, request_id: &request_id };
                exchange(&app, call).await
            }
        }
    });
    let exchanged = exchange_in_time.await;
    app.metrics.count_exchange(exchanged.result.as_ref().err(), started.elapsed(), &app.policies());
    let mut response = match exchanged.result {
        Ok(token) => granted(&token),
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(exchanged.record);
    response
}

/// RFC 6749 §5.1
fn granted(token: &TokenResponse) -> Response {
    // There is little beside the token, so the body does not grow while it is written.
    let mut body = Vec::with_capacity(token.access_token.len() + 512);
    if let Err(error) = serde_json::to_writer(&mut body, token) {
        return TokenError::unavailable(Reason::INTERNAL, error).into_response();
    }
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    forbid_caching(&mut response);
    response
}

async fn read_form(parts: &Parts, body: Body) -> Result<axum::body::Bytes, TokenError> {
    // RFC 6749 §2.3.1: credentials and assertions in a URL end up in logs and histories.
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(TokenError::invalid_request("Parameters must be in the body, not in the URL."));
    }
    if parts.headers.contains_key(CONTENT_ENCODING) {
        return Err(TokenError::invalid_request("The body must not be compressed."));
    }
    if parts.headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(TokenError::invalid_request("There is more than one Authorization header."));
    }
    if !is_form(parts) {
        return Err(TokenError::invalid_request("The body must be application/x-www-form-urlencoded."));
    }
    to_bytes(body, MAX_BODY).await.map_err(|_| {
        let mut error = TokenError::invalid_request("The body is too large.");
        error.code = ErrorCode::BodyTooLarge;
        error
    })
}

fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// RFC 6749 §3.2: POST only.
pub async fn method_not_allowed() -> Response {
    let body =
        json!({ "error": "invalid_request", "error_description": "The token endpoint takes POST only." });
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, Json(body)).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    forbid_caching(&mut response);
    response
}
