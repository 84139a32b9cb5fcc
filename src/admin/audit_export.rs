//! Rows of the audit log as a file.

use super::audit::{self, AuditFilter};
use super::caller::Admin;
use super::error::AdminError;
use super::export::{Export, PAGE};

/// Most reads for one file: a rare row may lie far back.
const READS: usize = 20;

/// The columns: members of a row as programs get it.
const COLUMNS: [&str; 11] = [
    "time",
    "actor",
    "actor_kind",
    "actor_id",
    "address",
    "action",
    "object",
    "teamspace",
    "request_id",
    "old",
    "new",
];

/// Collects the rows that match a filter and that the caller may see.
pub async fn collect(
    admin: &Admin,
    teamspace: Option<&str>,
    mut filter: AuditFilter,
) -> Result<Export, AdminError> {
    let _place = admin.enter_heavy()?;
    let mut export = Export::new(&COLUMNS);
    for _ in 0..READS {
        let page = audit::list(admin, teamspace, filter.clone(), PAGE).await?;
        let snapshot = admin.app.snapshot();
        let slug = |id: &Option<String>| id.as_deref().and_then(|id| snapshot.slug_of(id));
        filter.cursor = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        let rows = page.items.iter().map(|row| audit::view(row, slug(&row.teamspace_id)));
        if !export.add(rows, filter.cursor.is_some()) {
            break;
        }
    }
    Ok(export)
}
