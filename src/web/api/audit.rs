//! Who changed what through this API.

use axum::Json;
use serde_json::{Value, json};

use super::auth::Admin;
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::audit;
use crate::clock::rfc3339;
use crate::store::admin_events::AdminEvent;

/// `GET /audit`: newest first; to a teamspace, what concerns it.
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let (limit, before) = (query.limit()?, query.before()?.unwrap_or(i64::MAX));
    let found = audit::list(&admin, before, limit).await?;
    let snapshot = admin.app.snapshot();
    Ok(page::answer(found, |event| view(event, |id| snapshot.slug_of(id))))
}

fn view(event: AdminEvent, slug_of: impl Fn(&str) -> Option<String>) -> Value {
    let value = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    json!({
        "id": event.id,
        "time": rfc3339(event.at),
        "actor": event.actor,
        "action": event.action,
        "object": event.object,
        "teamspace": event.teamspace_id.as_deref().and_then(slug_of),
        "teamspace_id": event.teamspace_id,
        "request_id": event.request_id,
        "old": value(event.old_value),
        "new": value(event.new_value),
    })
}
