//! The policies in force, past ones, and shadow sets.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::auth::{ItemId, Operator};
use super::describe::{List, OperatorOnly};
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::as_json;
use crate::app::{App, MAX_LISTED};
use crate::clock::rfc3339;
use crate::policy::{ConsoleAction, PolicyFile};
use crate::shadow::report::{self, ReportQuery, ShadowReport};
use crate::store::policy_sets::{self, PastSetTimes};
use crate::store::{StoreError, shadow};

/// Which differences are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShadowQuery {
    /// Hash of the shadow set, or the beginning of it. By default, the set that was on trial last.
    set: Option<String>,
    /// A teamspace's slug.
    teamspace: Option<String>,
    /// The maximum number of differences to list, 1 to 200; 50 by default.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// The policies in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Policies)]
pub struct PoliciesView {
    hash: String,
    #[schema(format = DateTime)]
    loaded_at: String,
    /// The directory that they were read from; `built-in` for the policies in the binary.
    directory: String,
    /// The schema's file; `built-in` for the schema in the binary.
    schema_file: String,
    #[schema(value_type = Vec<Object>)]
    files: Vec<PolicyFile>,
    /// Names in policies that nothing has.
    #[schema(value_type = Vec<Object>)]
    unknown_names: Vec<Value>,
    /// Why the newest files are not in force; null if they are.
    #[schema(required, value_type = Option<Object>)]
    last_error: Option<Value>,
    /// Null when no shadow set is tried.
    #[schema(required)]
    shadow: Option<ShadowView>,
    /// Every process on the database, this one first.
    #[schema(value_type = Vec<Object>)]
    replicas: Value,
}

/// The set on trial beside the one in force.
#[derive(Serialize, ToSchema)]
#[schema(as = ShadowPolicies)]
pub struct ShadowView {
    #[schema(required)]
    hash: Option<String>,
    #[schema(required, format = DateTime)]
    loaded_at: Option<String>,
    #[schema(required, value_type = Option<Vec<Object>>)]
    files: Option<Vec<PolicyFile>>,
    #[schema(required, value_type = Option<Object>)]
    last_error: Option<Value>,
    /// Decisions that this set was asked about, over all the times when it was on trial.
    evaluated: i64,
    different: i64,
}

/// A set that is or was in force.
#[derive(Serialize, ToSchema)]
pub struct PastSet {
    hash: String,
    in_force: bool,
    #[schema(format = DateTime)]
    first_loaded_at: String,
    #[schema(format = DateTime)]
    last_in_force_at: String,
}

/// The text of a set.
#[derive(ToSchema, Serialize)]
pub struct PastSetText {
    hash: String,
    #[schema(format = DateTime)]
    first_loaded_at: String,
    #[schema(format = DateTime)]
    last_in_force_at: String,
    /// `schema` is the schema's text, `files` a list of pairs of name and text.
    #[serde(flatten)]
    content: serde_json::Map<String, Value>,
}

/// Shows the policies in force.
#[utoipa::path(get, path = "/policies", responses((status = 200, body = PoliciesView), OperatorOnly))]
pub async fn show(operator: Operator) -> Result<Json<PoliciesView>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewPolicies)?;
    let policies = operator.app.policies();
    let place = operator.app.policy_files.place();
    let unknown_names = operator.app.unknown_names().into_iter().take(MAX_LISTED);
    Ok(Json(PoliciesView {
        hash: policies.hash.clone(),
        loaded_at: rfc3339(policies.loaded_at),
        directory: place.dir.to_string(),
        schema_file: place.schema.to_string(),
        files: policies.files.clone(),
        unknown_names: unknown_names.map(|name| json!(name)).collect(),
        last_error: operator.app.policy_files.last_error().map(|error| error.view()),
        shadow: shadow_view(&operator.app).await?,
        replicas: operator.app.replicas_view(),
    }))
}

async fn shadow_view(app: &App) -> Result<Option<ShadowView>, StoreError> {
    let Some(shadow) = &app.shadow else { return Ok(None) };
    let policies = shadow.policies();
    let hash = policies.as_ref().map(|set| set.hash.clone());
    let runs = app.store.read(shadow::runs).await?;
    let mine = || runs.iter().filter(|run| Some(&run.shadow_set) == hash.as_ref());
    let (evaluated, different) =
        (mine().map(|run| run.evaluated).sum(), mine().map(|run| run.different).sum());
    Ok(Some(ShadowView {
        hash,
        loaded_at: policies.as_ref().map(|set| rfc3339(set.loaded_at)),
        files: policies.as_ref().map(|set| set.files.clone()),
        last_error: shadow.files.last_error().map(|error| error.view()),
        evaluated,
        different,
    }))
}

/// Lists the sets that are or were in force, latest first.
#[utoipa::path(
    get, path = "/policies/sets", params(PageQuery), responses((status = 200, body = List<PastSet>), OperatorOnly)
)]
pub async fn list_sets(operator: Operator, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewPolicies)?;
    let sets = operator.app.store.read(policy_sets::list).await?;
    // Times before 1970 do not occur, so the texts sort in the order of the list.
    let key = |set: &PastSetTimes| format!("{:019} {}", i64::MAX - set.first_loaded_at, set.hash);
    let in_force = operator.app.policies().hash.clone();
    let found = page::of_sorted(sets.into_iter(), &query, key)?;
    Ok(page::answer(found, |set| {
        as_json(PastSet {
            in_force: set.hash == in_force,
            hash: set.hash,
            first_loaded_at: rfc3339(set.first_loaded_at),
            last_in_force_at: rfc3339(set.last_in_force_at),
        })
    }))
}

/// Shows a set by its hash, or by the beginning of its hash.
#[utoipa::path(
    get, path = "/policies/sets/{id}",
    responses((status = 200, body = PastSetText), OperatorOnly, (status = 400, description = "hash_ambiguous"))
)]
pub async fn show_set(operator: Operator, ItemId(hash): ItemId) -> Result<Json<PastSetText>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewPolicies)?;
    let found = operator.app.store.read(move |c| policy_sets::find(c, &hash)).await;
    let set = found.map_err(ambiguous)?.ok_or_else(Problem::not_found)?;
    Ok(Json(PastSetText {
        content: serde_json::from_str(&set.content).map_err(|e| Problem::unavailable(&e))?,
        hash: set.hash,
        first_loaded_at: rfc3339(set.first_loaded_at),
        last_in_force_at: rfc3339(set.last_in_force_at),
    }))
}

/// Summarizes what a shadow set, by default the last one, would have decided differently.
#[utoipa::path(
    get, path = "/policies/shadow", params(ShadowQuery),
    responses(
        (status = 200, body = ShadowReport), OperatorOnly, (status = 400, description = "hash_ambiguous"),
        (status = 404, description = "not_found"),
    )
)]
pub async fn show_shadow(
    operator: Operator,
    Params(query): Params<ShadowQuery>,
) -> Result<Json<ShadowReport>, Problem> {
    operator.may_everywhere(ConsoleAction::ViewPolicies)?;
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let teamspace_id = match &query.teamspace {
        None => None,
        Some(slug) => {
            let snapshot = operator.app.snapshot();
            Some(snapshot.teamspace_config(slug).ok_or_else(Problem::not_found)?.teamspace.id.clone())
        }
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let query = ReportQuery { set: query.set, teamspace_id, limit };
    let report = operator.app.store.list(move |c| report::report(c, &query)).await;
    let report = report.map_err(ambiguous)?.ok_or_else(Problem::not_found)?;
    Ok(Json(report))
}

fn ambiguous(error: StoreError) -> Problem {
    match error {
        StoreError::AmbiguousSet(_) => {
            Problem::new(StatusCode::BAD_REQUEST, "hash_ambiguous", "Several policy sets have such a hash.")
        }
        other => other.into(),
    }
}
