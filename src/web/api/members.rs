//! Members of a teamspace.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::{InTeamspace, ItemId};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::members::{self, MemberPatch, NewMember, view};

/// `GET /teamspaces/{slug}/members`
pub async fn list(at: InTeamspace, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let found = members::list(&at, query.limit()?, query.after()?).await?;
    Ok(page::answer(found, |member| view(&member)))
}

/// `POST /teamspaces/{slug}/members`
pub async fn invite(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewMember>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    Ok((StatusCode::CREATED, Json(view(&members::invite(&at, new).await?))))
}

/// `PATCH /teamspaces/{slug}/members/{id}`
pub async fn change(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<MemberPatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&members::change(&at, id, patch).await?)))
}

/// `DELETE /teamspaces/{slug}/members/{id}`
pub async fn remove(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::remove(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/members/{id}/end-sessions`
pub async fn end_sessions(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::end_sessions(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /teamspaces/{slug}/members/{id}/identities`
pub async fn unlink(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::unlink(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
