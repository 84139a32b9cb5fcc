//! The one way to change something: in one transaction with its audit row, and in force before the answer.

use std::sync::Arc;

use serde_json::Value;

use super::auth::Admin;
use super::difference;
use super::problem::Problem;
use crate::store::AnyConnection;
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::changes::{self, Changed};

/// What was changed, for the audit log. The values are the API's own JSON, which holds no secret.
pub struct Change {
    changed: Changed,
    action: &'static str,
    object: String,
    old: Option<Value>,
    new: Option<Value>,
}

impl Change {
    /// Something was added.
    pub fn added(changed: Changed, action: &'static str, object: impl Into<String>, new: Value) -> Self {
        Self { changed, action, object: object.into(), old: None, new: Some(new) }
    }

    /// Something became something else.
    pub fn updated(
        changed: Changed,
        action: &'static str,
        object: impl Into<String>,
        old: Value,
        new: Value,
    ) -> Self {
        Self { old: Some(old), ..Self::added(changed, action, object, new) }
    }

    /// Something is gone.
    pub fn removed(changed: Changed, action: &'static str, object: impl Into<String>, old: Value) -> Self {
        Self { changed, action, object: object.into(), old: Some(old), new: None }
    }

    /// The same, where there may have been something before.
    pub fn replacing(mut self, old: Option<Value>) -> Self {
        self.old = old;
        self
    }
}

impl Admin {
    /// Runs `job` and records what differs by the change that it tells of, in one transaction: an `Err` leaves nothing.
    /// Where nothing differs there is nothing to record.
    /// What is to be changed must be read inside. Returns once the change is in force in this process.
    pub async fn change<T, F>(&self, job: F) -> Result<T, Problem>
    where
        F: FnOnce(&mut AnyConnection) -> Result<(T, Change), Problem> + Send + 'static,
        T: Send + 'static,
    {
        let app = Arc::clone(&self.app);
        let (at, actor, request_id) = (app.clock.now(), self.actor().to_owned(), self.request_id.clone());
        let write = move |connection: &mut AnyConnection| -> Result<T, Problem> {
            let (value, change) = job(connection)?;
            if let Some((old, new)) = difference::of(change.old, change.new) {
                let event = NewAdminEvent {
                    at,
                    actor,
                    action: change.action.to_owned(),
                    object: change.object,
                    teamspace_id: change.changed.teamspace_id().map(str::to_owned),
                    request_id,
                    old_value: old.map(|value| value.to_string()),
                    new_value: new.map(|value| value.to_string()),
                };
                admin_events::append(connection, &event)?;
            }
            changes::note(connection, &change.changed, at)?;
            Ok(value)
        };
        // A task of its own: a caller who hangs up must not leave a change that is saved and not in force.
        let done = tokio::spawn(async move {
            let value = app.store.configure(write).await?;
            // Silence here would be a lie: a provider that was switched off would still be believed.
            app.reload().await.map_err(|error| {
                let detail = "The change is saved and not in force yet; it will be soon.";
                Problem::unavailable(&error).detail(detail)
            })?;
            Ok(value)
        });
        done.await.map_err(|error| Problem::unavailable(&error))?
    }
}
