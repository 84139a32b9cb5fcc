//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use tower_sessions::Session;

use super::answer::{PageError, form_again, go, go_with_notice, page};
use super::form::{Faults, Typed};
use super::navigation::Offered;
use super::notice::Notice;
use super::page::{Frame, Place, Viewer};
use super::session::{self, Came};
use super::site::Site;
use crate::admin::{AdminError, console, sessions};
use crate::app::App;

/// The name under which an address's failed attempts are counted.
const ATTEMPTS: &str = "console set-up token";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    /// Where the sign-in leads; empty for the first page.
    next: String,
    has_openid: bool,
    faults: Faults,
}

impl SignInPage {
    fn new(site: &Site, notice: Option<String>, next: String, faults: Faults) -> Self {
        let frame = Frame { notice, ..Frame::outside(site) };
        Self { frame, next, has_openid: site.has_openid, faults }
    }
}

/// The way that brought somebody here.
#[derive(Deserialize)]
pub struct ReturnQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    setup_token: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct SignOutForm {
    /// Whether all sessions of the person end.
    #[serde(default)]
    everywhere: bool,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(first_page))
        .route("/sign-in", get(show).post(sign_in))
        .route("/sign-out", post(sign_out))
}

/// `GET /`: the first page that the person may see.
async fn first_page(viewer: Viewer) -> Response {
    let base = &viewer.context().site.base;
    let own = viewer.confined_to();
    let snapshot = viewer.app.snapshot();
    let only = if let Some([id]) = own.as_deref() { snapshot.teamspace_config_by_id(id) } else { None };
    go(&match only {
        Some(at) => {
            let first = Offered::to(&viewer, Some(at)).tabs(Place::Elsewhere).into_iter().next();
            format!("{base}/t/{}{}", at.teamspace.slug, first.map_or("", |tab| tab.path))
        }
        None => format!("{base}/teamspaces"),
    })
}

/// `GET /sign-in`
async fn show(
    Extension(site): Extension<Arc<Site>>,
    Query(asked): Query<ReturnQuery>,
    notice: Option<Extension<Notice>>,
    session: Session,
) -> Result<Response, PageError> {
    let next = site.own_path(asked.next);
    if session::current(&session).await?.is_some() {
        return Ok(go(if next.is_empty() { &site.base } else { &next }));
    }
    let notice = notice.map(|Extension(Notice(text))| text);
    page(&SignInPage::new(&site, notice, next, Faults::default()))
}

/// `POST /sign-in`
async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Arc<Site>>,
    came: Came,
    session: Session,
    Typed(form): Typed<SignInForm>,
) -> Result<Response, PageError> {
    app.limits.check_authentication(ATTEMPTS, came.address)?;
    let next = site.own_path(form.next);
    match console::redeem_setup_token(&app, &form.setup_token, &came.origin).await {
        Ok(who) => {
            session::begin(&session, &app, who, &came).await?;
            Ok(go(if next.is_empty() { &site.base } else { &next }))
        }
        Err(error @ AdminError::SetupTokenInvalid) => {
            app.limits.note_failed_authentication(ATTEMPTS, came.address);
            let faults = Faults::of("setup_token", error.to_string());
            form_again(&SignInPage::new(&site, None, next, faults))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sign-out`
async fn sign_out(
    viewer: Viewer,
    session: Session,
    Typed(form): Typed<SignOutForm>,
) -> Result<Response, PageError> {
    if form.everywhere {
        sessions::end_all_own(&viewer).await?;
    }
    session.flush().await?;
    let sign_in = format!("{}/sign-in", viewer.context().site.base);
    Ok(go_with_notice(&sign_in, "You are signed out."))
}
