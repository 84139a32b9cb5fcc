//! Audit rows of commands that are about the whole database.

use serde_json::json;

use super::change::Change;
use super::error::AdminError;
use crate::clock::UnixSeconds;
use crate::store::Store;

/// Something that a command did to the whole database.
pub enum DatabaseEvent {
    /// These migrations were applied.
    Migrated(Vec<String>),
    /// It is copied to this file.
    BackedUp(String),
    /// It was marked as restored from a backup.
    MarkedRestored,
}

/// Appends it to the audit log.
pub async fn record(store: &Store, event: DatabaseEvent, now: UnixSeconds) -> Result<(), AdminError> {
    let noted = |action| Change::noted(action, "database", None);
    let change = match event {
        DatabaseEvent::Migrated(versions) if versions.is_empty() => return Ok(()),
        DatabaseEvent::Migrated(versions) => noted("database.migrate").with(json!({ "applied": versions })),
        DatabaseEvent::BackedUp(file) => noted("database.backup").with(json!({ "file": file })),
        DatabaseEvent::MarkedRestored => noted("database.mark_restored"),
    };
    store.write(move |c| Ok(change.record_of_command(c, now)?)).await
}
