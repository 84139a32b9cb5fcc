//! The credentials of resources, with which MCP servers ask about tokens. The secret is shown once and kept as a digest.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caller::Operator;
use super::change::Change;
use super::error::AdminError;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::resource::{MAX_CREDENTIALS, Resource, ResourceCredential};
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

/// Makes credentials for a resource, and returns them with their secret.
pub async fn create(
    operator: &Operator,
    resource_id: String,
) -> Result<(ResourceCredential, String), AdminError> {
    create_if(operator, resource_id, |_| true).await
}

/// Makes credentials for a resource whose credentials still are as somebody saw them.
pub async fn create_if(
    operator: &Operator,
    resource_id: String,
    is_as_seen: impl FnOnce(&[ResourceCredential]) -> bool + Send + 'static,
) -> Result<(ResourceCredential, String), AdminError> {
    let secret = random::secret()?;
    let made = ResourceCredential {
        client_id: format!("resource-{}", random::token::<16>()?),
        resource_id: resource_id.clone(),
        secret_digest: random::digest(&secret),
        created_at: operator.app.clock.now(),
    };
    let added = made.clone();
    update(operator, "resource.credentials.create", resource_id, move |c, resource| {
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
    .await?;
    Ok((made, secret))
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
    #[schema(format = DateTime)]
    created_at: String,
}

/// The one answer that shows the secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ResourceCredentialsWithSecret)]
pub struct NewCredentialView<'c> {
    #[serde(flatten)]
    credential: CredentialView<'c>,
    /// It is not shown again.
    client_secret: &'c str,
}

impl<'c> CredentialView<'c> {
    fn of(credential: &'c ResourceCredential) -> Self {
        Self { client_id: &credential.client_id, created_at: rfc3339(credential.created_at) }
    }
}

/// Credentials as JSON.
pub fn view(credential: &ResourceCredential) -> Value {
    as_json(CredentialView::of(credential))
}

/// New credentials as JSON, with their secret.
pub fn new_view(credential: &ResourceCredential, client_secret: &str) -> Value {
    as_json(NewCredentialView { credential: CredentialView::of(credential), client_secret })
}
