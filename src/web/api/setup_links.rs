//! Set-up links of a teamspace.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::{InTeamspace, ItemId};
use super::describe::List;
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::setup_links::{self, MadeLink, NewSetupLink, SetupLinkView, view};
use crate::clock::rfc3339;

/// A set-up link that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedSetupLink {
    id: String,
    /// For the customer's administrator. It holds a secret, works once, and is not shown again.
    url: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Lists the set-up links, oldest first: all that are open, and the newest of the others.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/setup-links",
    responses((status = 200, body = List<SetupLinkView>))
)]
pub async fn list(at: InTeamspace) -> Result<Json<Value>, Problem> {
    let (links, now) = (setup_links::list(&at).await?, at.app.clock.now());
    let items: Vec<Value> = links.iter().map(|link| view(link, now)).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

/// Makes a set-up link: it lets a customer's administrator in to the teamspace once, without an account.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/setup-links", request_body = Option<NewSetupLink>,
    responses(
        (status = 201, body = CreatedSetupLink),
        (status = 409, description = "console_off, too_many_setup_links"),
        (status = 422, description = "valid_for_invalid"),
    )
)]
pub async fn create(
    at: InTeamspace,
    new: Option<JsonBody<NewSetupLink>>,
) -> Result<(StatusCode, Json<CreatedSetupLink>), Problem> {
    let new = new.map(|JsonBody(new)| new).unwrap_or_default();
    let MadeLink { url, link } = setup_links::create(&at, new).await?;
    let expires_at = rfc3339(link.expires_at);
    Ok((StatusCode::CREATED, Json(CreatedSetupLink { id: link.id, url, expires_at })))
}

/// Revokes a set-up link: it lets nobody in, and whoever came in by it is out.
#[utoipa::path(delete, path = "/teamspaces/{slug}/setup-links/{id}", responses((status = 204)))]
pub async fn revoke(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    setup_links::revoke(&at, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
