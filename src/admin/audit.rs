//! The audit log: who changed what.

use super::caller::Admin;
use super::error::AdminError;
use crate::store::Page;
use crate::store::admin_events::{self, AdminEvent};

/// A page of events before an id, newest first; to a teamspace, of what concerns it.
pub async fn list(admin: &Admin, before: i64, limit: i64) -> Result<Page<AdminEvent>, AdminError> {
    let confined_to = admin.confined_to().map(str::to_owned);
    let list = move |c: &mut _| admin_events::list(c, confined_to.as_deref(), before, limit);
    Ok(admin.app.store.list(list).await?)
}
