//! An issuer's metadata: OpenID Connect Discovery §4, or RFC 8414 §3 where only that exists.

use serde_json::Value;
use url::Url;

use super::fetch::{FetchError, Fetched, Fetcher};
use crate::clock::UnixSeconds;
use crate::oauth::difference::Difference;

/// The members of the metadata that we need. `null` counts as absent.
#[derive(Debug, Clone)]
pub struct Metadata {
    pub issuer: String,
    pub jwks_uri: Option<String>,
    /// Whether the token endpoint announces that it issues ID-JAGs.
    pub announces_id_jags: bool,
    /// The issuer's time when it answered, if it said so.
    pub date: Option<UnixSeconds>,
}

impl Metadata {
    /// Required members must have the right type; members that only cause warnings may have any form.
    fn read(Fetched { json, date, .. }: &Fetched) -> Option<Self> {
        const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
        let jwks_uri = match json.get("jwks_uri") {
            None | Some(Value::Null) => None,
            Some(uri) => Some(uri.as_str()?.to_owned()),
        };
        // draft-ietf-oauth-identity-assertion-authz-grant §7.1
        let announced = match json.get("identity_chaining_requested_token_types_supported") {
            Some(Value::Array(types)) => types.iter().any(|announced| announced == ID_JAG),
            Some(announced) => announced == ID_JAG,
            None => false,
        };
        Some(Self {
            issuer: json.get("issuer")?.as_str()?.to_owned(),
            jwks_uri,
            announces_id_jags: announced,
            date: *date,
        })
    }
}

/// Why there is no usable metadata.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("the metadata lacks an issuer or has members of the wrong type")]
    Malformed,
    #[error("the metadata names the issuer {found}, not {expected}{}", remark(.expected, .found))]
    IssuerDiffers { expected: String, found: String },
}

fn remark(expected: &str, found: &str) -> String {
    let difference = Difference::between(expected, found);
    difference.map(|difference| format!(" (they differ only {difference})")).unwrap_or_default()
}

/// Fetches the metadata, whose `issuer` must be the configured one byte for byte.
pub async fn discover(fetcher: &Fetcher, issuer: &str) -> Result<Metadata, DiscoveryError> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let oidc = format!("{base}/.well-known/openid-configuration");
    let fetched = match fetcher.get(&oidc).await {
        // If neither exists, the first failure is reported: that is the usual place.
        Err(first @ (FetchError::Status(_) | FetchError::NotJson)) => {
            fetcher.get(&inserted(issuer)?).await.map_err(|_| first)?
        }
        other => other?,
    };
    let metadata = Metadata::read(&fetched).ok_or(DiscoveryError::Malformed)?;
    if metadata.issuer != issuer {
        let found = metadata.issuer.chars().take(200).collect();
        return Err(DiscoveryError::IssuerDiffers { expected: issuer.to_owned(), found });
    }
    Ok(metadata)
}

/// RFC 8414 §3.1 puts the well-known part between host and path.
fn inserted(issuer: &str) -> Result<String, FetchError> {
    let mut url = Url::parse(issuer).map_err(|_| FetchError::NotAUrl)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/oauth-authorization-server{path}"));
    Ok(url.into())
}

/// Checks the address of the keys. Exempt private origins are for private issuers: the metadata of a public issuer,
/// which any teamspace may have entered, must not lead there.
pub fn check_jwks_uri(fetcher: &Fetcher, issuer: &str, jwks_uri: &str) -> Result<(), FetchError> {
    let (issuer, keys) = (Url::parse(issuer), Url::parse(jwks_uri));
    let (Ok(issuer), Ok(keys)) = (issuer, keys) else { return Err(FetchError::NotAUrl) };
    match fetcher.is_private_origin(&keys) && !fetcher.is_private_origin(&issuer) {
        true => Err(FetchError::PrivateAddress),
        false => Ok(()),
    }
}
