//! Client authentication (RFC 6749 §2.3.1), before the assertion is touched.

use std::net::IpAddr;
use std::sync::Arc;

use crate::limits::Limits;
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::oauth::credentials::{Credentials, refused};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::request::JWT_BEARER;
use crate::store::snapshot::Snapshot;

/// A client that has proved who it is. Only [`authenticate`] makes one.
#[derive(Debug, Clone)]
pub struct Client {
    registered: Arc<RegisteredClient>,
    method: AuthMethod,
}

impl Client {
    /// Its registration.
    pub fn registered(&self) -> &Arc<RegisteredClient> {
        &self.registered
    }

    /// How it authenticated this time.
    pub fn method(&self) -> AuthMethod {
        self.method
    }
}

/// A caller who is no client, or whose turn it is not.
#[derive(Debug)]
pub struct Unauthenticated {
    /// The id that the caller claims, as far as it can be read.
    pub claimed: String,
    /// The refusal.
    pub error: TokenError,
}

/// Finds the client, within the limit on failed attempts. Credentials that cannot be read name nobody, and are counted
/// together.
pub fn authenticate(
    credentials: Result<Credentials, TokenError>,
    snapshot: &Snapshot,
    limits: &Limits,
    address: IpAddr,
) -> Result<Client, Box<Unauthenticated>> {
    let is_registered = |id: &str| snapshot.client(id).is_some();
    let claimed = credentials.as_ref().map(|c| c.claimed_id(&is_registered)).unwrap_or_default();
    if let Err(limited) = limits.check_authentication(&claimed, address) {
        return Err(Box::new(Unauthenticated { claimed, error: limited.into() }));
    }
    credentials.and_then(|credentials| check(&credentials, &claimed, snapshot)).map_err(|error| {
        if error.code == ErrorCode::InvalidClient {
            limits.note_failed_authentication(&claimed, address);
        }
        Box::new(Unauthenticated { claimed, error })
    })
}

/// Checks the client's secret and its right to this grant.
fn check(credentials: &Credentials, claimed: &str, snapshot: &Snapshot) -> Result<Client, TokenError> {
    let readings = credentials.readings(&|id| snapshot.client(id).is_some());
    let known = readings.iter().find_map(|(id, secret)| {
        let registered = snapshot.client(id)?;
        registered.has_secret(secret).then(|| Arc::clone(registered))
    });
    let Some(registered) = known else {
        let is_registered = snapshot.client(claimed).is_some();
        let reason = if is_registered { Reason::CLIENT_AUTH_FAILED } else { Reason::CLIENT_UNKNOWN };
        return Err(refused(reason));
    };
    if !registered.enabled {
        return Err(refused(Reason::CLIENT_BLOCKED));
    }
    if !registered.grant_types.iter().any(|grant| grant == JWT_BEARER) {
        return Err(TokenError::new(
            ErrorCode::UnauthorizedClient,
            Reason::GRANT_UNSUPPORTED,
            "This client is not registered for the JWT bearer grant.",
        ));
    }
    let method = match credentials {
        Credentials::Basic { .. } => AuthMethod::Basic,
        Credentials::Post { .. } => AuthMethod::Post,
    };
    Ok(Client { registered, method })
}
