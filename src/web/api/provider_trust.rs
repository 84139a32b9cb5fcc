//! How the trust in an identity provider changed, and the confirmation of a change of its own.

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::{InTeamspace, ItemId};
use super::describe::List;
use super::identity_provider::{Checked, with_checks};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::identity_provider::{self, OnlyProviderView, ProviderView, Which, view, view_of_only};
use crate::admin::trust_history::{self, TrustChangeView};

/// The address of the keys that an administrator has seen in the metadata.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedJwksUri {
    jwks_uri: String,
}

/// Takes the keys from the address that the metadata name now, once it has passed the checks. The body has the address
/// that the administrator has seen; if the metadata name yet another one, nothing changes.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/identity-providers/{id}/confirm-jwks-uri", request_body = ConfirmedJwksUri,
    responses(
        (status = 200, body = Checked<ProviderView>),
        (status = 409, description = "changed_meanwhile, jwks_uri_differs"),
        (status = 422, description = "The code of the check that failed"),
    )
)]
pub async fn confirm_jwks_uri(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(confirmed): JsonBody<ConfirmedJwksUri>,
) -> Result<Json<Checked<Value>>, Problem> {
    let confirmed = identity_provider::confirm_jwks_uri(&at, Which::Id(id), confirmed.jwks_uri).await?;
    Ok(with_checks(view(&confirmed.0), confirmed.1.as_ref()))
}

/// Lists how the trust in an identity provider changed, newest first: what administrators saved, the keys and the
/// metadata of the provider.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/identity-providers/{id}/trust-history", params(PageQuery),
    responses((status = 200, body = List<TrustChangeView>))
)]
pub async fn list_trust_changes(
    at: InTeamspace,
    ItemId(id): ItemId,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Problem> {
    trust_changes(&at, &Which::Id(id), &query).await
}

/// Takes the only identity provider's keys from the address that its metadata name now.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/identity-provider/confirm-jwks-uri", request_body = ConfirmedJwksUri,
    responses(
        (status = 200, body = Checked<OnlyProviderView>),
        (status = 409, description = "changed_meanwhile, jwks_uri_differs, several_identity_providers"),
        (status = 422, description = "The code of the check that failed"),
    )
)]
pub async fn confirm_jwks_uri_of_only(
    at: InTeamspace,
    JsonBody(confirmed): JsonBody<ConfirmedJwksUri>,
) -> Result<Json<Checked<Value>>, Problem> {
    let confirmed = identity_provider::confirm_jwks_uri(&at, Which::Only, confirmed.jwks_uri).await?;
    Ok(with_checks(view_of_only(&confirmed.0), confirmed.1.as_ref()))
}

/// Lists how the trust in the only identity provider changed, newest first.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/identity-provider/trust-history", params(PageQuery),
    responses(
        (status = 200, body = List<TrustChangeView>),
        (status = 409, description = "several_identity_providers"),
    )
)]
pub async fn list_trust_changes_of_only(
    at: InTeamspace,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Problem> {
    trust_changes(&at, &Which::Only, &query).await
}

async fn trust_changes(at: &InTeamspace, which: &Which, query: &PageQuery) -> Result<Json<Value>, Problem> {
    let changes = trust_history::list(at, which, query.before()?, query.limit()?).await?;
    Ok(page::answer(changes, |(_, change)| trust_history::view(&change)))
}
