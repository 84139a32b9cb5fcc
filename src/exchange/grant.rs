//! From a verified assertion to a grant that is written down: facts, decision, one transaction.

use serde_json::Value;

use super::Ended;
use super::assertion::IdJag;
use super::client::Client;
use super::error::{Reason, TokenError};
use super::scope::Candidates;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::policy::facts::{ClaimFacts, ClientFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts};
use crate::policy::{Decision, Denial, Permitted, Policies, RecordedFacts, decide};
use crate::random::token;
use crate::store::identity_providers::IdentityProvider;
use crate::store::members::{self, Asserted, Identity, Member, Role, Standing, Status};
use crate::store::resources::Resource;
use crate::store::sign_ins::NewSignIn;
use crate::store::snapshot::Tenancy;
use crate::store::teamspaces::Teamspace;
use crate::store::{MemberChange, RedeemError, Redemption};

/// How often a decision is made again when its facts changed before it was written.
const ATTEMPTS: usize = 4;

/// What the token will say. It needs what the policies permitted, so there is none without a decision.
#[derive(Debug, Clone)]
pub struct Grant {
    pub member_id: String,
    pub teamspace: String,
    pub client_id: String,
    pub resource: String,
    pub scopes: Vec<String>,
    pub issued_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    pub token_id: String,
    pub auth_time: Option<UnixSeconds>,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    pub act: Option<Value>,
}

/// A grant whose assertion is consumed, whose member exists and whose sign-in is recorded.
#[derive(Debug)]
pub struct Committed(Grant);

impl Committed {
    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.0
    }
}

/// A verified assertion with everything that was found out about it.
pub struct Case<'a> {
    pub client: &'a Client,
    pub id_jag: &'a IdJag,
    pub tenancy: &'a Tenancy,
    pub provider: &'a IdentityProvider,
    pub resource: &'a Resource,
    pub candidates: &'a Candidates,
    /// The configuration that all of this stands on.
    pub generation: i64,
    pub now: UnixSeconds,
}

impl Case<'_> {
    /// Decides and writes. A write that finds the facts changed (a seat taken, a member suspended) leaves
    /// nothing behind; the decision is then made again on the new ones.
    pub(super) async fn settle(&self, app: &App, record: &mut NewSignIn) -> Result<Committed, Ended> {
        let policies = app.policies();
        record.policy_set.clone_from(&policies.hash);
        for _ in 0..ATTEMPTS {
            let standing = self.standing(app).await?;
            self.check_session(&standing)?;
            let permitted = self.decide(&policies, &standing, record)?;
            let grant = self.grant(app, &permitted, &standing)?;
            record.fill(&grant);
            match app.store.redeem(self.redemption(app, &grant, standing, record)).await {
                Ok(()) => return Ok(Committed(grant)),
                Err(RedeemError::FactsChanged) => app.known_members.forget(&self.identity("")),
                Err(RedeemError::ConfigurationChanged) => return Err(Ended::ConfigurationChanged),
                Err(RedeemError::Replayed) => return Err(replayed().into()),
                Err(RedeemError::Store(error)) => return Err(TokenError::from(error).into()),
            }
        }
        Err(TokenError::unavailable(Reason::INTERNAL, RedeemError::FactsChanged).into())
    }

    fn teamspace(&self) -> &Teamspace {
        &self.tenancy.teamspace
    }

    fn identity(&self, member_id: &str) -> Identity {
        let claims = self.id_jag.claims();
        Identity {
            teamspace_id: self.teamspace().id.clone(),
            issuer: claims.iss.clone(),
            tenant: claims.tenant.clone().unwrap_or_default(),
            subject: claims.sub.clone(),
            member_id: member_id.to_owned(),
        }
    }

    async fn standing(&self, app: &App) -> Result<Standing, TokenError> {
        let claims = self.id_jag.claims();
        let asserted = Asserted {
            subject: self.identity(""),
            email: claims.email.clone(),
            account: claims.aud_sub.clone(),
        };
        if let Some(member) = app.known_members.find(&asserted, self.generation) {
            return Ok(Standing::Bound(member));
        }
        let subject = asserted.subject.clone();
        let standing =
            app.store.read(move |c| members::standing(c, &asserted)).await?.ok_or_else(conflict)?;
        if let Standing::Bound(member) = &standing
            && member.status == Status::Active
        {
            app.known_members.note(&subject, self.generation, member);
        }
        Ok(standing)
    }

    /// What no policy may allow: an ended session going on.
    fn check_session(&self, standing: &Standing) -> Result<(), TokenError> {
        let member = match standing {
            Standing::Absent { .. } => return Ok(()),
            Standing::Bound(member) | Standing::Unbound(member) => member,
        };
        let signed_in_at = self.id_jag.claims().signed_in_at();
        match member.sessions_ended_at.is_some_and(|ended| signed_in_at <= ended) {
            false => Ok(()),
            true => {
                let text = "The session was ended; sign in again at the identity provider.";
                Err(TokenError::invalid_grant(Reason::SESSION_REVOKED, text))
            }
        }
    }

    fn decide(
        &self,
        policies: &Policies,
        standing: &Standing,
        record: &mut NewSignIn,
    ) -> Result<Permitted, TokenError> {
        let facts = self.facts(standing);
        let Decision { rulings, outcome } = decide(&policies.compiled, &facts);
        // Plain data always serializes; the log would show the gap.
        record.decisions = serde_json::to_string(&rulings).unwrap_or_default();
        record.facts = serde_json::to_string(&RecordedFacts::of(&facts)).unwrap_or_default();
        outcome.map_err(denied)
    }

    fn facts(&self, standing: &Standing) -> Facts {
        let registered = self.client.registered();
        Facts {
            now: self.now,
            teamspace: TeamspaceFacts::of(self.tenancy),
            client: ClientFacts {
                client_id: registered.client_id.clone(),
                groups: registered.groups.clone(),
                public: false,
                auth_method: self.client.method(),
            },
            claims: self.claim_facts(),
            member: match standing {
                Standing::Bound(member) => MemberFacts::Present { status: member.status, linking: false },
                Standing::Unbound(member) => MemberFacts::Present { status: member.status, linking: true },
                Standing::Absent { seats_used } => MemberFacts::Absent {
                    seats_used: *seats_used,
                    seats_limit: self.teamspace().member_limit,
                },
            },
            resource: ResourceFacts {
                identifier: self.resource.identifier.clone(),
                published: self.resource.is_published_to(&self.teamspace().slug),
                default_scopes: self.resource.default_scopes.clone(),
            },
            candidates: self.candidates.clone(),
            key_bound: false,
        }
    }

    fn claim_facts(&self) -> ClaimFacts {
        let claims = self.id_jag.claims();
        // By its registered name when it is the one under decision, as the policies compare identifiers.
        let same =
            |named: &String| super::resource::normalize(named).as_ref() == Some(&self.resource.normalized);
        let named = |r: &String| if same(r) { self.resource.identifier.clone() } else { r.clone() };
        ClaimFacts {
            iss: claims.iss.clone(),
            sub: claims.sub.clone(),
            tenant: claims.tenant.clone(),
            aud_tenant: claims.aud_tenant.clone(),
            email: claims.email.clone(),
            email_verified: claims.email_verified,
            amr: claims.amr.clone(),
            acr: claims.acr.clone(),
            auth_age: claims.auth_time.map(|at| self.now.saturating_sub(at)),
            scopes: claims.scope.clone(),
            resources: claims.resource.iter().map(named).collect(),
            groups: claims.groups(&self.provider.groups_claim),
        }
    }

    fn grant(&self, app: &App, permitted: &Permitted, standing: &Standing) -> Result<Grant, TokenError> {
        let claims = self.id_jag.claims();
        let member_id = match standing {
            Standing::Bound(member) | Standing::Unbound(member) => member.id.clone(),
            Standing::Absent { .. } => uuid::Uuid::new_v4().to_string(),
        };
        let longest = self.now.saturating_add(app.config.access_token.lifetime.as_secs());
        let expires_at = claims.session_expiry.map_or(longest, |session| session.min(longest));
        if expires_at <= self.now {
            return Err(TokenError::invalid_grant(
                Reason::EXPIRED,
                "The session at the provider has expired.",
            ));
        }
        Ok(Grant {
            member_id,
            teamspace: self.teamspace().slug.clone(),
            client_id: self.client.registered().client_id.clone(),
            resource: self.resource.identifier.clone(),
            scopes: permitted.scopes().to_vec(),
            issued_at: self.now,
            expires_at,
            token_id: token::<16>()?,
            auth_time: claims.auth_time,
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
            act: claims.act.clone(),
        })
    }

    fn redemption(&self, app: &App, grant: &Grant, standing: Standing, record: &NewSignIn) -> Redemption {
        let claims = self.id_jag.claims();
        let signed_in_at = claims.signed_in_at();
        let member = match standing {
            Standing::Bound(member) if member.status != Status::Invited => {
                MemberChange::Known { member_id: member.id, signed_in_at }
            }
            Standing::Bound(member) => {
                MemberChange::Accept { member_id: member.id, signed_in_at, identity: None }
            }
            Standing::Unbound(member) => {
                let identity = self.identity(&member.id);
                MemberChange::Accept { member_id: member.id, signed_in_at, identity: Some(identity) }
            }
            Standing::Absent { .. } => self.provisioning(grant),
        };
        Redemption {
            assertion: self.id_jag.id().to_owned(),
            expires_at: claims.dead_at(app.config.assertion.clock_skew.as_secs()),
            generation: self.generation,
            member,
            sign_in: record.clone(),
        }
    }

    fn provisioning(&self, grant: &Grant) -> MemberChange {
        let member = Member {
            id: grant.member_id.clone(),
            teamspace_id: self.teamspace().id.clone(),
            email: self.id_jag.claims().email.clone().unwrap_or_default(),
            role: Role::Developer,
            status: Status::Active,
            provisioned_by: "sign-in".to_owned(),
            created_at: self.now,
            last_sign_in_at: Some(self.now),
            sessions_ended_at: None,
        };
        let identity = self.identity(&grant.member_id);
        MemberChange::Provision { member, identity, limit: self.teamspace().member_limit }
    }
}

/// EMA §7.4.2: single use.
fn replayed() -> TokenError {
    TokenError::invalid_grant(Reason::REPLAYED, "The assertion was used before.")
}

/// One person must not become another.
fn conflict() -> TokenError {
    let text = "The assertion's subject and email belong to different members.";
    TokenError::invalid_grant(Reason::SUBJECT_CONFLICT, text).detail(
        "the email or aud_sub names a member to whom another subject is bound; an administrator can unlink \
         the member",
    )
}

fn denied(denial: Denial) -> TokenError {
    let reason = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
    let others = denial.reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", ");
    TokenError::new(denial.error, reason, denial.message).detail(others)
}

impl NewSignIn {
    fn fill(&mut self, grant: &Grant) {
        self.outcome = "granted".to_owned();
        self.reason.clear();
        self.member_id.clone_from(&grant.member_id);
        self.scopes_granted = grant.scopes.join(" ");
        self.token_id.clone_from(&grant.token_id);
    }
}

impl TeamspaceFacts {
    /// The facts of a configured teamspace.
    pub fn of(tenancy: &Tenancy) -> Self {
        let provider = tenancy.identity_provider.as_ref();
        Self {
            slug: tenancy.teamspace.slug.clone(),
            plan: tenancy.teamspace.plan,
            issuer: provider.map(|p| p.issuer.clone()),
            scope_setting: provider.and_then(IdentityProvider::scope_setting),
            email_domains: tenancy.teamspace.email_domains.clone(),
        }
    }
}
