//! `POST /t/{slug}/backchannel-logout` (OpenID Connect Back-Channel Logout 1.0 §2.5)

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::{answer, count, read};
use crate::app::App;
use crate::model::signal_endpoint::SignalEndpoint;
use crate::oauth::form::Form;
use crate::signals::{self, SignalRefusal};
use crate::web::error::forbid_caching;
use crate::web::middleware::origin;

/// Ends the sessions of a person who signed out at the provider.
pub async fn log_out(State(app): State<Arc<App>>, Path(slug): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let outcome = app.store.for_one_request(perform(&app, &slug, &parts, body)).await;
    count(&app, SignalEndpoint::BackChannelLogout, &outcome);
    match outcome {
        Ok(()) => {
            let mut response = StatusCode::OK.into_response();
            forbid_caching(&mut response);
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn perform(app: &Arc<App>, slug: &str, parts: &Parts, body: Body) -> Result<(), SignalRefusal> {
    let body = read::body(parts, body, "application/x-www-form-urlencoded").await?;
    let mut form =
        Form::parse(&body).map_err(|error| SignalRefusal::Malformed(error.description.into_owned()))?;
    let token = form.take("logout_token");
    let token = token.ok_or_else(|| SignalRefusal::Malformed("logout_token is missing.".to_owned()))?;
    signals::log_out(app, slug, &token, &origin(&parts.extensions)).await
}

/// §2.8
fn refused(refusal: &SignalRefusal) -> Response {
    let (status, error, text) = match refusal {
        SignalRefusal::Repeated => {
            (StatusCode::BAD_REQUEST, "invalid_request", "The logout token was used before.")
        }
        other => answer::in_common(other),
    };
    answer::refused(status, answer::oauth_body(error, text), refusal)
}
