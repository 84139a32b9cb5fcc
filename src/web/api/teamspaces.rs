//! Teamspaces.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::auth::{Admin, InTeamspace, Operator};
use super::describe::{List, OperatorOnly};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::teamspaces::{self, NewTeamspace, TeamspacePatch, TeamspaceView, view};
use crate::model::teamspace::Teamspace;
use crate::policy::ConsoleAction;

/// How a change is made.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// Whether to rename it even if policies name its slug.
    #[serde(default)]
    force: bool,
}

/// Lists the teamspaces. A teamspace's token sees only its own.
#[utoipa::path(
    get, path = "/teamspaces", params(PageQuery),
    responses((status = 200, body = List<TeamspaceView>))
)]
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let allowed = admin.teamspaces_where(ConsoleAction::ViewOverview)?;
    let snapshot = admin.app.snapshot();
    let is_seen = |t: &&Teamspace| allowed.as_ref().is_none_or(|ids| ids.contains(&t.id));
    let seen = snapshot.teamspace_configs().map(|t| &t.teamspace).filter(is_seen);
    Ok(page::answer(page::of_sorted(seen, &query, |t| t.slug.clone())?, view))
}

/// Shows a teamspace.
#[utoipa::path(get, path = "/teamspaces/{slug}", responses((status = 200, body = TeamspaceView)))]
pub async fn show(at: InTeamspace) -> Result<Json<Value>, Problem> {
    at.may(ConsoleAction::ViewOverview)?;
    Ok(Json(view(&at.teamspace_config().teamspace)))
}

/// Adds a teamspace.
#[utoipa::path(
    post, path = "/teamspaces", request_body = NewTeamspace,
    responses(
        (status = 201, body = TeamspaceView),
        OperatorOnly,
        (status = 409, description = "slug_taken, domain_taken"),
        (status = 422, description = "slug_invalid, name_invalid, member_limit_invalid, email_domain_invalid, \
            time_zone_invalid"),
    )
)]
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewTeamspace>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    Ok((StatusCode::CREATED, Json(view(&teamspaces::create(&operator, new).await?))))
}

/// Changes a teamspace. Only operators may change more than its name.
#[utoipa::path(
    patch, path = "/teamspaces/{slug}", params(ChangeQuery), request_body = TeamspacePatch,
    responses(
        (status = 200, body = TeamspaceView),
        OperatorOnly,
        (status = 409, description = "slug_taken, domain_taken, named_in_policies"),
        (status = 422, description = "slug_invalid, name_invalid, member_limit_invalid, email_domain_invalid, \
            time_zone_invalid"),
    )
)]
pub async fn change(
    at: InTeamspace,
    Params(query): Params<ChangeQuery>,
    JsonBody(patch): JsonBody<TeamspacePatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&teamspaces::change(&at, patch, query.force).await?)))
}

/// Removes a teamspace with its members and identity providers; its decision log stays.
#[utoipa::path(delete, path = "/teamspaces/{slug}", responses((status = 204), OperatorOnly))]
pub async fn remove(at: InTeamspace) -> Result<StatusCode, Problem> {
    teamspaces::remove(&at).await?;
    Ok(StatusCode::NO_CONTENT)
}
