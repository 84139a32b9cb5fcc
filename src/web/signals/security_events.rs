//! `POST /t/{slug}/security-events`: push delivery of Security Event Tokens (RFC 8935).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{answer, count, read};
use crate::app::App;
use crate::model::signal_endpoint::SignalEndpoint;
use crate::signals::{self, Received, SignalRefusal};
use crate::web::error::{Cause, forbid_caching};
use crate::web::middleware::origin;

/// Receives one event.
pub async fn receive(State(app): State<Arc<App>>, Path(slug): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = app.store.for_one_request(perform(&app, &slug, &parts, body)).await;
    count(&app, SignalEndpoint::SecurityEvents, &outcome);
    match outcome {
        Ok(received) => accepted(received),
        Err(refusal) => refused(&refusal),
    }
}

async fn perform(app: &Arc<App>, slug: &str, parts: &Parts, body: Body) -> Result<Received, SignalRefusal> {
    let body = read::body(parts, body, "application/secevent+jwt").await?;
    let token = std::str::from_utf8(&body);
    let token = token.map_err(|_| SignalRefusal::Unauthenticated("the body is no text".to_owned()))?;
    signals::receive(app, slug, token.trim(), &origin(&parts.extensions)).await
}

/// RFC 8935 §2.2: the answer has no body. The log says what was not acted on, and why.
fn accepted(received: Received) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    forbid_caching(&mut response);
    if let Received::Acknowledged(why) = received {
        response.extensions_mut().insert(Cause(format!("acknowledged: {why}")));
    }
    response
}

/// RFC 8935 §2.3 and §2.4
fn refused(refusal: &SignalRefusal) -> Response {
    let (status, error, text) = match refusal {
        SignalRefusal::Unauthenticated(_) => {
            (StatusCode::BAD_REQUEST, "authentication_failed", "The token was not accepted.")
        }
        SignalRefusal::Audience => {
            (StatusCode::BAD_REQUEST, "invalid_audience", "The token is for another audience.")
        }
        SignalRefusal::Forbidden => {
            (StatusCode::BAD_REQUEST, "access_denied", "The subject belongs to another issuer.")
        }
        other => answer::in_common(other),
    };
    answer::refused(status, body_of(error, text), refusal)
}

fn body_of(error: &str, text: &str) -> Value {
    json!({ "err": error, "description": text })
}

/// Refuses every method but POST.
pub async fn method_not_allowed() -> Response {
    answer::only_post(body_of("invalid_request", "This endpoint takes POST only."))
}
