//! How many requests are worked on at once. Beyond what can be answered in time a request is refused at once,
//! which costs next to nothing: so the others go on being answered at full speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Some fifty milliseconds of work for one core.
const PLACES: usize = 512;

/// The same words as for everything else that is out of order for now.
const BODY: &str =
    r#"{"error":"temporarily_unavailable","error_description":"Temporarily unavailable; try again later."}"#;

/// In front of a listener.
pub struct Gate {
    places: Arc<Semaphore>,
    refused: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), refused: AtomicU64::new(0) }
    }
}

impl Gate {
    /// A place for one request, if one is free; it is given back when it is dropped.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
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
