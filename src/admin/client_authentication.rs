//! How a client is to authenticate: its method, and the public keys that the method needs.

use serde_json::Value;

use super::client_jwks::check;
use super::error::AdminError;
use crate::idp::fetch::{FetchError, Fetcher};
use crate::model::client::{AuthMethod, KeySource};

/// Longest address of a key set, in bytes.
const MAX_URI: usize = 2048;

/// The keys in a request to change a client. The inner `None` is `null`.
#[derive(Default)]
pub(super) struct GivenKeys {
    pub jwks: Option<Option<Value>>,
    pub jwks_uri: Option<Option<String>>,
}

impl GivenKeys {
    /// The keys of credentials, which have no others before; none for credentials with a secret.
    pub fn of_credentials(self, fetcher: &Fetcher) -> Result<Option<KeySource>, AdminError> {
        given_keys((self.jwks.flatten(), self.jwks_uri.flatten()), fetcher)
    }

    /// The keys of a client with this method; `old` are those that it has.
    pub fn resolve(
        self,
        method: AuthMethod,
        old: Option<KeySource>,
        fetcher: &Fetcher,
    ) -> Result<Option<KeySource>, AdminError> {
        let cleared = (self.jwks == Some(None), self.jwks_uri == Some(None));
        let given = (self.jwks.flatten(), self.jwks_uri.flatten());
        if !method.has_keys() {
            return if given == (None, None) { Ok(None) } else { Err(AdminError::JwksUnsupported) };
        }
        let given = given_keys(given, fetcher)?;
        let kept = old.filter(|old| match old {
            KeySource::Registered(_) => !cleared.0,
            KeySource::Fetched(_) => !cleared.1,
        });
        given.or(kept).map(Some).ok_or(AdminError::ClientKeysMissing)
    }
}

fn given_keys(
    given: (Option<Value>, Option<String>),
    fetcher: &Fetcher,
) -> Result<Option<KeySource>, AdminError> {
    match given {
        (Some(_), Some(_)) => Err(AdminError::ClientKeysMissing),
        (Some(jwks), None) => registered(&jwks).map(Some),
        (None, Some(uri)) => fetched(uri, fetcher).map(Some),
        (None, None) => Ok(None),
    }
}

/// Checks an address without asking it: its server may not be there yet. `countersign doctor` asks.
fn fetched(uri: String, fetcher: &Fetcher) -> Result<KeySource, AdminError> {
    fetcher.check_url(&uri).map_err(AdminError::JwksUriInvalid)?;
    if uri.len() > MAX_URI || !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains('#') {
        return Err(AdminError::JwksUriInvalid(FetchError::NotAUrl));
    }
    Ok(KeySource::Fetched(uri))
}

fn registered(jwks: &Value) -> Result<KeySource, AdminError> {
    let text = jwks.to_string();
    check(jwks, &text).map_err(AdminError::JwksInvalid)?;
    Ok(KeySource::Registered(text))
}
