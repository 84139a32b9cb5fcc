//! Whether an access token is active at a resource now: the one answer behind introspection and forward-auth.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::app::App;
use crate::model::identity_provider::IdentityProvider;
use crate::model::kill_switch::KillTargets;
use crate::model::resource::Resource;
use crate::revocation::{KnownToken, UseCounter};
use crate::token::{AccessToken, TokenMarks, verify};

/// Why a token is not active. Callers tell all but [`Self::NotKnowable`] alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inactive {
    /// It is no access token that one of our keys signed.
    #[error("not one of our access tokens")]
    NotOurs,
    /// It is for another resource.
    #[error("for another resource")]
    OtherResource,
    /// It is past its `exp`.
    #[error("expired")]
    Expired,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// Its teamspace, identity provider or client is gone or disabled, the resource is not offered to the teamspace, or
    /// a kill switch is on for one of them.
    #[error("issued under a configuration that is gone")]
    Withdrawn,
    /// The database cannot be asked, so nobody knows whether it was revoked.
    #[error("the revocations cannot be read")]
    NotKnowable,
}

/// Finds out whether a token is active at a resource.
pub fn active_token(app: &App, token: &str, resource: &Resource) -> Result<Arc<KnownToken>, Inactive> {
    let signer = app.signer();
    let verified = || {
        let token = verify(token, &signer, &app.config.issuer)?;
        let marks = TokenMarks::of(&token, &resource.id);
        (token.audience == resource.identifier).then(|| KnownToken {
            token,
            resource_id: resource.id.clone(),
            marks,
            uses: UseCounter::default(),
            email: OnceCell::new(),
            facts: OnceCell::new(),
        })
    };
    let Some(known) = app.known_tokens.find_or(token, verified) else {
        return Err(Inactive::NotOurs);
    };
    let claims = &known.token;
    if known.resource_id != resource.id || claims.audience != resource.identifier {
        return Err(Inactive::OtherResource);
    }
    if claims.expires_at <= app.clock.now() {
        return Err(Inactive::Expired);
    }
    // A key that was withdrawn before its time no longer signs for anything.
    if signer.key(&claims.kid).is_none() {
        return Err(Inactive::NotOurs);
    }
    if !app.revoked.is_current(&*app.clock, app.config.revocation.max_staleness.as_secs()) {
        return Err(Inactive::NotKnowable);
    }
    if app.revoked.is_revoked(&known.marks, claims.issued_at) {
        return Err(Inactive::Revoked);
    }
    match is_still_configured(app, claims, resource) {
        true => Ok(known),
        false => Err(Inactive::Withdrawn),
    }
}

/// Whether the teamspace, the identity provider and the client still exist and are enabled, the resource is offered to
/// the teamspace, and no kill switch is on for any of them.
fn is_still_configured(app: &App, token: &AccessToken, resource: &Resource) -> bool {
    let snapshot = app.snapshot();
    let Some(config) = snapshot.teamspace_config_by_id(&token.teamspace_id) else { return false };
    let has_led_to_it = |provider: &&Arc<IdentityProvider>| {
        // Without an id it was issued by an older version: any of them may have led to it.
        token.identity_provider_id.as_ref().is_none_or(|id| *id == provider.id)
    };
    let mut providers = config.identity_providers.iter().filter(has_led_to_it).peekable();
    let is_on = |provider: &Arc<IdentityProvider>| {
        let targets = KillTargets {
            teamspace_id: &token.teamspace_id,
            issuer: &provider.issuer,
            client_id: &token.client_id,
            resource_id: &resource.id,
        };
        provider.enabled && snapshot.kill_switches().stopping(targets).is_none()
    };
    let is_provider_on = providers.peek().is_some() && providers.all(is_on);
    let is_client_on = match snapshot.client(&token.client_id) {
        Some(client) => client.enabled,
        None => app.client_documents.allows(&token.client_id),
    };
    // An identifier that was given away and registered again is another resource, for which the token never was.
    let is_for_this = resource.created_at <= token.issued_at;
    is_provider_on && is_client_on && is_for_this && resource.is_published_to(&config.teamspace.slug)
}
