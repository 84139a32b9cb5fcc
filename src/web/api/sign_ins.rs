//! The decision log.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{Admin, InTeamspace, Operator};
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::sign_ins;
use crate::decision_log::view;
use crate::store::Page;
use crate::store::sign_ins::{Filter, SignIn};

/// Which rows are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInQuery {
    outcome: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /teamspaces/{slug}/sign-ins`
pub async fn list(at: InTeamspace, Params(query): Params<SignInQuery>) -> Result<Json<Value>, Problem> {
    let (filter, limit) = query.filter()?;
    Ok(answer(&at, sign_ins::of_teamspace(&at, filter, limit).await?))
}

/// `GET /sign-ins`: of every teamspace, and those that led to none.
pub async fn list_all(
    operator: Operator,
    Params(query): Params<SignInQuery>,
) -> Result<Json<Value>, Problem> {
    let (filter, limit) = query.filter()?;
    Ok(answer(&operator, sign_ins::of_all(&operator, filter, limit).await?))
}

impl SignInQuery {
    /// The rows that are asked for, and how many of them.
    fn filter(self) -> Result<(Filter, i64), Problem> {
        // A mistyped outcome would look like an empty log.
        if self.outcome.as_deref().is_some_and(|outcome| !["granted", "refused"].contains(&outcome)) {
            let detail = "outcome must be granted or refused.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "query_invalid", detail));
        }
        let page = PageQuery { limit: self.limit, cursor: self.cursor };
        let (limit, cursor) = (page.limit()?, page.before()?);
        let Self { outcome, reason, request_id, .. } = self;
        Ok((Filter { teamspace_id: None, outcome, reason, request_id, cursor }, limit))
    }
}

fn answer(admin: &Admin, found: Page<SignIn>) -> Json<Value> {
    let snapshot = admin.app.snapshot();
    page::answer(found, |row| view(&row, row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id))))
}
