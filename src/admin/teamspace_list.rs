//! A list of teamspaces with the key facts about each.

use std::sync::Arc;

use super::caller::Admin;
use super::error::AdminError;
use super::provider_status::{ProviderRecords, ProviderState};
use crate::clock::UnixSeconds;
use crate::model::teamspace::Teamspace;
use crate::policy::ConsoleAction;
use crate::store::Page;
use crate::store::snapshot::TeamspaceConfig;

/// A teamspace at a glance.
#[derive(Debug)]
pub struct Listed {
    pub teamspace: Teamspace,
    pub state: ProviderState,
    pub seats_used: i64,
    pub last_sign_in_at: Option<UnixSeconds>,
}

/// Lists a page of the teamspaces that the caller reaches, by slug: those that begin with `prefix` and come after
/// `after`.
pub async fn page(
    admin: &Admin,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<Listed>, AdminError> {
    let snapshot = admin.app.snapshot();
    let begins =
        |teamspace_config: &&Arc<TeamspaceConfig>| teamspace_config.teamspace.slug.starts_with(prefix);
    let follows = |teamspace_config: &&Arc<TeamspaceConfig>| {
        after.is_none_or(|after| teamspace_config.teamspace.slug.as_str() > after)
    };
    let mut found: Vec<Arc<TeamspaceConfig>> = match admin.teamspaces_where(ConsoleAction::ViewOverview)? {
        None => {
            let from = after.filter(|after| *after > prefix).unwrap_or(prefix);
            let listed = snapshot.teamspace_configs_from(from).take_while(begins);
            listed.filter(follows).take(limit + 1).cloned().collect()
        }
        Some(ids) => ids.iter().filter_map(|id| snapshot.teamspace_config_by_id(id)).cloned().collect(),
    };
    found.retain(|teamspace_config| begins(&teamspace_config) && follows(&teamspace_config));
    found.sort_by(|one, other| one.teamspace.slug.cmp(&other.teamspace.slug));
    found.truncate(limit + 1);
    let records = ProviderRecords::read(&admin.app, &found).await?;
    let items = found.into_iter().map(|config| listed(&config, &records)).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(Page::of(items, limit, |listed: &Listed| listed.teamspace.slug.clone()))
}

fn listed(config: &TeamspaceConfig, records: &ProviderRecords) -> Listed {
    let usage = records.usage(&config.teamspace.id);
    Listed {
        teamspace: config.teamspace.clone(),
        state: ProviderState::of_all(&records.statuses(config)),
        seats_used: usage.map_or(0, |usage| usage.seats_used),
        last_sign_in_at: usage.and_then(|usage| usage.last.as_ref()).map(|last| last.at),
    }
}
