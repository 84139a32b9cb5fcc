//! `/healthz` and `/readyz`, on the private listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::store::changes;

/// The process runs.
pub async fn healthy() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Sign-ins can be served: the database answers. Policies that cannot be read do not change that, since the last
/// good ones stay in force; they are told.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let answer = tokio::time::timeout(Duration::from_secs(2), app.store.read(changes::current)).await;
    match answer {
        Ok(Ok(_)) => {
            let policy_error = app.policy_files.last_error().map(|error| error.view());
            let policy_set = &app.policies().hash;
            let body = json!({ "status": "ready", "policy_set": policy_set, "policy_error": policy_error });
            (StatusCode::OK, Json(body))
        }
        Ok(Err(_)) | Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable", "part": "database" })))
        }
    }
}
