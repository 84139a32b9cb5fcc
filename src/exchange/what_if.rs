//! Asks the policies about a made-up sign-in. No assertion is needed, and nothing is stored.

use super::key_binding::check_required;
use super::resource::ResourceRequest;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::disclosure::{Disclosure, Known};
use crate::email::domain_of;
use crate::model::client::RegisteredClient;
use crate::model::identity_provider::IdentityProvider;
use crate::model::member::Status;
use crate::model::scope::ScopeRequest;
use crate::oauth::error::{Reason, TokenError};
use crate::policy::facts::{ClaimFacts, ClientFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts};
use crate::policy::{self, Denial, Explained, Permitted};
use crate::store::snapshot::{Snapshot, TeamspaceConfig};
use crate::store::{StoreError, members, teamspaces};

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
    /// Whether the client would prove that it has a key.
    pub key_bound: bool,
    /// Whether the asker may learn about policies only what the teamspace may.
    pub confined: bool,
}

/// The policies' answer.
#[derive(Debug)]
pub struct Answered {
    pub decisions: Vec<Explained>,
    /// The scopes of the token, or the reason why there would be none.
    pub outcome: Result<Vec<String>, (Reason, String)>,
    pub policy_set: String,
    /// Whether a member has the email already.
    pub is_member: bool,
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
    let member = look_up(app, supposed).await?;
    let is_member = matches!(member, MemberFacts::Present { .. });
    let facts = supposed.facts(app.clock.now(), &snapshot, member)?;
    let (mut decisions, outcome) = policy::explain(&policies.compiled, &facts);
    let annotations = policies.compiled.annotations();
    let disclosure = Disclosure {
        snapshot: &snapshot,
        teamspace_config: supposed.config,
        known: supposed.known(),
        policies: annotations,
    };
    if supposed.confined {
        let _ = disclosure.confine_explained(&mut decisions);
    }
    let outcome = supposed.told(outcome, &disclosure);
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
    fn facts(&self, now: UnixSeconds, snapshot: &Snapshot, member: MemberFacts) -> Result<Facts, TokenError> {
        let slug = &self.config.teamspace.slug;
        let named: Vec<String> = self.resource.map(str::to_owned).into_iter().collect();
        let request = ResourceRequest { claimed: &named, requested: &[], teamspace: slug };
        let resource = request.resolve(snapshot)?;
        // A teamspace may not learn which clients there are.
        let of_client = self.client.dpop_bound_access_tokens && !self.confined;
        check_required(resource.dpop_bound_access_tokens, of_client, self.key_bound)?;
        let setting = self.provider.scope_setting();
        let scopes = ScopeRequest {
            claimed: self.scopes.as_deref(),
            requested: None,
            setting: setting.as_deref(),
            resource: &resource,
        };
        let candidates = scopes.candidates()?;
        Ok(Facts {
            now,
            teamspace: TeamspaceFacts::of(self.config, Some(self.provider)),
            client: ClientFacts::of(self.client, self.client.token_endpoint_auth_method),
            claims: self.claims(named),
            member,
            resource: ResourceFacts {
                identifier: resource.identifier.clone(),
                published: resource.is_published_to(slug),
                default_scopes: resource.default_scopes.clone(),
            },
            candidates,
            key_bound: self.key_bound,
            client_address: None,
        })
    }

    fn claims(&self, resources: Vec<String>) -> ClaimFacts {
        ClaimFacts {
            iss: self.provider.issuer.clone(),
            sub: SUBJECT.to_owned(),
            tenant: self.provider.tenant.clone(),
            email: (!self.email.is_empty()).then(|| self.email.to_owned()),
            scopes: self.scopes.clone(),
            resources,
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

    fn told(
        &self,
        outcome: Result<Permitted, Denial>,
        disclosure: &Disclosure<'_>,
    ) -> Result<Vec<String>, (Reason, String)> {
        let denial = match outcome {
            Ok(permitted) => return Ok(permitted.scopes().to_vec()),
            Err(denial) => denial,
        };
        let told = disclosure.of_denial(&denial);
        let all = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
        let reason = if self.confined { told.reason } else { all };
        Err((reason, told.message.to_owned()))
    }
}
