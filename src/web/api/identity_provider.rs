//! The identity providers of a teamspace; a separate path in the singular is for the only one.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::{InTeamspace, ItemId};
use super::describe::List;
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::Validation;
use crate::admin::identity_provider::{
    self, NewProvider, OnlyProviderView, ProviderPatch, ProviderView, Which, view, view_of_only,
};
use crate::admin::trust_history::{self, MetadataDifferenceView};
use crate::idp::checks::IssuerCheck;
use crate::policy::ConsoleAction;

/// A saved identity provider with the checks that were made. A change that needed no check has none.
#[derive(Serialize, ToSchema)]
pub struct Checked<P> {
    #[serde(flatten)]
    provider: P,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checks: Option<Vec<IssuerCheck>>,
}

/// An identity provider, and whether its metadata still name what was saved.
#[derive(Serialize, ToSchema)]
pub struct ShownProvider<P> {
    #[serde(flatten)]
    provider: P,
    /// What the metadata name instead of what was saved; null while they agree. It is not followed until it is confirmed.
    #[schema(required)]
    metadata_differs: Option<MetadataDifferenceView>,
}

/// How the checks came out.
#[derive(Serialize, ToSchema)]
pub struct CheckReport {
    /// Whether the issuer can be believed.
    ok: bool,
    checks: Vec<IssuerCheck>,
}

/// Lists a teamspace's identity providers, oldest first, all on one page.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/identity-providers",
    responses((status = 200, body = List<ShownProvider<ProviderView>>))
)]
pub async fn list(at: InTeamspace) -> Result<Json<Value>, Problem> {
    let mut differing = trust_history::differences(&at).await?;
    let providers = at.teamspace_config().identity_providers.iter();
    let items: Vec<ShownProvider<Value>> = providers
        .map(|provider| {
            let metadata_differs = differing.remove(&provider.id).map(Into::into);
            ShownProvider { provider: view(provider), metadata_differs }
        })
        .collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

/// Adds an identity provider once it has passed the checks.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/identity-providers", request_body = NewProvider,
    responses(
        (status = 201, body = Checked<ProviderView>),
        (status = 409, description = "changed_meanwhile, issuer_taken, issuer_unavailable, name_taken, \
            too_many_identity_providers"),
        (status = 422, description = "name_invalid, scope_invalid, scope_unknown, groups_claim_invalid, tenant_invalid, \
            custom_claims_invalid, logout_client_id_invalid, saml_issuer_invalid, link_by_invalid, \
            or the code of the check that failed"),
    )
)]
pub async fn create(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<(StatusCode, Json<Checked<Value>>), Problem> {
    let (saved, validation) = identity_provider::add(&at, new).await?;
    Ok((StatusCode::CREATED, with_checks(view(&saved), validation.as_ref())))
}

/// Shows an identity provider.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/identity-providers/{id}",
    responses((status = 200, body = ShownProvider<ProviderView>))
)]
pub async fn show(at: InTeamspace, ItemId(id): ItemId) -> Result<Json<ShownProvider<Value>>, Problem> {
    let mut differing = trust_history::differences(&at).await?;
    let which = Which::Id(id);
    let provider = which.configured(at.teamspace_config())?;
    let metadata_differs = differing.remove(&provider.id).map(Into::into);
    Ok(Json(ShownProvider { provider: view(provider), metadata_differs }))
}

/// Replaces an identity provider once the new one has passed the checks.
#[utoipa::path(
    put, path = "/teamspaces/{slug}/identity-providers/{id}", request_body = NewProvider,
    responses(
        (status = 200, body = Checked<ProviderView>),
        (status = 409, description = "changed_meanwhile, issuer_taken, issuer_unavailable, name_taken"),
        (status = 422, description = "name_invalid, scope_invalid, scope_unknown, groups_claim_invalid, tenant_invalid, \
            custom_claims_invalid, logout_client_id_invalid, saml_issuer_invalid, link_by_invalid, \
            or the code of the check that failed"),
    )
)]
pub async fn put(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<Json<Checked<Value>>, Problem> {
    let (saved, validation) = identity_provider::put(&at, Which::Id(id), new).await?;
    Ok(with_checks(view(&saved), validation.as_ref()))
}

/// Changes an identity provider. A new issuer or product is checked first, and so is enabling it.
#[utoipa::path(
    patch, path = "/teamspaces/{slug}/identity-providers/{id}", request_body = ProviderPatch,
    responses(
        (status = 200, body = Checked<ProviderView>),
        (status = 409, description = "changed_meanwhile, issuer_taken, issuer_unavailable, name_taken"),
        (status = 422, description = "name_invalid, scope_invalid, scope_unknown, groups_claim_invalid, tenant_invalid, \
            custom_claims_invalid, logout_client_id_invalid, saml_issuer_invalid, link_by_invalid, \
            or the code of the check that failed"),
    )
)]
pub async fn change(
    at: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Checked<Value>>, Problem> {
    let (saved, validation) = identity_provider::change(&at, Which::Id(id), patch).await?;
    Ok(with_checks(view(&saved), validation.as_ref()))
}

/// Removes an identity provider.
#[utoipa::path(delete, path = "/teamspaces/{slug}/identity-providers/{id}", responses((status = 204)))]
pub async fn remove(at: InTeamspace, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    identity_provider::remove(&at, Which::Id(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks an identity provider as saving it would, and changes nothing.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/identity-providers/{id}/check",
    responses((status = 200, body = CheckReport))
)]
pub async fn check(at: InTeamspace, ItemId(id): ItemId) -> Result<Json<CheckReport>, Problem> {
    checked(&at, &Which::Id(id)).await
}

/// Shows the only identity provider.
#[utoipa::path(
    get, path = "/teamspaces/{slug}/identity-provider",
    responses(
        (status = 200, body = OnlyProviderView),
        (status = 409, description = "several_identity_providers"),
    )
)]
pub async fn show_only(at: InTeamspace) -> Result<Json<Value>, Problem> {
    at.may(ConsoleAction::ViewEnterprise)?;
    Ok(Json(view_of_only(Which::Only.configured(at.teamspace_config())?)))
}

/// Adds or replaces the only identity provider once it has passed the checks.
#[utoipa::path(
    put, path = "/teamspaces/{slug}/identity-provider", request_body = NewProvider,
    responses(
        (status = 200, body = Checked<OnlyProviderView>),
        (status = 409, description = "changed_meanwhile, issuer_taken, issuer_unavailable, name_taken, \
            several_identity_providers"),
        (status = 422, description = "name_invalid, scope_invalid, scope_unknown, groups_claim_invalid, tenant_invalid, \
            custom_claims_invalid, logout_client_id_invalid, saml_issuer_invalid, link_by_invalid, \
            or the code of the check that failed"),
    )
)]
pub async fn put_only(
    at: InTeamspace,
    JsonBody(new): JsonBody<NewProvider>,
) -> Result<Json<Checked<Value>>, Problem> {
    let (saved, validation) = identity_provider::put(&at, Which::Only, new).await?;
    Ok(with_checks(view_of_only(&saved), validation.as_ref()))
}

/// Changes the only identity provider.
#[utoipa::path(
    patch, path = "/teamspaces/{slug}/identity-provider", request_body = ProviderPatch,
    responses(
        (status = 200, body = Checked<OnlyProviderView>),
        (status = 409, description = "changed_meanwhile, issuer_taken, issuer_unavailable, name_taken, \
            several_identity_providers"),
        (status = 422, description = "name_invalid, scope_invalid, scope_unknown, groups_claim_invalid, tenant_invalid, \
            custom_claims_invalid, logout_client_id_invalid, saml_issuer_invalid, link_by_invalid, \
            or the code of the check that failed"),
    )
)]
pub async fn change_only(
    at: InTeamspace,
    JsonBody(patch): JsonBody<ProviderPatch>,
) -> Result<Json<Checked<Value>>, Problem> {
    let (saved, validation) = identity_provider::change(&at, Which::Only, patch).await?;
    Ok(with_checks(view_of_only(&saved), validation.as_ref()))
}

/// Removes the only identity provider.
#[utoipa::path(
    delete, path = "/teamspaces/{slug}/identity-provider",
    responses((status = 204), (status = 409, description = "several_identity_providers"))
)]
pub async fn remove_only(at: InTeamspace) -> Result<StatusCode, Problem> {
    identity_provider::remove(&at, Which::Only).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks the only identity provider as saving it would, and changes nothing.
#[utoipa::path(
    post, path = "/teamspaces/{slug}/identity-provider/check",
    responses((status = 200, body = CheckReport), (status = 409, description = "several_identity_providers"))
)]
pub async fn check_only(at: InTeamspace) -> Result<Json<CheckReport>, Problem> {
    checked(&at, &Which::Only).await
}

async fn checked(at: &InTeamspace, which: &Which) -> Result<Json<CheckReport>, Problem> {
    let validation = identity_provider::check(at, which).await?;
    Ok(Json(CheckReport { ok: validation.is_ok(), checks: validation.checks().to_vec() }))
}

/// Adds the results of the checks, if any were made, to the answer.
pub fn with_checks(provider: Value, validation: Option<&Validation>) -> Json<Checked<Value>> {
    Json(Checked { provider, checks: validation.map(|validation| validation.checks().to_vec()) })
}
