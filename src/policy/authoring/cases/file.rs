//! Case files as they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::written::{Age, Instant, LowerCase, OneOrMore, ScopeList, TimeZoneName};
use crate::model::client::AuthMethod;
use crate::model::member::{Role, Status};
use crate::model::teamspace::Plan;
use crate::oauth::authorization_details::Detail;
use crate::policy::facts::{
    Actor, ConsoleKind, CustomClaims, OptionalClaim, claim_facts, client_facts, request_facts,
    teamspace_facts,
};

/// One file: named fixtures, and tests that use them.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CaseFile {
    pub teamspace: Fixtures<Teamspace>,
    pub claims: Fixtures<Claims>,
    pub client: Fixtures<Client>,
    pub server: Fixtures<Server>,
    pub who: Fixtures<Who>,
    pub test: Vec<Spanned<CaseRow>>,
}

pub(super) type Fixtures<T> = BTreeMap<String, Spanned<T>>;

/// A layered statement: a layer takes what it leaves out from the one that it extends.
pub(super) trait Layer: Clone {
    /// A layer that only refers to a fixture.
    fn named(name: String) -> Self;
    /// The fixture beneath; it is taken out.
    fn take_base(&mut self) -> Option<String>;
    /// Whether it begins anew from a fixture.
    fn has_base(&self) -> bool;
    /// Keys of the layer beneath to drop.
    fn without(&self) -> &[String];
    /// The names that can be dropped.
    fn fields() -> &'static [&'static str];
    /// This layer over another.
    fn over(self, base: Self) -> Self;
    /// Lets the fixture's name stand for a value that it does not state.
    fn called(self, name: &str) -> Self;
}

macro_rules! layer {
    ($(#[$meta:meta])* $name:ident, called by $key:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Clone, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            /// The fixture that supplies what is left out here.
            #[serde(alias = "use")]
            pub extends: Option<String>,
            /// Keys of that fixture to drop.
            pub without: Vec<String>,
            $($(#[$fmeta])* pub $field: Option<$type>,)+
        }

        impl Layer for $name {
            fn named(name: String) -> Self {
                Self { extends: Some(name), ..Self::default() }
            }

            fn take_base(&mut self) -> Option<String> {
                self.extends.take()
            }

            fn has_base(&self) -> bool {
                self.extends.is_some()
            }

            fn without(&self) -> &[String] {
                &self.without
            }

            fn fields() -> &'static [&'static str] {
                &[$(stringify!($field)),+]
            }

            fn over(self, base: Self) -> Self {
                let kept = |field: &str| !self.without.iter().any(|dropped| dropped == field);
                Self {
                    extends: self.extends.or(base.extends),
                    $($field: self.$field.or(base.$field.filter(|_| kept(stringify!($field)))),)+
                    // The dropped key may be further down.
                    without: [self.without, base.without].concat(),
                }
            }

            fn called(mut self, name: &str) -> Self {
                if self.extends.is_none() {
                    self.$key.get_or_insert_with(|| name.to_owned());
                }
                self
            }
        }
    };
}

/// A layer of facts of one kind, with the other keys that are stated with them.
macro_rules! layer_of {
    (
        [$(#[$about:meta])* $struct:ident, called by $key:ident { $($(#[$more_meta:meta])* $more:ident: $more_type:ty),* $(,)? }]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        layer! {
            $(#[$about])*
            $struct, called by $key {
                $(#[doc = $from] $case: $written,)*
                $($(#[$more_meta])* $more: $more_type,)*
            }
        }
    };
}

teamspace_facts!(layer_of
/// A customer. A fixture that extends another is the same customer in another situation, so its slug is the name of
/// the first.
Teamspace, called by slug {
    seats_used: i64,
    seats_limit: i64,
    /// Identifiers of the MCP servers offered to it.
    servers: Vec<String>,
});
claim_facts!(layer_of
/// The claims of the verified assertion.
Claims, called by sub {
    /// The authorization details that it has.
    authorization_details: Vec<Detail>,
});
client_facts!(layer_of
    /// The client that redeems the assertion.
    Client, called by client_id {});

layer! {
    /// An MCP server.
    Server, called by identifier {
        identifier: String,
        /// The scopes that it has; any scope when not stated.
        scopes: Vec<String>,
        default_scopes: Vec<String>,
    }
}

layer! {
    /// A person in the console, or the holder of an admin API token.
    Who, called by id {
        id: String,
        kind: ConsoleKind,
        email: String,
        groups: Vec<String>,
        /// The slugs of teamspaces.
        owner_of: Vec<String>,
        admin_of: Vec<String>,
        developer_of: Vec<String>,
        /// The slug of the only teamspace that a token or a set-up link is for.
        teamspace: String,
    }
}

/// A test: its facts about a request, and its other keys.
macro_rules! row {
    (
        []
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        /// A test, or a row of its `each`: a row states only its differences.
        #[derive(Debug, Default, Clone, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct CaseRow {
            pub name: Option<String>,
            pub teamspace: Option<Stated<Teamspace>>,
            pub claims: Option<Stated<Claims>>,
            pub client: Option<Stated<Client>>,
            pub request: Option<Request>,
            pub member: Option<CaseMembership>,
            /// The member's stored email; by default the asserted one.
            pub member_email: Option<String>,
            /// The member's role; developer by default.
            pub member_role: Option<Role>,
            /// Whether this sign-in binds the subject to the member.
            pub linking: Option<bool>,
            /// RFC 3339.
            pub now: Option<Instant>,
            /// The issuer that an administrator saves; no assertion is exchanged.
            pub configure: Option<String>,
            /// The person who wants to do something in the console.
            pub who: Option<Stated<Who>>,
            /// The console actions to ask about, such as `ViewMembers`: in the teamspace, or without one in the
            /// deployment.
            pub console: Option<OneOrMore>,
            /// The tools that the holder of the sign-in's token wants to call.
            pub tool: Option<OneOrMore>,
            /// Whether the holder wants the list of tools.
            pub list_tools: Option<bool>,
            /// The scopes of the token; by default all that the sign-in could be granted.
            pub token_scopes: Option<ScopeList>,
            pub expect: Option<Expectation>,
            pub each: Vec<Spanned<CaseRow>>,
            $(#[doc = $from] pub $case: Option<$written>,)*
        }
    };
}
request_facts!(row);

/// The parameters of the token request beside the assertion.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Request {
    pub scope: Option<String>,
    pub resource: Option<String>,
    pub authorization_details: Option<Vec<Detail>>,
}

/// The member's row in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseMembership {
    None,
    Active,
    Invited,
    Suspended,
    Removed,
}

impl CaseMembership {
    pub(super) fn status(self) -> Option<Status> {
        match self {
            Self::None => None,
            Self::Active => Some(Status::Active),
            Self::Invited => Some(Status::Invited),
            Self::Suspended => Some(Status::Suspended),
            Self::Removed => Some(Status::Removed),
        }
    }
}

/// An authorization detail that is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeniedDetail {
    /// The detail, equal in every member.
    pub detail: Detail,
    /// Exactly the reasons, in any order.
    pub reason: OneOrMore,
}

/// The expected outcome; each key that is given is checked.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// Exactly these scopes are on the token, in any order.
    pub granted: Option<Vec<String>>,
    /// Exactly these authorization details are on the token, in any order.
    pub details: Option<Vec<Detail>>,
    /// Scopes that are refused, each for exactly these reasons.
    pub denied: Option<BTreeMap<String, OneOrMore>>,
    /// Authorization details that are refused, each for exactly these reasons.
    pub denied_details: Option<Vec<DeniedDetail>>,
    /// The refusal's error code.
    pub error: Option<String>,
    /// Exactly the refusal's reasons, in any order.
    pub reason: Option<OneOrMore>,
    /// Policies that are among those that decided.
    pub by: Option<OneOrMore>,
    /// Whether the person becomes a member.
    pub provision: Option<bool>,
    /// Whether the issuer may be saved.
    pub saved: Option<bool>,
    /// Whether the console action or the tool is allowed; with several, all of them or none.
    pub allowed: Option<bool>,
    /// The exact lifetime that the token's life is shortened to.
    pub lifetime: Option<Age>,
}

/// The name of a fixture, or a table that may extend one.
#[derive(Debug, Clone)]
pub(super) struct Stated<T>(pub T);

impl<'de, T: Layer + Deserialize<'de>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable<T>(PhantomData<T>);
        impl<'de, T: Layer + Deserialize<'de>> Visitor<'de> for NameOrTable<T> {
            type Value = Stated<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a fixture or a table")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Stated(T::named(name.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Stated)
            }
        }
        deserializer.deserialize_any(NameOrTable(PhantomData))
    }
}
