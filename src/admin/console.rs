//! Signing in to the console: set-up tokens, and the sessions that a sign-in begins.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::caller::{ChangeAuthor, Origin};
use super::change::Change;
use super::error::AdminError;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::actor_kind::ActorKind;
use crate::model::console_user::{ConsoleUser, Membership, UserKind};
use crate::random::{digest, secret};
use crate::store::connection;
use crate::store::console_sessions::{self, ConsoleSession, SessionKind};
use crate::store::members;
use crate::store::setup_links;
use crate::store::setup_tokens::{self, SetupToken};
use crate::store::{AnyConnection, Store, StoreError, to_json};

/// How long a set-up token can be used, in seconds.
pub const SETUP_TOKEN_LIFETIME: i64 = 24 * 3600;
/// The lifetime of a session that began with a set-up token, in seconds.
const SETUP_SESSION: i64 = 3600;
/// The display name of a person who came with a set-up token.
const SETUP_NAME: &str = "set-up token";
/// The most teamspaces in which one person can be a member at a time.
pub(super) const MOST_PLACES: i64 = 500;
/// The precision of a session's last-use time, in seconds.
const TOUCHED_EVERY: i64 = 60;

/// Somebody whose sign-in was verified.
pub struct SignedIn {
    /// How the person proved who they are.
    pub kind: SessionKind,
    /// The verified address in lower case; empty for a set-up token or link.
    pub email: String,
    /// The name for people; empty where the sign-in said none.
    pub name: String,
    /// The only teamspace that the session is for; none but for set-up links.
    pub teamspace_id: Option<String>,
    /// The set-up link's identifier; empty where there was none.
    pub link_id: String,
    /// The groups that the identity provider stated.
    pub groups: Vec<String>,
    /// How long the session lasts at the most, in seconds.
    pub lifetime: i64,
}

/// A session that has not ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LiveSession {
    /// The session as it began.
    pub session: ConsoleSession,
    /// A member's places as they are now.
    pub memberships: Vec<Membership>,
}

impl SignedIn {
    /// The session that begins now in a browser of this name. Its digest is set later.
    pub fn session(self, origin: &Origin, browser: String, now: UnixSeconds) -> ConsoleSession {
        ConsoleSession {
            id: Uuid::new_v4().to_string(),
            digest: String::new(),
            kind: self.kind,
            email: self.email,
            name: self.name,
            teamspace_id: self.teamspace_id,
            link_id: self.link_id,
            address: origin.address.clone(),
            created_at: now,
            seen_at: now,
            expires_at: now + self.lifetime,
            browser,
            user_groups: to_json(&self.groups),
        }
    }
}

/// Makes a set-up token.
pub async fn create_setup_token(store: &Store, now: UnixSeconds) -> Result<String, AdminError> {
    let (token, row) = new_setup_token(now)?;
    store
        .write(move |c| -> Result<_, AdminError> {
            Change::noted("console.setup_token", "", None).record_of_command(c, now)?;
            Ok(setup_tokens::insert(c, &row)?)
        })
        .await?;
    Ok(token)
}

/// Makes the first set-up token of a database; returns none where there was one before.
pub async fn create_first_setup_token(store: &Store, now: UnixSeconds) -> Result<Option<String>, AdminError> {
    let (token, row) = new_setup_token(now)?;
    let is_first = store
        .configure(move |c| -> Result<_, AdminError> {
            if setup_tokens::was_any(c)? {
                return Ok(false);
            }
            setup_tokens::insert(c, &row)?;
            Ok(true)
        })
        .await?;
    Ok(is_first.then_some(token))
}

fn new_setup_token(now: UnixSeconds) -> Result<(String, SetupToken), AdminError> {
    let token = format!("csu_{}", secret()?);
    let row = SetupToken { digest: digest(&token), created_at: now, expires_at: now + SETUP_TOKEN_LIFETIME };
    Ok((token, row))
}

/// The file beside an SQLite database that the first set-up token is written to.
pub fn setup_token_file(database_url: &str) -> Option<PathBuf> {
    let database = connection::files(database_url).into_iter().next()?;
    let mut name = database.into_os_string();
    name.push(".setup-token");
    Some(name.into())
}

/// Uses up a set-up token and signs its holder in as an operator.
pub async fn redeem_setup_token(app: &App, presented: &str, origin: &Origin) -> Result<SignedIn, AdminError> {
    let (digest, now) = (digest(presented.trim()), app.clock.now());
    let (name, origin) = (SETUP_NAME.to_owned(), origin.clone());
    let actor = ChangeAuthor { kind: ActorKind::SetupToken, id: String::new(), name, origin };
    let redeemed = app.store.write(move |c| -> Result<bool, AdminError> {
        let is_good = setup_tokens::redeem(c, &digest, now)?;
        if is_good {
            Change::noted("console.sign_in", SETUP_NAME, None).record(c, actor, now)?;
        }
        Ok(is_good)
    });
    if !redeemed.await? {
        return Err(AdminError::SetupTokenInvalid);
    }
    // The file is of no more use. If it cannot be removed, it does no harm.
    if let Some(path) = setup_token_file(&app.config.database_url) {
        let _ = std::fs::remove_file(path);
    }
    Ok(SignedIn {
        kind: SessionKind::Operator,
        email: String::new(),
        name: SETUP_NAME.to_owned(),
        teamspace_id: None,
        link_id: String::new(),
        groups: Vec::new(),
        lifetime: SETUP_SESSION,
    })
}

/// Writes a session that begins; none where its set-up link was revoked a moment ago.
pub async fn begin(store: &Store, session: ConsoleSession) -> Result<(), AdminError> {
    store
        .write(move |c| {
            if session.kind == SessionKind::SetupLink && !setup_links::hold(c, &session.link_id)? {
                return Err(AdminError::SetupLinkInvalid);
            }
            Ok(console_sessions::insert(c, &session)?)
        })
        .await
}

/// Finds the session with a digest, unless it has ended. This asks the database each time, so a session that was ended,
/// or whose person lost their place here, stops at once on every replica.
pub async fn find_live(app: &App, digest: String) -> Result<Option<LiveSession>, StoreError> {
    let now = app.clock.now();
    let idle = app.config.console.idle_timeout.as_secs();
    let find = move |c: &mut AnyConnection| {
        let Some(session) = console_sessions::find(c, &digest)? else { return Ok(None) };
        let memberships = memberships_of(c, &session)?;
        Ok::<_, StoreError>(Some(LiveSession { session, memberships }))
    };
    let Some(live) = app.store.read(find).await? else { return Ok(None) };
    let session = &live.session;
    if now >= session.expires_at || now >= session.seen_at + idle {
        return Ok(None);
    }
    if !is_still_somebody(app, &live)? {
        end(&app.store, session.digest.clone()).await?;
        return Ok(None);
    }
    Ok(Some(live))
}

/// Notes that a session is in use, which puts its idle time-out off.
pub async fn note_use(app: &App, session: &ConsoleSession) -> Result<(), StoreError> {
    let now = app.clock.now();
    if now < session.seen_at + TOUCHED_EVERY {
        return Ok(());
    }
    let id = session.id.clone();
    app.store.write(move |c| Ok(console_sessions::touch(c, &id, now)?)).await
}

/// Whether the person of a session is still what they were at the sign-in. Those who came with a set-up token have no
/// address, and are on no list.
fn is_still_somebody(app: &App, live: &LiveSession) -> Result<bool, StoreError> {
    let (console, session) = (&app.config.console, &live.session);
    Ok(match session.kind {
        SessionKind::Operator if session.email.is_empty() => true,
        // Without `console.oidc` the list is empty.
        SessionKind::Operator => console.is_operator(&session.email, &session.groups()?),
        SessionKind::Member => console.oidc.is_some() && !live.memberships.is_empty(),
        SessionKind::SetupLink => true,
    })
}

fn memberships_of(
    connection: &mut AnyConnection,
    session: &ConsoleSession,
) -> Result<Vec<Membership>, StoreError> {
    match session.kind {
        SessionKind::Member => members::places_of(connection, &session.email, MOST_PLACES),
        SessionKind::Operator | SessionKind::SetupLink => Ok(Vec::new()),
    }
}

/// Ends a session, by its digest.
pub async fn end(store: &Store, digest: String) -> Result<(), StoreError> {
    store.write(move |c| Ok(console_sessions::end(c, &digest).map(|_| ())?)).await
}

/// The person whose session it is.
pub fn user_of(live: &LiveSession) -> Result<Arc<ConsoleUser>, StoreError> {
    let session = &live.session;
    let kind = match (session.kind, &session.teamspace_id) {
        (SessionKind::Operator, _) => UserKind::Operator,
        (SessionKind::Member, _) => UserKind::Member(live.memberships.clone()),
        (SessionKind::SetupLink, Some(teamspace_id)) => {
            UserKind::SetupLink { teamspace_id: teamspace_id.clone(), link_id: session.link_id.clone() }
        }
        // A link without a teamspace leads nowhere.
        (SessionKind::SetupLink, None) => UserKind::Member(Vec::new()),
    };
    let (email, name) = (session.email.clone(), session.name.clone());
    let session_id = session.id.clone();
    Ok(Arc::new(ConsoleUser { session_id, email, name, groups: session.groups()?, kind }))
}
