//! Revocations: which access tokens are no longer active although they have not expired.

use super::identity_provider::IdentityProvider;
use super::member::Member;
use super::resource::Resource;
use super::teamspace::Teamspace;
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// What the tokens have in common.
    RevocationKind {
        /// One token, by its `jti`.
        Token = "token",
        /// The tokens of a member.
        Member = "member",
        /// The tokens of everybody in a teamspace.
        Teamspace = "teamspace",
        /// The tokens that an identity provider's assertions led to.
        IdentityProvider = "identity_provider",
        /// The tokens that a client got.
        Client = "client",
        /// The tokens for a resource.
        Resource = "resource",
        /// The tokens of a teamspace for a resource.
        Publication = "publication",
        /// All tokens.
        Everything = "everything",
    }
}

text_enum! {
    /// Why the tokens are no longer active.
    RevocationCause {
        /// The client revoked its own token (RFC 7009).
        RevokedByClient = "revoked_by_client",
        /// An administrator suspended the member.
        MemberSuspended = "member_suspended",
        /// An administrator removed the member.
        MemberRemoved = "member_removed",
        /// An administrator ended the member's sessions.
        SessionsEnded = "sessions_ended",
        /// An operator removed the teamspace.
        TeamspaceRemoved = "teamspace_removed",
        /// An administrator disabled the identity provider.
        ProviderDisabled = "provider_disabled",
        /// The identity provider has another issuer or tenant now.
        ProviderChanged = "provider_changed",
        /// An administrator removed the identity provider.
        ProviderRemoved = "provider_removed",
        /// An operator disabled the client.
        ClientDisabled = "client_disabled",
        /// An operator removed the client.
        ClientRemoved = "client_removed",
        /// An operator removed the resource.
        ResourceRemoved = "resource_removed",
        /// The resource is no longer offered to the teamspace.
        ResourceUnpublished = "resource_unpublished",
        /// An operator threw a kill switch.
        KillSwitch = "kill_switch",
        /// The identity provider revoked the person's tokens (Global Token Revocation).
        GlobalTokenRevocation = "global_token_revocation",
        /// The identity provider told of a security event (Shared Signals).
        SecurityEvent = "security_event",
        /// The person signed out at the identity provider (OpenID Connect Back-Channel Logout).
        BackChannelLogout = "back_channel_logout",
        /// The identity provider deactivated the person by SCIM.
        Scim = "scim",
        /// The database was restored from a backup, which does not know what was revoked since.
        DatabaseRestored = "database_restored",
    }
}

/// Says that certain tokens are no longer active: those of an object that were issued at or before a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What the tokens have in common.
    pub kind: RevocationKind,
    /// The object's id; empty for everything. See [`publication_id`] for a publication.
    pub object: String,
    /// The object as tokens name it: a teamspace's slug, a resource's identifier, otherwise the id.
    pub name: String,
    /// The teamspace whose tokens they are; none where they may be any teamspace's.
    pub teamspace_id: Option<String>,
    /// The resource that the tokens are for; none where they may be for any.
    pub resource_id: Option<String>,
    /// The tokens' latest time of issue.
    pub issued_until: UnixSeconds,
    /// When it was recorded.
    pub at: UnixSeconds,
    /// Why.
    pub cause: RevocationCause,
    /// The request that led to it; empty where there was none.
    pub request_id: String,
}

/// The object of a publication, a resource offered to a teamspace.
pub fn publication_id(resource_id: &str, teamspace_id: &str) -> String {
    format!("{resource_id} {teamspace_id}")
}

impl Revocation {
    fn of(kind: RevocationKind, object: &str, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self {
            kind,
            object: object.to_owned(),
            name: object.to_owned(),
            teamspace_id: None,
            resource_id: None,
            issued_until: at,
            at,
            cause,
            request_id: String::new(),
        }
    }

    /// Revokes one token.
    pub fn of_token(
        (token_id, issued_at): (&str, UnixSeconds),
        teamspace_id: &str,
        resource_id: Option<&str>,
        cause: RevocationCause,
        at: UnixSeconds,
    ) -> Self {
        let (teamspace_id, resource_id) = (Some(teamspace_id.to_owned()), resource_id.map(str::to_owned));
        let token = Self::of(RevocationKind::Token, token_id, cause, at);
        Self { teamspace_id, resource_id, issued_until: issued_at, ..token }
    }

    /// Revokes a member's tokens, also if the clock of the process that issued the latest one is ahead.
    pub fn of_member(member: &Member, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self {
            teamspace_id: Some(member.teamspace_id.clone()),
            issued_until: member.last_sign_in_at.map_or(at, |last| last.max(at)),
            ..Self::of(RevocationKind::Member, &member.id, cause, at)
        }
    }

    /// Revokes the tokens of everybody in a teamspace.
    pub fn of_teamspace(teamspace: &Teamspace, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self {
            name: teamspace.slug.clone(),
            teamspace_id: Some(teamspace.id.clone()),
            ..Self::of(RevocationKind::Teamspace, &teamspace.id, cause, at)
        }
    }

    /// Revokes the tokens that an identity provider's assertions led to.
    pub fn of_provider(provider: &IdentityProvider, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self {
            teamspace_id: Some(provider.teamspace_id.clone()),
            ..Self::of(RevocationKind::IdentityProvider, &provider.id, cause, at)
        }
    }

    /// Revokes the tokens that a client got.
    pub fn of_client(client_id: &str, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self::of(RevocationKind::Client, client_id, cause, at)
    }

    /// Revokes the tokens for a resource.
    pub fn of_resource(resource: &Resource, cause: RevocationCause, at: UnixSeconds) -> Self {
        Self {
            name: resource.identifier.clone(),
            resource_id: Some(resource.id.clone()),
            ..Self::of(RevocationKind::Resource, &resource.id, cause, at)
        }
    }

    /// Revokes the tokens of a teamspace for a resource.
    pub fn of_publication(
        resource: &Resource,
        (teamspace_id, slug): (&str, &str),
        cause: RevocationCause,
        at: UnixSeconds,
    ) -> Self {
        let object = publication_id(&resource.id, teamspace_id);
        Self {
            name: slug.to_owned(),
            teamspace_id: Some(teamspace_id.to_owned()),
            resource_id: Some(resource.id.clone()),
            ..Self::of(RevocationKind::Publication, &object, cause, at)
        }
    }

    /// Revokes all tokens.
    pub fn of_everything(cause: RevocationCause, at: UnixSeconds) -> Self {
        Self::of(RevocationKind::Everything, "", cause, at)
    }

    /// The same, with the request that led to it.
    pub fn by_request(self, request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), ..self }
    }
}
