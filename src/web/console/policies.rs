//! The policies in force: their files as read, and the facts about the set. They are changed at their source, not
//! here.

mod highlight;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use cedar_policy::Effect;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::answer::{PageError, page};
use super::page::{Frame, OperatorPage, Place};
use super::words::ago;
use crate::admin::policies::{self, COUNTED_DAYS, DecidedCounts, Overview, ShadowSet, SourceText};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::policy::engine::references::Reference;
use crate::policy::reload::LastError;
use highlight::{Token, lines};

/// Longest text that is shown, in bytes.
const MAX_SHOWN: usize = 256 * 1024;
/// The most warnings that are shown.
const MAX_WARNINGS: usize = 20;

#[derive(Template)]
#[template(path = "policies.html")]
struct PoliciesPage {
    frame: Frame,
    hash: String,
    loaded: String,
    number: usize,
    /// The directory; none for the policies in the binary.
    directory: Option<String>,
    is_tested: bool,
    last_error: Option<ReloadProblem>,
    warnings: Vec<String>,
    unknown_names: Vec<Reference>,
    shadow: Option<ShadowSummary>,
    files: Vec<FileLink>,
    shown: String,
    rows: Vec<ListedPolicy>,
    days: i64,
    /// The lines of the file that is shown; none where it is too long.
    source: Option<String>,
}

/// Why the files could not be loaded last time.
struct ReloadProblem {
    when: String,
    file: String,
    message: String,
}

/// The decisions that the set on trial would have made.
struct ShadowSummary {
    hash: String,
    evaluated: i64,
    different: i64,
    last_error: Option<ReloadProblem>,
}

struct FileLink {
    name: String,
    query: String,
    is_current: bool,
}

/// A policy of the file that is shown.
struct ListedPolicy {
    id: String,
    effect: &'static str,
    /// None for a policy of the console: only those that decide on sign-ins are counted.
    decided: Option<DecidedCounts>,
}

/// A file's text with its tokens marked.
#[derive(Template)]
#[template(path = "source.html")]
struct Source<'t> {
    lines: Vec<Vec<Token<'t>>>,
}

/// Which file is asked for.
#[derive(Deserialize)]
struct FileQuery {
    file: Option<String>,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/policies", get(show))
}

/// `GET /policies`: with the requested file, or the first one.
async fn show(at: OperatorPage, Query(query): Query<FileQuery>) -> Result<Response, PageError> {
    let overview = policies::overview(&at).await?;
    let shown = chosen(&overview, query.file.as_deref()).ok_or(PageError::NotFound)?;
    let now = at.app.clock.now();
    let policies = &overview.policies;
    let link = |file: &SourceText| FileLink {
        query: utf8_percent_encode(&file.name, NON_ALPHANUMERIC).to_string(),
        is_current: file.name == shown.name,
        name: file.name.clone(),
    };
    page(&PoliciesPage {
        frame: at.frame(Place::Policies),
        hash: policies.hash.clone(),
        loaded: ago(policies.loaded_at, now),
        number: policies.files.iter().map(|file| file.policies.len()).sum(),
        directory: (!overview.place.dir.is_built_in()).then(|| overview.place.dir.to_string()),
        is_tested: overview.is_tested,
        last_error: overview.last_error.as_deref().map(|error| problem(error, now)),
        warnings: policies.warnings.iter().take(MAX_WARNINGS).cloned().collect(),
        unknown_names: overview.unknown_names.clone(),
        shadow: overview.shadow.as_ref().map(|shadow| shadow_set(shadow, now)),
        files: overview.files.iter().chain([&overview.schema]).map(link).collect(),
        rows: rows(&overview, &shown.name),
        days: COUNTED_DAYS,
        source: source(&shown.text)?,
        shown: shown.name.clone(),
    })
}

/// The file of this name, or the first one.
fn chosen<'o>(overview: &'o Overview, name: Option<&str>) -> Option<&'o SourceText> {
    let mut all = overview.files.iter().chain([&overview.schema]);
    match name {
        Some(name) => all.find(|file| file.name == name),
        None => all.next(),
    }
}

fn rows(overview: &Overview, file: &str) -> Vec<ListedPolicy> {
    let policies = &overview.policies;
    let ids = policies.files.iter().filter(|known| known.name == file).flat_map(|known| &known.policies);
    let row = |id: &String| ListedPolicy {
        id: id.clone(),
        effect: if policies.compiled.effect(id) == Some(Effect::Permit) { "permit" } else { "forbid" },
        decided: policies
            .compiled
            .is_about_sign_ins(id)
            .then(|| overview.decided.get(id).copied().unwrap_or_default()),
    };
    ids.map(row).collect()
}

fn problem(error: &LastError, now: UnixSeconds) -> ReloadProblem {
    let LastError { at, failure } = error;
    ReloadProblem { when: ago(*at, now), file: failure.file.clone(), message: failure.message.clone() }
}

fn shadow_set(shadow: &ShadowSet, now: UnixSeconds) -> ShadowSummary {
    ShadowSummary {
        hash: shadow.policies.as_ref().map(|set| set.hash.clone()).unwrap_or_default(),
        evaluated: shadow.evaluated,
        different: shadow.different,
        last_error: shadow.last_error.as_deref().map(|error| problem(error, now)),
    }
}

fn source(text: &str) -> Result<Option<String>, PageError> {
    if text.len() > MAX_SHOWN {
        return Ok(None);
    }
    Ok(Some(Source { lines: lines(text) }.render()?))
}
