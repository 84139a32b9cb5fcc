//! Sessions of the console: who is signed in, and ending it.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::caller::{Admin, Operator, Principal};
use super::change::Change;
use super::error::AdminError;
use super::permission::Permission;
use super::view::as_json;
use crate::clock::rfc3339;
use crate::model::console_user::{ConsoleUser, UserKind};
use crate::policy::ConsoleAction;
use crate::store::console_sessions::{self, ConsoleSession, Live, SessionKind};
use crate::store::{AnyConnection, Page};

/// Whose sessions are ended together.
#[derive(Debug, Clone)]
pub enum SessionsOf {
    /// The person whose session has this id.
    PersonOf(String),
    /// The person who signed in with this address.
    Email(String),
    /// Everybody, the caller included.
    Everybody,
}

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

/// Ends all sessions of a person or of everybody, and tells how many there were.
pub async fn end_all(operator: &Operator, whose: SessionsOf) -> Result<usize, AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeSystem)?;
    operator
        .change(permission, move |c| {
            let (object, ended) = match whose {
                SessionsOf::PersonOf(id) => {
                    let ended = console_sessions::end_all_of(c, &id)?;
                    (id, if ended == 0 { Err(AdminError::NotFound) } else { Ok(ended) }?)
                }
                SessionsOf::Email(email) => {
                    let email = email.trim().to_lowercase();
                    let ended = console_sessions::end_all_of_email(c, &email)?;
                    (email, ended)
                }
                SessionsOf::Everybody => ("everybody".to_owned(), console_sessions::end_all(c)?),
            };
            let change = Change::noted("console.end_all_sessions", object, None);
            Ok((ended, change.replacing(Some(json!({ "sessions": ended })))))
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

/// A session as the API shows it: without its secret, which nobody has but the browser.
#[derive(Serialize, ToSchema)]
#[schema(as = ConsoleSession)]
pub struct SessionView<'s> {
    id: &'s str,
    kind: SessionKind,
    /// The address; empty for whoever came with a set-up token or a set-up link.
    email: &'s str,
    name: &'s str,
    /// The slug of the only teamspace that it is for, of a set-up link.
    #[schema(required)]
    teamspace: Option<String>,
    /// The address that it was begun from.
    address: &'s str,
    browser: &'s str,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    seen_at: String,
    /// When it ends at the latest.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A session as JSON; `teamspace` is a slug.
pub fn session_view(session: &ConsoleSession, teamspace: Option<String>) -> Value {
    as_json(SessionView {
        id: &session.id,
        kind: session.kind,
        email: &session.email,
        name: &session.name,
        teamspace,
        address: &session.address,
        browser: &session.browser,
        created_at: rfc3339(session.created_at),
        seen_at: rfc3339(session.seen_at),
        expires_at: rfc3339(session.expires_at),
    })
}
