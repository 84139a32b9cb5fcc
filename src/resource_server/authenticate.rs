//! Authentication of an MCP server by the credentials of its resource: a secret, or an assertion that it signs (RFC 7523
//! §2.2). A client's credentials are not among them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::App;
use crate::idp::client_assertion::{
    ExpectedClient, UnverifiedClientAssertion, assertion_replayed, failed, verify_by_keys,
};
use crate::limits::Limits;
use crate::model::resource::{Resource, ResourceCredential};
use crate::oauth::credentials::{Credentials, refused};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::form::FormCredentials;
use crate::store::ledger::ClientAssertionUse;
use crate::store::snapshot::Snapshot;

/// An MCP server that has proved who it is. Only this module makes one.
#[derive(Debug, Clone)]
pub struct ResourceServer {
    resource: Arc<Resource>,
    credential_id: String,
}

impl ResourceServer {
    /// Its resource, as it was registered at the time.
    pub fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// The same with the resource as it is now; the refusal if the credentials are gone.
    pub fn renewed(self, snapshot: &Snapshot) -> Result<Self, TokenError> {
        let Self { credential_id, .. } = self;
        match snapshot.resource_by_credential(&credential_id) {
            Some(resource) => Ok(Self { resource: Arc::clone(resource), credential_id }),
            None => Err(refused(Reason::CLIENT_UNKNOWN)),
        }
    }
}

/// Finds the resource server by its secret, within the limit on failed attempts. Whatever is wrong with the credentials, the caller
/// reads the same.
pub fn authenticate(
    authorization: Option<&[u8]>,
    form: FormCredentials,
    snapshot: &Snapshot,
    limits: &Limits,
    address: IpAddr,
) -> Result<ResourceServer, TokenError> {
    let is_known = |id: &str| snapshot.resource_by_credential(id).is_some();
    let credentials = Credentials::from_request(authorization, form).ok();
    let claimed = credentials.as_ref().map(|c| c.claimed_id(&is_known)).unwrap_or_default();
    limits.check_authentication(&claimed, address)?;
    let readings = credentials.map(|credentials| credentials.readings(&is_known)).unwrap_or_default();
    let found = readings.into_iter().find_map(|(credential_id, secret)| {
        let resource = snapshot.resource_by_credential(&credential_id)?;
        let has_secret = resource.has_credential(&credential_id, &secret);
        has_secret.then(|| ResourceServer { resource: Arc::clone(resource), credential_id })
    });
    found.ok_or_else(|| {
        limits.note_failed_authentication(&claimed, address);
        let is_known = is_known(&claimed);
        refused(if is_known { Reason::CLIENT_AUTH_FAILED } else { Reason::CLIENT_UNKNOWN })
    })
}

/// Finds the resource server by a request with a form, which may have an assertion in the place of a secret. An assertion is
/// used up before anything is answered.
pub async fn authenticate_by_form(
    app: &App,
    authorization: Option<&[u8]>,
    form: FormCredentials,
    address: IpAddr,
) -> Result<ResourceServer, TokenError> {
    if form.client_assertion.is_none() && form.client_assertion_type.is_none() {
        return authenticate(authorization, form, &app.snapshot(), &app.limits, address);
    }
    // Boxed: whoever sends a secret does not pay for it.
    let work = Box::pin(by_assertion(app, authorization, form, address));
    app.store.for_one_request(work).await
}

async fn by_assertion(
    app: &App,
    authorization: Option<&[u8]>,
    form: FormCredentials,
    address: IpAddr,
) -> Result<ResourceServer, TokenError> {
    let credentials = Credentials::from_request(authorization, form);
    let (beside, assertion) = match &credentials {
        Ok(Credentials::Assertion { client_id, assertion }) => (client_id.as_deref(), assertion.as_str()),
        _ => (None, ""),
    };
    let max_size = app.config.assertion.max_size.bytes();
    let read = UnverifiedClientAssertion::peek(assertion, max_size);
    let named = read.as_ref().map(|read| read.header().issuer().to_owned()).unwrap_or_default();
    let claimed = beside.map_or(named, str::to_owned);
    app.limits.check_authentication(&claimed, address)?;
    let proved = match read {
        Ok(unverified) => proved(app, &claimed, unverified).await,
        Err(fault) => Err(failed(fault.to_string())),
    };
    let (server, used) = proved.inspect_err(|error| {
        if error.code == ErrorCode::InvalidClient {
            app.limits.note_failed_authentication(&claimed, address);
        }
    })?;
    let conflict = app.use_client_assertion(used).await?;
    conflict.map_or(Ok(server), |conflict| Err(assertion_replayed(conflict)))
}

/// Verifies an assertion with the keys of the credentials that it is about, which are those of one resource.
async fn proved(
    app: &App,
    credential_id: &str,
    unverified: UnverifiedClientAssertion<'_>,
) -> Result<(ResourceServer, ClientAssertionUse), TokenError> {
    let snapshot = app.snapshot();
    let resource = snapshot.resource_by_credential(credential_id);
    let resource = resource.ok_or_else(|| refused(Reason::CLIENT_UNKNOWN))?;
    let keys = resource.credential(credential_id).and_then(ResourceCredential::keys);
    let keys = keys.ok_or_else(|| failed("the credentials have a secret and no keys".to_owned()))?;
    let expected = ExpectedClient::new(credential_id, &app.config, app.clock.now());
    let used = verify_by_keys(unverified, (&app.client_keys, keys), &expected).await?;
    Ok((ResourceServer { resource: Arc::clone(resource), credential_id: credential_id.to_owned() }, used))
}
