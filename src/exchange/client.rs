//! Client authentication (RFC 6749 §2.3.1), before the assertion is touched.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::client::{AuthMethod, RegisteredClient};
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::request::{FormCredentials, JWT_BEARER, form_decode};
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

/// The credentials that a caller presents.
#[derive(Debug)]
pub enum Credentials {
    /// The decoded user-pass of HTTP Basic, and a `client_id` in the body beside it.
    Basic {
        user_pass: String,
        client_id: Option<String>,
    },
    Post {
        client_id: String,
        secret: String,
    },
}

/// One message for an unknown client and a wrong secret, so that nobody learns which ids exist.
fn refused(reason: Reason) -> TokenError {
    TokenError::new(ErrorCode::InvalidClient, reason, "Client authentication failed.")
}

impl Credentials {
    /// Reads the credentials from the `Authorization` header and the form; exactly one method is allowed (RFC 6749
    /// §2.3).
    pub fn from_request(header: Option<&[u8]>, form: FormCredentials) -> Result<Self, TokenError> {
        let several =
            || TokenError::invalid_request("More than one method of client authentication was used.");
        if form.client_assertion {
            if header.is_some() || form.client_secret.is_some() {
                return Err(several());
            }
            return Err(TokenError::new(
                ErrorCode::InvalidClient,
                Reason::CLIENT_AUTH_FAILED,
                "Client assertions are not supported; use client_secret_basic or client_secret_post.",
            ));
        }
        match (header, form.client_id, form.client_secret) {
            (Some(_), _, Some(_)) => Err(several()),
            (Some(header), client_id, None) => Ok(Self::Basic { user_pass: basic(header)?, client_id }),
            (None, Some(client_id), Some(secret)) => Ok(Self::Post { client_id, secret }),
            (None, _, _) => Err(refused(Reason::CLIENT_AUTH_FAILED)),
        }
    }

    /// The id that the client claims, as far as it can be read: for the log and the rate limit.
    pub fn claimed_id(&self, snapshot: &Snapshot) -> String {
        match self {
            Self::Basic { client_id: Some(id), .. } | Self::Post { client_id: id, .. } => id.clone(),
            Self::Basic { user_pass, client_id: None } => {
                let readings = self.readings(snapshot).into_iter();
                if let Some(id) = readings.map(|(id, _)| id).find(|id| snapshot.client(id).is_some()) {
                    return id;
                }
                // Only the part before a literal colon is an id. The rest may be a secret, and so may a text without a
                // colon, or one whose colon was encoded.
                user_pass.split_once(':').map(|(id, _)| id.to_owned()).unwrap_or_default()
            }
        }
    }

    fn method(&self) -> AuthMethod {
        match self {
            Self::Basic { .. } => AuthMethod::Basic,
            Self::Post { .. } => AuthMethod::Post,
        }
    }

    /// The possible readings of id and secret. Basic comes in two encodings: form-encoded as RFC 6749 §2.3.1 says, and
    /// raw as some SDKs send it.
    fn readings(&self, snapshot: &Snapshot) -> Vec<(String, String)> {
        match self {
            Self::Post { client_id, secret } => vec![(client_id.clone(), secret.clone())],
            Self::Basic { user_pass, client_id } => {
                let mut readings = Vec::new();
                if let Some((id, secret)) = user_pass.split_once(':') {
                    let decoded = (form_decode(id.as_bytes()), form_decode(secret.as_bytes()));
                    if let (Some(id), Some(secret)) = decoded {
                        readings.push((id, secret));
                    }
                }
                readings.extend(raw_reading(user_pass, client_id.as_deref(), snapshot));
                readings.retain(|(id, _)| client_id.as_ref().is_none_or(|named| named == id));
                readings
            }
        }
    }
}

/// Splits a raw pair whose id contains colons, such as a URL, after a registered id.
fn raw_reading(user_pass: &str, client_id: Option<&str>, snapshot: &Snapshot) -> Option<(String, String)> {
    let cut = |id: &str| Some((id.to_owned(), user_pass.strip_prefix(id)?.strip_prefix(':')?.to_owned()));
    if let Some(id) = client_id {
        return cut(id);
    }
    let colons = user_pass.match_indices(':').map(|(position, _)| position).take(8);
    let ids = colons.filter_map(|position| user_pass.get(..position));
    ids.filter(|id| snapshot.client(id).is_some()).filter_map(cut).next()
}

fn basic(header: &[u8]) -> Result<String, TokenError> {
    let malformed = || refused(Reason::CLIENT_AUTH_FAILED);
    let header = std::str::from_utf8(header).map_err(|_| malformed())?;
    let (scheme, value) = header.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(malformed());
    }
    let decoded = STANDARD.decode(value.trim()).map_err(|_| malformed())?;
    String::from_utf8(decoded).map_err(|_| malformed())
}

/// Finds the client and checks its secret and its right to this grant.
pub fn authenticate(credentials: &Credentials, snapshot: &Snapshot) -> Result<Client, TokenError> {
    let readings = credentials.readings(snapshot);
    let known = readings.iter().find_map(|(id, secret)| {
        let registered = snapshot.client(id)?;
        registered.has_secret(secret).then(|| Arc::clone(registered))
    });
    let Some(registered) = known else {
        let is_registered = snapshot.client(&credentials.claimed_id(snapshot)).is_some();
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
    Ok(Client { registered, method: credentials.method() })
}
