//! Kill switches: while one is on, what it covers gets no token, and its tokens are not active.

use std::sync::Arc;

use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The part of the deployment that a switch stops.
    #[derive(PartialOrd, Ord)]
    KillScope {
        /// Everything.
        All = "all",
        /// A teamspace.
        Teamspace = "teamspace",
        /// An issuer, in every teamspace that trusts it.
        Issuer = "issuer",
        /// A client.
        Client = "client",
        /// A resource.
        Resource = "resource",
    }
}

/// A kill switch that is on. One that is off does not exist; the audit log remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSwitch {
    /// A random identifier, ordered by time.
    pub id: String,
    /// The kind of thing that it stops.
    pub scope: KillScope,
    /// The id of the teamspace, the client or the resource, or the issuer; empty for everything.
    pub object: String,
    /// Why it was thrown, for people.
    pub reason: String,
    /// Who threw it.
    pub created_by: String,
    /// When.
    pub created_at: UnixSeconds,
}

/// The objects that a sign-in or a token depends on.
#[derive(Debug, Clone, Copy)]
pub struct KillTargets<'a> {
    /// The id of the teamspace.
    pub teamspace_id: &'a str,
    /// The issuer of the assertion; empty where it is not known.
    pub issuer: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The id of the resource.
    pub resource_id: &'a str,
}

/// Every kill switch that is on.
#[derive(Debug, Clone, Default)]
pub struct KillSwitches(
    /// Sorted by scope and object.
    Arc<[KillSwitch]>,
);

impl KillSwitches {
    /// These switches, each for another scope and object.
    pub fn new(mut switches: Vec<KillSwitch>) -> Self {
        switches.sort_by(|a, b| (a.scope, &a.object).cmp(&(b.scope, &b.object)));
        Self(switches.into())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &KillSwitch> {
        self.0.iter()
    }

    /// The switch that stops something which depends on these objects; the widest if there are several.
    pub fn stopping(&self, targets: KillTargets<'_>) -> Option<&KillSwitch> {
        if self.0.is_empty() {
            return None;
        }
        let KillTargets { teamspace_id, issuer, client_id, resource_id } = targets;
        let covering = [
            (KillScope::All, ""),
            (KillScope::Teamspace, teamspace_id),
            (KillScope::Issuer, issuer),
            (KillScope::Client, client_id),
            (KillScope::Resource, resource_id),
        ];
        covering.into_iter().find_map(|(scope, object)| self.find(scope, object))
    }

    /// The switch for an object.
    pub fn find(&self, scope: KillScope, object: &str) -> Option<&KillSwitch> {
        let at =
            self.0.binary_search_by(|switch| (switch.scope, switch.object.as_str()).cmp(&(scope, object)));
        at.ok().and_then(|at| self.0.get(at))
    }
}
