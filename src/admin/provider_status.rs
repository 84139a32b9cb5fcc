//! The state of a teamspace's identity providers, for people.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::InTeamspace;
use super::error::AdminError;
use super::trust_history::differing;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::idp::checks::{Outcome, Step};
use crate::model::identity_provider::IdentityProvider;
use crate::model::trust::MetadataDifference;
use crate::oauth::check::Check;
use crate::oauth::reason::{About, Reason};
use crate::policy::ConsoleAction;
use crate::store::members;
use crate::store::provider_checks::{self, ProviderChecks};
use crate::store::sign_in_counts::{self, LastAssertion};
use crate::store::snapshot::TeamspaceConfig;
use crate::store::teamspaces::{self, LastSignIn, Usage};

/// Whether people can sign in with a provider, or with one of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderState {
    /// There is none.
    NotConfigured,
    /// It is saved and switched on, and nothing points to a problem.
    Active,
    /// The last assertion was refused, or the last check failed, for a reason that affects everyone.
    Failing,
    /// Its metadata name another issuer or another address of the keys than was saved.
    MetadataDiffers,
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
    /// The newest sign-in of the teamspace, if it failed at the keys of this issuer.
    pub key_failure: Option<LastSignIn>,
    /// Issuer and address of keys that its metadata names, if they are not those that were saved.
    pub metadata_differs: Option<MetadataDifference>,
}

impl ProviderStatus {
    /// The reason for the last refusal, if it affects everyone.
    pub fn refusal(&self) -> Option<&'static About> {
        let reason = match (&self.key_failure, &self.last_assertion) {
            (Some(failure), _) => &failure.reason,
            (None, Some(last)) => &last.reason,
            (None, None) => return None,
        };
        about(reason).filter(|about| is_about_everybody(about))
    }

    /// Whether people can sign in with it. The later of the last assertion and the last checks counts.
    pub fn state(&self) -> ProviderState {
        if !self.provider.enabled {
            return ProviderState::Disabled;
        }
        let asserted_at = self.key_failure.as_ref().map(|failure| failure.at);
        let asserted_at = asserted_at.or(self.last_assertion.as_ref().map(|last| last.at));
        let checked_at = self.last_checks.as_ref().map(|checks| checks.at);
        let is_refused = self.refusal().is_some();
        let has_failed = self.last_checks.as_ref().is_some_and(LastChecks::has_failure);
        // None is earlier than any time.
        let is_failing = match (is_refused, has_failed) {
            (true, true) => true,
            (true, false) => checked_at <= asserted_at,
            (false, true) => asserted_at < checked_at,
            (false, false) => false,
        };
        match &self.metadata_differs {
            _ if is_failing => ProviderState::Failing,
            Some(_) => ProviderState::MetadataDiffers,
            None => ProviderState::Active,
        }
    }
}

impl ProviderState {
    /// The state of several together. Of those that are switched on, a failing one tells; those that are switched off
    /// tell only where all are.
    pub fn of_all<'s>(statuses: impl IntoIterator<Item = &'s ProviderStatus>) -> Self {
        let states: Vec<Self> = statuses.into_iter().map(ProviderStatus::state).collect();
        let worst_first = [Self::Failing, Self::MetadataDiffers, Self::Active, Self::Disabled];
        worst_first.into_iter().find(|state| states.contains(state)).unwrap_or(Self::NotConfigured)
    }
}

fn about(reason: &str) -> Option<&'static About> {
    Reason::TABLE.iter().find(|about| about.reason == reason)
}

/// Whether a refusal is about the provider's set-up, and not about one person or request.
fn is_about_everybody(about: &About) -> bool {
    use Check::{Audience, Claims, ClientBinding, Key, Signature, Tenant};
    let of_set_up = [Key, Signature, Claims, Audience, ClientBinding, Tenant];
    about.checks.iter().any(|check| of_set_up.contains(check))
}

/// The stored records of teamspaces and their identity providers, by their ids.
pub(super) struct ProviderRecords {
    usage: HashMap<String, Usage>,
    assertions: HashMap<String, LastAssertion>,
    checks: HashMap<String, LastChecks>,
    differing: HashMap<String, MetadataDifference>,
}

impl ProviderRecords {
    /// Reads those of some teamspaces.
    pub(super) async fn read(app: &App, configs: &[Arc<TeamspaceConfig>]) -> Result<Self, AdminError> {
        let ids: Vec<String> = configs.iter().map(|config| config.teamspace.id.clone()).collect();
        let providers = configs.iter().flat_map(|config| &config.identity_providers);
        let provider_ids: Vec<String> = providers.map(|provider| provider.id.clone()).collect();
        let configs = configs.to_vec();
        let read = move |c: &mut _| {
            let providers = configs.iter().flat_map(|config| &config.identity_providers);
            let differing = differing(c, providers.map(|provider| &**provider))?;
            let of_providers = sign_in_counts::of_providers(c, &provider_ids)?;
            Ok((teamspaces::usage(c, &ids)?, of_providers, provider_checks::of(c, &provider_ids)?, differing))
        };
        let (usage, assertions, checks, differing) = app.store.list(read).await?;
        let readable = |kept: ProviderChecks| Some((kept.provider_id.clone(), read_kept(kept)?));
        Ok(Self {
            usage: usage.into_iter().map(|usage| (usage.teamspace_id.clone(), usage)).collect(),
            assertions: assertions
                .into_iter()
                .map(|last| (last.identity_provider_id.clone(), last))
                .collect(),
            checks: checks.into_iter().filter_map(readable).collect(),
            differing,
        })
    }

    /// How a teamspace is used.
    pub(super) fn usage(&self, teamspace_id: &str) -> Option<&Usage> {
        self.usage.get(teamspace_id)
    }

    /// The providers of a teamspace, the oldest first, each with its own.
    pub(super) fn statuses(&self, config: &TeamspaceConfig) -> Vec<ProviderStatus> {
        let last = self.usage(&config.teamspace.id).and_then(|usage| usage.last.as_ref());
        let key_failure = last.filter(|last| is_key_failure(last));
        let status = |provider: &Arc<IdentityProvider>| ProviderStatus {
            provider: Arc::clone(provider),
            last_assertion: self.assertions.get(&provider.id).cloned(),
            last_checks: self.checks.get(&provider.id).cloned(),
            key_failure: key_failure.filter(|last| last.issuer == provider.issuer).cloned(),
            metadata_differs: self.differing.get(&provider.id).cloned(),
        };
        config.identity_providers.iter().map(status).collect()
    }
}

/// Whether the issuer's keys could not be had, or did not fit.
fn is_key_failure(last: &LastSignIn) -> bool {
    let is_of_keys = |about: &About| about.checks.iter().any(|c| matches!(c, Check::Key | Check::Signature));
    last.identity_provider_id.is_empty() && about(&last.reason).is_some_and(is_of_keys)
}

/// Lists the providers of a teamspace, oldest first.
pub async fn list(at: &InTeamspace) -> Result<Vec<ProviderStatus>, AdminError> {
    at.may(ConsoleAction::ViewEnterprise)?;
    let config = at.teamspace_config();
    let records = ProviderRecords::read(&at.app, std::slice::from_ref(config)).await?;
    Ok(records.statuses(config))
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
