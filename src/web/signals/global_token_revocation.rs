//! `POST /t/{slug}/global-token-revocation`

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{answer, count, read};
use crate::app::App;
use crate::limits::gate::bearer;
use crate::model::signal_endpoint::SignalEndpoint;
use crate::signals::{GlobalRevocation, SignalRefusal};
use crate::web::error::forbid_caching;
use crate::web::middleware::origin;

/// Ends all sessions of a person. The sender is authenticated before the body is read.
pub async fn revoke(State(app): State<Arc<App>>, Path(slug): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = app.store.for_one_request(perform(&app, &slug, &parts, body)).await;
    count(&app, SignalEndpoint::GlobalTokenRevocation, &outcome);
    match outcome {
        Ok(()) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            forbid_caching(&mut response);
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn perform(app: &Arc<App>, slug: &str, parts: &Parts, body: Body) -> Result<(), SignalRefusal> {
    let token = bearer(&parts.headers);
    let token = token.ok_or_else(|| SignalRefusal::Unauthenticated("no bearer token".to_owned()))?;
    let sender = GlobalRevocation::authenticate(app, slug, token).await?;
    let body = read::body(parts, body, "application/json").await?;
    sender.perform(app, &body, &origin(&parts.extensions)).await
}

/// The statuses of §3.4.1 of the draft.
fn refused(refusal: &SignalRefusal) -> Response {
    let (status, error, text) = match refusal {
        SignalRefusal::Unauthenticated(_) | SignalRefusal::Audience | SignalRefusal::Repeated => {
            (StatusCode::UNAUTHORIZED, "invalid_token", "The token was not accepted.")
        }
        SignalRefusal::Forbidden => {
            (StatusCode::FORBIDDEN, "access_denied", "The subject belongs to another issuer.")
        }
        SignalRefusal::UnknownUser => {
            (StatusCode::NOT_FOUND, "unknown_user", "The teamspace has no such member.")
        }
        SignalRefusal::Ambiguous => {
            (StatusCode::UNPROCESSABLE_ENTITY, "ambiguous_user", "The subject leads to two members.")
        }
        other => answer::in_common(other),
    };
    let mut response = answer::refused(status, answer::oauth_body(error, text), refusal);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
