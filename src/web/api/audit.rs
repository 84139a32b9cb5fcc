//! Who changed what.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::auth::Admin;
use super::describe::List;
use super::json::Params;
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::audit::{self, AuditSearch, AuditView};
use crate::admin::sign_in_search::SearchFault;
use crate::store::admin_events::AuditFilter;

/// Which rows are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// The name of whoever made the change.
    actor: Option<String>,
    /// An action, or a kind of object such as `member`, which stands for all of its actions.
    action: Option<String>,
    object: Option<String>,
    /// A teamspace's slug.
    teamspace: Option<String>,
    /// The first day, or the time from which on.
    from: Option<String>,
    /// The last day, or the time until which.
    to: Option<String>,
    /// The maximum number of items, 1 to 200; 50 by default.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the audit log, newest first. A teamspace's token sees only the teamspace's events.
#[utoipa::path(
    get, path = "/audit", params(AuditParams),
    responses((status = 200, body = List<AuditView>), (status = 404, description = "not_found"))
)]
pub async fn list(admin: Admin, Params(params): Params<AuditParams>) -> Result<Json<Value>, Problem> {
    let teamspace = params.teamspace.clone();
    let (filter, limit) = params.filter()?;
    let found = audit::list(&admin, teamspace.as_deref(), filter, limit).await?;
    let snapshot = admin.app.snapshot();
    let slug_of = |id: &Option<String>| id.as_deref().and_then(|id| snapshot.slug_of(id));
    Ok(page::answer(found, |event| audit::view(&event, slug_of(&event.teamspace_id))))
}

impl AuditParams {
    /// The filter, and the number of rows.
    fn filter(self) -> Result<(AuditFilter, i64), Problem> {
        let page = PageQuery { limit: self.limit, cursor: self.cursor };
        let (limit, cursor) = (page.limit()?, page.before()?);
        let Self { actor, action, object, from, to, .. } = self;
        let search = AuditSearch { actor, action, object, from, to };
        let invalid =
            |fault: SearchFault| Problem::new(StatusCode::BAD_REQUEST, "query_invalid", fault.to_string());
        Ok((AuditFilter { cursor, ..search.filter().map_err(invalid)? }, limit))
    }
}
