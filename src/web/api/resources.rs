//! Resources: the MCP servers that tokens are issued for.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::{Admin, ItemId, Operator};
use super::describe::{List, OperatorOnly};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::resources::{self, NewResource, ResourcePatch, ResourceView, ResourceViewer};

/// Lists the resources. A teamspace's token sees only those offered to the teamspace.
#[utoipa::path(
    get, path = "/resources", params(PageQuery),
    responses((status = 200, body = List<ResourceView>))
)]
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let viewer = ResourceViewer::of(&admin, &snapshot)?;
    let seen = snapshot.resources().filter(|resource| viewer.sees(resource));
    let found = page::of_sorted(seen, &query, |resource| resource.identifier.clone())?;
    Ok(page::answer(found, |resource| viewer.view(resource)))
}

/// Shows a resource.
#[utoipa::path(get, path = "/resources/{id}", responses((status = 200, body = ResourceView)))]
pub async fn show(admin: Admin, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let viewer = ResourceViewer::of(&admin, &snapshot)?;
    let found = snapshot.resources().find(|resource| resource.id == id && viewer.sees(resource));
    found.map(|resource| Json(viewer.view(resource))).ok_or_else(Problem::not_found)
}

/// Registers a resource.
#[utoipa::path(
    post, path = "/resources", request_body = NewResource,
    responses(
        (status = 201, body = ResourceView),
        OperatorOnly,
        (status = 409, description = "resource_taken"),
        (status = 422, description = "name_invalid, scope_invalid, default_scope_unknown, \
            required_scope_unknown, identifier_invalid, teamspace_unknown"),
    )
)]
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewResource>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let created = resources::create(&operator, new).await?;
    Ok((StatusCode::CREATED, Json(ResourceViewer::Operator.view(&created))))
}

/// Changes a resource; its id stays.
#[utoipa::path(
    patch, path = "/resources/{id}", request_body = ResourcePatch,
    responses(
        (status = 200, body = ResourceView),
        OperatorOnly,
        (status = 409, description = "resource_taken"),
        (status = 422, description = "name_invalid, scope_invalid, default_scope_unknown, \
            required_scope_unknown, identifier_invalid, teamspace_unknown"),
    )
)]
pub async fn change(
    operator: Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ResourcePatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(ResourceViewer::Operator.view(&resources::change(&operator, id, patch).await?)))
}

/// Removes a resource: no more tokens are issued for it.
#[utoipa::path(delete, path = "/resources/{id}", responses((status = 204), OperatorOnly))]
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    resources::remove(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
