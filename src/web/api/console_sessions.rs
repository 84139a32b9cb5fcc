//! Sessions of the console: who is signed in, and ending it.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::{ItemId, Operator};
use super::describe::{List, OperatorOnly};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::sessions::{self, SessionView, SessionsOf, session_view};
use crate::store::console_sessions::is_cursor;

/// Whose sessions end: one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSessions {
    /// Everybody who signed in with this address.
    email: Option<String>,
    /// The person whose session has this id.
    person_of: Option<String>,
    /// `true`: everybody.
    #[serde(default)]
    everybody: bool,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub struct EndedSessions {
    ended: usize,
}

/// Lists who is signed in to the console, newest first.
#[utoipa::path(
    get, path = "/console-sessions", params(PageQuery),
    responses((status = 200, body = List<SessionView>), OperatorOnly)
)]
pub async fn list(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let (limit, before) = (query.limit()?, query.after()?);
    if before.as_deref().is_some_and(|cursor| !is_cursor(cursor)) {
        return Err(page::cursor_invalid());
    }
    let found = sessions::list(&operator, (limit, before)).await?;
    let snapshot = operator.app.snapshot();
    Ok(page::answer(found, |session| {
        let teamspace = session.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id));
        session_view(&session, teamspace)
    }))
}

/// Ends one session.
#[utoipa::path(delete, path = "/console-sessions/{id}", responses((status = 204), OperatorOnly))]
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    sessions::end(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all sessions of a person or of everybody. They stop with their next requests.
#[utoipa::path(
    post, path = "/console-sessions/end", request_body = EndSessions,
    responses(
        (status = 200, body = EndedSessions),
        OperatorOnly,
        (status = 404, description = "not_found"),
    )
)]
pub async fn end(
    operator: Operator,
    JsonBody(which): JsonBody<EndSessions>,
) -> Result<Json<EndedSessions>, Problem> {
    let whose = match (which.email, which.person_of, which.everybody) {
        (Some(email), None, false) => SessionsOf::Email(email),
        (None, Some(id), false) => SessionsOf::PersonOf(id),
        (None, None, true) => SessionsOf::Everybody,
        _ => {
            let detail =
                "Say whose sessions end: exactly one of `email`, `person_of`, and `everybody`: true.";
            return Err(Problem::invalid("body_invalid", detail));
        }
    };
    Ok(Json(EndedSessions { ended: sessions::end_all(&operator, whose).await? }))
}
