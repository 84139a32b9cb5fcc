//! Finds out which identity provider of a teamspace has signed a token. The keys are the ones that assertions are
//! verified with, and so are the rules for them.

use std::sync::Arc;

use super::claims::{EventClaims, EventClock};
use super::refusal::SignalRefusal;
use crate::app::App;
use crate::idp::jwks::KeyError;
use crate::idp::jws::UnverifiedJws;
use crate::idp::key::VerificationKey;
use crate::model::identity_provider::IdentityProvider;
use crate::store::snapshot::{IssuerProviders, TrustedProvider};

/// Longest token, in bytes.
const MAX_TOKEN: usize = 32 * 1024;

/// A token of an identity provider that the teamspace trusts.
pub(super) struct SignedEvent {
    pub provider: Arc<IdentityProvider>,
    /// The tenant that it is about; empty when it names none.
    pub tenant: String,
    pub claims: EventClaims,
    pub clock: EventClock,
}

/// Verifies a token that was sent to a teamspace. `is_type` tells the types that the endpoint takes.
pub(super) async fn authenticate(
    app: &App,
    slug: &str,
    token: &str,
    is_type: fn(&str) -> bool,
) -> Result<SignedEvent, SignalRefusal> {
    let unverified =
        UnverifiedJws::peek(token, MAX_TOKEN, is_type).map_err(SignalRefusal::unauthenticated)?;
    let snapshot = app.snapshot();
    let teamspace = snapshot.teamspace_config(slug);
    let teamspace = &teamspace.ok_or_else(|| SignalRefusal::unauthenticated("no such teamspace"))?.teamspace;
    let is_own = |trusted: &TrustedProvider| trusted.provider.teamspace_id == teamspace.id;
    let providers = snapshot.providers_of(unverified.issuer()).filter(|known| known.enabled().any(is_own));
    let providers =
        providers.ok_or_else(|| SignalRefusal::unauthenticated("no provider with this issuer"))?;

    let keys = find_keys(app, providers, &unverified).await?;
    let claims = unverified.verified(&keys);
    let claims = EventClaims(claims.ok_or_else(|| SignalRefusal::unauthenticated("the signature is bad"))?);
    let tenant = claims.text("tenant", 255);
    if tenant.is_none() && claims.get("tenant").is_some() {
        return Err(SignalRefusal::unauthenticated("tenant is malformed"));
    }
    let selected =
        providers.select(tenant, None).filter(|trusted| is_own(trusted) && trusted.provider.enabled);
    let trusted = selected.ok_or_else(|| SignalRefusal::unauthenticated("the tenant is another one"))?;
    app.limits.check_signal(&teamspace.id).map_err(SignalRefusal::Limited)?;
    let clock = EventClock { now: app.clock.now(), skew: app.config.assertion.clock_skew.as_secs() };
    let tenant = tenant.unwrap_or_default().to_owned();
    Ok(SignedEvent { provider: Arc::clone(&trusted.provider), tenant, claims, clock })
}

/// Finds keys as an exchange does: they belong to the issuer, whichever teamspace asks.
async fn find_keys(
    app: &App,
    providers: &IssuerProviders,
    unverified: &UnverifiedJws<'_>,
) -> Result<Vec<Arc<VerificationKey>>, SignalRefusal> {
    let Some(TrustedProvider { teamspace_config, provider }) = providers.enabled().next() else {
        return Err(SignalRefusal::unauthenticated("the provider is disabled"));
    };
    let (kid, algorithm) = (unverified.kid(), unverified.algorithm());
    let found = app.issuer_keys.find(&teamspace_config.teamspace.slug, provider, kid, algorithm).await;
    found.map_err(|error| match error {
        KeyError::Unknown(detail) => SignalRefusal::Unauthenticated(detail),
        KeyError::Busy | KeyError::Unreachable => SignalRefusal::unavailable(error),
    })
}
