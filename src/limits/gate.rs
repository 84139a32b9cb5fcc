//! Limits the requests under way. Beyond the limit a request is refused at once, which costs little.
//!
//! Each kind of caller has its own slots: exchanges, the endpoints about issued tokens, operators, teamspaces' tokens,
//! strangers at the admin API, and the console. Documents need none, since they take no time.
//!
//! When many slots are taken, a request that gets one first lets all other waiting requests get as far (see
//! [`crate::web::server`]). That is how the limit also counts requests that wait for the processor.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::connections::Connections;
use crate::config::Config;
use crate::random::digest;

/// Exchanges at once for each core: about twenty milliseconds of work.
const EXCHANGES_PER_CORE: usize = 256;
/// So many exchanges for each core are many.
const MANY_PER_CORE: usize = 48;
/// Requests at once of operators, and as many of teamspaces' tokens.
const ADMINISTRATORS: usize = 128;
/// Requests at once to the admin API with a token that is not known to be good yet. Each of them reads the database.
const STRANGERS: usize = 64;
/// Requests at once to the console.
const CONSOLE: usize = 64;
/// Requests at once that wait for revocations, unless a quarter of the connections is fewer.
const WAITING_FOR_REVOCATIONS: usize = 2048;
/// The other endpoints about issued tokens, relative to the issuer, and their requests at once. A path that ends with `/`
/// stands for all paths below it, and `*` for a teamspace. Below `/t/` are identity providers: those that call SCIM, and
/// those that end sessions. The latter are fewer than the requests that may wait for an issuer's keys, so that exchanges
/// always find room there.
const ENDPOINTS: [(&str, usize); 6] = [
    ("/oauth2/introspect", 256),
    ("/forward-auth/", 256),
    ("/oauth2/revoke", 64),
    ("/oauth2/issuer-lookup", 32),
    ("/t/*/scim/", 32),
    ("/t/", 32),
];
/// Bodies being read at once, of at most 64 KiB each.
const BODIES: usize = 4096;
/// Connections at once to the private listener.
const PRIVATE_CONNECTIONS: usize = 64;

/// The body of a refusal, worded like every other that is temporary.
const BODY: &str =
    r#"{"error":"temporarily_unavailable","error_description":"Temporarily unavailable; try again later."}"#;

/// The kind of caller at the admin API, for choosing a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Operator,
    Teamspace,
}

/// The token of the only Authorization header, whose scheme is case-insensitive (RFC 9110 §11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// No place is free.
#[derive(Debug)]
pub struct Full;

/// An endpoint with slots of its own.
struct Endpoint {
    path: String,
    places: Arc<Semaphore>,
}

impl Endpoint {
    fn new(issuer_path: &str, path: &str, places: usize) -> Self {
        Self { path: format!("{issuer_path}{path}"), places: Arc::new(Semaphore::new(places)) }
    }

    fn serves(&self, path: &str) -> bool {
        match self.path.split_once("*/") {
            Some((before, after)) => {
                let rest = path.strip_prefix(before).and_then(|rest| rest.split_once('/'));
                rest.is_some_and(|(_, rest)| rest.starts_with(after))
            }
            None => path == self.path || (self.path.ends_with('/') && path.starts_with(&self.path)),
        }
    }
}

/// In front of a listener.
pub struct Gate {
    pub connections: Arc<Connections>,
    token_path: String,
    admin_path: String,
    console_path: String,
    exchanges: Arc<Semaphore>,
    endpoints: Vec<Endpoint>,
    operators: Arc<Semaphore>,
    teamspaces: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    console: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    /// Digests of admin tokens that were good when last used. Only the choice of a slot depends on them.
    known: RwLock<HashMap<String, Caller>>,
    /// With this many slots left or fewer, many exchanges are under way.
    few_left: usize,
    refused: AtomicU64,
    stopping: AtomicBool,
    /// Wakes those who wait for a stop.
    stop_told: Notify,
}

impl Default for Gate {
    /// A gate with the default limits, for an issuer without a path.
    fn default() -> Self {
        Self::new(&Config::default())
    }
}

impl Gate {
    /// In front of the public listener.
    pub fn new(config: &Config) -> Self {
        Self::with(Connections::new(&config.connections), &config.issuer_path())
    }

    /// In front of the console's own listener.
    pub fn console(config: &Config) -> Self {
        let path = config.console_url().and_then(|url| Url::parse(&url).ok());
        let prefix = path.as_ref().and_then(|url| url.path().strip_suffix("/console")).unwrap_or_default();
        Self::with(Connections::new(&config.connections), prefix)
    }

    /// A gate for the private listener, whose few connections do not compete with the others.
    pub fn private() -> Self {
        Self::with(Connections::with_limits(PRIVATE_CONNECTIONS, 0), "")
    }

    fn with(connections: Connections, issuer_path: &str) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let places = |places| Arc::new(Semaphore::new(places));
        let waiting = WAITING_FOR_REVOCATIONS.min(connections.most().div_ceil(4));
        let endpoints = ENDPOINTS.into_iter().chain([("/oauth2/revocations", waiting)]);
        Self {
            endpoints: endpoints.map(|(path, places)| Endpoint::new(issuer_path, path, places)).collect(),
            connections: Arc::new(connections),
            token_path: format!("{issuer_path}/oauth2/token"),
            admin_path: format!("{issuer_path}/api/v1/"),
            console_path: format!("{issuer_path}/console"),
            exchanges: places(EXCHANGES_PER_CORE * cores),
            operators: places(ADMINISTRATORS),
            teamspaces: places(ADMINISTRATORS),
            strangers: places(STRANGERS),
            console: places(CONSOLE),
            bodies: places(BODIES),
            known: RwLock::default(),
            few_left: (EXCHANGES_PER_CORE - MANY_PER_CORE) * cores,
            refused: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            stop_told: Notify::new(),
        }
    }

    /// Takes a slot for one request, if it needs one and one is free; it is released when dropped.
    pub fn enter(&self, request: &Request) -> Result<Option<OwnedSemaphorePermit>, Full> {
        let path = request.uri().path();
        if path == self.token_path {
            return self.take(&self.exchanges).map(Some);
        }
        if let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.serves(path)) {
            return self.take(&endpoint.places).map(Some);
        }
        if path.starts_with(&self.console_path) {
            return self.take(&self.console).map(Some);
        }
        if !path.starts_with(&self.admin_path) {
            return Ok(None);
        }
        let places = match self.caller(request.headers()) {
            Some(Caller::Operator) => &self.operators,
            Some(Caller::Teamspace) => &self.teamspaces,
            None => &self.strangers,
        };
        self.take(places).map(Some)
    }

    /// The caller whose token it was when last found good.
    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let digest = digest(bearer(headers)?);
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&digest).copied()
    }

    /// Notes whose token it is, or that it is not good. There are never more entries than good tokens, plus those
    /// deleted since.
    pub fn note_token(&self, digest: &str, caller: Option<Caller>) {
        if self.known.read().unwrap_or_else(PoisonError::into_inner).get(digest).copied() == caller {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match caller {
            Some(caller) => known.insert(digest.to_owned(), caller),
            None => known.remove(digest),
        };
    }

    /// Whether so many exchanges are under way that others may be waiting.
    pub fn is_crowded(&self) -> bool {
        self.exchanges.available_permits() <= self.few_left
    }

    /// Takes a slot for reading one body, if one is free. There are many: a slow sender costs memory only.
    pub fn receive(&self) -> Result<OwnedSemaphorePermit, Full> {
        self.take(&self.bodies)
    }

    fn take(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Full> {
        Arc::clone(places).try_acquire_owned().map_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Full
        })
    }

    /// How many requests found no place so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// From now on, makes answers close their connection and the service report that it is not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop_told.notify_waiters();
    }

    /// Whether the service is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits until the service is about to end.
    pub async fn stopped(&self) {
        // It hears of a stop from here on, so that none is missed after the look.
        let told = self.stop_told.notified();
        if !self.is_stopping() {
            told.await;
        }
    }

    /// The answer to a request that found no slot. There is no log line: it would be most of the work.
    pub fn refusal() -> Response {
        let mut response = Response::new(Body::from(BODY));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "application/json"),
            (RETRY_AFTER, "1"),
            (CACHE_CONTROL, "no-store"),
            (PRAGMA, "no-cache"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
