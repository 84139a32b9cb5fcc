//! A verified request: the basis of its decision, and the grant that may follow.

use std::net::IpAddr;
use std::sync::Arc;

use super::claims::{ClaimFault, Claims, Said};
use super::key_binding::KeyBinding;
use super::link;
use super::progress::Progress;
use super::verify::{Target, VerifiedAssertion};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::disclosure::{Disclosure, Known};
use crate::email::domain_of;
use crate::model::client::{AuthMethod, RegisteredClient};
use crate::model::identity_provider::{CustomClaim, IdentityProvider};
use crate::model::member::Member;
use crate::model::member_link::{LinkBy, MemberLink};
use crate::model::teamspace::Teamspace;
use crate::oauth::check::Check;
use crate::oauth::error::{Reason, TokenError, shown};
use crate::oauth::scope::Candidates;
use crate::policy::facts::{
    Actor, ClaimFacts, ClaimValue, ClientFacts, CustomClaims, Facts, MemberFacts, OptionalClaim,
    ResourceFacts, TeamspaceFacts, Wanted,
};
use crate::policy::{Denial, Permitted, Policies};
use crate::random::token;
use crate::store::ledger::ClientAssertionUse;
use crate::store::member_lookup::{Linking, MemberLookup};
use crate::store::members::Identity;
use crate::store::snapshot::{Snapshot, TeamspaceConfig};
use crate::token::Grant;

/// A verified assertion, with everything that was found out about the request around it.
pub(super) struct VerifiedRequest<'a> {
    pub request_id: &'a str,
    pub client: Arc<RegisteredClient>,
    /// How the client authenticates.
    pub method: AuthMethod,
    /// The assertion by which it did; none in an explanation, and if it has a secret.
    pub client_assertion: Option<ClientAssertionUse>,
    pub scope: Option<Vec<String>>,
    /// The caller's address; none in an explanation.
    pub address: Option<IpAddr>,
    pub assertion: VerifiedAssertion,
    pub target: Target,
    /// The key that the token will be bound to; none for a plain bearer token.
    pub key: Option<KeyBinding>,
}

impl VerifiedRequest<'_> {
    /// Everything known about the request once it is verified.
    pub fn progress(&self) -> Progress<'_> {
        let before = Progress {
            client_id: &self.client.client_id,
            has_authenticated: true,
            scope: self.scope.as_deref(),
            ..Progress::begin(self.assertion.now, self.request_id)
        };
        let resource = &self.target.resource.identifier;
        Progress { resource, ..self.assertion.progress(before).before(Check::Member) }
    }

    /// The time of the request.
    pub fn now(&self) -> UnixSeconds {
        self.assertion.now
    }

    /// The assertion's claims.
    pub fn claims(&self) -> &Claims {
        self.assertion.id_jag.claims()
    }

    fn provider(&self) -> &IdentityProvider {
        &self.assertion.trusted.provider
    }

    /// The teamspace that the assertion leads to.
    pub fn teamspace(&self) -> &Teamspace {
        &self.assertion.trusted.teamspace_config.teamspace
    }

    /// The assertion's subject, bound to a member.
    pub fn identity(&self, member_id: &str) -> Identity {
        let claims = self.claims();
        Identity {
            teamspace_id: self.teamspace().id.clone(),
            issuer: claims.iss.clone(),
            tenant: claims.tenant.clone().unwrap_or_default(),
            subject: claims.sub.clone(),
            member_id: member_id.to_owned(),
        }
    }

    /// Everything that the person is known by from now on. A NameID that is no good was refused when the member was looked
    /// up.
    pub fn identities(&self, member_id: &str) -> Vec<Identity> {
        let saml = self.saml_identity(member_id).ok().flatten();
        std::iter::once(self.identity(member_id)).chain(saml).collect()
    }

    /// The NameID of the assertion, bound to a member; none where the identity provider names people by `sub` alone. One
    /// that is needed and not usable is an error (draft §3.2).
    pub fn saml_identity(&self, member_id: &str) -> Result<Option<Identity>, TokenError> {
        let Some(issuer) = &self.provider().saml_issuer else { return Ok(None) };
        let subject = self.claims().saml_subject(issuer)?;
        let (issuer, tenant) = (issuer.clone(), String::new());
        Ok(Some(Identity { issuer, tenant, subject, ..self.identity(member_id) }))
    }

    /// Finds what links an unknown subject to a member: a claim that each assertion of the provider needs, or the email.
    pub fn linking(&self) -> Result<Linking, TokenError> {
        match &self.provider().link_by {
            None => Ok(Linking::Email),
            Some(LinkBy::Claim(name)) => link::value_of(self.claims(), name).map(Linking::Value),
            Some(LinkBy::Account) => link::check_account(self.claims()).map(|()| Linking::Account),
        }
    }

    /// The value that the identity provider knows the person by. One that is no good was refused when the member was
    /// looked up.
    pub fn link(&self) -> Option<MemberLink> {
        let LinkBy::Claim(name) = self.provider().link_by.as_ref()? else { return None };
        link::value_of(self.claims(), name).ok()
    }

    /// That value, if the member has none of its claim yet. Another value of a bound member stays, until an administrator
    /// changes it.
    pub fn new_link(&self, member: &MemberLookup) -> Option<MemberLink> {
        let known = match member {
            MemberLookup::Bound(member) | MemberLookup::Unbound(member) => member.link.as_ref(),
            MemberLookup::Absent { .. } => None,
        };
        self.link().filter(|link| known.is_none_or(|known| known.claim() != link.claim()))
    }

    /// The earliest time, by our clock, at which the person can have signed in at the identity provider.
    pub fn signed_in_at(&self, app: &App) -> UnixSeconds {
        self.claims().signed_in_at(app.config.assertion.clock_skew.as_secs())
    }

    /// The facts for the policies.
    pub fn facts(&self, member: &MemberLookup, wanted: &Wanted) -> Facts {
        Facts {
            now: self.now(),
            teamspace: TeamspaceFacts::of(&self.assertion.trusted.teamspace_config, Some(self.provider())),
            client: ClientFacts::of(&self.client, self.method),
            claims: self.claim_facts(wanted),
            member: match member {
                MemberLookup::Bound(member) => MemberFacts::of(member, false),
                MemberLookup::Unbound(member) => MemberFacts::of(member, true),
                MemberLookup::Absent { seats_used } => MemberFacts::Absent {
                    seats_used: *seats_used,
                    seats_limit: self.teamspace().member_limit,
                },
            },
            resource: ResourceFacts {
                identifier: self.target.resource.identifier.clone(),
                published: self.target.resource.is_published_to(&self.teamspace().slug),
                default_scopes: self.target.resource.default_scopes.clone(),
            },
            candidates: Candidates {
                requested: self.scope.as_ref().filter(|_| wanted.requested_scopes).cloned(),
                ..self.target.candidates.clone()
            },
            key_bound: self.key.is_some(),
            client_address: self.address.filter(|_| wanted.client_address),
        }
    }

    /// The parts of the policies that the teamspace and the client may learn about.
    pub fn disclosure<'d>(&'d self, snapshot: &'d Snapshot, policies: &'d Policies) -> Disclosure<'d> {
        let claims = self.claims();
        let known = Known {
            client_id: &self.client.client_id,
            issuer: &claims.iss,
            tenant: claims.tenant.as_deref().unwrap_or_default(),
            subject: &claims.sub,
            email: claims.email.known().map(String::as_str).unwrap_or_default(),
            scopes: &self.target.candidates.scopes,
        };
        Disclosure {
            snapshot,
            teamspace_config: &self.assertion.trusted.teamspace_config,
            known,
            policies: policies.compiled.annotations(),
        }
    }

    fn claim_facts(&self, wanted: &Wanted) -> ClaimFacts {
        let claims = self.claims();
        // Uses the registered name if it is the server being decided on, since policies compare identifiers.
        let same = |named: &String| {
            *named == self.target.resource.identifier
                || crate::oauth::resource::normalize(named).as_ref() == Some(&self.target.resource.normalized)
        };
        let named = |r: &String| if same(r) { self.target.resource.identifier.clone() } else { r.clone() };
        let groups = claims.groups(&self.provider().groups_claim);
        let (mut custom, mut unknown) = (CustomClaims::default(), Vec::new());
        for (name, value) in self.custom_claims(wanted) {
            match value {
                Ok(value) => drop(custom.0.insert(name.to_owned(), value)),
                Err(_) => unknown.push(OptionalClaim::Custom(name.to_owned())),
            }
        }
        ClaimFacts {
            not_known: not_known(claims, &groups).map(|(claim, _)| claim).chain(unknown).collect(),
            iss: claims.iss.clone(),
            sub: claims.sub.clone(),
            tenant: claims.tenant.clone(),
            aud_tenant: claims.aud_tenant.clone(),
            email: claims.email.known().cloned(),
            email_verified: claims.email_verified.known().copied(),
            amr: claims.amr.clone(),
            acr: claims.acr.clone(),
            auth_age: claims.auth_time.map(|at| self.now().saturating_sub(at)),
            scopes: claims.scope.known().cloned(),
            resources: claims.resource.iter().map(named).collect(),
            groups: groups.into_known(),
            act: claims.act.as_ref().and_then(Actor::read),
            custom,
        }
    }

    /// The custom claims that the assertion has, the identity provider declares and the policies read, each with its
    /// value or the fault in it. A claim that the policies read as another type has no value either.
    fn custom_claims<'w>(
        &'w self,
        wanted: &'w Wanted,
    ) -> impl Iterator<Item = (&'w str, Result<ClaimValue, String>)> {
        let value = |claim: &'w CustomClaim| {
            let taken_for = wanted.custom_claims.get(&claim.name)?;
            let value = match self.claims().custom(claim) {
                Said::Absent => return None,
                Said::NotKnown(fault) => Err(fault.to_string()),
                Said::Known(_) if claim.claim_type != *taken_for => Err(format!(
                    "{}: the identity provider declares it as {}, the schema of the policies as {}",
                    shown(&claim.name),
                    claim.claim_type.as_str(),
                    taken_for.as_str()
                )),
                Said::Known(value) => Ok(value),
            };
            Some((claim.name.as_str(), value))
        };
        self.provider().custom_claims.iter().filter_map(value)
    }

    /// The faults of the unusable claims: what was expected, and what came; empty when all are known.
    pub fn faults(&self, wanted: &Wanted) -> String {
        let claims = self.claims();
        let groups = claims.groups(&self.provider().groups_claim);
        let faults = not_known(claims, &groups).map(|(_, fault)| fault.to_string());
        let of_custom = self.custom_claims(wanted).filter_map(|(_, value)| value.err());
        faults.chain(of_custom).collect::<Vec<_>>().join("; ")
    }

    /// Turns a denial into an error. The wire says what the teamspace may learn; the log has every reason, or the
    /// claim that is unusable and why.
    pub fn denied(&self, disclosure: &Disclosure<'_>, denial: &Denial, faults: &str) -> TokenError {
        let told = disclosure.of_denial(denial);
        let reason = denial.reasons.first().cloned().unwrap_or(Reason::POLICY_DENIED);
        let detail = match reason == Reason::CLAIM_MALFORMED {
            true => faults.to_owned(),
            false => denial.reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", "),
        };
        let error = TokenError::new(told.error, reason, told.message.to_owned()).detail(detail);
        TokenError { step_up: told.step_up.cloned().map(Box::new), ..error }
    }

    /// The grant that the policies permit, unless it would have expired already.
    pub fn grant(
        &self,
        app: &App,
        permitted: &Permitted,
        member: &MemberLookup,
    ) -> Result<Grant, TokenError> {
        let claims = self.claims();
        let member_id = match member {
            MemberLookup::Bound(member) | MemberLookup::Unbound(member) => member.id.clone(),
            // Ids that rise with time are neighbours in the database, so that one page takes many.
            MemberLookup::Absent { .. } => uuid::Uuid::now_v7().to_string(),
        };
        let setting = app.config.access_token.lifetime.as_secs();
        let lifetime = permitted.lifetime().map_or(setting, |of_policies| of_policies.min(setting));
        let longest = self.now().saturating_add(lifetime);
        let expires_at = claims.session_expiry.map_or(longest, |session| session.min(longest));
        if expires_at <= self.now() {
            return Err(TokenError::invalid_grant(
                Reason::EXPIRED,
                "The session at the identity provider has expired: sign in there again.",
            ));
        }
        Ok(Grant {
            member_id,
            teamspace: self.teamspace().slug.clone(),
            teamspace_id: self.teamspace().id.clone(),
            identity_provider_id: self.provider().id.clone(),
            client_id: self.client.client_id.clone(),
            resource: self.target.resource.identifier.clone(),
            scopes: permitted.scopes().to_vec(),
            details: permitted.details().to_vec(),
            issued_at: self.now(),
            expires_at,
            token_id: token::<16>()?,
            auth_time: claims.auth_time,
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
            act: claims.act.clone(),
            key_thumbprint: self.key.as_ref().map(|key| key.thumbprint.clone()),
        })
    }
}

/// The optional claims that are present but unusable.
fn not_known<'c>(
    claims: &'c Claims,
    groups: &'c Said<Vec<String>>,
) -> impl Iterator<Item = (OptionalClaim, &'c ClaimFault)> {
    let faults = [
        (OptionalClaim::Groups, groups.fault()),
        (OptionalClaim::Email, claims.email.fault()),
        (OptionalClaim::EmailVerified, claims.email_verified.fault()),
        (OptionalClaim::Scope, claims.scope.fault()),
    ];
    faults.into_iter().filter_map(|(claim, fault)| Some((claim, fault?)))
}

impl MemberFacts {
    /// Those of a member whom the sign-in is about.
    fn of(member: &Member, linking: bool) -> Self {
        let email_domain = domain_of(&member.email).map(str::to_owned);
        Self::Present { status: member.status, linking, email_domain, role: Some(member.role) }
    }
}

impl ClientFacts {
    /// The facts of a client, which has authenticated in this way.
    pub fn of(client: &RegisteredClient, auth_method: AuthMethod) -> Self {
        Self {
            client_id: client.client_id.clone(),
            groups: client.groups.clone(),
            public: auth_method == AuthMethod::None,
            auth_method,
            document_host: client.document_host.clone(),
        }
    }
}

impl TeamspaceFacts {
    /// The facts of a teamspace, for one of its identity providers.
    pub fn of(teamspace_config: &TeamspaceConfig, provider: Option<&IdentityProvider>) -> Self {
        let TeamspaceConfig { teamspace, identity_providers } = teamspace_config;
        let others = identity_providers.iter().map(|other| &other.issuer);
        let is_other = |issuer: &&String| provider.is_none_or(|own| own.issuer != **issuer);
        Self {
            slug: teamspace.slug.clone(),
            other_issuers: others.filter(is_other).cloned().collect(),
            identity_provider: provider.map(|own| own.id.clone()),
            plan: teamspace.plan,
            issuer: provider.map(|p| p.issuer.clone()),
            scope_setting: provider.and_then(IdentityProvider::scope_setting),
            email_domains: teamspace.email_domains.clone(),
            time_zone: teamspace.time_zone.clone(),
        }
    }
}
