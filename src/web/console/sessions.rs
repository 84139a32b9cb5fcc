//! Sessions of the console: one's own, and for operators those of everybody.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::answer::{PageError, go_with_notice, page};
use super::page::{Frame, OperatorPage, Place, Viewer};
use super::words::ago;
use crate::admin::AdminError;
use crate::admin::sessions::{self, SessionsOf};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::store::console_sessions::{ConsoleSession, SessionKind};
use crate::store::snapshot::Snapshot;

/// Sessions on one page.
const PAGE: i64 = 50;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    /// Where the page is; the buttons' forms go below it.
    here: String,
    /// Whether it has the sessions of everybody.
    is_of_all: bool,
    rows: Vec<ListedSession>,
    /// Where the next page begins; empty on the last one.
    next: String,
    is_first: bool,
}

struct ListedSession {
    id: String,
    who: String,
    kind: &'static str,
    signed_in: String,
    seen: String,
    address: String,
    browser: String,
    /// Whether it is the session of whoever looks.
    is_this: bool,
}

#[derive(Deserialize)]
struct ListQuery {
    before: Option<String>,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/sessions", get(show_own))
        .route("/sessions/{id}/end", post(end_own))
        .route("/system/sessions", get(show_all))
        .route("/system/sessions/end-all", post(end_everybodys))
        .route("/system/sessions/{id}/end", post(end))
        .route("/system/sessions/{id}/end-all", post(end_all_of_person))
}

/// `GET /sessions`
async fn show_own(viewer: Viewer) -> Result<Response, PageError> {
    let found = sessions::own(&viewer, PAGE).await?;
    let describe = Describe::of(&viewer.app, &viewer.context().user.session_id);
    let frame = viewer.frame(Place::Elsewhere);
    page(&SessionsPage {
        here: format!("{}/sessions", frame.base),
        frame,
        is_of_all: false,
        rows: found.into_iter().map(|session| describe.row(session)).collect(),
        next: String::new(),
        is_first: true,
    })
}

/// `POST /sessions/{id}/end`. A second press finds it ended, which is what was wanted.
async fn end_own(viewer: Viewer, Path(id): Path<String>) -> Result<Response, PageError> {
    let base = viewer.context().site.base.clone();
    let is_this = id == viewer.context().user.session_id;
    match sessions::end_own(&viewer, id).await {
        Ok(()) | Err(AdminError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(match is_this {
        true => go_with_notice(&format!("{base}/sign-in"), "You are signed out."),
        false => go_with_notice(&format!("{base}/sessions"), "The session is ended."),
    })
}

/// `GET /system/sessions`
async fn show_all(at: OperatorPage, Query(query): Query<ListQuery>) -> Result<Response, PageError> {
    let is_first = query.before.is_none();
    let found = sessions::list(&at, (PAGE, query.before)).await?;
    let describe = Describe::of(&at.app, &at.context().user.session_id);
    let frame = at.frame(Place::System);
    page(&SessionsPage {
        here: format!("{}/system/sessions", frame.base),
        frame,
        is_of_all: true,
        rows: found.items.into_iter().map(|session| describe.row(session)).collect(),
        next: found.next_cursor.unwrap_or_default(),
        is_first,
    })
}

/// `POST /system/sessions/{id}/end`. A second press finds it ended, which is what was wanted.
async fn end(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    match sessions::end(&at, id).await {
        Ok(()) | Err(AdminError::NotFound) => Ok(at.done("/system/sessions", "The session is ended.")),
        Err(error) => Err(error.into()),
    }
}

/// `POST /system/sessions/{id}/end-all`: all of the person whose session has the id. If it is one's own, the way back
/// leads to the sign-in.
async fn end_all_of_person(at: OperatorPage, Path(id): Path<String>) -> Result<Response, PageError> {
    match sessions::end_all(&at, SessionsOf::PersonOf(id)).await {
        Ok(_) | Err(AdminError::NotFound) => {
            Ok(at.done("/system/sessions", "All sessions of this person are ended."))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /system/sessions/end-all`: one's own as well.
async fn end_everybodys(at: OperatorPage) -> Result<Response, PageError> {
    let sign_in = format!("{}/sign-in", at.context().site.base);
    sessions::end_all(&at, SessionsOf::Everybody).await?;
    Ok(go_with_notice(&sign_in, "Everybody is signed out, and so are you."))
}

/// The values that descriptions of sessions need.
struct Describe<'a> {
    now: UnixSeconds,
    snapshot: Arc<Snapshot>,
    this: &'a str,
}

impl<'a> Describe<'a> {
    fn of(app: &App, this: &'a str) -> Self {
        Self { now: app.clock.now(), snapshot: app.snapshot(), this }
    }

    fn row(&self, session: ConsoleSession) -> ListedSession {
        let teamspace = session.teamspace_id.as_deref().and_then(|id| self.snapshot.slug_of(id));
        ListedSession {
            who: match (session.kind, teamspace) {
                (SessionKind::SetupLink, Some(slug)) => format!("{} of {slug}", session.name),
                _ if session.email.is_empty() => session.name,
                _ => session.email,
            },
            kind: match session.kind {
                SessionKind::Operator => "Operator",
                SessionKind::Member => "Member",
                SessionKind::SetupLink => "Set-up link",
            },
            signed_in: ago(session.created_at, self.now),
            seen: ago(session.seen_at, self.now),
            address: session.address,
            browser: session.browser,
            is_this: session.id == self.this,
            id: session.id,
        }
    }
}
