//! The policies in force, those that were, and those that are only tried.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{ItemId, Operator};
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::app::{App, MAX_LISTED};
use crate::clock::rfc3339;
use crate::shadow::report::{self, Query};
use crate::store::policy_sets::{self, PastSetTimes};
use crate::store::{StoreError, shadow};

/// Which differences are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowQuery {
    set: Option<String>,
    teamspace: Option<String>,
    limit: Option<String>,
}

/// `GET /policies`
pub async fn show(operator: Operator) -> Result<Json<Value>, Problem> {
    let policies = operator.app.policies();
    Ok(Json(json!({
        "hash": policies.hash,
        "loaded_at": rfc3339(policies.loaded_at),
        "files": policies.files,
        "unknown_names": operator.app.unknown_names().into_iter().take(MAX_LISTED).collect::<Vec<_>>(),
        "last_error": operator.app.policy_files.last_error().map(|error| error.view()),
        "shadow": shadow_view(&operator.app).await?,
        "replicas": operator.app.replicas_view(),
    })))
}

/// Null when it is off. The counts are those of this set, whenever it was tried.
async fn shadow_view(app: &App) -> Result<Option<Value>, StoreError> {
    let Some(shadow) = &app.shadow else { return Ok(None) };
    let policies = shadow.policies();
    let hash = policies.as_ref().map(|set| set.hash.clone());
    let runs = app.store.read(shadow::runs).await?;
    let mine = || runs.iter().filter(|run| Some(&run.shadow_set) == hash.as_ref());
    Ok(Some(json!({
        "hash": hash,
        "loaded_at": policies.as_ref().map(|set| rfc3339(set.loaded_at)),
        "files": policies.as_ref().map(|set| &set.files),
        "last_error": shadow.files.last_error().map(|error| error.view()),
        "evaluated": mine().map(|run| run.evaluated).sum::<i64>(),
        "different": mine().map(|run| run.different).sum::<i64>(),
    })))
}

/// `GET /policies/sets`: latest first.
pub async fn list_sets(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let sets = operator.app.store.read(policy_sets::list).await?;
    // Times before 1970 do not occur, so the texts stand in the order of the list.
    let key = |set: &PastSetTimes| format!("{:019} {}", i64::MAX - set.first_loaded_at, set.hash);
    let in_force = operator.app.policies().hash.clone();
    let found = page::of_sorted(sets.into_iter(), &query, key)?;
    Ok(page::answer(found, |set| {
        json!({
            "hash": set.hash,
            "in_force": set.hash == in_force,
            "first_loaded_at": rfc3339(set.first_loaded_at),
            "last_in_force_at": rfc3339(set.last_in_force_at),
        })
    }))
}

/// `GET /policies/sets/{hash}`: by the hash or the beginning of it.
pub async fn show_set(operator: Operator, ItemId(hash): ItemId) -> Result<Json<Value>, Problem> {
    let found = operator.app.store.read(move |c| policy_sets::find(c, &hash)).await;
    let set = found.map_err(ambiguous)?.ok_or_else(Problem::not_found)?;
    let mut view: Value = serde_json::from_str(&set.content).map_err(|e| Problem::unavailable(&e))?;
    if let Some(view) = view.as_object_mut() {
        view.insert("hash".into(), set.hash.into());
        view.insert("first_loaded_at".into(), rfc3339(set.first_loaded_at).into());
        view.insert("last_in_force_at".into(), rfc3339(set.last_in_force_at).into());
    }
    Ok(Json(view))
}

/// `GET /policies/shadow`: what the set that was tried last, or another one, would have decided otherwise.
pub async fn show_shadow(
    operator: Operator,
    Params(query): Params<ShadowQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let teamspace_id = match &query.teamspace {
        None => None,
        Some(slug) => {
            let snapshot = operator.app.snapshot();
            Some(snapshot.teamspace_config(slug).ok_or_else(Problem::not_found)?.teamspace.id.clone())
        }
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let query = Query { set: query.set, teamspace_id, limit };
    let report = operator.app.store.list(move |c| report::report(c, &query)).await;
    let report = report.map_err(ambiguous)?.ok_or_else(Problem::not_found)?;
    Ok(Json(serde_json::to_value(report).map_err(|e| Problem::unavailable(&e))?))
}

fn ambiguous(error: StoreError) -> Problem {
    match error {
        StoreError::AmbiguousSet(_) => {
            Problem::new(StatusCode::BAD_REQUEST, "hash_ambiguous", "Several policy sets have such a hash.")
        }
        other => other.into(),
    }
}
