//! What a decision stands on, as plain data.

mod cedar;

use serde::{Deserialize, Serialize};

pub use cedar::{FactsError, action_uid, to_context};
pub(in crate::policy) use cedar::{is_group, is_teamspace, is_user, weekday};

use super::action::Action;
use crate::clock::UnixSeconds;
use crate::email::domain_of;
use crate::model::client::AuthMethod;
use crate::model::member::Status;
use crate::model::teamspace::Plan;
use crate::oauth::scope::Candidates;

/// Facts about the customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TeamspaceFacts {
    pub slug: String,
    pub plan: Plan,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// None: pass through what the identity provider authorized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_setting: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
}

/// Facts about the client that redeems the assertion.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientFacts {
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    pub public: bool,
    pub auth_method: AuthMethod,
}

/// Facts from the verified assertion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimFacts {
    pub iss: String,
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud_tenant: Option<String>,
    /// Lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Seconds since `auth_time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_age: Option<i64>,
    /// None: no scope claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Empty: no resource claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// None: no groups claim. A present and empty one says that the person is in no group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The claims that are there but cannot be taken whole; above they look absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<OptionalClaim>,
}

/// A claim whose value only policies need, at least at some sign-ins: one that cannot be taken whole is not known
/// then, instead of refusing the assertion whatever the policies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionalClaim {
    Groups,
    Email,
    EmailVerified,
    Scope,
}

/// Facts about the person's membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberFacts {
    Absent {
        seats_used: i64,
        seats_limit: Option<i64>,
    },
    Present {
        status: Status,
        linking: bool,
        /// Of the email that is stored; none in facts of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email_domain: Option<String>,
    },
}

/// Facts about the MCP server that the token would be for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourceFacts {
    pub identifier: String,
    pub published: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_scopes: Vec<String>,
}

/// Everything that one exchange is decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub now: UnixSeconds,
    pub teamspace: TeamspaceFacts,
    pub client: ClientFacts,
    pub claims: ClaimFacts,
    pub member: MemberFacts,
    pub resource: ResourceFacts,
    /// The scopes that could be granted, each asked once, and those that could not.
    pub candidates: Candidates,
    /// Whether the assertion is bound to a key and the client proved that it holds it.
    pub key_bound: bool,
}

/// The facts but for the person: few combinations of them serve very many sign-ins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::policy) struct Surroundings {
    iss: String,
    teamspace: TeamspaceFacts,
    client: ClientFacts,
    resource: ResourceFacts,
    candidates: Vec<String>,
}

/// What saving an issuer on a teamspace is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationFacts {
    pub now: UnixSeconds,
    pub issuer: String,
    pub teamspace: TeamspaceFacts,
}

impl Facts {
    /// A group's id begins with the teamspace, so that one customer's identity provider cannot put
    /// its people into another's groups.
    pub(in crate::policy) fn group_id(&self, group: &str) -> String {
        format!("{}/{group}", self.teamspace.slug)
    }

    /// The questions that a sign-in with these facts can meet.
    pub(in crate::policy) fn actions(&self) -> [Action; 4] {
        [Action::TrustIssuer, self.member_action(), Action::GrantResource, Action::GrantScope]
    }

    /// The one of the two member actions that is asked about.
    pub(in crate::policy) fn member_action(&self) -> Action {
        match self.member {
            MemberFacts::Absent { .. } => Action::ProvisionMember,
            MemberFacts::Present { .. } => Action::AdmitMember,
        }
    }

    /// The person's groups; none is known without a claim.
    pub(in crate::policy) fn groups(&self) -> &[String] {
        self.claims.groups.as_deref().unwrap_or_default()
    }

    /// The domain of the member's email as it is stored: a claim that is left out does not change who a member is.
    /// At a first sign-in that of the asserted email; empty where there is none.
    pub(in crate::policy) fn member_domain(&self) -> &str {
        let stored = match &self.member {
            MemberFacts::Present { email_domain, .. } => email_domain.as_deref(),
            MemberFacts::Absent { .. } => None,
        };
        stored.or_else(|| self.claims.email_domain()).unwrap_or_default()
    }

    /// What the entities other than the person depend on.
    pub(in crate::policy) fn surroundings(&self) -> Surroundings {
        Surroundings {
            iss: self.claims.iss.clone(),
            teamspace: self.teamspace.clone(),
            client: self.client.clone(),
            resource: self.resource.clone(),
            candidates: self.candidates.scopes.clone(),
        }
    }
}

impl ClaimFacts {
    /// The part of the email after its `@`.
    pub fn email_domain(&self) -> Option<&str> {
        domain_of(self.email.as_deref()?)
    }
}
