//! Authentication of an MCP server by the credentials of its resource. A client's credentials are not among them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::limits::Limits;
use crate::model::resource::Resource;
use crate::oauth::credentials::{Credentials, refused};
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::form::FormCredentials;
use crate::store::snapshot::Snapshot;

/// An MCP server that has proved who it is. Only [`authenticate`] makes one.
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

/// Finds the resource server, within the limit on failed attempts. Whatever is wrong with the credentials, the caller
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
