//! The reasons for refusals.

use axum::Json;
use serde_json::{Value, json};

use crate::oauth::reason::Reason;

/// `GET /reasons`: the table of reasons, the same for every caller.
pub async fn list() -> Json<Value> {
    Json(json!({ "items": Reason::TABLE }))
}
