//! The identity providers of a teamspace, and, at a path of its own, the only one.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::auth::{InTeamspace, ItemId};
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::Validation;
use crate::admin::identity_provider::{self, NewProvider, ProviderPatch, Which, view};
use crate::model::identity_provider::IdentityProvider;

/// Members that the only one does not show: there was one before it had a name.
const OF_SEVERAL: [&str; 4] = ["id", "name", "tenant", "custom_claims"];

/// `GET /teamspaces/{slug}/identity-providers`: all of them, the oldest first; there are few.
pub async fn list(at: InTeamspace) -> Json<Value> {
    let items: Vec<Value> =
        at.teamspace_config().identity_providers.iter().map(|provider| view(provider)).collect();
    Json(json!({ "items": items, "next_cursor": null }))
}

/// `POST /teamspaces/{slug}/identity-providers`
pub async fn create(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (saved, validation) = identity_provider::add(&at, new).await?;
    Ok((StatusCode::CREATED, with_checks(view(&saved), validation.as_ref())))
}

/// `GET /teamspaces/{slug}/identity-providers/{id}`
pub async fn show(at: InTeamspace, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    Ok(Json(view(Which::Id(id).configured(at.teamspace_config())?)))
}

/// `PUT /teamspaces/{slug}/identity-providers/{id}`
pub async fn put(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::put(&at, Which::Id(id), new).await?;
    Ok(with_checks(view(&saved), validation.as_ref()))
}

/// `PATCH /teamspaces/{slug}/identity-providers/{id}`
pub async fn change(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::change(&at, Which::Id(id), patch).await?;
    Ok(with_checks(view(&saved), validation.as_ref()))
}

/// `DELETE /teamspaces/{slug}/identity-providers/{id}`
pub async fn remove(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    identity_provider::remove(&at, Which::Id(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/identity-providers/{id}/check`
pub async fn check(at: InTeamspace, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    checked(&at, &Which::Id(id)).await
}

/// `GET /teamspaces/{slug}/identity-provider`
pub async fn show_only(at: InTeamspace) -> Result<Json<Value>, Problem> {
    Ok(Json(view_of_only(Which::Only.configured(at.teamspace_config())?)))
}

/// `PUT /teamspaces/{slug}/identity-provider`
pub async fn put_only(at: InTeamspace, JsonBody(new): JsonBody<NewProvider>) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::put(&at, Which::Only, new).await?;
    Ok(with_checks(view_of_only(&saved), validation.as_ref()))
}

/// `PATCH /teamspaces/{slug}/identity-provider`
pub async fn change_only(
    at: InTeamspace,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Value>, Problem> {
    let (saved, validation) = identity_provider::change(&at, Which::Only, patch).await?;
    Ok(with_checks(view_of_only(&saved), validation.as_ref()))
}

/// `DELETE /teamspaces/{slug}/identity-provider`
pub async fn remove_only(at: InTeamspace) -> Result<StatusCode, Problem> {
    identity_provider::remove(&at, Which::Only).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/identity-provider/check`
pub async fn check_only(at: InTeamspace) -> Result<Json<Value>, Problem> {
    checked(&at, &Which::Only).await
}

async fn checked(at: &InTeamspace, which: &Which) -> Result<Json<Value>, Problem> {
    let validation = identity_provider::check(at, which).await?;
    Ok(Json(json!({ "ok": validation.is_ok(), "checks": validation.checks() })))
}

fn view_of_only(provider: &IdentityProvider) -> Value {
    let mut shown = view(provider);
    if let Some(object) = shown.as_object_mut() {
        object.retain(|name, _| !OF_SEVERAL.contains(&name.as_str()));
    }
    shown
}

/// The answer to a change that was validated tells how.
fn with_checks(mut shown: Value, validation: Option<&Validation>) -> Json<Value> {
    if let (Some(object), Some(validation)) = (shown.as_object_mut(), validation) {
        object.insert("checks".into(), json!(validation.checks()));
    }
    Json(shown)
}
