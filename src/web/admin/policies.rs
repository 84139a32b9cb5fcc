//! The policies in force.

use axum::Json;
use serde_json::{Value, json};

use super::auth::Operator;
use crate::clock::rfc3339;

/// `GET /policies`
pub async fn show(Operator(admin): Operator) -> Json<Value> {
    let policies = admin.app.policies();
    Json(json!({
        "hash": policies.hash,
        "loaded_at": rfc3339(policies.loaded_at),
        "files": policies.files,
        // They are read at the start only, and there is no start with policies that do not load.
        "last_error": null,
    }))
}
