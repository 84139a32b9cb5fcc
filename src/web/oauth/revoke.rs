//! `POST /oauth2/revoke` (RFC 7009).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};

use super::form::read_form;
use crate::app::App;
use crate::dpop::ProofHeader;
use crate::exchange::TokenCall;
use crate::exchange::revoke::revoke as revoke_token;
use crate::oauth::error::TokenError;
use crate::web::error::forbid_caching;
use crate::web::middleware::{CallerAddress, RequestId};

/// Revokes a token of the client. The answer is the same for tokens that are unknown, expired or another client's.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    let revoked = app.store.for_one_request(read_and_revoke(&app, request)).await;
    let mut response = revoked.map_or_else(IntoResponse::into_response, |()| StatusCode::OK.into_response());
    forbid_caching(&mut response);
    response
}

async fn read_and_revoke(app: &App, request: Request) -> Result<(), TokenError> {
    let (parts, body) = request.into_parts();
    let RequestId(request_id) = parts.extensions.get().cloned().unwrap_or_default();
    let CallerAddress(address) = CallerAddress::of(&parts.extensions);
    let body = read_form(&parts, body).await?;
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    // A proof is for the token endpoint alone.
    let proof = ProofHeader::Absent;
    let call = TokenCall { authorization, proof, body: &body, address, request_id: &request_id };
    revoke_token(app, call).await
}
