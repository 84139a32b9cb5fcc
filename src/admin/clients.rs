//! Clients of the token endpoint and their secrets, which are shown once and kept as digests.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::Operator;
use super::change::Change;
use super::check;
use super::client_authentication::GivenKeys;
pub use super::client_view::{ClientView, NewClientView, NewSecretView, new_secret_view, new_view, view};
use super::error::AdminError;
use super::patch::{nullable, present};
use crate::clock::UnixSeconds;
use crate::idp::fetch::Fetcher;
use crate::model::client::{AuthMethod, ClientSecret, RegisteredClient, is_client_secret};
use crate::model::revocation::{Revocation, RevocationCause};
use crate::oauth::request::JWT_BEARER;
use crate::policy::ConsoleAction;
use crate::random;
use crate::store::changes::Changed;
use crate::store::{AnyConnection, clients, resources};

/// A client to be registered; everything can be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    pub client_id: Option<String>,
    pub client_name: Option<String>,
    pub token_endpoint_auth_method: Option<String>,
    pub client_secret: Option<String>,
    pub jwks: Option<Value>,
    pub jwks_uri: Option<String>,
    pub grant_types: Option<Vec<String>>,
    #[serde(default)]
    pub groups: Vec<String>,
    pub enabled: Option<bool>,
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
}

/// The members that can be changed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub client_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub groups: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub grant_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub token_endpoint_auth_method: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub jwks: Option<Option<Value>>,
    #[serde(default, deserialize_with = "nullable")]
    pub jwks_uri: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub dpop_bound_access_tokens: Option<bool>,
}

/// A secret of the operator's choice; it is generated when none is given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    client_secret: Option<String>,
}

/// A secret to be compared with those of a client, or with that of credentials.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenSecret {
    pub(super) client_secret: String,
}

/// A new id for a client that has no chosen one.
pub fn new_id() -> Result<String, AdminError> {
    Ok(format!("client-{}", random::token::<16>()?))
}

/// Lists at most `limit` clients by id, from the one after a given id, and tells whether there are more.
pub fn page(
    operator: &Operator,
    after: &str,
    limit: usize,
) -> Result<(Vec<Arc<RegisteredClient>>, bool), AdminError> {
    operator.may_everywhere(ConsoleAction::ViewClients)?;
    let snapshot = operator.app.snapshot();
    let mut found: Vec<_> = snapshot.clients().filter(|c| c.client_id.as_str() > after).cloned().collect();
    found.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// One client.
pub fn show(operator: &Operator, id: &str) -> Result<Arc<RegisteredClient>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewClients)?;
    operator.app.snapshot().client(id).cloned().ok_or(AdminError::NotFound)
}

/// Registers a client; tells its first secret, if it sends one.
pub async fn create(
    operator: &Operator,
    new: NewClient,
) -> Result<(RegisteredClient, Option<String>), AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeClients)?;
    let (client, secret) = new.register(operator)?;
    let added = operator.change(permission, move |c| {
        // A resource's credentials are not a client's.
        if resources::has_credential(c, &client.client_id)? {
            return Err(AdminError::ClientIdTaken);
        }
        clients::insert(c, &client).map_err(|e| AdminError::ClientIdTaken.if_duplicate(e))?;
        let id = &client.client_id;
        let change = Change::added(changed(id), "client.create", id, view(&client));
        Ok((client, change))
    });
    Ok((added.await?, secret))
}

/// Changes a client; its id and secrets stay.
pub async fn change(
    operator: &Operator,
    id: String,
    patch: ClientPatch,
) -> Result<RegisteredClient, AdminError> {
    change_if(operator, id, patch, |_| true).await
}

/// Changes a client that still is as somebody saw it. One that sends no secret from now on loses its secrets.
pub async fn change_if(
    operator: &Operator,
    id: String,
    patch: ClientPatch,
    is_as_seen: impl FnOnce(&RegisteredClient) -> bool + Send + 'static,
) -> Result<RegisteredClient, AdminError> {
    let fetcher = operator.app.fetcher.for_operators();
    update(operator, "client.update", id, move |c, old| {
        if !is_as_seen(old) {
            return Err(AdminError::ChangedMeanwhile);
        }
        let new = patch.apply(old.clone(), &fetcher)?;
        clients::update(c, &new)?;
        if !new.token_endpoint_auth_method.sends_secret() {
            clients::delete_secrets(c, &new.client_id)?;
        }
        Ok(())
    })
    .await
}

/// Removes a client and its secrets.
pub async fn remove(operator: &Operator, id: String) -> Result<(), AdminError> {
    let now = operator.app.clock.now();
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeClients)?, move |c| {
            let old = find(c, &id)?;
            clients::delete(c, &id)?;
            let revoked = Revocation::of_client(&id, RevocationCause::ClientRemoved, now);
            Ok(((), Change::removed(changed(&id), "client.delete", &id, view(&old)).revoking([revoked])))
        })
        .await
}

/// Adds a secret and returns it. The oldest one goes when there would be more than two.
pub async fn add_secret(
    operator: &Operator,
    id: String,
    new: NewSecret,
) -> Result<(ClientSecret, String), AdminError> {
    add_secret_if(operator, id, new, |_| true).await
}

/// Adds a secret to a client that still is as somebody saw it.
pub async fn add_secret_if(
    operator: &Operator,
    id: String,
    new: NewSecret,
    is_as_seen: impl FnOnce(&RegisteredClient) -> bool + Send + 'static,
) -> Result<(ClientSecret, String), AdminError> {
    let (row, secret) = secret_of(&id, new.client_secret, operator.app.clock.now())?;
    let added = row.clone();
    update(operator, "client.secret.create", id, move |c, old| {
        if !is_as_seen(old) {
            return Err(AdminError::ChangedMeanwhile);
        }
        if !old.token_endpoint_auth_method.sends_secret() {
            return Err(AdminError::ClientSecretUnsupported);
        }
        for replaced in old.replaced_by_new_secret() {
            clients::delete_secret(c, &replaced.id)?;
        }
        Ok(clients::add_secret(c, &added)?)
    })
    .await?;
    Ok((row, secret))
}

/// Whether a secret is one of a client's. It needs the right to set one, so that nobody else can try secrets.
pub fn has_secret(operator: &Operator, id: &str, given: &GivenSecret) -> Result<bool, AdminError> {
    operator.may_everywhere(ConsoleAction::ChangeClients)?;
    let snapshot = operator.app.snapshot();
    let client = snapshot.client(id).ok_or(AdminError::NotFound)?;
    Ok(client.has_secret(&given.client_secret))
}

/// Removes a secret.
pub async fn remove_secret(operator: &Operator, id: String, secret_id: String) -> Result<(), AdminError> {
    update(operator, "client.secret.delete", id, move |c, old| {
        if !old.secrets.iter().any(|secret| secret.id == secret_id) {
            return Err(AdminError::NotFound);
        }
        clients::delete_secret(c, &secret_id)?;
        Ok(())
    })
    .await
    .map(drop)
}

/// Changes a client, and finds what came of it.
async fn update(
    operator: &Operator,
    action: &'static str,
    id: String,
    write: impl FnOnce(&mut AnyConnection, &RegisteredClient) -> Result<(), AdminError> + Send + 'static,
) -> Result<RegisteredClient, AdminError> {
    let now = operator.app.clock.now();
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeClients)?, move |c| {
            let old = find(c, &id)?;
            write(c, &old)?;
            let new = find(c, &id)?;
            let is_switched_off = old.enabled && !new.enabled;
            let revoked =
                is_switched_off.then(|| Revocation::of_client(&id, RevocationCause::ClientDisabled, now));
            let change = Change::updated(changed(&id), action, id, view(&old), view(&new));
            Ok((new, change.revoking(revoked)))
        })
        .await
}

fn find(connection: &mut AnyConnection, client_id: &str) -> Result<RegisteredClient, AdminError> {
    clients::find(connection, client_id)?.ok_or(AdminError::NotFound)
}

impl NewClient {
    /// The client, with its first secret if it sends one.
    fn register(self, operator: &Operator) -> Result<(RegisteredClient, Option<String>), AdminError> {
        let (now, fetcher) = (operator.app.clock.now(), operator.app.fetcher.for_operators());
        let method = self.token_endpoint_auth_method.as_deref().unwrap_or(AuthMethod::Basic.as_str());
        let method = auth_method(method)?;
        let keys = GivenKeys { jwks: Some(self.jwks), jwks_uri: Some(self.jwks_uri) };
        let keys = keys.resolve(method, None, &fetcher)?;
        let client_id = match self.client_id {
            Some(given) => check::client_id(given)?,
            None => new_id()?,
        };
        let (secrets, secret) = match (method.sends_secret(), self.client_secret) {
            (true, given) => {
                let (row, secret) = secret_of(&client_id, given, now)?;
                (vec![row], Some(secret))
            }
            (false, None) => (Vec::new(), None),
            (false, Some(_)) => return Err(AdminError::ClientSecretUnsupported),
        };
        let client = RegisteredClient {
            client_name: self.client_name.unwrap_or_else(|| client_id.clone()),
            client_id,
            token_endpoint_auth_method: method,
            grant_types: self.grant_types.unwrap_or_else(|| vec![JWT_BEARER.to_owned()]),
            groups: self.groups,
            enabled: self.enabled.unwrap_or(true),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            created_at: now,
            document_host: None,
            keys,
            secrets,
        };
        Ok((checked(client)?, secret))
    }
}

impl ClientPatch {
    fn apply(self, old: RegisteredClient, fetcher: &Fetcher) -> Result<RegisteredClient, AdminError> {
        let method = self.token_endpoint_auth_method.as_deref().map(auth_method).transpose()?;
        let method = method.unwrap_or(old.token_endpoint_auth_method);
        let keys = GivenKeys { jwks: self.jwks, jwks_uri: self.jwks_uri };
        checked(RegisteredClient {
            client_name: self.client_name.unwrap_or(old.client_name),
            token_endpoint_auth_method: method,
            grant_types: self.grant_types.unwrap_or(old.grant_types),
            groups: self.groups.unwrap_or(old.groups),
            enabled: self.enabled.unwrap_or(old.enabled),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens.unwrap_or(old.dpop_bound_access_tokens),
            keys: keys.resolve(method, old.keys, fetcher)?,
            ..old
        })
    }
}

fn checked(mut client: RegisteredClient) -> Result<RegisteredClient, AdminError> {
    client.client_name = check::name(&client.client_name)?;
    let rule = "a group has 1 to 200 characters without control characters.";
    check::list(&client.groups, check::is_short_text, rule).map_err(AdminError::GroupsInvalid)?;
    let is_grant = |text: &str| text.len() <= 200 && check::is_printable(text);
    let rule = "a grant type is printable ASCII without space.";
    check::list(&client.grant_types, is_grant, rule).map_err(AdminError::GrantTypesInvalid)?;
    Ok(client)
}

fn auth_method(text: &str) -> Result<AuthMethod, AdminError> {
    text.parse().ok().ok_or(AdminError::AuthMethodUnsupported)
}

/// Makes the given or a generated secret, and the row to store. Ids are ordered by time, so that of two secrets made
/// in one second the older one is known.
fn secret_of(
    client_id: &str,
    given: Option<String>,
    now: UnixSeconds,
) -> Result<(ClientSecret, String), AdminError> {
    let secret = given.map_or_else(random::secret, Ok)?;
    if !is_client_secret(&secret) {
        return Err(AdminError::ClientSecretInvalid);
    }
    let row = ClientSecret {
        id: Uuid::now_v7().to_string(),
        client_id: client_id.to_owned(),
        secret_digest: random::digest(&secret),
        created_at: now,
    };
    Ok((row, secret))
}

fn changed(id: &str) -> Changed {
    Changed::Client(id.to_owned())
}
