//! `/healthz` and `/readyz`, on the private listener.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::App;

/// The process runs.
pub async fn healthy() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Says whether sign-ins can be served and, if not, what is wrong. Unreadable policies do not count, since the last
/// good ones stay in force, but they are mentioned. A stopping service reports that it is not ready.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    if app.gate.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stopping" })));
    }
    let checks = app.checks();
    let failing: Vec<&str> =
        checks.iter().filter(|check| check.problem.is_some()).map(|check| check.name).collect();
    let (status, word) = match failing.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let told = checks.iter().map(|check| (check.name.to_owned(), check.problem.unwrap_or("ok").into()));
    let body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "failing": failing,
        "checks": told.collect::<Map<String, Value>>(),
        "policy_set": app.policies().hash,
        "policy_error": app.policy_files.last_error().map(|error| error.view()),
    });
    (status, Json(body))
}
