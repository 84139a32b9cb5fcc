//! The kinds of objects that files declare.

use super::field::{CLIENT, FieldRule, MEMBER, PROVIDER, RESOURCE, TEAMSPACE};

/// A kind of object, in the order in which they are made: each uses only what comes before it. A resource names
/// teamspaces, and an identity provider's scopes are those of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A customer, or a part of a company.
    Teamspace,
    /// An MCP server.
    Resource,
    /// A client of the token endpoint.
    Client,
    /// An identity provider of a teamspace.
    Provider,
    /// A member of a teamspace.
    Member,
}

impl ObjectKind {
    /// Every kind, in order.
    pub const ALL: [Self; 5] = [Self::Teamspace, Self::Resource, Self::Client, Self::Provider, Self::Member];

    /// The name of the list in a file.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Teamspace => "teamspaces",
            Self::Resource => "resources",
            Self::Client => "clients",
            Self::Provider => "identity_providers",
            Self::Member => "members",
        }
    }

    /// The kind in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Teamspace => "teamspace",
            Self::Resource => "resource",
            Self::Client => "client",
            Self::Provider => "identity provider",
            Self::Member => "member",
        }
    }

    /// The kind's name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Provider => "identity_provider",
            other => other.words(),
        }
    }

    /// Whether its objects are written inside a teamspace.
    pub const fn is_in_teamspace(self) -> bool {
        matches!(self, Self::Provider | Self::Member)
    }

    /// The lists inside an object of this kind.
    pub fn nested(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |inner| self == Self::Teamspace && inner.is_in_teamspace())
    }

    /// The fields of its objects, in the order in which they are written.
    pub const fn fields(self) -> &'static [FieldRule] {
        match self {
            Self::Teamspace => TEAMSPACE,
            Self::Resource => RESOURCE,
            Self::Client => CLIENT,
            Self::Provider => PROVIDER,
            Self::Member => MEMBER,
        }
    }

    /// The field by which an object is known.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Teamspace => "slug",
            Self::Resource => "identifier",
            Self::Client => "client_id",
            Self::Provider => "name",
            Self::Member => "email",
        }
    }
}
