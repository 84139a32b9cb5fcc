//! Why an administrator's request is refused. The texts are for the person who asked.

use std::borrow::Cow;

use diesel::result::Error as DieselError;
use tokio::task::JoinError;

use super::client_jwks::JwksFault;
use super::fault::{IdentifierFault, KillTargetFault, ListFault};
use crate::app::StartError;
use crate::idp::checks::IssuerCheck;
use crate::idp::fetch::FetchError;
use crate::limits::Limited;
use crate::model::member::StatusFault;
use crate::random::NoEntropy;
use crate::signing::SigningError;
use crate::store::{StoreError, is_duplicate};

/// Why an administrator's request is refused, or could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nothing has this name. Also the answer for things that exist but are not the caller's, so that their existence
    /// stays hidden.
    #[error("There is nothing here.")]
    NotFound,
    /// A teamspace's token was used for what concerns the whole deployment.
    #[error("This needs an operator's token.")]
    OperatorOnly,
    /// The policies say no, in their own words.
    #[error("{0}")]
    NotPermitted(String),
    /// The admin API's budget is spent; with the time to wait.
    #[error(
        "This token, or its teamspace, has used up its budget, or has too many requests under way. Wait as long as \
         Retry-After says; an operator can raise the limits in the section `admin` of the configuration."
    )]
    Limited(Limited),
    /// A name that is to be saved is empty, too long, or holds control characters.
    #[error("A name has 1 to 200 characters without control characters.")]
    NameInvalid,
    /// A scope of a resource or provider breaks the rules of RFC 6749 §3.3.
    #[error("{0}")]
    ScopeInvalid(ListFault),

    /// The description of a resource's scope is too long.
    #[error("A description has at most 1000 characters.")]
    ScopeDescriptionTooLong,
    /// The resource lists scopes, and this default scope is not among them.
    #[error("The default scope {0} is not one of the resource's scopes.")]
    DefaultScopeUnknown(String),
    /// The resource lists scopes, and this required scope is not among them.
    #[error("The required scope {0} is not one of the resource's scopes.")]
    RequiredScopeUnknown(String),
    /// The resource's identifier is no URL that tokens can be issued for.
    #[error("{0}")]
    IdentifierInvalid(IdentifierFault),
    /// A resource is to be offered to teamspaces that do not exist.
    #[error("{0}")]
    TeamspaceUnknown(ListFault),
    /// Another resource has this identifier, or one that is the same after normalization.
    #[error("A resource with this identifier is already registered.")]
    ResourceTaken,
    /// One more pair of credentials would exceed the limit.
    #[error("A resource has at most 4 credentials. Delete those that no server uses.")]
    TooManyCredentials,

    /// The metadata of an identity provider name another address of the keys than the administrator confirmed.
    #[error(
        "The issuer's metadata name another jwks_uri than the one that was confirmed. Look at them again."
    )]
    JwksUriDiffers,

    /// The client is to have keys, but has another way.
    #[error(
        "Only a client with private_key_jwt has keys: jwks and jwks_uri must be null, or token_endpoint_auth_method private_key_jwt."
    )]
    JwksUnsupported,
    /// The client is to sign assertions, but it is not known with which key.
    #[error(
        "Who signs assertions (private_key_jwt) has the public keys in jwks or at jwks_uri: give exactly one of them."
    )]
    ClientKeysMissing,
    /// The client's key set cannot be used.
    #[error("jwks: {0}")]
    JwksInvalid(JwksFault),
    /// The address of the client's key set cannot be fetched from.
    #[error("jwks_uri {0}")]
    JwksUriInvalid(FetchError),
    /// A client or credentials are to have a secret, but have another way.
    #[error("With private_key_jwt or none there is no secret.")]
    ClientSecretUnsupported,
    /// The client is to authenticate in a way that we do not support.
    #[error(
        "token_endpoint_auth_method must be client_secret_basic, client_secret_post, private_key_jwt or none."
    )]
    AuthMethodUnsupported,
    /// The client id that the administrator chose cannot be one.
    #[error(
        "A client id has 1 to 200 printable ASCII characters without space, and does not begin with https://."
    )]
    ClientIdInvalid,
    /// The client secret that the administrator chose is too short, too long, or cannot be sent in a header.
    #[error("A client secret has 16 to 256 printable ASCII characters without space.")]
    ClientSecretInvalid,
    /// A group of the client is not a group's name, or is listed twice.
    #[error("{0}")]
    GroupsInvalid(ListFault),
    /// A grant type of the client is not one that we serve, or is listed twice.
    #[error("{0}")]
    GrantTypesInvalid(ListFault),
    /// A client with this id is registered, or a resource has credentials with it.
    #[error("A client, or the credentials of a resource, have this id already.")]
    ClientIdTaken,

    /// The slug could not stand in a URL.
    #[error("A slug has 1 to 63 characters of a-z, 0-9 and -, and no - at its ends.")]
    SlugInvalid,
    /// The member limit is negative.
    #[error("A member limit is null, 0 or more.")]
    MemberLimitInvalid,
    /// An email domain of the teamspace is not a domain, or is listed twice.
    #[error("{0}")]
    EmailDomainInvalid(ListFault),
    /// The time zone is not in the IANA database.
    #[error("A time zone is UTC, or has a name such as Europe/Berlin.")]
    TimeZoneInvalid,
    /// A teamspace with this slug exists.
    #[error("Another teamspace has this slug.")]
    SlugTaken,
    /// This email domain belongs to another teamspace, and a domain leads to one only.
    #[error("The domain {0} is another teamspace's.")]
    DomainTaken(String),
    /// Another change came first and took the slug or a domain.
    #[error("Somebody else has just taken the slug or a domain.")]
    TakenMeanwhile,
    /// Policies name the slug that would go, in these policies by their `@id`.
    #[error("Policies name this slug. Change them first, or rename it anyway with ?force=true.")]
    NamedInPolicies(Vec<String>),

    /// The name of the groups claim cannot be a claim's name.
    #[error("groups_claim has 1 to 200 characters without control characters.")]
    GroupsClaimInvalid,
    /// The provider is to grant a scope that its teamspace's resources do not have.
    #[error("No resource that is offered to this teamspace has the scope {0}.")]
    ScopeUnknown(String),
    /// A check of the provider failed, or a policy refuses it.
    #[error("{0}")]
    NotAcceptable(Box<NotAcceptable>),
    /// The issuer and tenant are another teamspace's; this is said to operators only.
    #[error("Another teamspace has configured this issuer.")]
    IssuerTaken,
    /// The issuer cannot be saved. Teamspaces get this answer in place of `IssuerTaken`: only operators may learn
    /// which issuers customers have.
    #[error("This issuer cannot be saved here; ask the operator.")]
    IssuerUnavailable,
    /// The teamspace believes this issuer and tenant already.
    #[error("This teamspace has an identity provider with this issuer and tenant already.")]
    IssuerTwice,
    /// The singular path was used, and it does not say which provider is meant.
    #[error("The teamspace has several identity providers; use /identity-providers/{{id}}.")]
    SeveralIdentityProviders,
    /// One more provider would exceed the limit.
    #[error("A teamspace has at most 20 identity providers.")]
    TooManyIdentityProviders,
    /// The name is another provider's, and administrators tell them apart by it.
    #[error("Another identity provider of this teamspace has this name.")]
    ProviderNameTaken,
    /// The tenant that the provider is to be pinned to cannot be one.
    #[error("A tenant has 1 to 255 bytes without control characters; null pins none.")]
    TenantInvalid,
    /// The client id of logout tokens cannot be one.
    #[error("A `logout_client_id` is null, or 1 to 255 bytes without control characters.")]
    LogoutClientIdInvalid,
    /// The SAML issuer of a provider cannot be one.
    #[error(
        "A `saml_issuer` is null, or the provider's SAML entity ID of 1 to 255 bytes without control characters."
    )]
    SamlIssuerInvalid,
    /// Nobody can be linked by this claim.
    #[error(
        "A `link_by` is null, `aud_sub`, or the name of one of `custom_claims` of type text that has no meaning of its own."
    )]
    LinkByInvalid,
    /// A custom claim's name or type is not allowed, or there are too many.
    #[error("custom_claims are at most 20, each named once with 1 to 255 bytes without control characters.")]
    CustomClaimsInvalid,
    /// Somebody has changed the object since the caller saw it.
    #[error("Somebody else has just changed this; look at it and try again.")]
    ChangedMeanwhile,

    /// The address is not one that an identity provider would send.
    #[error("Write a plain email address such as dana@example.com, without comments or quotes.")]
    EmailInvalid,
    /// Only addresses of the teamspace's own domains are members.
    #[error("The email's domain is not one of the teamspace's; an operator can add it to `email_domains`.")]
    EmailDomainNotAllowed,
    /// The address is a member's, of whatever status but removed.
    #[error("The teamspace already has a member with this email.")]
    MemberExists,
    /// Every seat is taken.
    #[error("The teamspace is at its member limit; an operator can raise `member_limit`.")]
    MemberLimitReached,
    /// A member without an email cannot lose the subject that they are known by.
    #[error(
        "This member has no email, and is known by the subject alone; suspend them, or remove them for good."
    )]
    MemberWithoutEmail,
    /// The value is another member's.
    #[error("Another member of the teamspace has this link; clear it there first.")]
    LinkTaken,
    /// An administrator cannot change the status in this way.
    #[error("{0}")]
    StatusInvalid(#[from] StatusFault),

    /// The set-up token is not one that signs in.
    #[error("This set-up token is not valid: it was used, has expired, or never existed.")]
    SetupTokenInvalid,

    /// The set-up link is not one that signs in.
    #[error(
        "This set-up link does not work. Open the link that you were sent once more; if it leads here again, it was used, \
         has ended or was revoked: ask whoever sent it for a new one."
    )]
    SetupLinkInvalid,
    /// The lifetime of a set-up link is out of its range.
    #[error("A set-up link can be used for 1 minute to 30 days: write for example 72h.")]
    LinkLifetimeInvalid,
    /// One more set-up link would exceed the limit.
    #[error("A teamspace has at most 20 open set-up links. Revoke one that nobody needs.")]
    TooManySetupLinks,
    /// The lifetime of a SCIM token is out of its range.
    #[error("A SCIM token is accepted for 1 hour to 1830 days, or without an end: write for example 365d.")]
    TokenLifetimeInvalid,
    /// The name is another SCIM token's, and the audit log tells them apart by it.
    #[error("Another SCIM token of this teamspace has this name.")]
    ScimTokenNameTaken,
    /// One more SCIM token would exceed the limit.
    #[error("A teamspace has at most 5 SCIM tokens. Delete one that nobody needs.")]
    TooManyScimTokens,
    /// A set-up link was asked for while there is no console to open with it.
    #[error("The console is switched off (`console.enabled`), and a set-up link would lead nowhere.")]
    ConsoleOff,

    /// A kill switch is to stop something that does not exist, or does not say what.
    #[error("{0}")]
    KillTargetInvalid(#[from] KillTargetFault),
    /// A kill switch comes without a reason, or with one that is too long or holds control characters.
    #[error("A kill switch needs a reason of 1 to 200 characters without control characters.")]
    KillReasonInvalid,

    /// A command names this slug, and no teamspace has it.
    #[error("there is no teamspace {0}")]
    NoSuchTeamspace(String),
    /// A command names a token that does not exist.
    #[error("there is no such token")]
    NoSuchToken,
    /// A command names a key that does not exist.
    #[error("there is no such key")]
    NoSuchKey,
    /// The key to be removed is the one that signs.
    #[error("this key signs now; run `countersign key rotate --now` first")]
    KeySigns,

    /// The change is in the database, and this process could not take it over.
    #[error("The change is saved and not in force yet; it will be soon.")]
    NotInForce(#[source] Box<StartError>),
    /// The database failed, or did not answer in time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A signing key cannot be made or used.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The task that made the change panicked; whether it is saved is not known.
    #[error("the change was interrupted: {0}")]
    BrokenOff(#[from] JoinError),
}

/// The first check of an identity provider that failed, with the outcome of all of them.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotAcceptable {
    /// The code of the failed check, or the reason given by the refusing policy.
    pub code: Cow<'static, str>,
    /// Tells the administrator what is wrong and what to do.
    pub message: String,
    /// Each check that was made, in order, up to the one that failed.
    pub checks: Vec<IssuerCheck>,
}

impl AdminError {
    /// Whether somebody else's change, perhaps of a moment ago, stands in the way.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::ChangedMeanwhile
                | Self::JwksUriDiffers
                | Self::ResourceTaken
                | Self::ClientIdTaken
                | Self::SlugTaken
                | Self::DomainTaken(_)
                | Self::TakenMeanwhile
                | Self::IssuerTwice
                | Self::ProviderNameTaken
        )
    }

    /// Turns a unique violation into this error; every other error stays as it is.
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
