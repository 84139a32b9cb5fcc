//! The reasons for refusals.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::oauth::reason::{About, Reason};

/// The table of reasons.
#[derive(Serialize, ToSchema)]
pub struct Reasons {
    items: &'static [About],
}

/// Lists the reasons for refusals with their remedies and who can apply them, the same for every caller.
#[utoipa::path(get, path = "/reasons", responses((status = 200, body = Reasons)))]
pub async fn list() -> Json<Reasons> {
    Json(Reasons { items: Reason::TABLE })
}
