//! The one identity provider of a teamspace.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::auth::InTeamspace;
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::Validation;
use crate::admin::identity_provider::{self, NewProvider, ProviderPatch, view};

/// `GET /teamspaces/{slug}/identity-provider`
pub async fn show(at: InTeamspace) -> Result<Json<Value>, Problem> {
    Ok(Json(view(identity_provider::configured(&at)?)))
}

/// `PUT /teamspaces/{slug}/identity-provider`
pub async fn put(at: InTeamspace, JsonBody(new): JsonBody<NewProvider>) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::put(&at, new).await?;
    Ok(with_checks(view(&saved), Some(&validation)))
}

/// `PATCH /teamspaces/{slug}/identity-provider`
pub async fn change(
    at: InTeamspace,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::change(&at, patch).await?;
    Ok(with_checks(view(&saved), validation.as_ref()))
}

/// `DELETE /teamspaces/{slug}/identity-provider`
pub async fn remove(at: InTeamspace) -> Result<StatusCode, Problem> {
    identity_provider::remove(&at).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/identity-provider/check`
pub async fn check(at: InTeamspace) -> Result<Json<Value>, Problem> {
    let validation = identity_provider::check(&at).await?;
    Ok(Json(json!({ "ok": validation.is_ok(), "checks": validation.checks() })))
}

/// The answer to a change that was validated tells how.
fn with_checks(mut shown: Value, validation: Option<&Validation>) -> Json<Value> {
    if let (Some(object), Some(validation)) = (shown.as_object_mut(), validation) {
        object.insert("checks".into(), validation.checks());
    }
    Json(shown)
}
