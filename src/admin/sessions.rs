//! Sessions of the console: who is signed in, and ending it.

use serde_json::{Value, json};

use super::caller::{Admin, Operator, Principal};
use super::change::Change;
use super::error::AdminError;
use super::permission::Permission;
use crate::clock::rfc3339;
use crate::model::console_user::{ConsoleUser, UserKind};
use crate::policy::ConsoleAction;
use crate::store::console_sessions::{self, ConsoleSession, Live};
use crate::store::{AnyConnection, Page};

/// A page of the sessions of everybody, the newest first.
pub async fn list(
    operator: &Operator,
    (limit, before): (i64, Option<String>),
) -> Result<Page<ConsoleSession>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewSystem)?;
    let live = live(operator);
    Ok(operator.app.store.list(move |c| console_sessions::list(c, live, (limit, before.as_deref()))).await?)
}

/// The newest of the caller's own sessions.
pub async fn own(admin: &Admin, limit: i64) -> Result<Vec<ConsoleSession>, AdminError> {
    let (id, live) = (user(admin)?.session_id.clone(), live(admin));
    Ok(admin.app.store.list(move |c| console_sessions::of_same_person(c, live, (&id, limit))).await?)
}

/// Ends a session of anybody.
pub async fn end(operator: &Operator, id: String) -> Result<(), AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeSystem)?;
    end_one(operator, permission, move |c| Ok(console_sessions::end_by_id(c, &id)?)).await
}

/// Ends one of the caller's own sessions.
pub async fn end_own(admin: &Admin, id: String) -> Result<(), AdminError> {
    let own = user(admin)?.session_id.clone();
    end_one(admin, Permission::over_own_sessions(), move |c| {
        Ok(console_sessions::end_of_same_person(c, &own, &id)?)
    })
    .await
}

async fn end_one(
    admin: &Admin,
    permission: Permission,
    end: impl FnOnce(&mut AnyConnection) -> Result<Option<ConsoleSession>, AdminError> + Send + 'static,
) -> Result<(), AdminError> {
    admin
        .change(permission, move |c| {
            let ended = end(c)?.ok_or(AdminError::NotFound)?;
            let change = Change::noted("console.end_session", &ended.id, ended.teamspace_id.clone());
            Ok(((), change.replacing(Some(view(&ended)))))
        })
        .await
}

/// Ends all of the caller's own sessions.
pub async fn end_all_own(admin: &Admin) -> Result<(), AdminError> {
    let own = user(admin)?.clone();
    let teamspace_id = match own.kind {
        UserKind::SetupLink { ref teamspace_id, .. } => Some(teamspace_id.clone()),
        UserKind::Operator | UserKind::Member(_) => None,
    };
    admin
        .change(Permission::over_own_sessions(), move |c| {
            let number = console_sessions::end_all_of(c, &own.session_id)?;
            let change = Change::noted("console.sign_out_everywhere", own.session_id, teamspace_id);
            Ok(((), change.replacing(Some(json!({ "sessions": number })))))
        })
        .await
}

fn user(admin: &Admin) -> Result<&ConsoleUser, AdminError> {
    match admin.principal() {
        Principal::Console(user) => Ok(user),
        Principal::Token(_) | Principal::CommandLine => Err(AdminError::NotFound),
    }
}

/// The conditions for a live session at this moment.
fn live(admin: &Admin) -> Live {
    let now = admin.app.clock.now();
    Live { now, unused_since: now - admin.app.config.console.idle_timeout.as_secs() }
}

/// A session as the audit log keeps it.
fn view(session: &ConsoleSession) -> Value {
    json!({
        "kind": session.kind,
        "name": if session.email.is_empty() { &session.name } else { &session.email },
        "address": session.address,
        "browser": session.browser,
        "created_at": rfc3339(session.created_at),
    })
}
