//! A list of teamspaces with the key facts about each.

use std::collections::HashMap;
use std::sync::Arc;

use super::caller::Admin;
use super::error::AdminError;
use crate::clock::UnixSeconds;
use crate::model::teamspace::Teamspace;
use crate::oauth::reason::Reason;
use crate::policy::ConsoleAction;
use crate::store::snapshot::TeamspaceConfig;
use crate::store::teamspaces::{self, Usage};
use crate::store::{Page, StoreError};

/// Whether people of a teamspace can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has no identity provider.
    NotConfigured,
    Active,
    /// The last sign-in was refused because the identity provider's keys could not be fetched or did not fit.
    Failing,
    /// All its identity providers are switched off.
    Disabled,
}

/// A teamspace at a glance.
#[derive(Debug)]
pub struct Listed {
    pub teamspace: Teamspace,
    pub status: Status,
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
    let ids: Vec<String> =
        found.iter().map(|teamspace_config| teamspace_config.teamspace.id.clone()).collect();
    let usage = admin.app.store.list(move |c| usage_of(c, &ids)).await?;
    let items = found
        .into_iter()
        .map(|teamspace_config| listed(&teamspace_config, usage.get(&teamspace_config.teamspace.id)))
        .collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(Page::of(items, limit, |listed: &Listed| listed.teamspace.slug.clone()))
}

fn usage_of(
    connection: &mut crate::store::AnyConnection,
    ids: &[String],
) -> Result<HashMap<String, Usage>, StoreError> {
    let usage = teamspaces::usage(connection, ids)?;
    Ok(usage.into_iter().map(|usage| (usage.teamspace_id.clone(), usage)).collect())
}

fn listed(teamspace_config: &TeamspaceConfig, usage: Option<&Usage>) -> Listed {
    Listed {
        teamspace: teamspace_config.teamspace.clone(),
        status: status(teamspace_config, usage),
        seats_used: usage.map_or(0, |usage| usage.seats_used),
        last_sign_in_at: usage.and_then(|usage| usage.last.as_ref()).map(|last| last.at),
    }
}

/// The status of a teamspace, by its identity providers and its last sign-in.
pub fn status(teamspace_config: &TeamspaceConfig, usage: Option<&Usage>) -> Status {
    let of_provider = [Reason::ISSUER_UNREACHABLE, Reason::KID_UNKNOWN, Reason::SIGNATURE_BAD];
    let last = usage.and_then(|usage| usage.last.as_ref());
    let is_failing = last.is_some_and(|last| of_provider.iter().any(|reason| reason.as_str() == last.reason));
    match (
        teamspace_config.identity_providers.is_empty(),
        teamspace_config.identity_providers.iter().any(|p| p.enabled),
    ) {
        (true, _) => Status::NotConfigured,
        (_, false) => Status::Disabled,
        (_, true) if is_failing => Status::Failing,
        (_, true) => Status::Active,
    }
}
