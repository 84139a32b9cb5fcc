//! Coming in by a set-up link.
//!
//! The token stands in the link's path. The first answer puts it into a cookie and leads to a page without it, so that
//! no history, `Referer` or later request has it; the log of requests masks it. Only the button on that page uses the
//! link up: programs that open links in mails beforehand do no harm.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tower_sessions::Session;

use super::answer::{PageError, go, page};
use super::cookie;
use super::page::Frame;
use super::session::{self, Came};
use super::site::Site;
use crate::admin::{AdminError, setup_links};
use crate::app::App;
use crate::store::console_sessions::SessionKind;

/// The name under which an address's failed attempts are counted.
const ATTEMPTS: &str = "console set-up link";
/// The end of the cookie's name.
const COOKIE: &str = "-link";

#[derive(Template)]
#[template(path = "setup_link.html")]
struct SetupLinkPage {
    frame: Frame,
    /// How many hours the session lasts.
    hours: i64,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/set-up/{token}", get(open)).route("/set-up", get(show).post(come_in))
}

/// `GET /set-up/{token}`: takes the token out of the address.
async fn open(
    Extension(site): Extension<Arc<Site>>,
    Path(token): Path<String>,
) -> Result<Response, PageError> {
    if !setup_links::is_token(&token) {
        return Err(AdminError::SetupLinkInvalid.into());
    }
    let mut response = go(&format!("{}/set-up", site.base));
    cookie::set(&mut response, &site, COOKIE, token);
    Ok(response)
}

/// `GET /set-up`
async fn show(
    Extension(site): Extension<Arc<Site>>,
    headers: HeaderMap,
    session: Session,
) -> Result<Response, PageError> {
    match carried(&headers, &site) {
        Some(_) => page(&SetupLinkPage { frame: Frame::outside(&site), hours: setup_links::SESSION / 3600 }),
        None => refused(&site, &session).await,
    }
}

/// `POST /set-up`: uses the link up, and begins the session.
async fn come_in(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Arc<Site>>,
    came: Came,
    headers: HeaderMap,
    session: Session,
) -> Result<Response, PageError> {
    app.limits.check_authentication(ATTEMPTS, came.address)?;
    let Some(token) = carried(&headers, &site) else { return refused(&site, &session).await };
    let mut response = match setup_links::redeem(&app, &token, &came.origin).await {
        Ok(who) => {
            session::begin(&session, &app, who, &came).await?;
            go(&site.base)
        }
        Err(AdminError::SetupLinkInvalid) => {
            app.limits.note_failed_authentication(ATTEMPTS, came.address);
            refused(&site, &session).await?
        }
        Err(error) => return Err(error.into()),
    };
    cookie::remove(&mut response, &site, COOKIE);
    Ok(response)
}

/// The token that the browser carries from the link.
fn carried(headers: &HeaderMap, site: &Site) -> Option<String> {
    cookie::find(headers, &site.cookie(COOKIE)).filter(|token| setup_links::is_token(token))
}

/// The answer to a link that does not work. Whoever has come in by it already goes on instead: they pressed the button
/// twice, or went back.
async fn refused(site: &Site, session: &Session) -> Result<Response, PageError> {
    let current = session::current(session).await?;
    Ok(match current.is_some_and(|live| live.session.kind == SessionKind::SetupLink) {
        true => go(&site.base),
        false => PageError::from(AdminError::SetupLinkInvalid).into_response(),
    })
}
