//! The decision log.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::auth::{Admin, InTeamspace, ItemId, Operator};
use super::describe::{List, OperatorOnly};
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::sign_in_search::{SearchFault, SignInSearch};
use crate::admin::sign_ins;
use crate::admin::token_life::{self, TokenLifeView};
use crate::decision_log::{SignInView, view};
use crate::store::Page;
use crate::store::sign_ins::{Filter, SignIn};

/// Which rows are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SignInQuery {
    /// `granted` or `refused`.
    outcome: Option<String>,
    reason: Option<String>,
    request_id: Option<String>,
    client_id: Option<String>,
    /// An email or a subject.
    person: Option<String>,
    /// Id of an identity provider.
    identity_provider: Option<String>,
    issuer: Option<String>,
    /// The first day, or the time from which on.
    from: Option<String>,
    /// The last day, or the time until which.
    to: Option<String>,
    /// The maximum number of items, 1 to 200; 50 by default.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists a teamspace's decision log, newest first.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/sign-ins", params(SignInQuery),
    responses((status = 200, body = List<SignInView>))
)]
pub async fn list(at: InTeamspace, Params(query): Params<SignInQuery>) -> Result<Json<Value>, Problem> {
    let (filter, limit) = query.filter()?;
    Ok(answer(&at, sign_ins::of_teamspace(&at, filter, limit).await?))
}

/// Lists the decision log of every teamspace, and of requests that led to none, newest first.
#[utoipa::path(
    get, path = "/sign-ins", params(SignInQuery),
    responses((status = 200, body = List<SignInView>), OperatorOnly)
)]
pub async fn list_all(
    operator: Operator,
    Params(query): Params<SignInQuery>,
) -> Result<Json<Value>, Problem> {
    let (filter, limit) = query.filter()?;
    Ok(answer(&operator, sign_ins::of_all(&operator, filter, limit).await?))
}

/// Shows the life of the token that a request of a teamspace got: when it was issued, how often somebody asked about it, and what ended it.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/sign-ins/{id}/token",
    responses((status = 200, body = TokenLifeView))
)]
pub async fn show_token(at: InTeamspace, ItemId(request_id): ItemId) -> Result<Json<TokenLifeView>, Problem> {
    Ok(Json(token_life::of_teamspace(&at, &request_id).await?.view()))
}

/// Shows the life of the token that any request got: when it was issued, how often somebody asked about it, and what ended it.
#[utoipa::path(
    get, path = "/sign-ins/{id}/token",
    responses((status = 200, body = TokenLifeView), OperatorOnly)
)]
pub async fn show_any_token(
    operator: Operator,
    ItemId(request_id): ItemId,
) -> Result<Json<TokenLifeView>, Problem> {
    Ok(Json(token_life::of_all(&operator, &request_id).await?.view()))
}

impl SignInQuery {
    /// The filter, and the number of rows.
    fn filter(self) -> Result<(Filter, i64), Problem> {
        let page = PageQuery { limit: self.limit, cursor: self.cursor };
        let (limit, cursor) = (page.limit()?, page.before()?);
        let search = SignInSearch {
            outcome: self.outcome,
            reason: self.reason,
            request_id: self.request_id,
            client_id: self.client_id,
            person: self.person,
            identity_provider: self.identity_provider,
            issuer: self.issuer,
            from: self.from,
            to: self.to,
        };
        let invalid =
            |fault: SearchFault| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", fault.to_string());
        Ok((Filter { cursor, ..search.filter().map_err(invalid)? }, limit))
    }
}

fn answer(admin: &Admin, found: Page<SignIn>) -> Json<Value> {
    let snapshot = admin.app.snapshot();
    page::answer(found, |row| view(&row, row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id))))
}
