//! Explains what the token endpoint would answer to an assertion.

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::InTeamspace;
use super::json::JsonBody;
use super::problem::Problem;
use crate::exchange::explain::{ExplainRequest, Explanation, explain};
use crate::oauth::authorization_details::{DetailsFault, read};
use crate::oauth::scope::split_scope;
use crate::policy::ConsoleAction;

/// An assertion, and the parameters that a client would send with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainBody {
    assertion: String,
    client_id: String,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    /// The details that the request would have (RFC 9396).
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    authorization_details: Option<Value>,
    /// Whether the client would prove that it has a key, also where the assertion names none.
    #[serde(default)]
    key_bound: bool,
    /// Whether to explain for every other policy why it did not apply.
    #[serde(default)]
    all: bool,
}

/// Explains what the token endpoint would answer to an assertion, check by check. Nothing is changed or stored.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/explain", request_body = ExplainBody,
    responses((status = 200, body = Explanation), (status = 422, description = "scope_invalid, authorization_details_malformed"))
)]
pub async fn post(
    at: InTeamspace,
    JsonBody(body): JsonBody<ExplainBody>,
) -> Result<Json<Explanation>, Problem> {
    at.may(ConsoleAction::Explain)?;
    let _place = at.enter_heavy()?;
    let scope = body.scope.as_deref().map(split_scope).transpose();
    let scope = scope.map_err(|_| Problem::invalid("scope_invalid", "scope is no list of scopes."))?;
    let details = body.authorization_details.map(read).transpose();
    let malformed = |fault: DetailsFault| {
        Problem::invalid("authorization_details_malformed", format!("authorization_details: {fault}."))
    };
    let details = details.map_err(malformed)?;
    let resource: Vec<String> = body.resource.into_iter().collect();
    let asked = ExplainRequest {
        assertion: &body.assertion,
        client_id: &body.client_id,
        scope: scope.as_deref(),
        resource: &resource,
        details: details.as_deref(),
        key_bound: body.key_bound,
        teamspace_id: Some(&at.teamspace_config().teamspace.id),
        confined: !at.is_operator(),
        all: body.all,
    };
    Ok(Json(explain(&at.app, &asked).await))
}
