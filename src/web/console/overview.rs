//! Overview: the progress of a teamspace's set-up, and its current state.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

use super::answer::{PageError, page};
use super::chart::Chart;
use super::enterprise::Badge;
use super::page::{Frame, InTeamspacePage, Place};
use super::words;
use crate::admin::provider_status::{self, ProviderStatus};
use crate::admin::{members, sign_in_numbers, sign_ins};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::teamspace::Plan;
use crate::store::sign_ins::{Filter, SignIn};

/// Sign-ins that are shown.
const SHOWN: i64 = 5;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/t/{slug}", get(show))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    here: String,
    /// The state of all its identity providers together.
    state: Badge,
    in_plan: bool,
    set_up: SetUp,
    providers: Vec<ProviderRow>,
    seats_used: i64,
    member_limit: Option<i64>,
    last: Vec<LastRow>,
    /// None where nobody has come for weeks.
    chart: Option<Chart>,
}

/// The steps of the set-up that can be seen from here.
struct SetUp {
    has_issuer: bool,
    has_assertion: bool,
    has_token: bool,
}

impl SetUp {
    fn is_done(&self) -> bool {
        self.has_issuer && self.has_assertion && self.has_token
    }

    /// How many of the steps are done.
    fn done(&self) -> usize {
        [self.has_issuer, self.has_assertion, self.has_token].into_iter().filter(|done| *done).count()
    }
}

struct ProviderRow {
    name: String,
    issuer: String,
    kind: &'static str,
    badge: Badge,
    last_assertion: String,
}

struct LastRow {
    at: String,
    who: String,
    is_granted: bool,
    reason: String,
    request_id: String,
}

/// `GET /t/{slug}`
async fn show(at: InTeamspacePage) -> Result<Response, PageError> {
    let statuses = provider_status::list(&at).await?;
    let newest = sign_ins::of_teamspace(&at, Filter::default(), SHOWN).await?;
    let numbers = sign_in_numbers::of_teamspace(&at).await?;
    let (frame, now) = (at.frame(Place::Overview), at.app.clock.now());
    let teamspace = &at.teamspace_config().teamspace;
    let has_token = provider_status::was_granted_once(&at).await?;
    page(&OverviewPage {
        here: format!("{}{}", frame.base, at.path("")),
        frame,
        state: Badge::of_all(statuses.iter()),
        in_plan: teamspace.plan == Plan::Enterprise,
        set_up: SetUp {
            has_issuer: !statuses.is_empty(),
            has_assertion: has_token || statuses.iter().any(|status| status.last_assertion.is_some()),
            has_token,
        },
        providers: statuses.iter().map(|status| provider_row(status, now)).collect(),
        seats_used: members::seats_used(&at).await?,
        member_limit: teamspace.member_limit,
        last: newest.items.into_iter().map(|row| last_row(row, now)).collect(),
        chart: (numbers.granted + numbers.refused > 0).then(|| Chart::of(&numbers.days)),
    })
}

fn provider_row(status: &ProviderStatus, now: UnixSeconds) -> ProviderRow {
    let last = status.last_assertion.as_ref();
    ProviderRow {
        name: status.provider.name.clone(),
        issuer: status.provider.issuer.clone(),
        kind: status.provider.provider.as_str(),
        badge: Badge::of(status),
        last_assertion: last.map_or_else(|| "never".to_owned(), |last| words::ago(last.at, now)),
    }
}

fn last_row(row: SignIn, now: UnixSeconds) -> LastRow {
    let who = [&row.email, &row.subject, &row.client_id].into_iter().find(|text| !text.is_empty());
    LastRow {
        at: words::ago(row.at, now),
        who: who.map_or_else(|| "unknown".to_owned(), Clone::clone),
        is_granted: row.outcome == "granted",
        reason: row.reason,
        request_id: row.request_id,
    }
}
