//! Turns an assertion and the request around it into something that can be decided on.

use std::sync::Arc;

use super::assertion::{AuthenticAssertion, IdJag, Unfit, UnverifiedAssertion};
use super::claims::Expectations;
use super::issuer::{IssuerLookup, select, trusted_issuer};
use super::near_miss::audience_is_resource;
use super::progress::{Progress, Refused};
use super::resource::ResourceRequest;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::idp::jwks::KeyError;
use crate::model::kill_switch::KillTargets;
use crate::model::resource::Resource;
use crate::model::scope::ScopeRequest;
use crate::oauth::authorization_details::{Detail, DetailCandidates, DetailSource, check_places};
use crate::oauth::check::Check;
use crate::oauth::error::{ErrorCode, Reason, TokenError};
use crate::oauth::scope::Candidates;
use crate::store::snapshot::{IssuerProviders, Snapshot, TrustedProvider};
use crate::store::state::Generation;

/// A verified assertion, and whose it is.
pub(super) struct VerifiedAssertion {
    pub id_jag: IdJag,
    pub trusted: TrustedProvider,
    /// The generation of the configuration that all of this is based on.
    pub generation: Generation,
    pub now: UnixSeconds,
}

/// The MCP server, the scopes and the authorization details that the token would be for.
pub(super) struct Target {
    pub resource: Arc<Resource>,
    pub candidates: Candidates,
}

impl VerifiedAssertion {
    /// Everything known once the target is found.
    pub fn progress<'a>(&'a self, before: Progress<'a>) -> Progress<'a> {
        let assertion = self.id_jag.assertion();
        Progress {
            next: Check::Resource,
            issuer: &assertion.claims().iss,
            teamspace_id: Some(&self.trusted.provider.teamspace_id),
            provider_id: &self.trusted.provider.id,
            assertion: Some(assertion),
            ..before
        }
    }
}

/// Verifies an assertion. Nothing in it is trusted before its signature is verified. `own` is the id of a teamspace:
/// with it, other teamspaces' issuers stay unknown.
pub(super) async fn verify(
    app: &App,
    snapshot: &Snapshot,
    assertion: &str,
    own: Option<&str>,
    progress: Progress<'_>,
) -> Result<VerifiedAssertion, Box<Refused>> {
    let (now, progress) = (progress.at, progress.before(Check::Format));
    let unverified = UnverifiedAssertion::peek(assertion, app.config.assertion.max_size.bytes())
        .map_err(|error| progress.refuse(error))?;

    let issuer = unverified.issuer().to_owned();
    let IssuerLookup { teamspace_id, found, .. } = trusted_issuer(snapshot, &issuer, own);
    let progress = Progress { issuer: &issuer, teamspace_id, ..progress.before(Check::Issuer) };
    let providers = found.map_err(|error| progress.refuse(error))?;

    let progress = progress.before(Check::Key);
    let authentic = authenticate(app, unverified, providers).await.map_err(|error| progress.refuse(error))?;

    // A fault in it is reported in its turn.
    let IssuerLookup { teamspace_id, provider_id, found } = select(providers, &authentic, own);
    let progress = Progress { teamspace_id, provider_id, ..progress.before(Check::Audience) };
    let id_jag = authentic.check(&expectations(app, progress.client_id, now)).map_err(|unfit| {
        let Unfit { assertion, mut error } = unfit;
        if let (Ok(trusted), true) = (&found, error.reason == Reason::AUD_MISMATCH) {
            let teamspace = &trusted.teamspace_config.teamspace.slug;
            error.detail.extend(audience_is_resource(snapshot, teamspace, &assertion.claims().aud));
        }
        Progress { assertion: Some(&assertion), ..progress }.refuse(*error)
    })?;
    let progress = Progress { assertion: Some(id_jag.assertion()), ..progress.before(Check::Tenant) };
    let trusted = found.map_err(|error| progress.refuse(error))?.clone();
    Ok(VerifiedAssertion { id_jag, trusted, generation: snapshot.generation, now })
}

/// The resources and the authorization details of a request.
#[derive(Clone, Copy)]
pub(super) struct TargetRequest<'a> {
    /// The values of `resource`.
    pub resource: &'a [String],
    /// The `authorization_details`, of known types; none without the parameter.
    pub details: Option<&'a [Detail]>,
}

/// Finds the MCP server, the scopes and the authorization details that the token would be for.
pub(super) fn resolve_target(
    app: &App,
    snapshot: &Snapshot,
    verified: &VerifiedAssertion,
    requested: TargetRequest<'_>,
    progress: Progress<'_>,
) -> Result<Target, Box<Refused>> {
    let TrustedProvider { teamspace_config, provider } = &verified.trusted;
    let (claims, teamspace) = (verified.id_jag.claims(), &teamspace_config.teamspace.slug);
    let resource = ResourceRequest { claimed: &claims.resource, requested: requested.resource, teamspace }
        .resolve(snapshot)
        .map_err(|error| progress.refuse(error))?;
    let progress = Progress { resource: &resource.identifier, ..progress.before(Check::Scopes) };
    let setting = provider.scope_setting();
    // An unusable claim does not matter if the setting replaces it.
    let claimed = match setting {
        Some(_) => claims.scope.known(),
        None => claims.scope.needed().map_err(|error| progress.refuse(error))?,
    };
    let details = requested.details;
    let (claimed, requested, setting) = (claimed.map(Vec::as_slice), progress.scope, setting.as_deref());
    let candidates = ScopeRequest { claimed, requested, setting, resource: &resource }.candidates();
    let mut candidates = candidates.map_err(|error| progress.refuse(error))?;
    let details = (claims.authorization_details.as_slice(), details);
    candidates.details =
        detail_candidates(app, details, &resource).map_err(|error| progress.refuse(error))?;
    Ok(Target { resource, candidates })
}

/// The authorization details that can be granted for a resource. Those of the assertion are checked also where the request
/// replaces them: none is ignored (draft §4.4.1).
pub(super) fn detail_candidates(
    app: &App,
    (claimed, requested): (&[Detail], Option<&[Detail]>),
    resource: &Resource,
) -> Result<Option<Box<DetailCandidates>>, TokenError> {
    if !claimed.is_empty() {
        let fits = app.detail_types().check(claimed);
        let fits = fits.and_then(|()| check_places(claimed, &resource.identifier));
        fits.map_err(|fault| fault.refusal(DetailSource::Assertion))?;
    }
    check_places(requested.unwrap_or_default(), &resource.identifier)
        .map_err(|fault| fault.refusal(DetailSource::Request))?;
    Ok(DetailCandidates::of(claimed, requested))
}

/// Refuses what a kill switch stops. The caller has proved by now that the request is about it.
pub(super) fn check_kill_switches(
    snapshot: &Snapshot,
    verified: &VerifiedAssertion,
    resource: &Resource,
    progress: Progress<'_>,
) -> Result<(), Box<Refused>> {
    let provider = &verified.trusted.provider;
    let targets = KillTargets {
        teamspace_id: &provider.teamspace_id,
        issuer: &provider.issuer,
        client_id: progress.client_id,
        resource_id: &resource.id,
    };
    let Some(switch) = snapshot.kill_switches().stopping(targets) else { return Ok(()) };
    let text = "Sign-ins are stopped for now by the operator of this server.";
    let error = TokenError::new(ErrorCode::AccessDenied, Reason::KILL_SWITCH, text)
        .detail(format!("a kill switch is on, of scope {}", switch.scope.as_str()));
    Err(Progress { resource: &resource.identifier, ..progress.before(Check::KillSwitch) }.refuse(error))
}

fn expectations(app: &App, client_id: &str, now: UnixSeconds) -> Expectations {
    Expectations {
        audience: app.config.issuer.clone(),
        client_id: client_id.to_owned(),
        now,
        clock_skew: app.config.assertion.clock_skew.as_secs(),
        max_lifetime: app.config.assertion.max_lifetime.as_secs(),
    }
}

/// Checks the signature with a key of the issuer.
async fn authenticate(
    app: &App,
    unverified: UnverifiedAssertion<'_>,
    providers: &IssuerProviders,
) -> Result<AuthenticAssertion, TokenError> {
    let (kid, algorithm) = (unverified.kid(), unverified.algorithm());
    // The keys belong to the issuer: they are the same whichever provider asks for them.
    let Some(TrustedProvider { teamspace_config, provider }) = providers.enabled().next() else {
        return Err(TokenError::unverified(Reason::ISSUER_DISABLED));
    };
    let keys = app.issuer_keys.find(&teamspace_config.teamspace.slug, provider, kid, algorithm).await;
    let keys = keys.map_err(|error| match error {
        KeyError::Unknown(detail) => TokenError::unverified(Reason::KID_UNKNOWN).detail(detail),
        KeyError::Busy => TokenError::unavailable(Reason::ISSUER_UNREACHABLE, error),
        KeyError::Unreachable => {
            let mut unavailable = TokenError::unavailable(Reason::ISSUER_UNREACHABLE, error);
            // Nobody asks again before.
            unavailable.retry_after = Some(app.config.jwks.min_refresh_interval.std().as_secs());
            unavailable
        }
    })?;
    unverified.authenticate(&keys)
}

/// Refuses details of a request whose type is not known, or that do not fit it (RFC 9396 §5).
pub(super) fn check_types(app: &App, details: Option<&[Detail]>) -> Result<(), TokenError> {
    let Some(details) = details else { return Ok(()) };
    app.detail_types().check(details).map_err(|fault| fault.refusal(DetailSource::Request))
}
