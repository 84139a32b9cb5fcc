//! The state of a teamspace's identity providers, for people.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::InTeamspace;
use super::error::AdminError;
use crate::clock::UnixSeconds;
use crate::idp::checks::{Outcome, Step};
use crate::model::identity_provider::IdentityProvider;
use crate::oauth::reason::{About, Check, Reason};
use crate::policy::ConsoleAction;
use crate::store::members;
use crate::store::provider_checks::{self, ProviderChecks};
use crate::store::sign_in_counts::{self, LastAssertion};

/// Whether people can sign in with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderState {
    /// It is saved and switched on, and nothing points to a problem.
    Active,
    /// The last assertion was refused, or the last check failed, for a reason that affects everyone.
    Failing,
    Disabled,
}

/// The most recent checks of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastChecks {
    pub at: UnixSeconds,
    pub steps: Vec<Step>,
}

impl LastChecks {
    /// Whether one of them failed.
    pub fn has_failure(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::Failed)
    }
}

/// A provider, and how it is doing.
#[derive(Debug, Clone)]
pub struct ProviderStatus {
    pub provider: Arc<IdentityProvider>,
    /// As of a few seconds ago.
    pub last_assertion: Option<LastAssertion>,
    pub last_checks: Option<LastChecks>,
}

impl ProviderStatus {
    /// The reason for the last refusal, if it affects everyone.
    pub fn refusal(&self) -> Option<&'static About> {
        let last = self.last_assertion.as_ref()?;
        Reason::TABLE
            .iter()
            .find(|about| about.reason == last.reason)
            .filter(|about| is_about_everybody(about))
    }

    /// Whether people can sign in with it. The later of the last assertion and the last checks counts.
    pub fn state(&self) -> ProviderState {
        if !self.provider.enabled {
            return ProviderState::Disabled;
        }
        let refused_at = self.last_assertion.as_ref().filter(|_| self.refusal().is_some());
        let failed_at = self.last_checks.as_ref().filter(|checks| checks.has_failure());
        let asserted_at = self.last_assertion.as_ref().map(|last| last.at);
        let checked_at = self.last_checks.as_ref().map(|checks| checks.at);
        let is_failing = match (refused_at, failed_at) {
            (Some(_), Some(_)) => true,
            (Some(last), None) => checked_at.is_none_or(|at| at <= last.at),
            (None, Some(checks)) => asserted_at.is_none_or(|at| at < checks.at),
            (None, None) => false,
        };
        if is_failing { ProviderState::Failing } else { ProviderState::Active }
    }
}

/// Whether a refusal is about the provider's set-up, and not about one person or request.
fn is_about_everybody(about: &About) -> bool {
    use Check::{Audience, Claims, ClientBinding, Key, Signature, Tenant};
    let of_set_up = [Key, Signature, Claims, Audience, ClientBinding, Tenant];
    about.checks.iter().any(|check| of_set_up.contains(check))
}

/// Lists the providers of a teamspace, oldest first.
pub async fn list(at: &InTeamspace) -> Result<Vec<ProviderStatus>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let teamspace_config = at.teamspace_config();
    let ids: Vec<String> =
        teamspace_config.identity_providers.iter().map(|provider| provider.id.clone()).collect();
    let read = move |c: &mut _| {
        let assertions = sign_in_counts::of_providers(c, &ids)?;
        Ok((assertions, provider_checks::of(c, &ids)?))
    };
    let (assertions, checks) = at.app.store.list(read).await?;
    let by_provider = |last: LastAssertion| (last.identity_provider_id.clone(), last);
    let mut assertions: HashMap<String, LastAssertion> = assertions.into_iter().map(by_provider).collect();
    let mut checks: HashMap<String, LastChecks> =
        checks.into_iter().filter_map(|kept| Some((kept.provider_id.clone(), read_kept(kept)?))).collect();
    let status = |provider: &Arc<IdentityProvider>| ProviderStatus {
        provider: Arc::clone(provider),
        last_assertion: assertions.remove(&provider.id),
        last_checks: checks.remove(&provider.id),
    };
    Ok(teamspace_config.identity_providers.iter().map(status).collect())
}

/// Whether anybody of the teamspace has ever been given a token.
pub async fn was_granted_once(at: &InTeamspace) -> Result<bool, AdminError> {
    let id = at.teamspace_config().teamspace.id.clone();
    Ok(at.app.store.list(move |c| members::is_any_bound(c, &id)).await?)
}

/// Checks that cannot be read count as missing: a click makes them again.
fn read_kept(kept: ProviderChecks) -> Option<LastChecks> {
    let steps = serde_json::from_str(&kept.steps).ok()?;
    Some(LastChecks { at: kept.at, steps })
}
