//! Somebody with a browser, over the console's own router.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use axum::response::Response;
use countersign::app::App;
use countersign::config::Config;
use countersign::random::digest;
use countersign::store::console_sessions::{self, ConsoleSession, SessionKind};
use countersign::store::{AnyConnection, StoreError};
use countersign::web;
use percent_encoding::percent_decode_str;
use tower::ServiceExt as _;
use tower_sessions::session::Id;
use url::form_urlencoded;

use crate::harness::TestClock;

pub struct Visitor {
    router: Router,
    cookie: String,
    session_id: String,
}

/// An answer as a browser sees it.
pub struct Shown {
    pub status: u16,
    pub location: String,
    /// The text that the next page shows.
    pub notice: String,
    pub body: String,
}

impl Visitor {
    /// An operator who is signed in.
    pub async fn operator(app: &Arc<App>) -> Self {
        Self::with_session(app, SessionKind::Operator, "", None).await
    }

    /// An operator whose email is known.
    pub async fn operator_named(app: &Arc<App>, email: &str) -> Self {
        Self::with_session(app, SessionKind::Operator, email, None).await
    }

    /// A member of a teamspace who signed in with an address.
    pub async fn member(app: &Arc<App>, email: &str) -> Self {
        Self::with_session(app, SessionKind::Member, email, None).await
    }

    /// The name and the value of the session's cookie.
    pub fn cookie(&self) -> (&str, &str) {
        self.cookie.split_once('=').unwrap()
    }

    /// Somebody who came by a set-up link of a teamspace.
    pub async fn by_link(app: &Arc<App>, slug: &str) -> Self {
        let teamspace = app.snapshot().teamspace_config(slug).unwrap().teamspace.id.clone();
        Self::with_session(app, SessionKind::SetupLink, "", Some(teamspace)).await
    }

    /// Somebody with a browser's cookies, at another process on the same database.
    pub async fn with_cookie_of(config: Config, clock: TestClock, cookie: String) -> Self {
        let app = App::start(config, Arc::new(clock)).await.unwrap();
        Self { router: web::router(app), cookie, session_id: String::new() }
    }

    /// Somebody who is not signed in.
    pub fn nobody(app: &Arc<App>) -> Self {
        Self { router: web::router(Arc::clone(app)), cookie: String::new(), session_id: String::new() }
    }

    async fn with_session(
        app: &Arc<App>,
        kind: SessionKind,
        email: &str,
        teamspace_id: Option<String>,
    ) -> Self {
        let (id, now) = (Id::default().to_string(), app.clock.now());
        let session = ConsoleSession {
            id: format!("session-{id}"),
            digest: digest(&id),
            kind,
            email: email.into(),
            name: if email.is_empty() { "visitor" } else { email }.into(),
            link_id: if teamspace_id.is_some() { "link" } else { "" }.into(),
            teamspace_id,
            address: String::new(),
            created_at: now,
            seen_at: now,
            expires_at: now + 3600,
            browser: String::new(),
            user_groups: "[]".into(),
        };
        let session_id = session.id.clone();
        let insert = move |c: &mut AnyConnection| Ok::<_, StoreError>(console_sessions::insert(c, &session)?);
        app.store.write(insert).await.unwrap();
        let prefix = if app.config.issuer.starts_with("https:") { "__Host-" } else { "" };
        let cookie = format!("{prefix}countersign={id}");
        Self { router: web::router(Arc::clone(app)), cookie, session_id }
    }

    /// The id by which the database knows the session.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    pub async fn get(&self, path: &str) -> Shown {
        self.send(Request::get(format!("/console{path}")).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(format!("/console{path}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn send(&self, mut request: Request<Body>) -> Shown {
        request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        Shown::of(self.router.clone().oneshot(request).await.unwrap()).await
    }
}

/// The status of the API's answer to a token.
pub async fn api(router: &Router, token: &str, path: &str) -> u16 {
    let mut request = Request::get(format!("/api/v1{path}")).body(Body::empty()).unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
    router.clone().oneshot(request).await.unwrap().status().as_u16()
}

impl Shown {
    async fn of(response: Response) -> Self {
        let header = |name| {
            let values = response.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let location = header(header::LOCATION).join("");
        let cookies = header(header::SET_COOKIE);
        let notice = cookies.iter().find_map(|cookie| cookie.split("-notice=").nth(1));
        let notice = notice.and_then(|text| text.split(';').next()).unwrap_or_default();
        let notice = percent_decode_str(notice).decode_utf8().unwrap().into_owned();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Self { status, location, notice, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// The page of an answer with this status.
    #[track_caller]
    pub fn page(self, status: u16) -> String {
        assert_eq!(self.status, status, "{} {}", self.location, self.body);
        self.body
    }

    /// Asserts that the answer leads to a page, which says something.
    #[track_caller]
    pub fn leads_to(self, path: &str, notice: &str) {
        assert_eq!(
            (self.status, self.location.as_str()),
            (303, format!("/console{path}").as_str()),
            "{}",
            self.body
        );
        assert!(self.notice.contains(notice), "{}", self.notice);
    }
}

/// Asserts that a page has each of the texts.
#[track_caller]
pub fn has(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "lacks {text:?}: {page}");
    }
}

/// The value of a hidden field, as the page has it.
pub fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let value = page.split(&start).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    value.replace("&#34;", "\"").replace("&#60;", "<").replace("&#38;", "&").replace("&#39;", "'")
}
