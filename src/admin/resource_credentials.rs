//! The credentials of resources, with which MCP servers ask about tokens: a secret, which is shown once and kept as a
//! digest, or keys that verify what the server signs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caller::Operator;
use super::change::Change;
use super::client_authentication::GivenKeys;
use super::error::AdminError;
use super::patch::nullable;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::client::{AuthMethod, KeySource};
use crate::model::resource::{CredentialProof, MAX_CREDENTIALS, Resource, ResourceCredential};
use crate::policy::ConsoleAction;
use crate::random;
use crate::store::changes::Changed;
use crate::store::{AnyConnection, clients, resources};

/// Lists the credentials of a resource, oldest first.
pub fn list(operator: &Operator, resource_id: &str) -> Result<Vec<ResourceCredential>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewResources)?;
    let snapshot = operator.app.snapshot();
    let resource = snapshot.resource_by_id(resource_id).ok_or(AdminError::NotFound)?;
    Ok(resource.credentials.clone())
}

/// The keys of new credentials; without any they have a secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The public keys that verify the server's assertions (RFC 7523 §2.2), a JWK Set.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Option<Value>>,
    /// Where they are instead.
    #[serde(default, deserialize_with = "nullable")]
    jwks_uri: Option<Option<String>>,
}

/// Makes credentials for a resource, and returns them with their secret if they have one.
pub async fn create(
    operator: &Operator,
    resource_id: String,
    new: NewCredentials,
) -> Result<(ResourceCredential, Option<String>), AdminError> {
    let given = GivenKeys { jwks: new.jwks, jwks_uri: new.jwks_uri };
    match given.of_credentials(&operator.app.fetcher.for_operators())? {
        Some(keys) => {
            let made = credential(operator, &resource_id, CredentialProof::Keys(keys))?;
            add_if(operator, made.clone(), |_| true).await?;
            Ok((made, None))
        }
        None => {
            let (made, secret) = create_if(operator, resource_id, |_| true).await?;
            Ok((made, Some(secret)))
        }
    }
}

/// Makes credentials with a secret for a resource whose credentials still are as somebody saw them.
pub async fn create_if(
    operator: &Operator,
    resource_id: String,
    is_as_seen: impl FnOnce(&[ResourceCredential]) -> bool + Send + 'static,
) -> Result<(ResourceCredential, String), AdminError> {
    let secret = random::secret()?;
    let proof = CredentialProof::SecretDigest(random::digest(&secret));
    let made = credential(operator, &resource_id, proof)?;
    add_if(operator, made.clone(), is_as_seen).await?;
    Ok((made, secret))
}

fn credential(
    operator: &Operator,
    resource_id: &str,
    proof: CredentialProof,
) -> Result<ResourceCredential, AdminError> {
    let client_id = format!("resource-{}", random::token::<16>()?);
    let created_at = operator.app.clock.now();
    Ok(ResourceCredential { client_id, resource_id: resource_id.to_owned(), proof, created_at })
}

async fn add_if(
    operator: &Operator,
    added: ResourceCredential,
    is_as_seen: impl FnOnce(&[ResourceCredential]) -> bool + Send + 'static,
) -> Result<(), AdminError> {
    update(operator, "resource.credentials.create", added.resource_id.clone(), move |c, resource| {
        if !is_as_seen(&resource.credentials) {
            return Err(AdminError::ChangedMeanwhile);
        }
        if resource.credentials.len() >= MAX_CREDENTIALS {
            return Err(AdminError::TooManyCredentials);
        }
        // 128 random bits meet no client's id by accident; operators choose those.
        if clients::find(c, &added.client_id)?.is_some() {
            return Err(AdminError::ClientIdTaken);
        }
        resources::add_credential(c, &added)?;
        Ok(())
    })
    .await
}

/// Deletes credentials: a server that still uses them gets no more answers.
pub async fn remove(operator: &Operator, resource_id: String, client_id: String) -> Result<(), AdminError> {
    update(operator, "resource.credentials.delete", resource_id, move |c, resource| {
        match resources::delete_credential(c, &resource.id, &client_id)? {
            0 => Err(AdminError::NotFound),
            _ => Ok(()),
        }
    })
    .await
}

/// Changes the credentials of a resource. The audit log keeps their ids before and after.
async fn update(
    operator: &Operator,
    action: &'static str,
    resource_id: String,
    write: impl FnOnce(&mut AnyConnection, &Resource) -> Result<(), AdminError> + Send + 'static,
) -> Result<(), AdminError> {
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeResources)?, move |c| {
            let resource = resources::find(c, &resource_id)?.ok_or(AdminError::NotFound)?;
            write(c, &resource)?;
            let (old, new) = (resource.credentials, resources::credentials_of(c, &resource_id)?);
            let changed = Changed::Resource(resource_id.clone());
            Ok(((), Change::updated(changed, action, &resource_id, audited(&old), audited(&new))))
        })
        .await
}

fn audited(credentials: &[ResourceCredential]) -> Value {
    json!({ "credentials": credentials.iter().map(view).collect::<Vec<_>>() })
}

/// Credentials as the API and the audit log show them: without the secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourceCredentials)]
pub struct CredentialView<'c> {
    /// The id that the server presents. It is no client's.
    client_id: &'c str,
    /// `client_secret_basic`, which means a secret in either way, or `private_key_jwt`.
    auth_method: AuthMethod,
    /// The public keys that verify its assertions; null if it has none here.
    #[schema(required, value_type = Option<Object>)]
    jwks: Option<Value>,
    /// Where they are instead; null if nowhere.
    #[schema(required)]
    jwks_uri: Option<&'c str>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The one answer that shows the secret, if there is one.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourceCredentialsWithSecret)]
pub struct NewCredentialView<'c> {
    #[serde(flatten)]
    credential: CredentialView<'c>,
    /// It is not shown again. Absent if the credentials have keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_secret: Option<&'c str>,
}

impl<'c> CredentialView<'c> {
    fn of(credential: &'c ResourceCredential) -> Self {
        let keys = credential.keys();
        Self {
            client_id: &credential.client_id,
            auth_method: if keys.is_some() { AuthMethod::PrivateKeyJwt } else { AuthMethod::Basic },
            jwks: keys.and_then(KeySource::jwks).and_then(|jwks| serde_json::from_str(jwks).ok()),
            jwks_uri: keys.and_then(KeySource::jwks_uri),
            created_at: rfc3339(credential.created_at),
        }
    }
}

/// Credentials as JSON.
pub fn view(credential: &ResourceCredential) -> Value {
    as_json(CredentialView::of(credential))
}

/// New credentials as JSON, with their secret if they have one.
pub fn new_view(credential: &ResourceCredential, client_secret: Option<&str>) -> Value {
    as_json(NewCredentialView { credential: CredentialView::of(credential), client_secret })
}
