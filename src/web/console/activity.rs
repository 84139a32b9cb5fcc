//! Activity: who signed in, who did not, and why. Operators have the same list for all teamspaces.

mod rows;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use url::form_urlencoded;

use super::answer::{PageError, download, form_again, page};
use super::chart::Chart;
use super::page::{Frame, InTeamspacePage, OperatorPage, Place};
use super::reason_words::reason_words;
use super::words;
use crate::admin::sign_in_export;
use crate::admin::sign_in_numbers::{self, Numbers};
use crate::admin::sign_in_search::{SearchFault, SignInSearch};
use crate::admin::sign_ins;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::oauth::reason::Reason;
use crate::store::Page;
use crate::store::sign_ins::{Filter, SignIn};
use crate::store::snapshot::TeamspaceConfig;
use rows::SignInRow;

/// Rows on a page.
const ROWS: i64 = 50;
/// Rows that a filtered page reads; then it offers to look further back.
const WINDOW: i64 = 2000;

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    /// The list's path, behind the base.
    here: String,
    /// Whether it is the list of all teamspaces.
    is_of_all: bool,
    query: ActivityQuery,
    /// The mistake in the search.
    fault: Option<SearchFault>,
    rows: Vec<SignInRow>,
    /// The next page; empty when there is none.
    older: String,
    chart: Chart,
    numbers: Numbers,
    reasons: Vec<ReasonBar>,
    /// The reasons that can be searched for.
    known_reasons: Vec<&'static str>,
    /// The time of the last assertion, in words; none if the page is not about one identity provider.
    last: Option<Last>,
    has_provider: bool,
    /// Empty on the list of all teamspaces.
    slug: String,
    providers: Vec<(String, String)>,
}

/// The last assertion of a teamspace.
struct Last {
    text: String,
    /// Its row, if its time is known.
    request_id: String,
}

/// A reason with its share of all refusals.
struct ReasonBar {
    reason: String,
    sentence: &'static str,
    number: i64,
    percent: i64,
}

/// The search of the list.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ActivityQuery {
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    identity_provider: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    cursor: String,
    /// `csv` or `json`, where a file is asked for.
    #[serde(default)]
    format: String,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/activity", get(show_all))
        .route("/activity/export", get(export_all))
        .route("/t/{slug}/activity", get(show))
        .route("/t/{slug}/activity/export", get(export))
}

/// `GET /t/{slug}/activity`
async fn show(
    State(app): State<Arc<App>>,
    at: InTeamspacePage,
    Query(query): Query<ActivityQuery>,
) -> Result<Response, PageError> {
    let numbers = sign_in_numbers::of_teamspace(&at).await?;
    let found = match query.filter() {
        Ok(filter) => Ok(sign_ins::of_teamspace(&at, filter, ROWS).await?),
        Err(fault) => Err(fault),
    };
    let config = Arc::clone(at.teamspace_config());
    let shown = Shown { here: at.path("/activity"), frame: at.frame(Place::Activity), query, numbers };
    shown.answer(&app, found, Some(&config))
}

/// `GET /activity`: the sign-ins of every teamspace, and those that led to none.
async fn show_all(
    State(app): State<Arc<App>>,
    operator: OperatorPage,
    Query(query): Query<ActivityQuery>,
) -> Result<Response, PageError> {
    let numbers = sign_in_numbers::of_all(&operator).await?;
    let found = match query.filter() {
        Ok(filter) => Ok(sign_ins::of_all(&operator, filter, ROWS).await?),
        Err(fault) => Err(fault),
    };
    let here = "/activity".to_owned();
    Shown { here, frame: operator.frame(Place::Teamspaces), query, numbers }.answer(&app, found, None)
}

/// `GET /t/{slug}/activity/export`
async fn export(at: InTeamspacePage, Query(query): Query<ActivityQuery>) -> Result<Response, PageError> {
    let filter = query.filter().map_err(|fault| PageError::Form(fault.to_string()))?;
    let name = format!("sign-ins-{}", at.teamspace_config().teamspace.slug);
    download(sign_in_export::of_teamspace(&at, filter).await?, &name, &query.format)
}

/// `GET /activity/export`
async fn export_all(
    operator: OperatorPage,
    Query(query): Query<ActivityQuery>,
) -> Result<Response, PageError> {
    let filter = query.filter().map_err(|fault| PageError::Form(fault.to_string()))?;
    download(sign_in_export::of_all(&operator, filter).await?, "sign-ins", &query.format)
}

impl ActivityQuery {
    fn search(&self) -> SignInSearch {
        let some = |text: &String| Some(text.clone());
        SignInSearch {
            outcome: some(&self.outcome),
            reason: some(&self.reason),
            request_id: some(&self.request_id),
            client_id: some(&self.client_id),
            person: some(&self.person),
            identity_provider: some(&self.identity_provider),
            issuer: some(&self.issuer),
            from: some(&self.from),
            to: some(&self.to),
        }
    }

    fn filter(&self) -> Result<Filter, SearchFault> {
        // A cursor that this page did not give out begins with the newest row.
        let cursor = self.cursor.parse().ok();
        Ok(Filter { cursor, window: Some(WINDOW), ..self.search().filter()? })
    }

    /// Whether anything is searched for.
    fn is_searching(&self) -> bool {
        self.fields().any(|(name, _)| name != "cursor")
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("outcome", &self.outcome),
            ("reason", &self.reason),
            ("person", &self.person),
            ("client_id", &self.client_id),
            ("identity_provider", &self.identity_provider),
            ("issuer", &self.issuer),
            ("request_id", &self.request_id),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", &self.cursor),
        ];
        all.into_iter().map(|(name, value)| (name, value.trim())).filter(|(_, value)| !value.is_empty())
    }

    /// The query without its cursor, as a part of a URL.
    fn link(&self) -> String {
        let fields = self.fields().filter(|(name, _)| *name != "cursor");
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }

    /// The link to the list from a cursor on.
    fn link_from(&self, cursor: &str) -> String {
        let fields = self.fields().filter(|(name, _)| *name != "cursor");
        let mut link = form_urlencoded::Serializer::new(String::new());
        link.extend_pairs(fields).append_pair("cursor", cursor).finish()
    }
}

/// Everything of a page but its rows.
struct Shown {
    here: String,
    frame: Frame,
    query: ActivityQuery,
    numbers: Numbers,
}

impl Shown {
    fn answer(
        self,
        app: &App,
        found: Result<Page<SignIn>, SearchFault>,
        config: Option<&TeamspaceConfig>,
    ) -> Result<Response, PageError> {
        let Self { here, frame, query, numbers } = self;
        let (fault, found) = match found {
            Ok(found) => (None, found),
            Err(fault) => (Some(fault), Page { items: Vec::new(), next_cursor: None }),
        };
        let snapshot = app.snapshot();
        let providers = config.map(|config| &config.identity_providers);
        let template = ActivityPage {
            is_of_all: config.is_none(),
            older: found.next_cursor.map(|cursor| query.link_from(&cursor)).unwrap_or_default(),
            rows: found.items.into_iter().map(|row| SignInRow::of(row, &snapshot)).collect(),
            chart: Chart::of(&numbers.days),
            reasons: bars(&numbers),
            known_reasons: Reason::TABLE.iter().map(|about| about.reason).collect(),
            last: config.map(|_| last(&numbers, app.clock.now())),
            slug: config.map(|config| config.teamspace.slug.clone()).unwrap_or_default(),
            has_provider: providers.is_none_or(|providers| !providers.is_empty()),
            providers: providers.into_iter().flatten().map(|p| (p.id.clone(), p.name.clone())).collect(),
            fault,
            here,
            frame,
            query,
            numbers,
        };
        if fault.is_some() { form_again(&template) } else { page(&template) }
    }
}

fn bars(numbers: &Numbers) -> Vec<ReasonBar> {
    let all = numbers.refused.max(1);
    let bar = |(reason, number): &(String, i64)| ReasonBar {
        reason: reason.clone(),
        sentence: reason_words(reason).sentence,
        number: *number,
        percent: number.saturating_mul(100) / all,
    };
    numbers.reasons.iter().map(bar).collect()
}

fn last(numbers: &Numbers, now: UnixSeconds) -> Last {
    match &numbers.last {
        Some(last) => Last { text: words::ago(last.at, now), request_id: last.request_id.clone() },
        None => Last { text: "never".to_owned(), request_id: String::new() },
    }
}
