//! The audit log: who changed what.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::Admin;
use super::error::AdminError;
use super::permission::may;
use super::sign_in_search::{SearchFault, times, typed};
use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::actor_kind::ActorKind;
use crate::model::log::Log;
use crate::policy::ConsoleAction;
use crate::store::Page;
pub use crate::store::admin_events::AuditFilter;
use crate::store::admin_events::{self, AdminEvent};
use crate::store::log_seals::{self, Seal};

/// A search in the audit log, as it was typed. Blank fields do not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSearch {
    /// The name of whoever made the change.
    pub actor: Option<String>,
    /// An action, or a kind of object such as `member`, which stands for all of its actions.
    pub action: Option<String>,
    pub object: Option<String>,
    /// A day, or a time in UTC or with an offset.
    pub from: Option<String>,
    /// A day with all its hours, or a time.
    pub to: Option<String>,
}

impl AuditSearch {
    /// The filter that finds the rows.
    pub fn filter(&self) -> Result<AuditFilter, SearchFault> {
        if [&self.actor, &self.action, &self.object].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(SearchFault::Nul);
        }
        let (from, to) = times(&self.from, &self.to)?;
        let (actor, action) = (typed(&self.actor), typed(&self.action));
        Ok(AuditFilter { actor, action, object: typed(&self.object), from, to, ..AuditFilter::default() })
    }
}

/// Lists a page of events, newest first. A caller from a teamspace sees the events of that teamspace. `teamspace` is a
/// slug and narrows the list to that one; a teamspace out of the caller's reach is not found.
pub async fn list(
    admin: &Admin,
    teamspace: Option<&str>,
    mut filter: AuditFilter,
    limit: i64,
) -> Result<Page<AdminEvent>, AdminError> {
    filter.teamspaces = match teamspace {
        Some(slug) => Some(vec![id_of(admin, slug)?]),
        None => admin.teamspaces_where(ConsoleAction::ViewAudit)?,
    };
    Ok(admin.app.store.list(move |c| admin_events::list(c, &filter, limit)).await?)
}

/// How far a log is sealed.
pub struct ChainEnd {
    pub log: Log,
    /// The newest seal; none before the first.
    pub head: Option<Seal>,
}

/// The ends of both logs' chains.
pub async fn chain_ends(admin: &Admin) -> Result<Vec<ChainEnd>, AdminError> {
    admin.may_everywhere(ConsoleAction::ViewAudit)?;
    let mut ends = Vec::new();
    for log in Log::ALL {
        let head = admin.app.store.list(move |c| log_seals::newest(c, log)).await?;
        ends.push(ChainEnd { log, head });
    }
    Ok(ends)
}

/// Finds the id of a teamspace whose events the caller may see.
fn id_of(admin: &Admin, slug: &str) -> Result<String, AdminError> {
    let snapshot = admin.app.snapshot();
    let teamspace_config = snapshot.teamspace_config(slug).ok_or(AdminError::NotFound)?;
    may(admin, ConsoleAction::ViewAudit, Some(teamspace_config))?;
    Ok(teamspace_config.teamspace.id.clone())
}

/// A row as it is told.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct AuditView<'e> {
    id: i64,
    #[schema(format = DateTime)]
    time: String,
    actor: &'e str,
    actor_kind: ActorKind,
    actor_id: &'e str,
    address: &'e str,
    action: &'e str,
    object: &'e str,
    /// The slug that the teamspace has now.
    #[schema(required)]
    teamspace: Option<String>,
    #[schema(required)]
    teamspace_id: Option<&'e str>,
    request_id: &'e str,
    /// The value before; null where something was added.
    #[schema(required)]
    old: Option<Value>,
    /// The value after; null where something was removed.
    #[schema(required)]
    new: Option<Value>,
}

/// A row as JSON; `teamspace` is a slug.
pub fn view(event: &AdminEvent, teamspace: Option<String>) -> Value {
    let value = |text: &Option<String>| serde_json::from_str::<Value>(text.as_deref()?).ok();
    as_json(AuditView {
        id: event.id,
        time: rfc3339(event.at),
        actor: &event.actor,
        actor_kind: event.actor_kind,
        actor_id: &event.actor_id,
        address: &event.address,
        action: &event.action,
        object: &event.object,
        teamspace,
        teamspace_id: event.teamspace_id.as_deref(),
        request_id: &event.request_id,
        old: value(&event.old_value),
        new: value(&event.new_value),
    })
}
