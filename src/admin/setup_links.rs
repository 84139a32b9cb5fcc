//! Set-up links: each lets a customer's administrator in once, to the identity provider, Explain and Activity of one
//! teamspace.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{ChangeAuthor, InTeamspace, Origin};
use super::change::Change;
use super::console::SignedIn;
use super::error::AdminError;
use super::teamspaces::find_named;
use super::tokens::teamspace_id;
use super::view::as_json;
use crate::app::App;
use crate::clock::{UnixSeconds, rfc3339};
use crate::config::{Config, Duration};
use crate::model::actor_kind::ActorKind;
use crate::policy::ConsoleAction;
use crate::random::{digest, secret};
use crate::store::console_sessions::SessionKind;
use crate::store::setup_links::{self, LinkState, SetupLink};
use crate::store::{AnyConnection, Store};

/// How a link's token begins, so that it is known wherever it stands.
pub const TOKEN_PREFIX: &str = "csl_";
/// How long a session lasts that a link has begun, in seconds.
pub const SESSION: i64 = 8 * 3600;
/// The characters of a token behind its prefix: 32 random bytes in base64url.
const TOKEN_LENGTH: usize = 43;
/// The name of whoever came by a link.
const NAME: &str = "set-up link";
/// Open links of one teamspace.
const MOST_OPEN: i64 = 20;
/// How long a link can be used when nothing is said, and what may be said, in seconds.
const LIFETIME: i64 = 72 * 3600;
const SHORTEST: i64 = 60;
const LONGEST: i64 = 30 * 24 * 3600;

/// A link to be made.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSetupLink {
    /// How long it can be used, such as `12h` or `7d`: from `1m` to `30d`, and `72h` when it is left out.
    #[schema(value_type = Option<String>)]
    pub valid_for: Option<Duration>,
}

/// A link that was made. Its URL is told this once.
pub struct MadeLink {
    pub url: String,
    pub link: SetupLink,
}

/// Makes a link to the caller's teamspace.
pub async fn create(at: &InTeamspace, new: NewSetupLink) -> Result<MadeLink, AdminError> {
    create_if(at, new, |_| true).await
}

/// Makes a link to the caller's teamspace if its newest link, or none, still is the one that somebody saw.
pub async fn create_if(
    at: &InTeamspace,
    new: NewSetupLink,
    is_as_seen: impl FnOnce(Option<&str>) -> bool + Send + 'static,
) -> Result<MadeLink, AdminError> {
    let permission = at.may(ConsoleAction::ManageSetupLinks)?;
    let teamspace_config = Arc::clone(at.teamspace_config());
    let teamspace_id = teamspace_config.teamspace.id.clone();
    let created_by = at.actor().name;
    let made = prepare(&at.app.config, new, (teamspace_id, created_by), at.app.clock.now())?;
    let link = made.link.clone();
    at.change(permission, move |c| {
        find_named(c, &teamspace_config.teamspace)?;
        if !is_as_seen(setup_links::newest(c, &link.teamspace_id)?.as_deref()) {
            return Err(AdminError::ChangedMeanwhile);
        }
        Ok(((), add(c, &link)?))
    })
    .await?;
    Ok(made)
}

/// Makes a link for somebody who may run commands on this machine.
pub async fn create_by_command(
    store: &Store,
    config: &Config,
    slug: String,
    new: NewSetupLink,
    now: UnixSeconds,
) -> Result<MadeLink, AdminError> {
    let teamspace_id = teamspace_id(store, slug).await?;
    let made = prepare(config, new, (teamspace_id, ChangeAuthor::command_line().name), now)?;
    let link = made.link.clone();
    store
        .configure(move |c| -> Result<(), AdminError> { Ok(add(c, &link)?.record_of_command(c, now)?) })
        .await?;
    Ok(made)
}

/// A link with its token, not written yet.
fn prepare(
    config: &Config,
    new: NewSetupLink,
    (teamspace_id, created_by): (String, String),
    now: UnixSeconds,
) -> Result<MadeLink, AdminError> {
    let lifetime = new.valid_for.map_or(LIFETIME, Duration::as_secs);
    if !(SHORTEST..=LONGEST).contains(&lifetime) {
        return Err(AdminError::LinkLifetimeInvalid);
    }
    let console = config.console_url().ok_or(AdminError::ConsoleOff)?;
    let token = format!("{TOKEN_PREFIX}{}", secret()?);
    let link = SetupLink {
        id: Uuid::now_v7().to_string(),
        digest: digest(&token),
        teamspace_id,
        created_by,
        created_at: now,
        expires_at: now + lifetime,
        used_at: None,
        used_from: String::new(),
        revoked_at: None,
    };
    Ok(MadeLink { url: format!("{console}/set-up/{token}"), link })
}

/// Writes a link, inside the transaction of the change that it tells of.
fn add(connection: &mut AnyConnection, link: &SetupLink) -> Result<Change, AdminError> {
    if setup_links::count_open(connection, &link.teamspace_id, link.created_at)? >= MOST_OPEN {
        return Err(AdminError::TooManySetupLinks);
    }
    setup_links::insert(connection, link)?;
    let change = Change::noted("setup_link.create", &link.id, Some(link.teamspace_id.clone()));
    Ok(change.with(view(link, link.created_at)))
}

/// The links of the caller's teamspace, oldest first: those that are open, and the newest of the others.
pub async fn list(at: &InTeamspace) -> Result<Vec<SetupLink>, AdminError> {
    at.may(ConsoleAction::ManageSetupLinks)?;
    let id = at.teamspace_config().teamspace.id.clone();
    Ok(at.app.store.list(move |c| setup_links::of_teamspace(c, &id)).await?)
}

/// Revokes a link: it lets nobody in, and whoever came in by it is out with the next request.
pub async fn revoke(at: &InTeamspace, id: String) -> Result<(), AdminError> {
    let permission = at.may(ConsoleAction::ManageSetupLinks)?;
    let (teamspace_id, now) = (at.teamspace_config().teamspace.id.clone(), at.app.clock.now());
    at.change(permission, move |c| {
        let link = setup_links::find(c, &teamspace_id, &id)?.ok_or(AdminError::NotFound)?;
        let old = view(&link, now);
        let revoked = SetupLink { revoked_at: link.revoked_at.or(Some(now)), ..link };
        setup_links::revoke(c, &revoked)?;
        let change = Change::noted("setup_link.revoke", id, Some(teamspace_id));
        Ok(((), change.replacing(Some(old)).with(view(&revoked, now))))
    })
    .await
}

/// Whether a text looks like a link's token.
pub fn is_token(text: &str) -> bool {
    let is_base64url = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
    let rest = text.strip_prefix(TOKEN_PREFIX);
    rest.is_some_and(|rest| rest.len() == TOKEN_LENGTH && rest.bytes().all(is_base64url))
}

/// Uses a link up: whoever presented its token sets up the teamspace.
pub async fn redeem(app: &App, presented: &str, origin: &Origin) -> Result<SignedIn, AdminError> {
    let (digest, now, origin) = (digest(presented), app.clock.now(), origin.clone());
    let redeemed = app.store.write(move |c| -> Result<Option<SetupLink>, AdminError> {
        let Some(link) = setup_links::redeem(c, &digest, now, &origin.address)? else { return Ok(None) };
        let actor =
            ChangeAuthor { kind: ActorKind::SetupLink, id: link.id.clone(), name: NAME.to_owned(), origin };
        let change = Change::noted("console.sign_in", &link.id, Some(link.teamspace_id.clone()));
        change.record(c, actor, now)?;
        Ok(Some(link))
    });
    let link = redeemed.await?.ok_or(AdminError::SetupLinkInvalid)?;
    Ok(SignedIn {
        kind: SessionKind::SetupLink,
        email: String::new(),
        name: NAME.to_owned(),
        teamspace_id: Some(link.teamspace_id),
        link_id: link.id,
        groups: Vec::new(),
        lifetime: SESSION,
    })
}

/// A link as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = SetupLink)]
pub struct SetupLinkView<'l> {
    id: &'l str,
    state: LinkState,
    /// Who made it: the name of a token, the address of a person, or `command line`.
    created_by: &'l str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(required, format = DateTime)]
    used_at: Option<String>,
    /// The address that it was used from; empty until then.
    used_from: &'l str,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

/// A link as JSON.
pub fn view(link: &SetupLink, now: UnixSeconds) -> Value {
    as_json(SetupLinkView {
        id: &link.id,
        state: link.state(now),
        created_by: &link.created_by,
        created_at: rfc3339(link.created_at),
        expires_at: rfc3339(link.expires_at),
        used_at: link.used_at.map(rfc3339),
        used_from: &link.used_from,
        revoked_at: link.revoked_at.map(rfc3339),
    })
}
