//! `POST /oauth2/issuer-lookup`: would an assertion of this issuer be accepted from me?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::form::{post_only, read_form};
use crate::app::App;
use crate::dpop::ProofHeader;
use crate::exchange::TokenCall;
use crate::exchange::issuer_lookup::is_accepted;
use crate::oauth::error::TokenError;
use crate::web::error::{forbid_caching, not_found};
use crate::web::middleware::{CallerAddress, RequestId};

/// Answers an authenticated client. Where the setting is off, there is nothing here.
pub async fn look_up(State(app): State<Arc<App>>, request: Request) -> Response {
    if !app.config.issuer_lookup.enabled {
        return not_found().await;
    }
    let mut response = match app.store.for_one_request(read_and_answer(&app, request)).await {
        Ok(accepted) => Json(json!({ "accepted": accepted })).into_response(),
        Err(error) => error.into_response(),
    };
    forbid_caching(&mut response);
    response
}

/// Another method than POST.
pub async fn other_method(State(app): State<Arc<App>>) -> Response {
    if app.config.issuer_lookup.enabled { post_only().await } else { not_found().await }
}

async fn read_and_answer(app: &App, request: Request) -> Result<bool, TokenError> {
    let (parts, body) = request.into_parts();
    let RequestId(request_id) = parts.extensions.get().cloned().unwrap_or_default();
    let CallerAddress(address) = CallerAddress::of(&parts.extensions);
    let body = read_form(&parts, body).await?;
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    // A proof is for the token endpoint alone.
    let proof = ProofHeader::Absent;
    let call = TokenCall { authorization, proof, body: &body, address, request_id: &request_id };
    is_accepted(app, &call).await
}
