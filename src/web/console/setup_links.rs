//! Set-up links of a teamspace: making, seeing and revoking them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::{Faults, Typed};
use super::page::{Frame, InTeamspacePage, Place};
use super::words::{ago, date_and_time};
use crate::admin::AdminError;
use crate::admin::setup_links::{self, NewSetupLink, SESSION};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::store::setup_links::{LinkState, SetupLink};

/// How long a link may be used: what the form sends, and its words. The second is what is chosen at first.
const LIFETIMES: [(&str, &str); 4] =
    [("24h", "1 day"), ("72h", "3 days"), ("7d", "7 days"), ("30d", "30 days")];
const USUAL: &str = LIFETIMES[1].0;

#[derive(Template)]
#[template(path = "setup_links.html")]
struct SetupLinksPage {
    frame: Frame,
    here: String,
    lifetimes: [(&'static str, &'static str); 4],
    valid_for: String,
    faults: Faults,
    /// The id of the newest link; empty where there is none.
    newest: String,
    rows: Vec<ListedSetupLink>,
}

struct ListedSetupLink {
    id: String,
    /// The kind and the word of its badge.
    badge: (&'static str, &'static str),
    created_by: String,
    created: String,
    /// When it was used and from where; empty until then.
    used: String,
    until: String,
    /// Whether there is anything that revoking it would end.
    is_revocable: bool,
}

#[derive(Template)]
#[template(path = "setup_link_made.html")]
struct MadePage {
    frame: Frame,
    here: String,
    url: String,
    until: String,
}

#[derive(Deserialize)]
struct NewForm {
    #[serde(default)]
    valid_for: String,
    /// The newest link that the page showed; empty when there was none. Only a page brings it.
    newest: Option<String>,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/t/{slug}/setup-links", get(show).post(create))
        .route("/t/{slug}/setup-links/{id}/revoke", post(revoke))
}

/// `GET /t/{slug}/setup-links`
async fn show(at: InTeamspacePage) -> Result<Response, PageError> {
    page(&links_page(&at, USUAL.to_owned(), Faults::default()).await?)
}

async fn links_page(
    at: &InTeamspacePage,
    valid_for: String,
    faults: Faults,
) -> Result<SetupLinksPage, PageError> {
    let links = setup_links::list(at).await?;
    let (frame, now) = (at.frame(Place::Enterprise), at.app.clock.now());
    let (here, newest) = (here(at, &frame), links.last().map(|link| link.id.clone()).unwrap_or_default());
    let rows = links.into_iter().rev().map(|link| row(link, now)).collect();
    Ok(SetupLinksPage { frame, here, lifetimes: LIFETIMES, valid_for, faults, newest, rows })
}

fn here(at: &InTeamspacePage, frame: &Frame) -> String {
    format!("{}{}", frame.base, at.path("/setup-links"))
}

fn row(link: SetupLink, now: UnixSeconds) -> ListedSetupLink {
    let used = match link.used_at {
        Some(at) if link.used_from.is_empty() => ago(at, now),
        Some(at) => format!("{} from {}", ago(at, now), link.used_from),
        None => String::new(),
    };
    let (badge, is_revocable) = match link.state(now) {
        LinkState::Open => (("", "Open"), true),
        LinkState::Used => (("good", "Used"), link.used_at.is_some_and(|at| now < at + SESSION)),
        LinkState::Revoked => (("bad", "Revoked"), false),
        LinkState::Expired => (("plain", "Expired"), false),
    };
    ListedSetupLink {
        id: link.id,
        badge,
        created_by: link.created_by,
        created: ago(link.created_at, now),
        used,
        until: date_and_time(link.expires_at),
        is_revocable,
    }
}

/// `POST /t/{slug}/setup-links`: answers with the link, which no later page shows. The same form sent twice makes one.
async fn create(at: InTeamspacePage, Typed(form): Typed<NewForm>) -> Result<Response, PageError> {
    let made = match form.valid_for.parse() {
        Ok(valid_for) => {
            let newest = form.newest;
            let as_seen = move |now: Option<&str>| newest.is_none_or(|seen| seen == now.unwrap_or_default());
            setup_links::create_if(&at, NewSetupLink { valid_for: Some(valid_for) }, as_seen).await
        }
        Err(_) => Err(AdminError::LinkLifetimeInvalid),
    };
    match made {
        Ok(made) => {
            let frame = at.frame(Place::Enterprise);
            let until = date_and_time(made.link.expires_at);
            page(&MadePage { here: here(&at, &frame), frame, url: made.url, until })
        }
        Err(AdminError::ChangedMeanwhile) => {
            let why = "Somebody has just made a link, or the form was sent twice: look at the list. A link is shown once, \
                in the first answer. If you did not see yours, revoke it and make another.";
            form_again(&links_page(&at, form.valid_for, Faults::of("valid_for", why)).await?)
        }
        Err(error) => {
            let faults = Faults::from_refusal(error, field_of)?;
            form_again(&links_page(&at, form.valid_for, faults).await?)
        }
    }
}

/// The field that a refusal is about.
fn field_of(error: &AdminError) -> Option<&'static str> {
    matches!(error, AdminError::LinkLifetimeInvalid | AdminError::TooManySetupLinks).then_some("valid_for")
}

/// `POST /t/{slug}/setup-links/{id}/revoke`
async fn revoke(at: InTeamspacePage, Path((_, id)): Path<(String, String)>) -> Result<Response, PageError> {
    setup_links::revoke(&at, id).await?;
    Ok(at.done(&at.path("/setup-links"), "The link is revoked. Whoever came in by it is signed out."))
}
