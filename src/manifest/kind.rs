//! The kinds of objects that files declare.

use super::field::{CLIENT, CREDENTIAL, FieldRule, MEMBER, PROVIDER, RESOURCE, TEAMSPACE};
use crate::oauth::resource::normalize;

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
    /// Credentials of a resource. Their ids are no client's.
    Credential,
    /// An identity provider of a teamspace.
    Provider,
    /// A member of a teamspace.
    Member,
}

impl ObjectKind {
    /// Every kind, in order.
    pub const ALL: [Self; 6] =
        [Self::Teamspace, Self::Resource, Self::Client, Self::Credential, Self::Provider, Self::Member];

    /// The name of the list in a file.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Teamspace => "teamspaces",
            Self::Resource => "resources",
            Self::Client => "clients",
            Self::Credential => "credentials",
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
            Self::Credential => "credential",
            Self::Provider => "identity provider",
            Self::Member => "member",
        }
    }

    /// The kind's name in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Provider => "identity_provider",
            Self::Credential => "resource_credential",
            other => other.words(),
        }
    }

    /// The kind of the objects that its objects are written inside, if they are written inside any.
    pub const fn within(self) -> Option<Self> {
        match self {
            Self::Provider | Self::Member => Some(Self::Teamspace),
            Self::Credential => Some(Self::Resource),
            Self::Teamspace | Self::Resource | Self::Client => None,
        }
    }

    /// The kinds of the lists of a whole file.
    pub fn outermost() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.within().is_none())
    }

    /// The lists inside an object of this kind.
    pub fn nested(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |inner| inner.within() == Some(self))
    }

    /// The fields of its objects, in the order in which they are written.
    pub const fn fields(self) -> &'static [FieldRule] {
        match self {
            Self::Teamspace => TEAMSPACE,
            Self::Resource => RESOURCE,
            Self::Client => CLIENT,
            Self::Credential => CREDENTIAL,
            Self::Provider => PROVIDER,
            Self::Member => MEMBER,
        }
    }

    /// The field by which an object is known.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Teamspace => "slug",
            Self::Resource => "identifier",
            Self::Client | Self::Credential => "client_id",
            Self::Provider => "name",
            Self::Member => "email",
        }
    }

    /// A name as names are compared: a resource's identifier in its normal form, any other as it is.
    pub fn comparable(self, name: &str) -> String {
        let normal = (self == Self::Resource).then(|| normalize(name)).flatten();
        normal.unwrap_or_else(|| name.to_owned())
    }
}
