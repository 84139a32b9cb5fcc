//! Asks the policies about a made-up sign-in. No assertion is needed, and nothing is stored.

mod telling;
mod tool;

use std::sync::Arc;

use super::key_binding::check_required;
use super::resource::ResourceRequest;
use super::verify::{check_types, detail_candidates};
use crate::app::App;
use crate::disclosure::{Disclosure, Known};
use crate::email::domain_of;
use crate::model::client::RegisteredClient;
use crate::model::identity_provider::IdentityProvider;
use crate::model::member::Status;
use crate::model::resource::Resource;
use crate::model::scope::ScopeRequest;
use crate::oauth::authorization_details::Detail;
use crate::oauth::error::{Reason, TokenError};
use crate::policy::facts::{ClaimFacts, ClientFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts};
use crate::policy::{self, Explained};
use crate::store::snapshot::{Snapshot, TeamspaceConfig};
use crate::store::{StoreError, members, teamspaces};
use telling::Telling;
use tool::SupposedToken;
pub use tool::{ToolAnswer, ToolRefused};

/// A subject that no identity provider gives.
const SUBJECT: &str = "what-if";

/// A sign-in that is thought up.
#[derive(Debug)]
pub struct WhatIf<'a> {
    pub config: &'a TeamspaceConfig,
    pub provider: &'a IdentityProvider,
    pub client: &'a RegisteredClient,
    /// Lower case; empty means that the assertion has none.
    pub email: &'a str,
    /// None: the assertion has no groups claim.
    pub groups: Option<Vec<String>>,
    /// The identifier of an MCP server; none where there is only one.
    pub resource: Option<&'a str>,
    /// None: the assertion has no scope claim.
    pub scopes: Option<Vec<String>>,
    /// The authorization details of the assertion; empty when it has none.
    pub authorized_details: Vec<Detail>,
    /// Those of the request; none without the parameter.
    pub requested_details: Option<Vec<Detail>>,
    /// A tool that the token would be used for.
    pub tool: Option<&'a str>,
    /// Whether the client would prove that it has a key.
    pub key_bound: bool,
    /// Whether the asker may learn about policies only what the teamspace may.
    pub confined: bool,
}

/// The policies' answer.
#[derive(Debug)]
pub struct Answered {
    pub decisions: Vec<Explained>,
    /// The token, or the reason why there would be none.
    pub outcome: Result<SupposedGrant, (Reason, String)>,
    pub policy_set: String,
    /// Whether a member has the email already.
    pub is_member: bool,
}

/// The token's scopes and details, and the answer about the tool.
#[derive(Debug, Default)]
pub struct SupposedGrant {
    pub scopes: Vec<String>,
    pub details: Vec<Detail>,
    /// Whether it could call the tool, where one was named.
    pub tool: Option<ToolAnswer>,
}

/// Why the policies cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request would be refused before the policies are asked.
    #[error("refused before the policies are asked")]
    Refused(Box<TokenError>),
}

impl From<TokenError> for WhatIfError {
    fn from(error: TokenError) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// Asks the policies in force.
pub async fn ask(app: &App, supposed: &WhatIf<'_>) -> Result<Answered, WhatIfError> {
    let (snapshot, policies) = (app.snapshot(), app.policies());
    check_types(app, supposed.requested_details.as_deref())?;
    let member = look_up(app, supposed).await?;
    let is_member = matches!(member, MemberFacts::Present { .. });
    let resource = supposed.server(&snapshot)?;
    let facts = supposed.facts(app, &resource, member)?;
    let (mut decisions, outcome) = policy::explain(&policies.compiled, &facts);
    let disclosure = Disclosure {
        snapshot: &snapshot,
        teamspace_config: supposed.config,
        known: supposed.known(),
        policies: policies.compiled.annotations(),
    };
    let telling = Telling { disclosure, confined: supposed.confined };
    telling.decisions(&mut decisions);
    let outcome = outcome.map_err(|denial| telling.denial(&denial)).map(|permitted| {
        let token = SupposedToken { resource: &resource, facts: &facts, permitted: &permitted };
        SupposedGrant {
            scopes: permitted.scopes().to_vec(),
            details: permitted.details().to_vec(),
            tool: supposed.tool.map(|tool| token.ask(&policies, tool, &telling)),
        }
    });
    Ok(Answered { decisions, outcome, policy_set: policies.hash.clone(), is_member })
}

async fn look_up(app: &App, supposed: &WhatIf<'_>) -> Result<MemberFacts, StoreError> {
    let teamspace = &supposed.config.teamspace;
    let (id, email) = (teamspace.id.clone(), supposed.email.to_owned());
    let look = move |c: &mut _| {
        let member = members::find_by_email(c, &id, &email)?;
        Ok((member, teamspaces::seats_used(c, &id)?))
    };
    let (member, seats_used) = app.store.list(look).await?;
    Ok(match member {
        Some(member) => MemberFacts::Present {
            status: member.status,
            linking: member.status == Status::Invited,
            email_domain: domain_of(&member.email).map(str::to_owned),
            role: Some(member.role),
        },
        None => MemberFacts::Absent { seats_used, seats_limit: teamspace.member_limit },
    })
}

impl WhatIf<'_> {
    /// The `resource` of the assertion.
    fn named(&self) -> Vec<String> {
        self.resource.map(str::to_owned).into_iter().collect()
    }

    fn server(&self, snapshot: &Snapshot) -> Result<Arc<Resource>, TokenError> {
        let (claimed, teamspace) = (self.named(), self.config.teamspace.slug.as_str());
        ResourceRequest { claimed: &claimed, requested: &[], teamspace }.resolve(snapshot)
    }

    fn facts(&self, app: &App, resource: &Resource, member: MemberFacts) -> Result<Facts, TokenError> {
        // A teamspace may not learn which clients there are.
        let of_client = self.client.dpop_bound_access_tokens && !self.confined;
        check_required(resource.dpop_bound_access_tokens, of_client, self.key_bound)?;
        let setting = self.provider.scope_setting();
        let scopes = ScopeRequest {
            claimed: self.scopes.as_deref(),
            requested: None,
            setting: setting.as_deref(),
            resource,
        };
        let mut candidates = scopes.candidates()?;
        let details = (self.authorized_details.as_slice(), self.requested_details.as_deref());
        candidates.details = detail_candidates(app, details, resource)?;
        Ok(Facts {
            now: app.clock.now(),
            teamspace: TeamspaceFacts::of(self.config, Some(self.provider)),
            client: ClientFacts::of(self.client, self.client.token_endpoint_auth_method),
            claims: self.claims(),
            member,
            resource: ResourceFacts {
                identifier: resource.identifier.clone(),
                published: resource.is_published_to(&self.config.teamspace.slug),
                default_scopes: resource.default_scopes.clone(),
            },
            candidates,
            key_bound: self.key_bound,
            client_address: None,
        })
    }

    fn claims(&self) -> ClaimFacts {
        ClaimFacts {
            iss: self.provider.issuer.clone(),
            sub: SUBJECT.to_owned(),
            tenant: self.provider.tenant.clone(),
            email: (!self.email.is_empty()).then(|| self.email.to_owned()),
            scopes: self.scopes.clone(),
            resources: self.named(),
            groups: self.groups.clone(),
            ..ClaimFacts::default()
        }
    }

    fn known(&self) -> Known<'_> {
        Known {
            client_id: &self.client.client_id,
            issuer: &self.provider.issuer,
            tenant: self.provider.tenant.as_deref().unwrap_or_default(),
            subject: SUBJECT,
            email: self.email,
            scopes: self.scopes.as_deref().unwrap_or_default(),
        }
    }
}
