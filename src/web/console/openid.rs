//! Signing in with OpenID Connect: the way to the provider, and back from it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use tower_sessions::Session;

use super::answer::{PageError, go};
use super::cookie;
use super::session::{self, Came};
use super::site::Site;
use crate::admin::console::SignedIn;
use crate::admin::console_sign_in;
use crate::app::App;
use crate::email::plain_address;
use crate::openid::{Answer, Attempt, LIFETIME, OpenIdProvider, SignInError};

/// The end of the cookie's name.
const COOKIE: &str = "-sign-in";
/// The name under which sign-ins that begin are counted for each address. All of them count, since none says who it is.
const BEGUN: &str = "console sign-in by OpenID Connect";
/// The name under which answers that lead to no session are counted for each address.
const FAILED: &str = "console answer of the OpenID provider";

/// How a sign-in begins.
#[derive(Deserialize)]
pub struct Begin {
    /// The page that it leads to.
    #[serde(default)]
    next: String,
    /// The address to sign in with.
    login_hint: Option<String>,
}

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/sign-in/start", get(start)).route("/sign-in/callback", get(callback))
}

fn provider_of(app: &App) -> Result<&OpenIdProvider, PageError> {
    app.openid.as_ref().ok_or(PageError::NotFound)
}

/// `GET /sign-in/start`: to the provider.
async fn start(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Arc<Site>>,
    came: Came,
    Query(begin): Query<Begin>,
) -> Result<Response, PageError> {
    let provider = provider_of(&app)?;
    app.limits.check_authentication(BEGUN, came.address)?;
    app.limits.note_failed_authentication(BEGUN, came.address);
    let attempt = Attempt::begin(site.own_path(begin.next), app.clock.now()).map_err(SignInError::from)?;
    let login_hint = begin.login_hint.as_deref().and_then(plain_address);
    let mut response = go(provider.authorize_url(&attempt, login_hint).await?.as_str());
    cookie::set_for(&mut response, &site, (COOKIE, attempt.to_cookie()), LIFETIME);
    Ok(response)
}

/// `GET /sign-in/callback`: back from the provider.
async fn callback(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Arc<Site>>,
    (came, session): (Came, Session),
    headers: HeaderMap,
    answer: Query<Answer>,
) -> Response {
    let kept = cookie::find(&headers, &site.cookie(COOKIE));
    let attempt = kept.as_deref().and_then(Attempt::from_cookie);
    let outcome = match finish(&app, &came, &answer, attempt.as_ref()).await {
        Ok(who) => session::begin(&session, &app, who, &came).await,
        Err(error) => Err(error),
    };
    // Whoever leads the browser here with an answer of another sign-in does not end the one that is under way.
    let is_under_way =
        matches!(outcome, Err(PageError::OpenId(SignInError::WrongState) | PageError::Admin(_)));
    let next = attempt.map(|attempt| site.own_path(attempt.next)).unwrap_or_default();
    let mut response = match outcome {
        Ok(()) => go(if next.is_empty() { &site.base } else { &next }),
        Err(error) => error.into_response(),
    };
    if !is_under_way {
        cookie::remove(&mut response, &site, COOKIE);
    }
    response
}

async fn finish(
    app: &App,
    came: &Came,
    answer: &Answer,
    attempt: Option<&Attempt>,
) -> Result<SignedIn, PageError> {
    let provider = provider_of(app)?;
    app.limits.check_authentication(FAILED, came.address)?;
    let finished = match attempt {
        None => Err(SignInError::NotBegun),
        Some(attempt) => match provider.person(answer, attempt).await {
            Ok(person) => console_sign_in::finish(app, person, attempt, &came.origin).await,
            Err(error) => Err(error),
        },
    };
    finished.map_err(|error| {
        app.limits.note_failed_authentication(FAILED, came.address);
        PageError::OpenId(error)
    })
}
