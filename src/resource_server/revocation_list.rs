//! The revocations that concern a resource, for servers that verify tokens themselves.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::authenticate::ResourceServer;
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::resource::Resource;
use crate::model::revocation::{Revocation, RevocationKind};
use crate::oauth::error::{Reason, TokenError};
use crate::oauth::form::Form;
use crate::revocation::{RevocationPage, oldest_that_matters};
use crate::store::revocations::RevocationCursor;
use crate::store::snapshot::Snapshot;

/// The most seconds that a caller may ask to wait.
const MAX_WAIT: u64 = 30;
/// How long anybody waits at the most: the answer must come before the caller's and any proxy's patience of 30 seconds
/// ends.
const LONGEST: Duration = Duration::from_secs(25);
/// How long anybody waits while the service is about to end.
const LAST: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationQuery {
    /// The position after which revocations are asked for; none for everything that can still matter.
    since: Option<RevocationCursor>,
    /// How long to wait for one.
    wait: Duration,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct RevocationList {
    /// The position for the next request.
    cursor: String,
    /// Whether the list begins anew: the position that was asked for is unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    /// Whether the list goes on after these items: until its end is read, nobody knows what was revoked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    items: Vec<RevokedItem>,
}

/// The tokens of one revocation: those with this claim that were issued before a time.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct RevokedItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teamspace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teamspace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_provider_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// True for every token.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<UnixSeconds>,
}

impl RevocationQuery {
    /// Reads the query of the URL. A cursor that is not one of ours counts as unknown.
    pub fn parse(query: &str) -> Result<Self, TokenError> {
        Self::take(&mut Form::parse(query.as_bytes())?)
    }

    /// Takes the same parameters from a form.
    pub fn take(query: &mut Form) -> Result<Self, TokenError> {
        let since = query.take("since").and_then(|text| parse_cursor(&text));
        let wait = match query.take("wait") {
            None => 0,
            Some(text) => {
                let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX_WAIT);
                seconds
                    .ok_or_else(|| TokenError::invalid_request("wait is a number of seconds from 0 to 30."))?
            }
        };
        Ok(Self { since, wait: Duration::from_secs(wait).min(LONGEST) })
    }
}

/// The list after the position that was asked for. Where that is empty, it waits for a revocation that concerns the
/// resource, as long as the caller wants.
pub async fn list(
    app: &App,
    server: ResourceServer,
    query: RevocationQuery,
) -> Result<RevocationList, TokenError> {
    let _place = app.revocation_pages.enter(&server.resource().id)?;
    let patience = if app.gate.is_stopping() { query.wait.min(LAST) } else { query.wait };
    let until = Instant::now() + patience;
    let (mut server, mut after) = (server, query.since);
    let mut news = app.revoked.subscribe();
    loop {
        let known_to = *news.borrow_and_update();
        if after != Some(known_to) {
            let since = oldest_that_matters(app.clock.now());
            let page = read_page(app, after, since, known_to).await?;
            let mut list = RevocationList::of(&page, since, server.resource(), &app.snapshot());
            list.more = page.is_full() && page.read.cursor != known_to;
            if list.reset || list.more || !list.items.is_empty() {
                return Ok(list);
            }
            after = Some(page.read.cursor);
        }
        let is_news = tokio::select! {
            changed = news.changed() => changed.is_ok(),
            () = sleep_until(until) => false,
            () = app.gate.stopped(), if !app.gate.is_stopping() => false,
        };
        // Somebody may have deleted the credentials meanwhile.
        server = server.renewed(&app.snapshot())?;
        if !is_news {
            break;
        }
    }
    check_current(app)?;
    let cursor = text(after.unwrap_or_default());
    Ok(RevocationList { cursor, reset: false, more: false, items: Vec::new() })
}

async fn read_page(
    app: &App,
    after: Option<RevocationCursor>,
    since: UnixSeconds,
    known_to: RevocationCursor,
) -> Result<Arc<RevocationPage>, TokenError> {
    check_current(app)?;
    let page = app.revocation_pages.read(&app.store, after, since, known_to);
    app.store.for_one_request(page).await.map_err(|error| TokenError::unavailable(Reason::INTERNAL, error))
}

/// Refuses while the database does not answer: an empty list would say that nothing was revoked.
fn check_current(app: &App) -> Result<(), TokenError> {
    match app.revoked.is_current(&*app.clock, app.config.revocation.max_staleness.as_secs()) {
        true => Ok(()),
        false => Err(TokenError::unavailable(Reason::INTERNAL, "the revocations cannot be read")),
    }
}

impl RevocationList {
    /// The part of a page that concerns the resource. Revocations before a time concern only tokens that have expired.
    fn of(page: &RevocationPage, since: UnixSeconds, resource: &Resource, snapshot: &Snapshot) -> Self {
        let recent = page.read.items.iter().filter(|revocation| revocation.at >= since);
        let items = recent.filter_map(|revocation| RevokedItem::of(revocation, resource, snapshot));
        let (cursor, reset) = (text(page.read.cursor), page.read.is_reset);
        Self { cursor, reset, more: false, items: items.collect() }
    }
}

impl RevokedItem {
    /// The revocation as the resource sees it; none if it cannot concern tokens for it.
    fn of(revocation: &Revocation, resource: &Resource, snapshot: &Snapshot) -> Option<Self> {
        let is_named = may_name_teamspace(revocation, resource, snapshot)?;
        let (name, not_before) =
            (Some(revocation.name.clone()), Some(revocation.issued_until.saturating_add(1)));
        let nothing = Self::default();
        Some(match revocation.kind {
            RevocationKind::Token => Self { jti: name, ..nothing },
            RevocationKind::Member => Self { sub: name, not_before, ..nothing },
            RevocationKind::Teamspace | RevocationKind::Publication => {
                let teamspace_id = revocation.teamspace_id.clone();
                Self { teamspace: name.filter(|_| is_named), teamspace_id, not_before, ..nothing }
            }
            RevocationKind::IdentityProvider => Self { identity_provider_id: name, not_before, ..nothing },
            RevocationKind::Client => Self { client_id: name, not_before, ..nothing },
            RevocationKind::Resource | RevocationKind::Everything => {
                Self { all: true, not_before, ..nothing }
            }
        })
    }
}

/// Whether a resource may read the teamspace's slug; none if the revocation cannot concern its tokens. Nobody knows any
/// more whether the resource was offered to a teamspace that is gone: its id tells nothing, but its slug might.
fn may_name_teamspace(revocation: &Revocation, resource: &Resource, snapshot: &Snapshot) -> Option<bool> {
    match (&revocation.resource_id, &revocation.teamspace_id) {
        (Some(id), _) => (*id == resource.id).then_some(true),
        (None, None) => Some(true),
        (None, Some(id)) => match snapshot.teamspace_config_by_id(id) {
            Some(config) => resource.is_published_to(&config.teamspace.slug).then_some(true),
            None => Some(resource.teamspaces.is_none()),
        },
    }
}

/// A position as callers see it.
fn text(cursor: RevocationCursor) -> String {
    format!("{}.{}", cursor.position, cursor.tag)
}

fn parse_cursor(text: &str) -> Option<RevocationCursor> {
    let (position, tag) = text.split_once('.')?;
    Some(RevocationCursor { position: position.parse().ok()?, tag: tag.parse().ok()? })
}
