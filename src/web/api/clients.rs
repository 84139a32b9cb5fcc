//! Clients of the token endpoint and their secrets, which are shown once and kept as digests.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{ItemId, Operator, SecretId};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::patch::present;
use crate::admin::{self as check, AdminError, Change};
use crate::clock::{UnixSeconds, rfc3339};
use crate::model::client::{AuthMethod, ClientSecret, RegisteredClient};
use crate::oauth::request::JWT_BEARER;
use crate::random;
use crate::store::AnyConnection;
use crate::store::changes::Changed;
use crate::store::clients;

/// Live secrets of one client, while one replaces the other.
const MAX_SECRETS: usize = 2;

/// What is needed for a new one; everything can be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    client_id: Option<String>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<Value>,
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    groups: Vec<String>,
    enabled: Option<bool>,
}

/// What can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    #[serde(default, deserialize_with = "present")]
    client_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    groups: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    grant_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    token_endpoint_auth_method: Option<String>,
}

/// A secret of the operator's choice; it is generated when none is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    client_secret: Option<String>,
}

/// `GET /clients`
pub async fn list(
    Operator(admin): Operator,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let mut all: Vec<_> = snapshot.clients().collect();
    all.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let found = page::of_sorted(all.into_iter(), &query, |client| client.client_id.clone())?;
    Ok(page::answer(found, |client| view(client)))
}

/// `GET /clients/{id}`
pub async fn show(Operator(admin): Operator, ItemId(id): ItemId) -> Result<Json<Value>, Problem> {
    admin.app.snapshot().client(&id).map(|client| Json(view(client))).ok_or_else(Problem::not_found)
}

/// `POST /clients`
pub async fn create(
    Operator(admin): Operator,
    JsonBody(new): JsonBody<NewClient>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (client, secret) = new.register(admin.app.clock.now())?;
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            clients::insert(c, &client).map_err(|e| {
                Problem::conflict("client_id_taken", "Another client has this id.").if_duplicate(e)
            })?;
            let shown = view(&client);
            Ok((
                shown.clone(),
                Change::added(changed(&client.client_id), "client.create", &client.client_id, shown),
            ))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(with_secret(shown, secret))))
}

/// `PATCH /clients/{id}`
pub async fn change(
    Operator(admin): Operator,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<ClientPatch>,
) -> Result<Json<Value>, Problem> {
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            let new = patch.apply(old.clone())?;
            clients::update(c, &new)?;
            let shown = view(&new);
            Ok((shown.clone(), Change::updated(changed(&id), "client.update", &id, view(&old), shown)))
        })
        .await?;
    Ok(Json(shown))
}

/// `DELETE /clients/{id}`
pub async fn remove(Operator(admin): Operator, ItemId(id): ItemId) -> Result<StatusCode, Problem> {
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            clients::delete(c, &id)?;
            Ok(((), Change::removed(changed(&id), "client.delete", &id, view(&old))))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /clients/{id}/secrets`: the oldest goes when there would be more than two.
pub async fn add_secret(
    Operator(admin): Operator,
    ItemId(id): ItemId,
    body: Option<JsonBody<NewSecret>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let given = body.and_then(|JsonBody(new)| new.client_secret);
    let (row, secret) = secret_of(&id, given, admin.app.clock.now())?;
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            let surplus = (old.secrets.len() + 1).saturating_sub(MAX_SECRETS);
            for oldest in old.secrets.iter().take(surplus) {
                clients::delete_secret(c, &oldest.id)?;
            }
            clients::add_secret(c, &row)?;
            let shown = view(&find(c, &id)?);
            Ok((
                secret_view(&row),
                Change::updated(changed(&id), "client.secret.create", &id, view(&old), shown),
            ))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(with_secret(shown, secret))))
}

/// `DELETE /clients/{id}/secrets/{secret_id}`
pub async fn remove_secret(
    Operator(admin): Operator,
    ItemId(id): ItemId,
    SecretId(secret_id): SecretId,
) -> Result<StatusCode, Problem> {
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &id)?;
            if !old.secrets.iter().any(|secret| secret.id == secret_id) {
                return Err(Problem::not_found());
            }
            clients::delete_secret(c, &secret_id)?;
            let shown = view(&find(c, &id)?);
            Ok(((), Change::updated(changed(&id), "client.secret.delete", &id, view(&old), shown)))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn find(connection: &mut AnyConnection, client_id: &str) -> Result<RegisteredClient, Problem> {
    clients::find(connection, client_id)?.ok_or_else(Problem::not_found)
}

fn view(client: &RegisteredClient) -> Value {
    json!({
        "client_id": client.client_id,
        "client_name": client.client_name,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "grant_types": client.grant_types,
        "groups": client.groups,
        "enabled": client.enabled,
        "created_at": rfc3339(client.created_at),
        "secrets": client.secrets.iter().map(secret_view).collect::<Vec<_>>(),
    })
}

fn secret_view(secret: &ClientSecret) -> Value {
    json!({ "id": secret.id, "created_at": rfc3339(secret.created_at) })
}

/// The one answer that shows a secret.
fn with_secret(mut shown: Value, secret: String) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.insert("client_secret".into(), secret.into());
    }
    shown
}

impl NewClient {
    /// The client with its first secret.
    fn register(self, now: UnixSeconds) -> Result<(RegisteredClient, String), Problem> {
        if self.jwks.is_some() || self.jwks_uri.is_some() {
            let detail = "Clients authenticate by secret only: jwks and jwks_uri must be null.";
            return Err(Problem::invalid("jwks_unsupported", detail));
        }
        let method = self.token_endpoint_auth_method.as_deref().unwrap_or(AuthMethod::Basic.as_str());
        let method = auth_method(method)?;
        let client_id = match self.client_id {
            Some(given) => checked_id(given)?,
            None => format!("client-{}", random::token::<16>()?),
        };
        let (row, secret) = secret_of(&client_id, self.client_secret, now)?;
        let client = RegisteredClient {
            client_name: self.client_name.unwrap_or_else(|| client_id.clone()),
            client_id,
            token_endpoint_auth_method: method,
            grant_types: self.grant_types.unwrap_or_else(|| vec![JWT_BEARER.to_owned()]),
            groups: self.groups,
            enabled: self.enabled.unwrap_or(true),
            created_at: now,
            secrets: vec![row],
        };
        Ok((client.checked()?, secret))
    }
}

impl ClientPatch {
    fn apply(self, old: RegisteredClient) -> Result<RegisteredClient, Problem> {
        let method = self.token_endpoint_auth_method.as_deref().map(auth_method).transpose()?;
        RegisteredClient {
            client_name: self.client_name.unwrap_or(old.client_name),
            token_endpoint_auth_method: method.unwrap_or(old.token_endpoint_auth_method),
            grant_types: self.grant_types.unwrap_or(old.grant_types),
            groups: self.groups.unwrap_or(old.groups),
            enabled: self.enabled.unwrap_or(old.enabled),
            ..old
        }
        .checked()
    }
}

impl RegisteredClient {
    fn checked(mut self) -> Result<Self, Problem> {
        self.client_name = check::name(&self.client_name)?;
        let rule = "a group has 1 to 200 characters without control characters.";
        check::list(&self.groups, check::is_short_text, rule).map_err(AdminError::GroupsInvalid)?;
        let is_grant = |text: &str| text.len() <= 200 && is_printable(text);
        let rule = "a grant type is printable ASCII without space.";
        check::list(&self.grant_types, is_grant, rule).map_err(AdminError::GrantTypesInvalid)?;
        Ok(self)
    }
}

fn auth_method(text: &str) -> Result<AuthMethod, Problem> {
    text.parse().map_err(|_| {
        let detail = "token_endpoint_auth_method must be client_secret_basic or client_secret_post.";
        Problem::invalid("auth_method_unsupported", detail)
    })
}

/// An id that is a URL would be one of a client metadata document, whose owner is somebody else.
fn checked_id(id: String) -> Result<String, Problem> {
    let is_url = id.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    match id.len() <= 200 && is_printable(&id) && !is_url {
        true => Ok(id),
        false => {
            let detail = "A client id has 1 to 200 printable ASCII characters without space, and does not \
                begin with https://.";
            Err(Problem::invalid("client_id_invalid", detail))
        }
    }
}

/// A given or generated secret, and what is stored of it. Ids are ordered by time, so that of two secrets
/// made in one second the older is known.
fn secret_of(
    client_id: &str,
    given: Option<String>,
    now: UnixSeconds,
) -> Result<(ClientSecret, String), Problem> {
    let secret = given.map_or_else(random::secret, Ok)?;
    if !(16..=256).contains(&secret.len()) || !is_printable(&secret) {
        let detail = "A client secret has 16 to 256 printable ASCII characters without space.";
        return Err(Problem::invalid("client_secret_invalid", detail));
    }
    let row = ClientSecret {
        id: Uuid::now_v7().to_string(),
        client_id: client_id.to_owned(),
        secret_digest: random::digest(&secret),
        created_at: now,
    };
    Ok((row, secret))
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn changed(id: &str) -> Changed {
    Changed::Client(id.to_owned())
}
