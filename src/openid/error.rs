//! Why a sign-in does not come about. The texts are for the log: they have no address, no subject and no token in them.

use openidconnect::{ClaimsVerificationError, SignatureVerificationError};

use crate::idp::fetch::FetchError;
use crate::random::NoEntropy;
use crate::store::StoreError;

/// Why a sign-in does not come about.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("no sign-in is under way in this browser")]
    NotBegun,
    #[error("the answer belongs to another sign-in: its state differs")]
    WrongState,
    #[error("the answer came too late")]
    TooLate,
    #[error("the sign-in was finished before")]
    Finished,
    #[error("the provider answered with {0}")]
    Refused(&'static str),
    #[error("the provider answered with neither a code nor an error")]
    NoCode,
    #[error("the answer names another issuer, or none where it must (RFC 9207)")]
    AnsweredByAnother,

    #[error("the provider {0}")]
    NotReached(#[source] FetchError),
    #[error("the provider could not be asked a moment ago")]
    JustTried,
    #[error("the provider's metadata is of another issuer")]
    OtherIssuer,
    #[error("the provider's {0}")]
    Unusable(String),
    #[error("the provider did not take the code: {0}")]
    CodeRefused(String),

    #[error("there is no ID token in the answer")]
    NoIdToken,
    #[error("the ID token is of another issuer")]
    IdTokenIssuer,
    #[error("the ID token is for another client")]
    IdTokenAudience,
    #[error("the ID token has another nonce, or none")]
    IdTokenNonce,
    #[error("the ID token has expired")]
    IdTokenExpired,
    #[error("the ID token's signature is not good: {0}")]
    IdTokenSignature(&'static str),
    #[error("the ID token cannot be used")]
    IdTokenUnusable,

    #[error("the provider tells no email")]
    NoEmail,
    #[error("the provider does not say that the email is verified")]
    EmailNotVerified,
    #[error("the email is written in a way that is not taken")]
    EmailNotPlain,
    /// Nobody here has the address.
    #[error("nobody here has the address")]
    Nobody(String),

    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl From<ClaimsVerificationError> for SignInError {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::InvalidIssuer(_) => Self::IdTokenIssuer,
            ClaimsVerificationError::InvalidAudience(_) => Self::IdTokenAudience,
            ClaimsVerificationError::InvalidNonce(_) => Self::IdTokenNonce,
            ClaimsVerificationError::Expired(_) => Self::IdTokenExpired,
            ClaimsVerificationError::SignatureVerification(error) => Self::IdTokenSignature(why(&error)),
            _ => Self::IdTokenUnusable,
        }
    }
}

fn why(error: &SignatureVerificationError) -> &'static str {
    match error {
        SignatureVerificationError::NoMatchingKey => "the provider publishes no such key",
        SignatureVerificationError::AmbiguousKeyId(_) => "several keys come into question",
        SignatureVerificationError::DisallowedAlg(_) | SignatureVerificationError::UnsupportedAlg(_) => {
            "its algorithm is not taken"
        }
        SignatureVerificationError::NoSignature => "there is none",
        SignatureVerificationError::InvalidKey(_) => "the key does not fit",
        _ => "it is not of the key",
    }
}
