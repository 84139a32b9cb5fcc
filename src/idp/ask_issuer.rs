//! Asks an issuer for its metadata and keys.

use super::discovery::{DiscoveryError, Metadata, check_jwks_uri, discover};
use super::fetch::{FetchError, Fetcher};
use super::key_set::{KeySet, NoUsableKey};
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::NamedByMetadata;

/// Longest address that is told; an issuer chooses it.
const MAX_ADDRESS: usize = 512;

/// Why a key set was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("jwks_uri {0}")]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    NoUsableKey(#[from] NoUsableKey),
}

/// What an issuer said when it was asked.
pub(super) struct IssuerAnswer {
    /// What its metadata names; none if there was none.
    pub named: Option<NamedByMetadata>,
    pub keys: Result<FetchedKeys, RefreshError>,
}

/// Keys as an issuer publishes them.
pub(super) struct FetchedKeys {
    pub keys: KeySet,
    /// For how many seconds they are good without asking again.
    pub max_age: i64,
}

/// Asks for the metadata first: an issuer that changed its name or moved its keys is not followed silently. Keys are
/// good for at most `longest` seconds.
pub(super) async fn ask_issuer(fetcher: &Fetcher, provider: &IdentityProvider, longest: i64) -> IssuerAnswer {
    let discovered = discover(fetcher, &provider.issuer).await;
    let named = named_by(&discovered);
    if let Some(named) = named.as_ref().filter(|named| !named.agrees(&provider.issuer, &provider.jwks_uri)) {
        tracing::warn!(
            issuer = provider.issuer,
            jwks_uri = provider.jwks_uri,
            named_issuer = named.issuer,
            named_jwks_uri = named.jwks_uri,
            "the issuer's metadata names another issuer or jwks_uri than was saved; it is not followed until an \
             administrator confirms it"
        );
    }
    let keys = match discovered {
        Ok(_) => fetch_keys(fetcher, provider, longest).await,
        Err(error) => Err(error.into()),
    };
    IssuerAnswer { named, keys }
}

fn named_by(discovered: &Result<Metadata, DiscoveryError>) -> Option<NamedByMetadata> {
    match discovered {
        Ok(metadata) => {
            let jwks_uri = metadata.jwks_uri.as_ref().map(|uri| uri.chars().take(MAX_ADDRESS).collect());
            Some(NamedByMetadata { issuer: metadata.issuer.clone(), jwks_uri })
        }
        Err(DiscoveryError::IssuerDiffers { found, .. }) => {
            Some(NamedByMetadata { issuer: found.clone(), jwks_uri: None })
        }
        Err(DiscoveryError::Fetch(_) | DiscoveryError::Malformed) => None,
    }
}

async fn fetch_keys(
    fetcher: &Fetcher,
    provider: &IdentityProvider,
    longest: i64,
) -> Result<FetchedKeys, RefreshError> {
    check_jwks_uri(fetcher, &provider.issuer, &provider.jwks_uri)?;
    let fetched = fetcher.get(&provider.jwks_uri).await?;
    let keys = KeySet::parse(&fetched.json)?;
    Ok(FetchedKeys { keys, max_age: fetched.max_age.map_or(longest, |age| age.clamp(60, longest)) })
}
