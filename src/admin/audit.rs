//! The audit log: who changed what.

use super::caller::Admin;
use super::error::AdminError;
use crate::store::Page;
use crate::store::admin_events::{self, AdminEvent};

/// A page of events before an id, newest first; to somebody of a teamspace, of what concerns it.
pub async fn list(admin: &Admin, before: i64, limit: i64) -> Result<Page<AdminEvent>, AdminError> {
    let confined_to = admin.confined_to();
    let confined_to: Option<Vec<String>> =
        confined_to.map(|ids| ids.into_iter().map(str::to_owned).collect());
    let list = move |c: &mut _| admin_events::list(c, confined_to.as_deref(), before, limit);
    Ok(admin.app.store.list(list).await?)
}
