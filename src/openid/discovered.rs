//! The metadata and keys of a provider.

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreSubjectIdentifierType,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, Client, ClientId, ClientSecret, DiscoveryError,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdToken, IdTokenFields, IssuerUrl,
    ProviderMetadata, RedirectUrl, StandardErrorResponse, StandardTokenResponse,
};
use serde::{Deserialize, Serialize};

use super::error::SignInError;
use super::http::GuardedHttp;
use super::person::MoreClaims;
use crate::config::Oidc;
use crate::idp::fetch::FetchError;

/// Metadata that the crate's own type lacks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MoreMetadata {
    /// RFC 9207 §3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for MoreMetadata {}

type OpenIdMetadata = ProviderMetadata<
    MoreMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Fields = IdTokenFields<
    MoreClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// An ID token.
pub(super) type SignedIdToken =
    IdToken<MoreClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// The answer of a token endpoint.
pub(super) type Tokens = StandardTokenResponse<Fields, CoreTokenType>;

type OpenIdClient = Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider whose metadata and keys were fetched.
pub(super) struct Discovered {
    pub client: OpenIdClient,
    /// Whether its answers name the issuer (RFC 9207).
    pub names_issuer: bool,
    /// When it was asked, in ticks.
    pub asked_at: i64,
}

impl Discovered {
    /// Asks the provider.
    pub async fn ask(
        oidc: &Oidc,
        redirect_url: &str,
        http: &GuardedHttp,
        asked_at: i64,
    ) -> Result<Self, SignInError> {
        let issuer = IssuerUrl::new(oidc.issuer.clone()).map_err(|_| unusable("issuer is no URL"))?;
        let redirect = RedirectUrl::new(redirect_url.to_owned())
            .map_err(|_| unusable("redirect URI, which is ours, is no URL"))?;
        let metadata = OpenIdMetadata::discover_async(issuer, http).await?;
        // The browser goes there, and it is shown where somebody types a password.
        http.0.check_url(metadata.authorization_endpoint().as_str()).map_err(SignInError::NotReached)?;
        if metadata.token_endpoint().is_none() {
            return Err(unusable("metadata has no token endpoint"));
        }
        let methods = metadata.token_endpoint_auth_methods_supported();
        let supports = |method| methods.is_some_and(|all| all.contains(&method));
        let in_body = supports(CoreClientAuthMethod::ClientSecretPost)
            && !supports(CoreClientAuthMethod::ClientSecretBasic);
        let names_issuer = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        let secret = oidc.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let client = Client::from_provider_metadata(metadata, ClientId::new(oidc.client_id.clone()), secret)
            .set_redirect_uri(redirect)
            .set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
        Ok(Self { client, names_issuer, asked_at })
    }
}

fn unusable(what: impl Into<String>) -> SignInError {
    SignInError::Unusable(what.into())
}

impl From<DiscoveryError<FetchError>> for SignInError {
    fn from(error: DiscoveryError<FetchError>) -> Self {
        match error {
            DiscoveryError::Request(error) => Self::NotReached(error),
            DiscoveryError::Validation(_) => Self::OtherIssuer,
            DiscoveryError::Response(status, ..) if status.is_success() => {
                unusable("metadata or keys are no JSON")
            }
            DiscoveryError::Response(status, ..) => Self::NotReached(FetchError::Status(status.as_u16())),
            DiscoveryError::Parse(error) => {
                unusable(format!("metadata or keys cannot be read at `{}`", error.path()))
            }
            _ => unusable("metadata or keys cannot be used"),
        }
    }
}
