//! One sign-in: what happened, who can fix it and how, then every check.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;

use super::answer::{PageError, page};
use super::check_list::{CheckLine, DecisionLine, check_lines, decision_lines};
use super::fixer_words::who;
use super::page::{Frame, InTeamspacePage, OperatorPage, Place};
use super::reason_words::{ReasonWords, reason_words};
use super::token_lines::TokenLines;
use super::words::date_and_time;
use crate::admin::sign_in_detail::{self, SignInDetail, Today};
use crate::app::App;
use crate::decision_log::granted_details;
use crate::oauth::reason::Reason;
use crate::store::sign_ins::SignIn;

#[derive(Template)]
#[template(path = "sign_in_detail.html")]
struct DetailPage {
    frame: Frame,
    /// The list that the row belongs to, behind the base.
    list: String,
    row: SignIn,
    time: String,
    is_granted: bool,
    words: ReasonWords,
    who: String,
    /// The error that the client was told.
    code: &'static str,
    compared: Option<MarkedPair>,
    checks: Vec<CheckLine>,
    decisions: Vec<DecisionLine>,
    is_set_known: bool,
    today: Option<TodayView>,
    /// None where no token was granted.
    token: Option<TokenLines>,
    provider: String,
    /// The authorization details of the token, as JSON.
    details: Vec<String>,
    /// The teamspace's slug; empty when it led to none.
    slug: String,
}

/// Two values that should be the same.
#[derive(Debug, PartialEq, Eq)]
struct MarkedPair {
    what: String,
    expected: Marked,
    received: Marked,
    /// How they differ, if that is easy to overlook.
    remark: String,
}

/// A text with the part that differs.
#[derive(Debug, PartialEq, Eq)]
struct Marked {
    before: String,
    differs: String,
    after: String,
}

/// The answers of today's policies.
struct TodayView {
    is_same_set: bool,
    /// None: it would be granted.
    reason: Option<Reason>,
    changes: usize,
    decisions: Vec<DecisionLine>,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/activity/{request_id}", get(show_any))
        .route("/t/{slug}/activity/{request_id}", get(show))
}

/// `GET /t/{slug}/activity/{request_id}`
async fn show(
    State(app): State<Arc<App>>,
    at: InTeamspacePage,
    Path((_, request_id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let detail = sign_in_detail::of_teamspace(&at, &request_id).await?;
    page(&DetailPage::of(detail, &app, at.path("/activity"), at.frame(Place::Activity)))
}

/// `GET /activity/{request_id}`
async fn show_any(
    State(app): State<Arc<App>>,
    operator: OperatorPage,
    Path(request_id): Path<String>,
) -> Result<Response, PageError> {
    let detail = sign_in_detail::of_all(&operator, &request_id).await?;
    page(&DetailPage::of(detail, &app, "/activity".to_owned(), operator.frame(Place::Teamspaces)))
}

impl DetailPage {
    fn of(detail: SignInDetail, app: &App, list: String, frame: Frame) -> Self {
        let SignInDetail { row, checks, decisions, is_set_known, today, token } = detail;
        let snapshot = app.snapshot();
        let config = row.teamspace_id.as_deref().and_then(|id| snapshot.teamspace_config_by_id(id));
        let provider = config.and_then(|config| config.identity_provider(&row.identity_provider_id));
        let about = Reason::of_policy(row.reason.clone()).about();
        Self {
            frame,
            list,
            time: date_and_time(row.at),
            is_granted: row.outcome == "granted",
            words: reason_words(&row.reason),
            who: who(&row.reason),
            code: about.codes.first().map_or("", |code| code.for_clients(app.config.denial_error).wire().0),
            compared: compared(&row),
            checks: check_lines(&checks),
            decisions: decision_lines(decisions),
            is_set_known,
            today: today.map(|today| TodayView::of(today, &row)),
            token: token.map(|token| TokenLines::of(&token)),
            provider: provider.map(|provider| provider.name.clone()).unwrap_or_default(),
            details: granted_details(&row).iter().map(ToString::to_string).collect(),
            slug: config.map(|config| config.teamspace.slug.clone()).unwrap_or_default(),
            row,
        }
    }
}

impl TodayView {
    fn of(today: Today, row: &SignIn) -> Self {
        Self {
            is_same_set: today.policy_set == row.policy_set,
            reason: today.reason,
            changes: today.differences.len(),
            decisions: decision_lines(today.decisions),
        }
    }
}

/// The expected and the actual value, where the row has both.
fn compared(row: &SignIn) -> Option<MarkedPair> {
    let (told, remark) = match row.detail.split_once("; ") {
        Some((told, remark)) => (told, sentence(remark)),
        None => (row.detail.as_str(), String::new()),
    };
    let (what, expected, received) = match told.strip_prefix("configured is ") {
        Some(saved) => ("iss", saved.to_owned(), row.issuer.clone()),
        None => {
            let (what, values) = told.split_once(": expected ")?;
            let (expected, received) = values.split_once(", got ")?;
            (what, unquoted(expected), unquoted(received))
        }
    };
    let (expected, received) = marked(&expected, &received);
    Some(MarkedPair { what: what.to_owned(), expected, received, remark })
}

/// A remark as a sentence.
fn sentence(remark: &str) -> String {
    let mut rest = remark.trim_end_matches('.').chars();
    let first = rest.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(rest).chain(['.']).collect()
}

fn unquoted(text: &str) -> String {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// Marks the part between the beginning and the end that two texts share.
fn marked(one: &str, other: &str) -> (Marked, Marked) {
    let same = |(a, b): &(char, char)| a == b;
    let start = one.chars().zip(other.chars()).take_while(same).count();
    let most = one.chars().count().min(other.chars().count()) - start;
    let end = one.chars().rev().zip(other.chars().rev()).take(most).take_while(same).count();
    let split = |text: &str| {
        let length = text.chars().count();
        let part = |from: usize, to: usize| text.chars().skip(from).take(to - from).collect();
        Marked {
            before: part(0, start),
            differs: part(start, length - end),
            after: part(length - end, length),
        }
    };
    (split(one), split(other))
}
