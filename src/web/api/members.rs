//! Members of a teamspace.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::auth::{InTeamspace, ItemId};
use super::describe::List;
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::members::{self, MemberPatch, MemberView, NewMember, view};

/// Which members are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MemberQuery {
    /// The text that their emails begin with, in either case.
    email_prefix: Option<String>,
    /// The maximum number of items, 1 to 200; 50 by default.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the members by email, without removed ones.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/members", params(MemberQuery),
    responses((status = 200, body = List<MemberView>))
)]
pub async fn list(at: InTeamspace, Params(query): Params<MemberQuery>) -> Result<Json<Value>, Problem> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let prefix = query.email_prefix.unwrap_or_default();
    let found = members::search(&at, &prefix, (page.limit()?, page.after()?)).await?;
    Ok(page::answer(found, |member| view(&member)))
}

/// Invites somebody: a new member, or one who was removed.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/members", request_body = NewMember,
    responses(
        (status = 201, body = MemberView),
        (status = 409, description = "member_exists, member_limit_reached, link_taken"),
        (status = 422, description = "email_invalid, email_domain_not_allowed"),
    )
)]
pub async fn invite(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewMember>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    Ok((StatusCode::CREATED, Json(view(&members::invite(&at, new).await?))))
}

/// Changes a member's role, status or link, or unlinks them from their subjects.
#[utoipa::path(
    patch, path = "/teamspaces/{slug}/members/{id}", request_body = MemberPatch,
    responses(
        (status = 200, body = MemberView),
        (status = 409, description = "member_limit_reached, member_without_email, link_taken"),
        (status = 422, description = "status_invalid"),
    )
)]
pub async fn change(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<MemberPatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&members::change(&at, id, patch).await?)))
}

/// Removes a member, who stays out until invited again.
#[utoipa::path(delete, path = "/teamspaces/{slug}/members/{id}", responses((status = 204)))]
pub async fn remove(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::remove(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a member's sessions: assertions about a sign-in until now are refused.
#[utoipa::path(post, path = "/teamspaces/{slug}/members/{id}/end-sessions", responses((status = 204)))]
pub async fn end_sessions(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::end_sessions(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlinks a member from their subjects. The next subject with the member's email is bound.
#[utoipa::path(
    delete, path = "/teamspaces/{slug}/members/{id}/identities",
    responses((status = 204), (status = 409, description = "member_without_email"))
)]
pub async fn unlink(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    members::unlink(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
