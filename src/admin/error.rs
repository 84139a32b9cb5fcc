//! Why an administrator's request is refused. The texts are for the person who asked.

use std::borrow::Cow;

use diesel::result::Error as DieselError;
use tokio::task::JoinError;

use crate::app::StartError;
use crate::idp::checks::Check;
use crate::limits::Limited;
use crate::model::member::StatusFault;
use crate::random::NoEntropy;
use crate::signing::SigningError;
use crate::store::{StoreError, is_duplicate};

/// Why an administrator's request is refused, or could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Also for what exists and is not the caller's, so that nobody learns of it.
    #[error("There is nothing here.")]
    NotFound,
    #[error("This needs an operator's token.")]
    OperatorOnly,
    /// The policies say no, in their own words.
    #[error("{0}")]
    NotPermitted(String),
    #[error("This token, or its teamspace, has used up its budget, or has too many requests under way.")]
    Limited(Limited),
    #[error("A name has 1 to 200 characters without control characters.")]
    NameInvalid,
    #[error("{0}")]
    ScopeInvalid(ListFault),

    #[error("A description has at most 1000 characters.")]
    ScopeDescriptionTooLong,
    #[error("The default scope {0} is none of the resource's scopes.")]
    DefaultScopeUnknown(String),
    #[error("{0}")]
    IdentifierInvalid(IdentifierFault),
    #[error("{0}")]
    TeamspaceUnknown(ListFault),
    #[error("A resource of this identifier is registered.")]
    ResourceTaken,

    #[error("Clients authenticate by secret only: jwks and jwks_uri must be null.")]
    JwksUnsupported,
    #[error("token_endpoint_auth_method must be client_secret_basic or client_secret_post.")]
    AuthMethodUnsupported,
    #[error(
        "A client id has 1 to 200 printable ASCII characters without space, and does not begin with https://."
    )]
    ClientIdInvalid,
    #[error("A client secret has 16 to 256 printable ASCII characters without space.")]
    ClientSecretInvalid,
    #[error("{0}")]
    GroupsInvalid(ListFault),
    #[error("{0}")]
    GrantTypesInvalid(ListFault),
    #[error("Another client has this id.")]
    ClientIdTaken,

    #[error("A slug has 1 to 63 characters of a-z, 0-9 and -, and no - at its ends.")]
    SlugInvalid,
    #[error("A member limit is null, 0 or more.")]
    MemberLimitInvalid,
    #[error("{0}")]
    EmailDomainInvalid(ListFault),
    #[error("A time zone is named as in Europe/Berlin, or is UTC.")]
    TimeZoneInvalid,
    #[error("Another teamspace has this slug.")]
    SlugTaken,
    #[error("The domain {0} is another teamspace's.")]
    DomainTaken(String),
    #[error("The slug or a domain was taken meanwhile.")]
    TakenMeanwhile,
    #[error("Policies name this slug. Change them first, or rename it anyway with ?force=true.")]
    NamedInPolicies(Vec<String>),

    #[error("groups_claim has 1 to 200 characters without control characters.")]
    GroupsClaimInvalid,
    #[error("No resource that is offered to this teamspace has the scope {0}.")]
    ScopeUnknown(String),
    #[error("{0}")]
    NotAcceptable(Box<NotAcceptable>),
    #[error("Another teamspace has configured this issuer.")]
    IssuerTaken,
    /// The answer that a teamspace gets instead: only operators learn which issuers customers have.
    #[error("This issuer cannot be saved here; ask the operator.")]
    IssuerUnavailable,
    #[error("This teamspace has an identity provider with this issuer and tenant already.")]
    IssuerTwice,
    #[error("The teamspace has several identity providers; use /identity-providers/{{id}}.")]
    SeveralIdentityProviders,
    #[error("A teamspace has at most 20 identity providers.")]
    TooManyIdentityProviders,
    #[error("Another identity provider of this teamspace has this name.")]
    ProviderNameTaken,
    #[error("A tenant has 1 to 255 bytes without control characters; null pins none.")]
    TenantInvalid,
    #[error("custom_claims are at most 20, each named once with 1 to 255 bytes without control characters.")]
    CustomClaimsInvalid,
    #[error("The identity provider was changed meanwhile; look at it and try again.")]
    ChangedMeanwhile,

    #[error("Write a plain email address such as dana@example.com, without comments or quotes.")]
    EmailInvalid,
    #[error("The email's domain is not one of the teamspace's.")]
    EmailDomainNotAllowed,
    #[error("The teamspace has a member of this email.")]
    MemberExists,
    #[error("The teamspace is at its member limit.")]
    MemberLimitReached,
    #[error("{0}")]
    StatusInvalid(#[from] StatusFault),

    #[error("This set-up token is not valid: it was used, has expired, or never was one.")]
    SetupTokenInvalid,

    #[error(
        "This set-up link does not work. Open the link that you were sent once more; if it leads here again, it was used, \
         has ended or was revoked: ask whoever sent it for a new one."
    )]
    SetupLinkInvalid,
    #[error("A set-up link can be used for 1 minute to 30 days: write for example 72h.")]
    LinkLifetimeInvalid,
    #[error("A teamspace has at most 20 open set-up links. Revoke one that nobody needs.")]
    TooManySetupLinks,
    #[error("The console is switched off (`console.enabled`), and a set-up link would lead nowhere.")]
    ConsoleOff,

    #[error("there is no teamspace {0}")]
    NoSuchTeamspace(String),
    #[error("there is no such token")]
    NoSuchToken,
    #[error("there is no such key")]
    NoSuchKey,
    #[error("this key signs now; run `countersign keys rotate --now` first")]
    KeySigns,

    #[error("The change is saved and not in force yet; it will be soon.")]
    NotInForce(#[source] Box<StartError>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    #[error("the change was broken off: {0}")]
    BrokenOff(#[from] JoinError),
}

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    #[error("There are more than 1000 entries.")]
    TooMany,
    #[error("{shown:?}: {rule}")]
    Entry { shown: String, rule: &'static str },
    #[error("{shown:?} is listed twice.")]
    Twice { shown: String },
}

/// Why a resource's identifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierFault {
    #[error("The identifier must be printable ASCII without space.")]
    Character,
    #[error("The identifier must be an absolute URL of at most 2048 characters, without #.")]
    Form,
    #[error("The identifier must be an absolute URL.")]
    NotAbsolute,
    #[error("The identifier must be https; http is for loopback only.")]
    NotHttps,
    #[error("The identifier must have no user name or password.")]
    UserInfo,
    #[error("This is Countersign's own issuer, not an MCP server.")]
    OwnIssuer,
}

/// The first check of an identity provider that failed, with the outcome of all of them.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotAcceptable {
    /// The check's, or the reason of the policy that says no.
    pub code: Cow<'static, str>,
    pub message: String,
    pub checks: Vec<Check>,
}

impl AdminError {
    /// A unique violation as this error; every other one stays what it is.
    pub(super) fn if_duplicate(self, error: impl Into<StoreError>) -> Self {
        match error.into() {
            StoreError::Database(error) if is_duplicate(&error) => self,
            other => other.into(),
        }
    }
}

impl From<DieselError> for AdminError {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}

impl From<Limited> for AdminError {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}
