//! The credentials of resources, with which MCP servers ask about tokens: a secret, which is shown once and kept as a
//! digest, or keys that verify what the server signs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caller::Operator;
use super::change::Change;
use super::check;
use super::client_authentication::GivenKeys;
use super::clients::GivenSecret;
use super::error::AdminError;
use super::patch::nullable;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::idp::fetch::Fetcher;
use crate::model::client::{AuthMethod, KeySource, is_client_secret};
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

/// New credentials; everything can be left out. Without keys they have a secret, which is made unless one is given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// The id that the server is to present; one is made otherwise. No client and no other credentials have it.
    client_id: Option<String>,
    /// A secret of your choice: 16 to 256 printable ASCII characters without space.
    client_secret: Option<String>,
    /// The public keys that verify the server's assertions (RFC 7523 §2.2), a JWK Set.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Option<Value>>,
    /// Where they are instead.
    #[serde(default, deserialize_with = "nullable")]
    jwks_uri: Option<Option<String>>,
}

/// The members that can be changed. A secret or keys take the place of what proved the credentials before.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsPatch {
    client_secret: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Option<Value>>,
    #[serde(default, deserialize_with = "nullable")]
    jwks_uri: Option<Option<String>>,
}

impl CredentialsPatch {
    /// The new proof. Without a secret or keys, the old one stays, unless its keys are taken away.
    fn apply(self, old: CredentialProof, fetcher: &Fetcher) -> Result<CredentialProof, AdminError> {
        let cleared = (self.jwks == Some(None), self.jwks_uri == Some(None));
        let given = GivenKeys { jwks: self.jwks, jwks_uri: self.jwks_uri };
        if let Some(given) = given_proof(given, self.client_secret, fetcher)? {
            return Ok(given);
        }
        let is_cleared = match &old {
            CredentialProof::SecretDigest(_) => false,
            CredentialProof::Keys(KeySource::Registered(_)) => cleared.0,
            CredentialProof::Keys(KeySource::Fetched(_)) => cleared.1,
        };
        if is_cleared { Err(AdminError::ClientKeysMissing) } else { Ok(old) }
    }
}

/// The proof of the given keys or the given secret; none where neither is given.
fn given_proof(
    keys: GivenKeys,
    secret: Option<String>,
    fetcher: &Fetcher,
) -> Result<Option<CredentialProof>, AdminError> {
    match (keys.of_credentials(fetcher)?, secret) {
        (Some(_), Some(_)) => Err(AdminError::ClientSecretUnsupported),
        (Some(keys), None) => Ok(Some(CredentialProof::Keys(keys))),
        (None, Some(secret)) if !is_client_secret(&secret) => Err(AdminError::ClientSecretInvalid),
        (None, Some(secret)) => Ok(Some(CredentialProof::SecretDigest(random::digest(&secret)))),
        (None, None) => Ok(None),
    }
}

/// Makes credentials for a resource, and returns them with their secret if they have one.
pub async fn create(
    operator: &Operator,
    resource_id: String,
    new: NewCredentials,
) -> Result<(ResourceCredential, Option<String>), AdminError> {
    let client_id = new.client_id.map_or_else(new_id, check::client_id)?;
    let keys = GivenKeys { jwks: new.jwks, jwks_uri: new.jwks_uri };
    let fetcher = operator.app.fetcher.for_operators();
    let (proof, secret) = match given_proof(keys, new.client_secret.clone(), &fetcher)? {
        Some(proof) => (proof, new.client_secret),
        None => {
            let (proof, secret) = new_secret()?;
            (proof, Some(secret))
        }
    };
    let made = credential(operator, &resource_id, client_id, proof);
    add_if(operator, made.clone(), |_| true).await?;
    Ok((made, secret))
}

/// Makes credentials with a secret for a resource whose credentials still are as somebody saw them.
pub async fn create_if(
    operator: &Operator,
    resource_id: String,
    is_as_seen: impl FnOnce(&[ResourceCredential]) -> bool + Send + 'static,
) -> Result<(ResourceCredential, String), AdminError> {
    let (proof, secret) = new_secret()?;
    let made = credential(operator, &resource_id, new_id()?, proof);
    add_if(operator, made.clone(), is_as_seen).await?;
    Ok((made, secret))
}

fn new_id() -> Result<String, AdminError> {
    Ok(format!("resource-{}", random::token::<16>()?))
}

fn new_secret() -> Result<(CredentialProof, String), AdminError> {
    let secret = random::secret()?;
    Ok((CredentialProof::SecretDigest(random::digest(&secret)), secret))
}

fn credential(
    operator: &Operator,
    resource_id: &str,
    client_id: String,
    proof: CredentialProof,
) -> ResourceCredential {
    let created_at = operator.app.clock.now();
    ResourceCredential { client_id, resource_id: resource_id.to_owned(), proof, created_at }
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
        // Both ids are names at authentication, and one must not pass for the other.
        if clients::find(c, &added.client_id)?.is_some() {
            return Err(AdminError::ClientIdTaken);
        }
        resources::add_credential(c, &added).map_err(|e| AdminError::ClientIdTaken.if_duplicate(e))?;
        Ok(())
    })
    .await
}

/// Changes how credentials are proved; their id stays. What proved them before is refused at once.
pub async fn change(
    operator: &Operator,
    resource_id: String,
    client_id: String,
    patch: CredentialsPatch,
) -> Result<ResourceCredential, AdminError> {
    let fetcher = operator.app.fetcher.for_operators();
    update(operator, "resource.credentials.update", resource_id, move |c, resource| {
        let old = resource.credential(&client_id).ok_or(AdminError::NotFound)?.clone();
        let new = ResourceCredential { proof: patch.apply(old.proof.clone(), &fetcher)?, ..old };
        resources::update_credential(c, &new)?;
        Ok(new)
    })
    .await
}

/// Whether a secret is that of credentials. It needs the right to set one, so that nobody else can try secrets.
pub fn has_secret(
    operator: &Operator,
    resource_id: &str,
    client_id: &str,
    given: &GivenSecret,
) -> Result<bool, AdminError> {
    operator.may_everywhere(ConsoleAction::ChangeResources)?;
    let snapshot = operator.app.snapshot();
    let resource = snapshot.resource_by_id(resource_id).ok_or(AdminError::NotFound)?;
    resource.credential(client_id).ok_or(AdminError::NotFound)?;
    Ok(resource.has_credential(client_id, &given.client_secret))
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
async fn update<T: Send + 'static>(
    operator: &Operator,
    action: &'static str,
    resource_id: String,
    write: impl FnOnce(&mut AnyConnection, &Resource) -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    operator
        .change(operator.may_everywhere(ConsoleAction::ChangeResources)?, move |c| {
            let resource = resources::find(c, &resource_id)?.ok_or(AdminError::NotFound)?;
            let written = write(c, &resource)?;
            let (old, new) = (resource.credentials, resources::credentials_of(c, &resource_id)?);
            let changed = Changed::Resource(resource_id.clone());
            let (before, after) = (audited(&old, &old), audited(&new, &old));
            Ok((written, Change::updated(changed, action, &resource_id, before, after)))
        })
        .await
}

/// Credentials for the audit log. A secret in the place of an old one shows in nothing else, so it is noted.
fn audited(credentials: &[ResourceCredential], old: &[ResourceCredential]) -> Value {
    let has_other_secret = |one: &ResourceCredential| {
        let before = old.iter().find(|old| old.client_id == one.client_id);
        let before = before.and_then(ResourceCredential::secret_digest);
        before.zip(one.secret_digest()).is_some_and(|(before, now)| before != now)
    };
    let shown = |one: &ResourceCredential| {
        let mut shown = view(one);
        if let (true, Some(members)) = (has_other_secret(one), shown.as_object_mut()) {
            members.insert("has_new_secret".to_owned(), true.into());
        }
        shown
    };
    json!({ "credentials": credentials.iter().map(shown).collect::<Vec<_>>() })
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
