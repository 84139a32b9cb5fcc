//! Sessions: a random id in a cookie, and its digest in the database.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

use super::answer::PageError;
use super::browser;
use super::site::Site;
use crate::admin::Origin;
use crate::admin::console::{self, LiveSession, SignedIn};
use crate::app::App;
use crate::random::digest;
use crate::store::console_sessions::ConsoleSession;
use crate::web::middleware::{CallerAddress, origin};

/// The key of the only value in a session.
const SESSION: &str = "session";

/// The sessions in the database. They are written when they begin, and never changed.
#[derive(Clone)]
pub struct Sessions(Arc<App>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

fn key(id: &Id) -> String {
    digest(&id.to_string())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let session = record.data.get(SESSION).cloned().ok_or(Error::Encode("no session".to_owned()))?;
        let LiveSession { session, .. } =
            serde_json::from_value(session).map_err(|error| Error::Encode(error.to_string()))?;
        let session = ConsoleSession { digest: key(&record.id), ..session };
        console::begin(&self.0.store, session).await.map_err(|error| Error::Backend(error.to_string()))
    }

    async fn save(&self, _: &Record) -> Result<()> {
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = console::find_live(&self.0, key(id)).await;
        let Some(session) = found.map_err(|error| Error::Backend(error.to_string()))? else {
            return Ok(None);
        };
        let session = serde_json::to_value(session).map_err(|error| Error::Decode(error.to_string()))?;
        // When it ends is for the database to say.
        let expiry_date = OffsetDateTime::UNIX_EPOCH;
        Ok(Some(Record { id: *id, data: [(SESSION.to_owned(), session)].into(), expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        console::end(&self.0.store, key(id)).await.map_err(|error| Error::Backend(error.to_string()))
    }
}

/// Finds the session for each request's cookie on demand, and sets the cookie of a new session. `SameSite=Lax`: a link
/// from elsewhere leads to the page, but another site's form has no session.
pub fn layer(app: &Arc<App>, site: &Site) -> SessionManagerLayer<Sessions> {
    SessionManagerLayer::new(Sessions(Arc::clone(app)))
        .with_name(site.cookie(""))
        .with_secure(site.is_https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
}

/// The session of a request, if somebody is signed in.
pub async fn current(session: &Session) -> std::result::Result<Option<LiveSession>, PageError> {
    Ok(session.get(SESSION).await?)
}

/// Begins the session of a person with a verified sign-in, under a new id. An earlier session of the browser ends.
pub async fn begin(
    session: &Session,
    app: &App,
    who: SignedIn,
    came: &Came,
) -> std::result::Result<(), PageError> {
    session.cycle_id().await?;
    let begun = who.session(&came.origin, came.browser.clone(), app.clock.now());
    session.insert(SESSION, LiveSession { session: begun, memberships: Vec::new() }).await?;
    // It is saved now, while a page can still report a failure.
    Ok(session.save().await?)
}

/// Where a request came from.
pub struct Came {
    pub address: IpAddr,
    pub origin: Origin,
    /// The browser by its plain name; empty where it is not known.
    pub browser: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Came {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        let address = CallerAddress::of(&parts.extensions).0;
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let browser = browser::plain_name(agent.unwrap_or_default());
        Ok(Self { address, origin: origin(&parts.extensions), browser })
    }
}
