//! Who changed what.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::auth::Admin;
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::audit::{self, AuditSearch};
use crate::admin::sign_in_search::SearchFault;
use crate::store::admin_events::Filter;

/// Which rows are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditParams {
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    teamspace: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /audit`: newest first; to a teamspace, what concerns it.
pub async fn list(admin: Admin, Params(params): Params<AuditParams>) -> Result<Json<Value>, Problem> {
    let teamspace = params.teamspace.clone();
    let (filter, limit) = params.filter()?;
    let found = audit::list(&admin, teamspace.as_deref(), filter, limit).await?;
    let snapshot = admin.app.snapshot();
    let slug_of = |id: &Option<String>| id.as_deref().and_then(|id| snapshot.slug_of(id));
    Ok(page::answer(found, |event| audit::view(&event, slug_of(&event.teamspace_id))))
}

impl AuditParams {
    /// The rows that are asked for, and how many of them.
    fn filter(self) -> Result<(Filter, i64), Problem> {
        let page = PageQuery { limit: self.limit, cursor: self.cursor };
        let (limit, cursor) = (page.limit()?, page.before()?);
        let Self { actor, action, object, from, to, .. } = self;
        let search = AuditSearch { actor, action, object, from, to };
        let invalid =
            |fault: SearchFault| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", fault.to_string());
        Ok((Filter { cursor, ..search.filter().map_err(invalid)? }, limit))
    }
}
