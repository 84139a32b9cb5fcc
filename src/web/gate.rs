//! How many requests are worked on at once. Beyond that a request is refused at once, which costs little.
//!
//! When many places are taken, whoever gets one first lets all others who are waiting come as far (see
//! [`super::server`]): that is how the bound also counts those who wait for the processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Exchanges at once for each core: some twenty milliseconds of work.
const EXCHANGES_PER_CORE: usize = 256;
/// So many exchanges for each core are many.
const MANY_PER_CORE: usize = 48;
/// Other requests at once. Documents take no time; so these are, in effect, the administrators'.
const OTHERS: usize = 128;
/// Bodies that are being read at once, of 64 KiB at the most.
const BODIES: usize = 4096;

/// The same words as for everything else that is out of order for now.
const BODY: &str =
    r#"{"error":"temporarily_unavailable","error_description":"Temporarily unavailable; try again later."}"#;

/// In front of a listener.
pub struct Gate {
    exchanges: Arc<Semaphore>,
    others: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    /// With so many places left, or fewer, many exchanges are under way.
    few_left: usize,
    refused: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let [exchanges, others, bodies] =
            [EXCHANGES_PER_CORE * cores, OTHERS, BODIES].map(|places| Arc::new(Semaphore::new(places)));
        let few_left = (EXCHANGES_PER_CORE - MANY_PER_CORE) * cores;
        Self { exchanges, others, bodies, few_left, refused: AtomicU64::new(0) }
    }
}

impl Gate {
    /// A place for one request to this path, if one is free; it is given back when it is dropped. Exchanges have
    /// their own, so that no number of them locks administrators out.
    pub fn enter(&self, path: &str) -> Option<OwnedSemaphorePermit> {
        let is_exchange = path.ends_with("/oauth2/token");
        self.take(if is_exchange { &self.exchanges } else { &self.others })
    }

    /// Whether so many exchanges are under way that others may be waiting to be looked at.
    pub fn is_crowded(&self) -> bool {
        self.exchanges.available_permits() <= self.few_left
    }

    /// A place for one body to be read, if one is free. There are many: a slow sender costs memory only.
    pub fn receive(&self) -> Option<OwnedSemaphorePermit> {
        self.take(&self.bodies)
    }

    fn take(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(places).try_acquire_owned().ok();
        if place.is_none() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        place
    }

    /// How many requests found no place so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What whoever found no place is told. There is no log line: writing it would be the larger part of the work.
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
