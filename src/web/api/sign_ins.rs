//! The decision log.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::auth::{Admin, InTeamspace, Operator};
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::decision_log::view;
use crate::disclosure::{Disclosure, Known};
use crate::store::sign_ins::{self, Filter, SignIn};
use crate::store::snapshot::Snapshot;

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
pub async fn list(
    InTeamspace { admin, tenancy }: InTeamspace,
    Params(query): Params<SignInQuery>,
) -> Result<Json<Value>, Problem> {
    find(&admin, Some(tenancy.teamspace.id.clone()), query).await
}

/// `GET /sign-ins`: of every teamspace, and those that led to none.
pub async fn list_all(
    Operator(admin): Operator,
    Params(query): Params<SignInQuery>,
) -> Result<Json<Value>, Problem> {
    find(&admin, None, query).await
}

async fn find(
    admin: &Admin,
    teamspace_id: Option<String>,
    query: SignInQuery,
) -> Result<Json<Value>, Problem> {
    // A mistyped outcome would look like an empty log.
    if query.outcome.as_deref().is_some_and(|outcome| !["granted", "refused"].contains(&outcome)) {
        let detail = "outcome must be granted or refused.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "query_invalid", detail));
    }
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let (limit, cursor) = (page.limit()?, page.before()?);
    let filter = Filter {
        teamspace_id,
        outcome: query.outcome,
        reason: query.reason,
        request_id: query.request_id,
        cursor,
    };
    let reason = filter.reason.clone();
    let mut found = admin.app.store.list(move |c| sign_ins::list(c, &filter, limit)).await?;
    let snapshot = admin.app.snapshot();
    if !admin.is_operator() {
        for row in &mut found.items {
            confine(admin, &snapshot, row).await?;
        }
        // Which rows are left must not tell what was left out of them.
        found.items.retain(|row| reason.as_ref().is_none_or(|reason| row.reason == *reason));
    }
    Ok(page::answer(found, |row| view(&row, row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id)))))
}

/// Leaves out of a row what its teamspace may not learn about policies.
async fn confine(admin: &Admin, snapshot: &Snapshot, row: &mut SignIn) -> Result<(), Problem> {
    let tenancy = row.teamspace_id.as_deref().and_then(|id| snapshot.tenancy_by_id(id));
    let tenancy = tenancy.ok_or_else(Problem::not_found)?;
    let policies =
        admin.app.past_sets.annotations(&admin.app.store, &admin.app.policies(), &row.policy_set).await?;
    let of_row = row.clone();
    let scopes: Vec<String> = of_row.scopes_asked.split_whitespace().map(str::to_owned).collect();
    let known = Known {
        client_id: &of_row.client_id,
        issuer: &of_row.issuer,
        subject: &of_row.subject,
        email: &of_row.email,
        scopes: &scopes,
        ..Known::default()
    };
    Disclosure { snapshot, tenancy, known, policies: &policies }.confine_row(row);
    Ok(())
}
