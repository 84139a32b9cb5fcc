//! `POST /oauth2/token` (RFC 6749 §3.2).

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::form::read_form;
use crate::app::App;
use crate::dpop::ProofHeader;
use crate::exchange::{TokenCall, exchange, refuse_early};
use crate::oauth::error::{Reason, TokenError};
use crate::token::TokenResponse;
use crate::web::dpop_nonce::supply_nonce;
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
                let proof = ProofHeader::of(&parts.headers);
                let call = TokenCall { authorization, proof, body: &body, address, request_id: &request_id };
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
    supply_nonce(&app, &parts.headers, &mut response);
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
