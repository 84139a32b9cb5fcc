//! Clients of the token endpoint and their secrets.

use axum::Json;
use axum::http::StatusCode;
use serde_json::Value;

use super::auth::{ItemId, Operator, SecretId};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::clients::{self, ClientPatch, NewClient, NewSecret, secret_view, view};

/// `GET /clients`
pub async fn list(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = operator.app.snapshot();
    let mut all: Vec<_> = snapshot.clients().collect();
    all.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let found = page::of_sorted(all.into_iter(), &query, |client| client.client_id.clone())?;
    Ok(page::answer(found, |client| view(client)))
}

/// `GET /clients/{id}`
pub async fn show(operator: Operator, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    operator.app.snapshot().client(&id).map(|client| Json(view(client))).ok_or_else(Problem::not_found)
}

/// `POST /clients`
pub async fn create(
    operator: Operator,
    JsonBody(new): JsonBody<NewClient>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (client, secret) = clients::create(&operator, new).await?;
    Ok((StatusCode::CREATED, with_secret(view(&client), secret)))
}

/// `PATCH /clients/{id}`
pub async fn change(
    operator: Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ClientPatch>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(view(&clients::change(&operator, id, patch).await?)))
}

/// `DELETE /clients/{id}`
pub async fn remove(operator: Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    clients::remove(&operator, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /clients/{id}/secrets`
pub async fn add_secret(
    operator: Operator,
    ItemId(id): ItemId,
    body: Option<JsonBody<NewSecret>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let new = body.map(|JsonBody(new)| new).unwrap_or_default();
    let (row, secret) = clients::add_secret(&operator, id, new).await?;
    Ok((StatusCode::CREATED, with_secret(secret_view(&row), secret)))
}

/// `DELETE /clients/{id}/secrets/{secret_id}`
pub async fn remove_secret(
    operator: Operator,
    ItemId(id): ItemId,
    SecretId(secret_id): SecretId,
) -> Result<StatusCode, Problem> {
    clients::remove_secret(&operator, id, secret_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The one answer that shows a secret.
fn with_secret(mut shown: Value, secret: String) -> Json<Value> {
    if let Some(object) = shown.as_object_mut() {
        object.insert("client_secret".into(), secret.into());
    }
    Json(shown)
}
