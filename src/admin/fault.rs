//! Faults of single values in the requests of administrators.

use crate::model::kill_switch::KillScope;

/// Why a kill switch stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KillTargetFault {
    /// The scope is one object, and it is not said which.
    #[error("Say which {}: {}.", scope.as_str(), form_of_id(*scope))]
    Missing {
        /// The scope.
        scope: KillScope,
    },
    /// An object is named although the scope is everything.
    #[error("The scope all stops everything; it takes no id.")]
    Unneeded,
    /// Nothing has this name.
    #[error("There is no {} {id:?}: {}.", scope.as_str(), form_of_id(*scope))]
    Unknown {
        /// The scope.
        scope: KillScope,
        /// The name, shortened.
        id: String,
    },
}

/// How an object of a scope is named.
fn form_of_id(scope: KillScope) -> &'static str {
    match scope {
        KillScope::All => "everything has no id",
        KillScope::Teamspace => "give the slug of a teamspace",
        KillScope::Issuer => "give the issuer of an identity provider as it was saved",
        KillScope::Client => "give the id of a client",
        KillScope::Resource => "give the id or the identifier of a resource",
    }
}

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    /// Over 1000 entries.
    #[error("There are more than 1000 entries.")]
    TooMany,
    /// An entry that is not what the list is of.
    #[error("{shown:?}: {rule}")]
    Entry {
        /// The entry, shortened.
        shown: String,
        /// The rule that it breaks, in a sentence.
        rule: &'static str,
    },
    /// An entry is there twice.
    #[error("{shown:?} is listed twice.")]
    Twice {
        /// The entry, shortened.
        shown: String,
    },
}

/// Why a resource's identifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierFault {
    /// Another character than printable ASCII, or a space.
    #[error("The identifier must be printable ASCII without space.")]
    Character,
    /// No URL, too long, or with a fragment (RFC 8707 §2).
    #[error("The identifier must be an absolute URL of at most 2048 characters, without #.")]
    Form,
    /// A URL relative to another.
    #[error("The identifier must be an absolute URL.")]
    NotAbsolute,
    /// Another scheme than https, and not on loopback.
    #[error("The identifier must be https; http is for loopback only.")]
    NotHttps,
    /// User name or password in the URL.
    #[error("The identifier must have no user name or password.")]
    UserInfo,
    /// The issuer's own URL: its tokens would be for the authorization server itself.
    #[error("This is Countersign's own issuer, not an MCP server.")]
    OwnIssuer,
}
