//! Resources: the MCP servers that tokens are issued for.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::{Admin, ItemId, Operator};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::resources::{self, NewResource, ResourcePatch, Viewer};

/// `GET /resources`: to a teamspace, those that are offered to it.
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let viewer = Viewer::of(&admin, &snapshot);
    let seen = snapshot.resources().filter(|resource| viewer.sees(resource));
    let found = page::of_sorted(seen, &query, |resource| resource.identifier.clone())?;
    Ok(page::answer(found, |resource| viewer.view(resource)))
}

/// `GET /resources/{id}`
pub async fn show(admin: Admin, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let viewer = Viewer::of(&admin, &snapshot);
    let found = snapshot.resources().find(|resource| resource.id == id && viewer.sees(resource));
    found.map(|resource| Json(viewer.view(resource))).ok_or_else(Problem::not_found)
}

/// `POST /resources`
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewResource>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let created = resources::create(&operator, new).await?;
    Ok((StatusCode::CREATED, Json(Viewer::Operator.view(&created))))
}

/// `PATCH /resources/{id}`
pub async fn change(
    operator: Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ResourcePatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(Viewer::Operator.view(&resources::change(&operator, id, patch).await?)))
}

/// `DELETE /resources/{id}`
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    resources::remove(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
