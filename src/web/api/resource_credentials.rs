//! The credentials of resources.

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::auth::{CredentialId, ItemId, Operator};
use super::clients::SecretReport;
use super::describe::{List, OperatorOnly};
use super::json::JsonBody;
use super::problem::Problem;
use crate::admin::clients::GivenSecret;
use crate::admin::resource_credentials::{
    self as credentials, CredentialView, CredentialsPatch, NewCredentialView, NewCredentials, view,
};

/// Lists the credentials of a resource, oldest first, without their secrets.
#[utoipa::path(
    get, path = "/resources/{id}/credentials",
    responses((status = 200, body = List<CredentialView>), OperatorOnly)
)]
pub async fn list_credentials(operator: Operator, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    let items: Vec<Value> = credentials::list(&operator, &id)?.iter().map(view).collect();
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

/// Makes credentials for a resource: with keys if the body has any, otherwise with a secret, which it returns. A resource
/// has four at the most.
#[utoipa::path(
    post, path = "/resources/{id}/credentials", request_body = Option<NewCredentials>,
    responses(
        (status = 201, body = NewCredentialView),
        OperatorOnly,
        (status = 409, description = "client_id_taken, too_many_credentials"),
        (status = 422, description = "client_id_invalid, client_keys_missing, client_secret_invalid, \
            client_secret_unsupported, jwks_invalid, jwks_uri_invalid"),
    )
)]
pub async fn create_credentials(
    operator: Operator,
    ItemId(id): ItemId,
    body: Option<JsonBody<NewCredentials>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new = body.map(|JsonBody(new)| new).unwrap_or_default();
    let (made, secret) = credentials::create(&operator, id, new).await?;
    Ok((StatusCode::CREATED, Json(credentials::new_view(&made, secret.as_deref()))))
}

/// Changes how credentials are proved: a secret or keys take the place of what there was, which is refused at once. The
/// id stays.
#[utoipa::path(
    patch, path = "/resources/{id}/credentials/{client_id}", request_body = CredentialsPatch,
    responses(
        (status = 200, body = CredentialView),
        OperatorOnly,
        (status = 422, description = "client_keys_missing, client_secret_invalid, client_secret_unsupported, jwks_invalid, \
            jwks_uri_invalid"),
    )
)]
pub async fn change_credentials(
    operator: Operator,
    ItemId(id): ItemId,
    CredentialId(client_id): CredentialId,
    JsonBody(patch): JsonBody<CredentialsPatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&credentials::change(&operator, id, client_id, patch).await?)))
}

/// Tells whether a secret is that of the credentials, and changes nothing.
#[utoipa::path(
    post, path = "/resources/{id}/credentials/{client_id}/secret/check", request_body = GivenSecret,
    responses((status = 200, body = SecretReport), OperatorOnly)
)]
pub async fn check_secret(
    operator: Operator,
    ItemId(id): ItemId,
    CredentialId(client_id): CredentialId,
    JsonBody(given): JsonBody<GivenSecret>,
) -> Result<Json<SecretReport>, Problem> {
    let is_current = credentials::has_secret(&operator, &id, &client_id, &given)?;
    Ok(Json(SecretReport { is_current }))
}

/// Deletes credentials of a resource: a server that still uses them gets no more answers.
#[utoipa::path(
    delete, path = "/resources/{id}/credentials/{client_id}",
    responses((status = 204), OperatorOnly)
)]
pub async fn remove_credentials(
    operator: Operator,
    ItemId(id): ItemId,
    CredentialId(client_id): CredentialId,
) -> Result<StatusCode, Problem> {
    credentials::remove(&operator, id, client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
