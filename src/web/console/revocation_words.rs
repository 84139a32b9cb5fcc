//! Why access tokens were ended, in words.

use crate::model::revocation::RevocationCause;

/// The cause, as the end of a line that begins with a time.
pub fn why_ended(cause: RevocationCause) -> &'static str {
    match cause {
        RevocationCause::RevokedByClient => "the client gave the token back",
        RevocationCause::MemberSuspended => "the member was suspended",
        RevocationCause::MemberRemoved => "the member was removed",
        RevocationCause::SessionsEnded => "an administrator ended the sessions",
        RevocationCause::TeamspaceRemoved => "the teamspace was removed",
        RevocationCause::ProviderDisabled => "the identity provider was disabled",
        RevocationCause::ProviderChanged => "the identity provider was changed",
        RevocationCause::ProviderRemoved => "the identity provider was removed",
        RevocationCause::ClientDisabled => "the client was disabled",
        RevocationCause::ClientRemoved => "the client was removed",
        RevocationCause::ResourceRemoved => "the MCP server was removed",
        RevocationCause::ResourceUnpublished => "the MCP server is no longer offered",
        RevocationCause::KillSwitch => "an operator's kill switch",
        RevocationCause::GlobalTokenRevocation => "the identity provider revoked the tokens",
        RevocationCause::SecurityEvent => "a security event at the identity provider",
        RevocationCause::BackChannelLogout => "signed out at the identity provider",
        RevocationCause::Scim => "deactivated by the identity provider",
        RevocationCause::DatabaseRestored => "the database was restored from a backup",
    }
}
