//! A summary of what a shadow set would have decided differently.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::difference::{Deciding, DecisionOutcome};
use crate::clock::rfc3339;
use crate::store::shadow::{self, Run, ShadowDifference};
use crate::store::snapshot::Snapshot;
use crate::store::{AnyConnection, StoreError};

/// The differences to report.
#[derive(Debug, Clone, Default)]
pub struct ReportQuery {
    /// The hash of the shadow set, or the beginning of it; none for the one that was on trial last.
    pub set: Option<String>,
    /// The id of the teamspace whose differences are wanted; none for all.
    pub teamspace_id: Option<String>,
    /// Most differences to tell one by one.
    pub limit: usize,
}

/// Everything that is known of a shadow set.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShadowReport {
    pub shadow_set: String,
    /// RFC 3339.
    pub since: String,
    pub until: String,
    /// Decisions of every teamspace.
    pub evaluated: i64,
    /// How many of them differ, of every teamspace.
    pub different: i64,
    /// How many differences could not be recorded.
    pub dropped: i64,
    /// Recorded differences of the teamspace in question.
    pub recorded: usize,
    pub groups: Vec<DifferenceGroup>,
    /// Newest first.
    pub latest: Vec<ToldDifference>,
}

/// Differences of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceGroup {
    pub change: String,
    #[schema(value_type = Object)]
    pub policies: Deciding,
    pub count: usize,
}

/// One difference.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldDifference {
    /// RFC 3339.
    pub time: String,
    pub request_id: String,
    #[schema(required)]
    pub teamspace: Option<String>,
    pub policy_set: String,
    pub change: String,
    #[schema(value_type = Object)]
    pub policies: Deciding,
    #[schema(value_type = Object)]
    pub actual: DecisionOutcome,
    #[schema(value_type = Object)]
    pub shadow: DecisionOutcome,
}

/// The hash of the shadow set that is meant; none if no such set was on trial.
pub fn find_set(connection: &mut AnyConnection, set: Option<&str>) -> Result<Option<String>, StoreError> {
    let mut hashes: Vec<String> = shadow::runs(connection)?.into_iter().map(|run| run.shadow_set).collect();
    let Some(prefix) = set else { return Ok(hashes.into_iter().next()) };
    hashes.retain(|hash| !prefix.is_empty() && hash.starts_with(prefix));
    hashes.sort();
    hashes.dedup();
    if hashes.len() > 1 {
        return Err(StoreError::AmbiguousSet(prefix.to_owned()));
    }
    Ok(hashes.pop())
}

/// Reports on a shadow set; none if no such set was on trial.
pub fn report(
    connection: &mut AnyConnection,
    query: &ReportQuery,
) -> Result<Option<ShadowReport>, StoreError> {
    let Some(shadow_set) = find_set(connection, query.set.as_deref())? else { return Ok(None) };
    let mut runs = shadow::runs(connection)?;
    runs.retain(|run| run.shadow_set == shadow_set);
    let rows = shadow::differences(connection, &shadow_set, query.teamspace_id.as_deref())?;
    let snapshot = Snapshot::load(connection)?;
    let told = rows.iter().map(|row| tell(row, &snapshot)).collect::<Result<Vec<_>, _>>()?;
    let sum = |of: fn(&Run) -> i64| runs.iter().map(of).sum();
    Ok(Some(ShadowReport {
        since: rfc3339(runs.iter().map(|run| run.since).min().unwrap_or_default()),
        until: rfc3339(runs.iter().map(|run| run.until).max().unwrap_or_default()),
        evaluated: sum(|run| run.evaluated),
        different: sum(|run| run.different),
        dropped: sum(|run| run.dropped),
        recorded: told.len(),
        groups: groups(&told),
        latest: told.into_iter().take(query.limit).collect(),
        shadow_set,
    }))
}

fn tell(row: &ShadowDifference, snapshot: &Snapshot) -> Result<ToldDifference, StoreError> {
    let damaged = |error: serde_json::Error| StoreError::Damaged(error.to_string());
    let actual: DecisionOutcome = serde_json::from_str(&row.actual).map_err(damaged)?;
    let shadow: DecisionOutcome = serde_json::from_str(&row.shadow).map_err(damaged)?;
    Ok(ToldDifference {
        time: rfc3339(row.at),
        request_id: row.request_id.clone(),
        teamspace: row.teamspace_id.as_deref().and_then(|id| snapshot.slug_of(id)),
        policy_set: row.policy_set.clone(),
        change: actual.change(&shadow),
        policies: serde_json::from_str(&row.policies).map_err(damaged)?,
        actual,
        shadow,
    })
}

/// The commonest first.
fn groups(told: &[ToldDifference]) -> Vec<DifferenceGroup> {
    let mut counts: HashMap<(&str, &Deciding), usize> = HashMap::new();
    for difference in told {
        *counts.entry((&difference.change, &difference.policies)).or_default() += 1;
    }
    let mut groups: Vec<DifferenceGroup> = counts
        .into_iter()
        .map(|((change, policies), count)| DifferenceGroup {
            change: change.to_owned(),
            policies: policies.clone(),
            count,
        })
        .collect();
    groups.sort_by(|a, b| {
        b.count.cmp(&a.count).then_with(|| (&a.change, &a.policies).cmp(&(&b.change, &b.policies)))
    });
    groups
}
