//! Answers a client whether an assertion of an issuer would be accepted from it
//! (draft-ietf-oauth-identity-assertion-authz-grant §9.4).

use std::sync::Arc;

use super::TokenCall;
use super::client::{Client, authenticate};
use crate::app::App;
use crate::idp::client_assertion::assertion_replayed;
use crate::model::client::AuthMethod;
use crate::model::kill_switch::KillTargets;
use crate::model::member::{Role, Status};
use crate::model::resource::Resource;
use crate::oauth::credentials::Credentials;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::issuer_question::IssuerQuestion;
use crate::oauth::scope::Candidates;
use crate::policy::facts::{ClaimFacts, ClientFacts, Facts, MemberFacts, ResourceFacts, TeamspaceFacts};
use crate::policy::{Action, decide};
use crate::store::snapshot::{Snapshot, TrustedProvider};

/// A subject that no identity provider gives.
const SUBJECT: &str = "issuer-lookup";

/// Whether an assertion of the issuer could be accepted from the client that asks. An issuer that nobody has and one that
/// is not for this client are answered alike. What depends on the person is decided at the exchange.
pub async fn is_accepted(app: &App, call: &TokenCall<'_>) -> Result<bool, TokenError> {
    let mut question = IssuerQuestion::parse(call.body)?;
    let credentials =
        Credentials::from_request(call.authorization, std::mem::take(&mut question.credentials));
    let snapshot = app.snapshot();
    let client = authenticate(app, &snapshot, credentials, call.address).await;
    let client = client.map_err(|failed| failed.error)?;
    if client.method() == AuthMethod::None {
        // Anybody can say its name.
        let text = "A client without credentials may not ask.";
        return Err(TokenError::new(ErrorCode::UnauthorizedClient, Reason::CLIENT_PUBLIC, text));
    }
    app.limits.check_lookup(&client.registered().client_id)?;
    let (issuer, resource) = question.asked()?;
    use_up(app, &client).await?;
    let providers = snapshot.providers_of(&issuer).into_iter().flat_map(|providers| providers.enabled());
    let asking = Asking { app, snapshot: &snapshot, client: &client, resource: resource.as_deref() };
    Ok(providers.into_iter().any(|trusted| asking.accepts(trusted)))
}

/// The assertion by which the client authenticated is good once.
async fn use_up(app: &App, client: &Client) -> Result<(), TokenError> {
    let Some(used) = client.assertion().cloned() else { return Ok(()) };
    let conflict = app.use_client_assertion(used).await?;
    conflict.map_or(Ok(()), |conflict| Err(assertion_replayed(conflict)))
}

/// A client's question.
struct Asking<'a> {
    app: &'a App,
    snapshot: &'a Snapshot,
    client: &'a Client,
    resource: Option<&'a str>,
}

impl Asking<'_> {
    /// Whether one of the resources in question is offered to a provider's teamspace, nothing stops it, and the policies
    /// trust the issuer there.
    fn accepts(&self, trusted: &TrustedProvider) -> bool {
        let slug = &trusted.teamspace_config.teamspace.slug;
        let mut offered = self.snapshot.resources().filter(|resource| resource.is_published_to(slug));
        offered.any(|resource| self.is_asked_for(resource) && self.accepts_for(trusted, resource))
    }

    fn is_asked_for(&self, resource: &Resource) -> bool {
        self.resource.is_none_or(|asked| resource.identifier == asked)
    }

    fn accepts_for(&self, trusted: &TrustedProvider, resource: &Arc<Resource>) -> bool {
        let targets = KillTargets {
            teamspace_id: &trusted.provider.teamspace_id,
            issuer: &trusted.provider.issuer,
            client_id: &self.client.registered().client_id,
            resource_id: &resource.id,
        };
        if self.snapshot.kill_switches().stopping(targets).is_some() {
            return false;
        }
        let policies = self.app.policies();
        let decision = decide(&policies.compiled, &self.facts(trusted, resource));
        let trusts = decision.answers.iter().find(|answer| answer.action == Action::TrustIssuer);
        trusts.is_some_and(|answer| answer.allowed)
    }

    /// The facts of somebody who is a member and asks for no scope: only what is about issuer and client counts.
    fn facts(&self, trusted: &TrustedProvider, resource: &Resource) -> Facts {
        let TrustedProvider { teamspace_config, provider } = trusted;
        Facts {
            now: self.app.clock.now(),
            teamspace: TeamspaceFacts::of(teamspace_config, Some(provider)),
            client: ClientFacts::of(self.client.registered(), self.client.method()),
            claims: ClaimFacts {
                iss: provider.issuer.clone(),
                sub: SUBJECT.to_owned(),
                tenant: provider.tenant.clone(),
                ..ClaimFacts::default()
            },
            member: MemberFacts::Present {
                status: Status::Active,
                linking: false,
                email_domain: None,
                role: Some(Role::Developer),
            },
            resource: ResourceFacts {
                identifier: resource.identifier.clone(),
                published: true,
                default_scopes: resource.default_scopes.clone(),
            },
            candidates: Candidates::default(),
            key_bound: false,
            client_address: None,
        }
    }
}
