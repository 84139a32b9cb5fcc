//! The only place that logs a request, and that gives it its id.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::body::TooSlow;
use super::error::Cause;
use super::{RequestId, address};
use crate::app::App;
use crate::oauth::error::TokenError;
use crate::request_id;
use crate::store::sign_ins::NewSignIn;

/// How long a request may be worked on, from when its body is there.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Names the request, runs it unless its caller comes too often, logs it. An id that the caller sends is not taken over: it could be
/// another request's, or text made to mislead whoever reads the log.
pub async fn log(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id::new(app.clock.now());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(RequestId(id.clone()));
    let started = Instant::now();
    let answer = async {
        match address::admit(&app, request) {
            Ok(request) if request.extensions().get::<TooSlow>().is_some() => {
                TokenError::timeout().into_response()
            }
            Ok(request) => next.run(request).await,
            Err(limited) => TokenError::from(limited).into_response(),
        }
    };
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
        Ok(response) => response,
        Err(_) => TokenError::timeout().into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if app.config.issuer.starts_with("https://") {
        // OPS-02: whoever has reached us over TLS once does not come without it.
        let value = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert("strict-transport-security", value);
    }
    let entry = Entry { id: &id, method: &method, path: &path, micros: started.elapsed().as_micros() as u64 };
    entry.write(&response);
    response
}

struct Entry<'a> {
    id: &'a str,
    method: &'a Method,
    path: &'a str,
    micros: u64,
}

impl Entry<'_> {
    /// One line a request. No subject and no email: the decision log, which is access-controlled, has them.
    fn write(&self, response: &Response) {
        let status = response.status().as_u16();
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_str());
        let Self { id: request_id, method, path, micros } = self;
        let Some(sign_in) = response.extensions().get::<Arc<NewSignIn>>() else {
            tracing::info!(request_id, %method, path, status, micros, cause, "request");
            return;
        };
        tracing::info!(
            request_id, %method, path, status, micros, cause,
            outcome = sign_in.outcome,
            client_id = sign_in.client_id,
            issuer = sign_in.issuer,
            resource = sign_in.resource,
            assertion = sign_in.assertion,
            policies = sign_in.policy_set,
            "sign-in"
        );
    }
}
