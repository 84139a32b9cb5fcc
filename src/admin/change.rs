//! The one way to change something: in one transaction with its audit row, and in force before the answer.

use std::sync::Arc;

use diesel::result::Error as DieselError;
use serde_json::Value;
use tokio::task::JoinError;

use super::caller::{Admin, ChangeAuthor};
use super::difference;
use super::error::AdminError;
use super::permission::Permission;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::revocation::Revocation;
use crate::store::admin_events::{self, NewAdminEvent};
use crate::store::changes::{self, Changed};
use crate::store::{AnyConnection, StoreError, revocations};

/// A change, as the audit log records it. The values are the API's own JSON, which holds no secret.
pub(super) struct Change {
    /// The changed part of the configuration; none where no process has to reload anything.
    changed: Option<Changed>,
    teamspace_id: Option<String>,
    action: &'static str,
    object: String,
    old: Option<Value>,
    new: Option<Value>,
    /// The tokens that are no longer active by the change.
    revocations: Vec<Revocation>,
}

impl Change {
    /// Something was added.
    pub fn added(changed: Changed, action: &'static str, object: impl Into<String>, new: Value) -> Self {
        Self::of(changed, action, object, (None, Some(new)))
    }

    /// Something became something else.
    pub fn updated(
        changed: Changed,
        action: &'static str,
        object: impl Into<String>,
        old: Value,
        new: Value,
    ) -> Self {
        Self::of(changed, action, object, (Some(old), Some(new)))
    }

    /// Something is gone.
    pub fn removed(changed: Changed, action: &'static str, object: impl Into<String>, old: Value) -> Self {
        Self::of(changed, action, object, (Some(old), None))
    }

    fn of(
        changed: Changed,
        action: &'static str,
        object: impl Into<String>,
        (old, new): (Option<Value>, Option<Value>),
    ) -> Self {
        let teamspace_id = changed.teamspace_id().map(str::to_owned);
        let (object, revocations) = (object.into(), Vec::new());
        Self { changed: Some(changed), teamspace_id, action, object, old, new, revocations }
    }

    /// Adds the value before, where there may have been one.
    pub fn replacing(mut self, old: Option<Value>) -> Self {
        self.old = old;
        self
    }

    /// The same, with what there is now.
    pub fn with(mut self, new: Value) -> Self {
        self.new = Some(new);
        self
    }

    /// Revokes tokens in the same transaction.
    pub fn revoking(mut self, revocations: impl IntoIterator<Item = Revocation>) -> Self {
        self.revocations.extend(revocations);
        self
    }

    /// Records an event that no process has to reload for.
    pub fn noted(action: &'static str, object: impl Into<String>, teamspace_id: Option<String>) -> Self {
        let (object, revocations) = (object.into(), Vec::new());
        Self { changed: None, teamspace_id, action, object, old: None, new: None, revocations }
    }

    /// Records a change that somebody made on the command line.
    pub fn record_of_command(
        self,
        connection: &mut AnyConnection,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        self.record(connection, ChangeAuthor::command_line(), at)
    }

    /// Appends the audit row in the same transaction as the change, and announces the change to every process. Where
    /// nothing differs, nothing is recorded.
    pub(super) fn record(
        self,
        connection: &mut AnyConnection,
        by: ChangeAuthor,
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        for revocation in self.revocations {
            revocations::add_of_all_issued(connection, revocation.by_request(&by.origin.request_id))?;
        }
        if let Some((old, new)) = difference::of(self.old, self.new) {
            let event = NewAdminEvent {
                at,
                actor: by.name,
                actor_kind: by.kind,
                actor_id: by.id,
                address: by.origin.address,
                action: self.action.to_owned(),
                object: self.object,
                teamspace_id: self.teamspace_id,
                request_id: by.origin.request_id,
                old_value: old.map(|value| value.to_string()),
                new_value: new.map(|value| value.to_string()),
            };
            admin_events::append(connection, &event)?;
        }
        self.changed.map_or(Ok(()), |changed| changes::note(connection, &changed, at))
    }
}

impl Admin {
    /// Runs `job` and records the change that it returns, in one transaction: an `Err` leaves nothing behind. `job`
    /// reads what it changes inside the transaction. Returns once the change is in force in this process.
    pub(super) async fn change<T, F>(&self, _: Permission, job: F) -> Result<T, AdminError>
    where
        F: FnOnce(&mut AnyConnection) -> Result<(T, Change), AdminError> + Send + 'static,
        T: Send + 'static,
    {
        let job = move |c: &mut AnyConnection| job(c).map(|(value, change)| (value, Some(change)));
        carry_out(Arc::clone(&self.app), self.actor(), AdminError::is_conflict, job).await
    }
}

/// Runs `job` and records the change that it returns, if there is one, in one transaction. Returns once the change is in
/// force in this process. So is what others changed if `hears_of_another_change` says that the error tells of it.
pub(super) async fn carry_out<T, E, F>(
    app: Arc<App>,
    author: ChangeAuthor,
    hears_of_another_change: fn(&E) -> bool,
    job: F,
) -> Result<T, E>
where
    F: FnOnce(&mut AnyConnection) -> Result<(T, Option<Change>), E> + Send + 'static,
    T: Send + 'static,
    E: From<AdminError> + From<StoreError> + From<DieselError> + From<JoinError> + Send + 'static,
{
    let at = app.clock.now();
    let write = move |connection: &mut AnyConnection| -> Result<T, E> {
        let (value, change) = job(connection)?;
        if let Some(change) = change {
            change.record(connection, author, at)?;
        }
        Ok(value)
    };
    // Runs as a separate task: a caller who hangs up must not leave a change that is saved but not in force.
    let done = tokio::spawn(async move {
        let written = app.store.configure(write).await;
        // Reporting success here would be a lie: a provider that was switched off would still be trusted. And whoever
        // hears that somebody else changed something must be able to see what.
        if written.as_ref().err().is_none_or(hears_of_another_change) {
            app.reload().await.map_err(|error| AdminError::NotInForce(Box::new(error)))?;
        }
        written
    });
    done.await?
}
