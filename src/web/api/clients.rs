//! Clients of the token endpoint and their secrets.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::auth::{ItemId, Operator, SecretId};
use super::describe::{List, OperatorOnly};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::clients::{
    self, ClientPatch, ClientView, GivenSecret, NewClient, NewClientView, NewSecret, NewSecretView, view,
};
use crate::policy::ConsoleAction;

/// Whether a secret is one of a client's, or that of credentials.
#[derive(Serialize, ToSchema)]
pub struct SecretReport {
    /// Whether it is good for authentication.
    pub(super) is_current: bool,
}

/// Lists the clients of the token endpoint.
#[utoipa::path(
    get, path = "/clients", params(PageQuery),
    responses((status = 200, body = List<ClientView>), OperatorOnly)
)]
pub async fn list(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewClients)?;
    let snapshot = operator.app.snapshot();
    let mut all: Vec<_> = snapshot.clients().collect();
    all.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let found = page::of_sorted(all.into_iter(), &query, |client| client.client_id.clone())?;
    Ok(page::answer(found, |client| view(client)))
}

/// Shows a client.
#[utoipa::path(get, path = "/clients/{id}", responses((status = 200, body = ClientView), OperatorOnly))]
pub async fn show(operator: Operator, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewClients)?;
    operator.app.snapshot().client(&id).map(|client| Json(view(client))).ok_or_else(Problem::not_found)
}

/// Registers a client, and returns its first secret if it sends one.
#[utoipa::path(
    post, path = "/clients", request_body = NewClient,
    responses(
        (status = 201, body = NewClientView),
        OperatorOnly,
        (status = 409, description = "client_id_taken"),
        (status = 422, description = "auth_method_unsupported, grant_types_invalid, groups_invalid, name_invalid, \
            client_id_invalid, client_secret_invalid, client_secret_unsupported, client_keys_missing, jwks_invalid, \
            jwks_unsupported, jwks_uri_invalid"),
    )
)]
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewClient>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (client, secret) = clients::create(&operator, new).await?;
    Ok((StatusCode::CREATED, Json(clients::new_view(&client, secret.as_deref()))))
}

/// Changes a client; its id and secrets stay. One that sends no secret from now on loses its secrets.
#[utoipa::path(
    patch, path = "/clients/{id}", request_body = ClientPatch,
    responses(
        (status = 200, body = ClientView),
        OperatorOnly,
        (status = 422, description = "auth_method_unsupported, grant_types_invalid, groups_invalid, name_invalid, \
            client_keys_missing, jwks_invalid, jwks_unsupported, jwks_uri_invalid"),
    )
)]
pub async fn change(
    operator: Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ClientPatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&clients::change(&operator, id, patch).await?)))
}

/// Removes a client and its secrets.
#[utoipa::path(delete, path = "/clients/{id}", responses((status = 204), OperatorOnly))]
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    clients::remove(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a secret and returns it. The oldest is deleted if there would be three.
#[utoipa::path(
    post, path = "/clients/{id}/secrets", request_body = Option<NewSecret>,
    responses(
        (status = 201, body = NewSecretView),
        OperatorOnly,
        (status = 422, description = "client_secret_invalid, client_secret_unsupported"),
    )
)]
pub async fn add_secret(
    operator: Operator,
    ItemId(id): ItemId,
    body: Option<JsonBody<NewSecret>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new = body.map(|JsonBody(new)| new).unwrap_or_default();
    let (row, secret) = clients::add_secret(&operator, id, new).await?;
    Ok((StatusCode::CREATED, Json(clients::new_secret_view(&row, &secret))))
}

/// Tells whether a secret is one of the client's, and changes nothing.
#[utoipa::path(
    post, path = "/clients/{id}/secrets/check", request_body = GivenSecret,
    responses((status = 200, body = SecretReport), OperatorOnly)
)]
pub async fn check_secret(
    operator: Operator,
    ItemId(id): ItemId,
    JsonBody(given): JsonBody<GivenSecret>,
) -> Result<Json<SecretReport>, Problem> {
    Ok(Json(SecretReport { is_current: clients::has_secret(&operator, &id, &given)? }))
}

/// Removes a secret.
#[utoipa::path(delete, path = "/clients/{id}/secrets/{secret_id}", responses((status = 204), OperatorOnly))]
pub async fn remove_secret(
    operator: Operator,
    ItemId(id): ItemId,
    SecretId(secret_id): SecretId,
) -> Result<StatusCode, Problem> {
    clients::remove_secret(&operator, id, secret_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
