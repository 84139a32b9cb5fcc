//! The only place that logs a request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::around::Around;
use super::request_id::RequestId;
use crate::admin::setup_links::TOKEN_PREFIX;
use crate::oauth::error::TokenError;
use crate::store::sign_ins::NewSignIn;
use crate::web::error::Cause;

/// Logs each request once its response is ready.
#[derive(Clone)]
pub struct AccessLog;

/// The fields of the request's log line.
pub struct Logged {
    id: RequestId,
    method: Method,
    path: String,
    started: Instant,
}

/// A path up to the token of a set-up link, if one is in it.
fn without_secret(path: &str) -> &str {
    let end = path.find(TOKEN_PREFIX).unwrap_or(path.len());
    path.get(..end).unwrap_or_default()
}

impl Around for AccessLog {
    type Kept = Logged;

    fn before(&self, request: &mut Request) -> Result<Logged, TokenError> {
        Ok(Logged {
            id: request.extensions().get().cloned().unwrap_or_default(),
            method: request.method().clone(),
            path: without_secret(request.uri().path()).to_owned(),
            started: Instant::now(),
        })
    }

    /// One line per request, without subject and email: those are in the decision log, which is access-controlled.
    fn after(request: Logged, response: &mut Response) {
        let Logged { id: RequestId(request_id), method, path, started } = &request;
        let micros = started.elapsed().as_micros() as u64;
        let status = response.status().as_u16();
        let cause = response.extensions().get::<Cause>().map(|cause| cause.0.as_str());
        let Some(sign_in) = response.extensions().get::<Arc<NewSignIn>>() else {
            tracing::info!(request_id = &**request_id, %method, path, status, micros, cause, "request");
            return;
        };
        tracing::info!(
            request_id = &**request_id, %method, path, status, micros, cause,
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
