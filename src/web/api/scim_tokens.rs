//! SCIM tokens of a teamspace.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::{InTeamspace, ItemId};
use super::describe::List;
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::scim_tokens::{self, MadeScimToken, NewScimToken, ScimTokenView, view};
use crate::clock::rfc3339;

/// A SCIM token that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedScimToken {
    id: String,
    /// To be entered at the identity provider. It is not shown again.
    token: String,
    /// To be entered beside it.
    base_url: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
}

/// Lists the tokens by which the teamspace's identity provider changes its members with SCIM, oldest first.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/scim-tokens",
    responses((status = 200, body = List<ScimTokenView>))
)]
pub async fn list(at: InTeamspace) -> Result<Json<Value>, Problem> {
    let items: Vec<Value> = scim_tokens::list(&at).await?.iter().map(view).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

/// Makes a token by which the teamspace's identity provider adds, changes and deactivates its members with SCIM.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/scim-tokens", request_body = NewScimToken,
    responses(
        (status = 201, body = CreatedScimToken),
        (status = 409, description = "name_taken, too_many_scim_tokens"),
        (status = 422, description = "name_invalid, valid_for_invalid"),
    )
)]
pub async fn create(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewScimToken>,
) -> Result<(StatusCode, Json<CreatedScimToken>), Problem> {
    let MadeScimToken { token, row, base_url } = scim_tokens::create(&at, new).await?;
    let expires_at = row.expires_at.map(rfc3339);
    Ok((StatusCode::CREATED, Json(CreatedScimToken { id: row.id, token, base_url, expires_at })))
}

/// Deletes a SCIM token: the next request with it is refused. The members stay as they are.
#[utoipa::path(delete, path = "/teamspaces/{slug}/scim-tokens/{id}", responses((status = 204)))]
pub async fn remove(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    scim_tokens::delete(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
