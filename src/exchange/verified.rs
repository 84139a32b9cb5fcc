//! A verified assertion beside what we know: what the decision stands on, and the grant it leads to.

use super::assertion::IdJag;
use super::claims::{Claims, Fault, Said};
use super::token::Grant;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::disclosure::{Disclosure, Known};
use crate::email::domain_of;
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::model::identity_provider::IdentityProvider;
use crate::model::member::{Member, Status};
use crate::model::resource::Resource;
use crate::model::teamspace::Teamspace;
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::scope::Candidates;
use crate::policy::facts::{
    ClaimFacts, ClientFacts, Facts, MemberFacts, OptionalClaim, ResourceFacts, TeamspaceFacts,
};
use crate::policy::{Denial, Permitted, Policies};
use crate::random::token;
use crate::store::members::{self, Asserted, Identity, Standing};
use crate::store::snapshot::{Snapshot, Tenancy};
use crate::store::state::Generation;

/// A verified assertion with everything that was found out about it.
pub struct Verified<'a> {
    pub client: &'a RegisteredClient,
    /// How the client authenticated.
    pub method: AuthMethod,
    pub id_jag: &'a IdJag,
    pub tenancy: &'a Tenancy,
    pub provider: &'a IdentityProvider,
    pub resource: &'a Resource,
    pub candidates: &'a Candidates,
    /// The configuration that all of this stands on.
    pub generation: Generation,
    pub now: UnixSeconds,
}

impl Verified<'_> {
    pub(super) fn teamspace(&self) -> &Teamspace {
        &self.tenancy.teamspace
    }

    pub(super) fn identity(&self, member_id: &str) -> Identity {
        let claims = self.id_jag.claims();
        Identity {
            teamspace_id: self.teamspace().id.clone(),
            issuer: claims.iss.clone(),
            tenant: claims.tenant.clone().unwrap_or_default(),
            subject: claims.sub.clone(),
            member_id: member_id.to_owned(),
        }
    }

    pub(super) async fn standing(&self, app: &App) -> Result<Standing, TokenError> {
        let claims = self.id_jag.claims();
        let asserted = Asserted {
            subject: self.identity(""),
            email: claims.email.known().cloned(),
            account: claims.aud_sub.clone(),
        };
        if let Some(member) = app.member_cache.find(&asserted) {
            return Ok(Standing::Bound(member));
        }
        let subject = asserted.subject.clone();
        let standing =
            app.store.read(move |c| members::standing(c, &asserted)).await?.ok_or_else(conflict)?;
        if let Standing::Bound(member) = &standing
            && member.status == Status::Active
        {
            app.member_cache.note(&subject, self.generation.number, member);
        }
        Ok(standing)
    }

    /// The earliest time of the person's sign-in at the identity provider, by our clock.
    pub(super) fn signed_in_at(&self, app: &App) -> UnixSeconds {
        self.id_jag.claims().signed_in_at(app.config.assertion.clock_skew.as_secs())
    }

    /// What no policy may allow: an ended session going on.
    pub(super) fn check_session(&self, app: &App, standing: &Standing) -> Result<(), TokenError> {
        let member = match standing {
            Standing::Absent { .. } => return Ok(()),
            Standing::Bound(member) | Standing::Unbound(member) => member,
        };
        let signed_in_at = self.signed_in_at(app);
        match member.sessions_ended_at.is_some_and(|ended| signed_in_at <= ended) {
            false => Ok(()),
            true => {
                // Somebody who has done so already was too quick for the clocks to tell.
                let text =
                    "The session was ended. Wait a minute, then sign in again at the identity provider.";
                Err(TokenError::invalid_grant(Reason::SESSION_REVOKED, text))
            }
        }
    }

    pub(super) fn facts(&self, standing: &Standing) -> Facts {
        let registered = self.client;
        Facts {
            now: self.now,
            teamspace: TeamspaceFacts::of(self.teamspace(), Some(self.provider)),
            client: ClientFacts {
                client_id: registered.client_id.clone(),
                groups: registered.groups.clone(),
                public: false,
                auth_method: self.method,
            },
            claims: self.claim_facts(),
            member: match standing {
                Standing::Bound(member) => MemberFacts::of(member, false),
                Standing::Unbound(member) => MemberFacts::of(member, true),
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

    /// What the teamspace, and the client, may learn about the policies that decide.
    pub(super) fn disclosure<'d>(&'d self, snapshot: &'d Snapshot, policies: &'d Policies) -> Disclosure<'d> {
        let claims = self.id_jag.claims();
        let known = Known {
            client_id: &self.client.client_id,
            issuer: &claims.iss,
            tenant: claims.tenant.as_deref().unwrap_or_default(),
            subject: &claims.sub,
            email: claims.email.known().map(String::as_str).unwrap_or_default(),
            scopes: &self.candidates.scopes,
        };
        Disclosure { snapshot, tenancy: self.tenancy, known, policies: policies.compiled.annotations() }
    }

    fn claim_facts(&self) -> ClaimFacts {
        let claims = self.id_jag.claims();
        // By its registered name when it is the one under decision, as the policies compare identifiers.
        let same = |named: &String| {
            *named == self.resource.identifier
                || crate::oauth::resource::normalize(named).as_ref() == Some(&self.resource.normalized)
        };
        let named = |r: &String| if same(r) { self.resource.identifier.clone() } else { r.clone() };
        let groups = claims.groups(&self.provider.groups_claim);
        ClaimFacts {
            not_known: not_known(claims, &groups).map(|(claim, _)| claim).collect(),
            iss: claims.iss.clone(),
            sub: claims.sub.clone(),
            tenant: claims.tenant.clone(),
            aud_tenant: claims.aud_tenant.clone(),
            email: claims.email.known().cloned(),
            email_verified: claims.email_verified.known().copied(),
            amr: claims.amr.clone(),
            acr: claims.acr.clone(),
            auth_age: claims.auth_time.map(|at| self.now.saturating_sub(at)),
            scopes: claims.scope.known().cloned(),
            resources: claims.resource.iter().map(named).collect(),
            groups: groups.into_known(),
        }
    }

    /// What the claims that are not known should have been, and what came; empty when all are known.
    pub(super) fn faults(&self) -> String {
        let claims = self.id_jag.claims();
        let groups = claims.groups(&self.provider.groups_claim);
        let faults = not_known(claims, &groups).map(|(_, fault)| fault.to_string());
        faults.collect::<Vec<_>>().join("; ")
    }

    /// A denial as an error. The wire says what the teamspace may learn; the log has every reason, or, for a claim that
    /// is not known, which one and why.
    pub(super) fn denied(&self, disclosure: &Disclosure<'_>, denial: &Denial) -> TokenError {
        let told = disclosure.of_denial(denial);
        let reason = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
        let detail = match reason == Reason::CLAIM_MALFORMED {
            true => self.faults(),
            false => denial.reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "),
        };
        TokenError::new(told.error, reason, told.message.to_owned()).detail(detail)
    }

    pub(super) fn grant(
        &self,
        app: &App,
        permitted: &Permitted,
        standing: &Standing,
    ) -> Result<Grant, TokenError> {
        let claims = self.id_jag.claims();
        let member_id = match standing {
            Standing::Bound(member) | Standing::Unbound(member) => member.id.clone(),
            // Ids that rise with time are neighbours in the database: one page takes many.
            Standing::Absent { .. } => uuid::Uuid::now_v7().to_string(),
        };
        let setting = app.config.access_token.lifetime.as_secs();
        let lifetime = permitted.lifetime().map_or(setting, |of_policies| of_policies.min(setting));
        let longest = self.now.saturating_add(lifetime);
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
            teamspace_id: self.teamspace().id.clone(),
            client_id: self.client.client_id.clone(),
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
}

/// The optional claims that are there and cannot be taken whole.
fn not_known<'c>(
    claims: &'c Claims,
    groups: &'c Said<Vec<String>>,
) -> impl Iterator<Item = (OptionalClaim, &'c Fault)> {
    let faults = [
        (OptionalClaim::Groups, groups.fault()),
        (OptionalClaim::Email, claims.email.fault()),
        (OptionalClaim::EmailVerified, claims.email_verified.fault()),
        (OptionalClaim::Scope, claims.scope.fault()),
    ];
    faults.into_iter().filter_map(|(claim, fault)| Some((claim, fault?)))
}

/// One person must not become another.
fn conflict() -> TokenError {
    let text = "The assertion's subject and email belong to different members.";
    TokenError::invalid_grant(Reason::SUBJECT_CONFLICT, text).detail(
        "the email or aud_sub names a member to whom another subject is bound; an administrator can unlink \
         the member",
    )
}

impl MemberFacts {
    /// Those of a member whom the sign-in is about.
    fn of(member: &Member, linking: bool) -> Self {
        let email_domain = domain_of(&member.email).map(str::to_owned);
        Self::Present { status: member.status, linking, email_domain }
    }
}

impl TeamspaceFacts {
    /// The facts of a teamspace, with the issuer and the scope setting of one of its identity providers.
    pub fn of(teamspace: &Teamspace, provider: Option<&IdentityProvider>) -> Self {
        Self {
            slug: teamspace.slug.clone(),
            plan: teamspace.plan,
            issuer: provider.map(|p| p.issuer.clone()),
            scope_setting: provider.and_then(IdentityProvider::scope_setting),
            email_domains: teamspace.email_domains.clone(),
        }
    }
}
