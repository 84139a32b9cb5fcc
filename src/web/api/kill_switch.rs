//! Kill switches.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::{ItemId, Operator};
use super::describe::{List, OperatorOnly};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::kill_switch::{self, KillSwitchView, NewKillSwitch, view};

/// Lists the kill switches that are on, oldest first.
#[utoipa::path(
    get, path = "/kill-switch", params(PageQuery),
    responses((status = 200, body = List<KillSwitchView>), OperatorOnly)
)]
pub async fn list(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = operator.app.snapshot();
    let switches = kill_switch::list(&operator)?;
    let found = page::of_sorted(switches.into_iter(), &query, |switch| switch.id.clone())?;
    Ok(page::answer(found, |switch| view(&switch, &snapshot)))
}

/// Throws a kill switch: what it covers gets no token from the next request on, and the tokens issued until now are not
/// active any more, on every process within a second. A switch that is on already stays as it is.
#[utoipa::path(
    post, path = "/kill-switch", request_body = NewKillSwitch,
    responses(
        (status = 201, body = KillSwitchView),
        (status = 200, description = "It is on already.", body = KillSwitchView),
        OperatorOnly,
        (status = 422, description = "kill_target_invalid, reason_invalid"),
    )
)]
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewKillSwitch>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (switch, is_new) = kill_switch::throw(&operator, new).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view(&switch, &operator.app.snapshot()))))
}

/// Lifts a kill switch: tokens are issued again. Those issued before it was thrown stay inactive.
#[utoipa::path(delete, path = "/kill-switch/{id}", responses((status = 204), OperatorOnly))]
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    kill_switch::lift(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
