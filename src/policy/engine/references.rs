//! The configured names that the policies of a set use: teamspaces, MCP servers, scopes, clients and custom claims.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::annotations::AnnotatedSet;
use super::names::Name;

/// Most policies that are listed for one name.
const MAX_LISTED: usize = 20;

/// The kind of thing that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Also by one of its groups.
    Teamspace,
    Resource,
    Scope,
    Client,
    /// One that an identity provider states.
    CustomClaim,
}

impl Kind {
    /// As it is called in answers and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Teamspace => "teamspace",
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Client => "client",
            Self::CustomClaim => "custom_claim",
        }
    }
}

/// A name, and policies that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    pub kind: Kind,
    pub name: String,
    /// Not all of them when they are many.
    pub policies: Vec<String>,
}

/// Every name, with the policies that use it.
#[derive(Debug, Default)]
pub struct References(BTreeMap<(Kind, String), BTreeSet<String>>);

impl References {
    /// The names in a set, and the custom claims that its policies read.
    pub(in crate::policy) fn of(
        set: &AnnotatedSet,
        claims: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut references: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (id, said) in set.iter() {
            for named in said.names.all.iter().filter_map(configured) {
                references.entry(named).or_default().insert(id.to_string());
            }
        }
        for (claim, policy) in claims {
            references.entry((Kind::CustomClaim, claim)).or_default().insert(policy);
        }
        Self(references)
    }

    /// The policies that name something.
    pub fn to(&self, kind: Kind, name: &str) -> Option<Reference> {
        let policies = self.0.get(&(kind, name.to_owned()))?;
        Some(Reference::new(kind, name, policies))
    }

    /// The names of what there is not.
    pub fn without(&self, exists: impl Fn(Kind, &str) -> bool) -> Vec<Reference> {
        let gone = self.0.iter().filter(|((kind, name), _)| !exists(*kind, name));
        gone.map(|((kind, name), policies)| Reference::new(*kind, name, policies)).collect()
    }
}

/// The configured object that a name means; a pattern means none.
fn configured(name: &Name) -> Option<(Kind, String)> {
    let (kind, name) = match name {
        Name::Teamspace(slug) => (Kind::Teamspace, slug.as_str()),
        Name::Group(id) => (Kind::Teamspace, id.split_once('/')?.0),
        Name::Server(identifier) => (Kind::Resource, identifier.as_str()),
        Name::Scope(name) => (Kind::Scope, name.as_str()),
        Name::Client(client_id) => (Kind::Client, client_id.as_str()),
        _ => return None,
    };
    (!name.contains('*')).then(|| (kind, name.to_owned()))
}

impl Reference {
    fn new(kind: Kind, name: &str, policies: &BTreeSet<String>) -> Self {
        Self { kind, name: name.to_owned(), policies: policies.iter().take(MAX_LISTED).cloned().collect() }
    }
}
