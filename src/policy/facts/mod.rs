//! The plain data behind a decision, and the policies' view of it.

mod actor;
mod cedar;
mod console;
mod custom;
mod kinds;
mod local_moment;
mod optional_claim;
mod read;
mod rows;
mod table;
mod uids;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use actor::Actor;
pub use cedar::{FactsError, to_context};
pub use console::{ConsoleFacts, ConsoleKind, ConsoleUserFacts};
pub(in crate::policy) use custom::CustomReads;
pub use custom::{ClaimValue, CustomClaims, DeclaredClaims, MAX_DECLARED};
pub use kinds::{Access, Class, FactPlace};
pub(in crate::policy) use kinds::{Maybe, class};
pub(in crate::policy) use local_moment::LocalMoment;
pub use optional_claim::OptionalClaim;
pub(in crate::policy) use read::{ReadClaims, ReadMoment, ReadRequest};
pub use rows::{FactRow, table};
pub(in crate::policy) use table::{claim_facts, client_facts, moment_facts, request_facts, teamspace_facts};
pub use uids::action_uid;
pub(in crate::policy) use uids::{is_group, is_teamspace, is_user};

use crate::clock::UnixSeconds;
use crate::email::domain_of;
use crate::model::client::AuthMethod;
use crate::model::identity_provider::ClaimType;
use crate::model::member::{Role, Status};
use crate::model::teamspace::{Plan, UTC, is_utc};
use crate::oauth::authorization_details::DetailCandidate;
use crate::oauth::scope::Candidates;
use crate::policy::action::Action;

fn utc() -> String {
    UTC.to_owned()
}

/// Facts of one kind as plain data.
macro_rules! plain {
    (
        [$(#[$about:meta])* $struct:ident]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $struct {
            $($(#[$meta])* #[doc = $from] pub $name: $type,)*
        }
    };
}

teamspace_facts!(plain
    /// Facts about the customer.
    TeamspaceFacts);
client_facts!(plain
    /// Facts about the client that redeems the assertion.
    ClientFacts);
claim_facts!(plain
    /// Facts from the verified assertion.
    #[derive(Default)]
    ClaimFacts);

/// The facts of an exchange: the rows about a request, and the rest.
macro_rules! whole {
    (
        []
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        /// Everything that one exchange is decided on.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Facts {
            /// The time of the request, in seconds since 1970.
            pub now: UnixSeconds,
            /// The teamspace that the assertion led to.
            pub teamspace: TeamspaceFacts,
            /// The client that asks.
            pub client: ClientFacts,
            /// The claims of the verified assertion.
            pub claims: ClaimFacts,
            /// The person's membership as it was when the request came.
            pub member: MemberFacts,
            /// The MCP server that the token is asked for.
            pub resource: ResourceFacts,
            /// The scopes that could be granted, each asked about once, and those that could not.
            pub candidates: Candidates,
            $($(#[$meta])* #[doc = $from] pub $name: $type,)*
        }

        impl Facts {
            /// Shared facts that are not rows of the table. A new part must be added here.
            pub(in crate::policy) fn structure(
                &self,
            ) -> (&TeamspaceFacts, &ClientFacts, &ResourceFacts, &Candidates) {
                let Self { now: _, teamspace, client, claims: _, member: _, resource, candidates, $($name: _,)* } =
                    self;
                (teamspace, client, resource, candidates)
            }
        }
    };
}
request_facts!(whole);

/// Facts that are collected only if a policy reads them, because they take time or are private.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether a policy reads the caller's address.
    pub client_address: bool,
    /// Whether a policy reads the scopes of the request.
    pub requested_scopes: bool,
    /// The custom claims, with the types that the policies expect.
    pub custom_claims: BTreeMap<String, ClaimType>,
}

impl Wanted {
    /// Everything that at least one of the two wants. If they expect different types of a claim, this one's counts.
    pub fn or(&self, mut other: Self) -> Self {
        other.custom_claims.extend(self.custom_claims.iter().map(|(name, kind)| (name.clone(), *kind)));
        Self {
            client_address: self.client_address || other.client_address,
            requested_scopes: self.requested_scopes || other.requested_scopes,
            custom_claims: other.custom_claims,
        }
    }
}

/// Facts about the person's membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberFacts {
    /// Nobody in the teamspace has this subject or email.
    Absent {
        /// How many seats are taken.
        seats_used: i64,
        /// How many seats the teamspace has; none: without limit.
        seats_limit: Option<i64>,
    },
    /// A member, of any status.
    Present {
        /// Whether the member may sign in.
        status: Status,
        /// Whether the subject is not bound yet, so that the grant would bind it to the member of this email.
        linking: bool,
        /// The domain of the stored email; none in facts of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email_domain: Option<String>,
        /// None in facts of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    },
}

/// Facts about the MCP server that the token would be for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourceFacts {
    /// Its identifier, the token's `aud`.
    pub identifier: String,
    /// Whether it is offered to the teamspace.
    pub published: bool,
    /// The scopes that are considered when nobody names any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_scopes: Vec<String>,
}

/// The facts without the person: few combinations of them serve very many sign-ins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::policy) struct Surroundings {
    iss: String,
    teamspace: TeamspaceFacts,
    client: ClientFacts,
    resource: ResourceFacts,
    candidates: Vec<String>,
}

/// The facts for a decision on saving an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationFacts {
    /// The time of the question, in seconds since 1970.
    pub now: UnixSeconds,
    /// The issuer that would be saved.
    pub issuer: String,
    /// The teamspace that would believe it.
    pub teamspace: TeamspaceFacts,
}

impl Facts {
    /// A group's id begins with the teamspace, so that one customer's identity provider cannot put its people into
    /// another's groups.
    pub(in crate::policy) fn group_id(&self, group: &str) -> String {
        format!("{}/{group}", self.teamspace.slug)
    }

    /// The questions that a sign-in with these facts can raise.
    pub(in crate::policy) fn actions(&self) -> impl Iterator<Item = Action> {
        let scopes = (!self.candidates.scopes.is_empty()).then_some(Action::GrantScope);
        let details = (!self.details().is_empty()).then_some(Action::GrantDetail);
        let always = [Action::TrustIssuer, self.member_action(), Action::GrantResource];
        always.into_iter().chain(scopes).chain(details)
    }

    /// The authorization details that policies decide.
    pub(in crate::policy) fn details(&self) -> &[DetailCandidate] {
        self.candidates.details.as_ref().map_or(&[], |details| &details.decided)
    }

    /// The member action that applies: a newcomer is provisioned, a member admitted.
    pub(in crate::policy) fn member_action(&self) -> Action {
        match self.member {
            MemberFacts::Absent { .. } => Action::ProvisionMember,
            MemberFacts::Present { .. } => Action::AdmitMember,
        }
    }

    /// The person's groups; empty without a claim.
    pub(in crate::policy) fn groups(&self) -> &[String] {
        self.claims.groups.as_deref().unwrap_or_default()
    }

    /// The facts that the entities other than the person depend on.
    pub(in crate::policy) fn surroundings(&self) -> Surroundings {
        Surroundings {
            iss: self.claims.iss.clone(),
            teamspace: self.teamspace.clone(),
            client: self.client.clone(),
            resource: self.resource.clone(),
            candidates: self.candidates.scopes.clone(),
        }
    }

    /// The facts for questions about the token that the sign-in led to. Its person is a member by now.
    pub(in crate::policy) fn of_token(self, scopes: Vec<String>) -> Self {
        let domain = Some(self.member_domain()).filter(|domain| !domain.is_empty());
        let member = MemberFacts::Present {
            status: Status::Active,
            linking: false,
            email_domain: domain.map(str::to_owned),
            role: Some(self.member_role()),
        };
        let candidates = Candidates { scopes, requested: self.candidates.requested, ..Candidates::default() };
        Self { member, candidates, ..self }
    }

    /// The facts some time after the sign-in.
    pub(in crate::policy) fn at(&self, now: UnixSeconds) -> Self {
        let mut later = self.clone();
        later.now = now;
        // By another clock it may be before; nobody's sign-in gets fresher.
        let passed = now.saturating_sub(self.now).max(0);
        later.claims.auth_age = later.claims.auth_age.map(|age| age.saturating_add(passed));
        later
    }

    pub(in crate::policy) fn moment(&self) -> LocalMoment<'_> {
        LocalMoment { now: self.now, time_zone: &self.teamspace.time_zone }
    }
}

/// Readings of derived facts.
impl Facts {
    pub(in crate::policy) fn client_id(&self) -> &str {
        &self.client.client_id
    }

    /// The domain of the member's stored email: a missing claim does not change who a member is. At a first sign-in,
    /// the domain of the asserted email; empty if there is none.
    pub(in crate::policy) fn member_domain(&self) -> &str {
        let stored = match &self.member {
            MemberFacts::Present { email_domain, .. } => email_domain.as_deref(),
            MemberFacts::Absent { .. } => None,
        };
        stored.or_else(|| self.claims.email_domain()).unwrap_or_default()
    }

    /// The member's role; the one with the fewest rights if none is known.
    pub(in crate::policy) fn member_role(&self) -> Role {
        match self.member {
            MemberFacts::Present { role: Some(role), .. } => role,
            MemberFacts::Present { role: None, .. } | MemberFacts::Absent { .. } => Role::Developer,
        }
    }

    pub(in crate::policy) fn requested_scopes(&self) -> Option<&[String]> {
        self.candidates.requested.as_deref()
    }

    pub(in crate::policy) fn seats_used(&self) -> Option<i64> {
        match self.member {
            MemberFacts::Absent { seats_used, .. } => Some(seats_used),
            MemberFacts::Present { .. } => None,
        }
    }

    pub(in crate::policy) fn seats_limit(&self) -> Option<i64> {
        match self.member {
            MemberFacts::Absent { seats_limit, .. } => seats_limit,
            MemberFacts::Present { .. } => None,
        }
    }

    pub(in crate::policy) fn status(&self) -> Option<Status> {
        match self.member {
            MemberFacts::Absent { .. } => None,
            MemberFacts::Present { status, .. } => Some(status),
        }
    }

    pub(in crate::policy) fn linking(&self) -> Option<bool> {
        match self.member {
            MemberFacts::Absent { .. } => None,
            MemberFacts::Present { linking, .. } => Some(linking),
        }
    }
}

impl ClaimFacts {
    /// The part of the email after its `@`.
    pub fn email_domain(&self) -> Option<&str> {
        domain_of(self.email.as_deref()?)
    }
}
