//! Teamspaces.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{Admin, InTeamspace, Operator};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::teamspaces::{self, NewTeamspace, TeamspacePatch, view};

/// How a change is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeQuery {
    /// Whether to rename it though policies name its slug.
    #[serde(default)]
    force: bool,
}

/// `GET /teamspaces`
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let seen = snapshot.teamspace_configs().map(|t| &t.teamspace).filter(|t| admin.reaches(&t.id));
    Ok(page::answer(page::of_sorted(seen, &query, |t| t.slug.clone())?, view))
}

/// `GET /teamspaces/{slug}`
pub async fn show(at: InTeamspace) -> Json<Value> {
    Json(view(&at.teamspace_config().teamspace))
}

/// `POST /teamspaces`
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewTeamspace>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    Ok((StatusCode::CREATED, Json(view(&teamspaces::create(&operator, new).await?))))
}

/// `PATCH /teamspaces/{slug}`
pub async fn change(
    at: InTeamspace,
    Params(query): Params<ChangeQuery>,
    JsonBody(patch): JsonBody<TeamspacePatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&teamspaces::change(&at, patch, query.force).await?)))
}

/// `DELETE /teamspaces/{slug}`
pub async fn remove(at: InTeamspace) -> Result<StatusCode, Problem> {
    teamspaces::remove(&at).await?;
    Ok(StatusCode::NO_CONTENT)
}
