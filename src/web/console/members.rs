//! Members: who they are, when they signed in, what they may do; inviting, suspending and removing them.

mod member;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::answer::{PageError, form_again, page};
use super::form::{Faults, Typed};
use super::page::{Frame, InTeamspacePage, Place};
use super::words;
use crate::admin::AdminError;
use crate::admin::members::{self, Bound, NewMember};
use crate::app::App;
use crate::clock::UnixSeconds;
use crate::model::identity_provider::Provider;
use crate::model::member::{Member, Role, Status};
use crate::store::Page;
use crate::store::members::Identity;

/// Members on one page.
const PAGE: i64 = 25;
/// Assertions that Okta issues per user, app and month.
const OKTAS_MONTH: i64 = 250;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/t/{slug}/members", get(list).post(invite)).merge(member::routes())
}

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage {
    frame: Frame,
    here: String,
    seats: Seats,
    /// Whether an identity provider meters its assertions.
    is_metered: bool,
    /// The beginning of the emails to list.
    prefix: String,
    items: Vec<ListedMember>,
    /// The links to the next page and to the first one; empty if there is none.
    next: String,
    first: String,
    invitation: InviteForm,
    faults: Faults,
}

/// The seats of a teamspace.
struct Seats {
    used: i64,
    limit: Option<i64>,
}

impl Seats {
    /// The part of a hundred that is taken.
    fn percent(&self) -> i64 {
        self.limit.map_or(0, |limit| percent(self.used, limit))
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.used >= limit)
    }
}

/// How much of a meter is filled.
struct Meter {
    used: i64,
}

impl Meter {
    fn percent(&self) -> i64 {
        percent(self.used, OKTAS_MONTH)
    }

    /// Whether a warning is due: 80 percent and more.
    fn is_near(&self) -> bool {
        self.percent() >= 80
    }
}

fn percent(used: i64, of: i64) -> i64 {
    if of <= 0 { 100 } else { (used.saturating_mul(100) / of).clamp(0, 100) }
}

/// A member as the list shows them.
struct ListedMember {
    id: String,
    name: String,
    has_email: bool,
    subject: String,
    role: &'static str,
    /// When they were invited; empty for whoever was not.
    invited: String,
    first_sign_in: String,
    last_sign_in: String,
    meter: Meter,
    badge: (&'static str, &'static str),
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
struct MemberListQuery {
    #[serde(default)]
    q: String,
    after: Option<String>,
}

/// An invitation as it was typed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct InviteForm {
    email: String,
    role: String,
}

/// `GET /t/{slug}/members`: by email, without removed members.
async fn list(at: InTeamspacePage, Query(query): Query<MemberListQuery>) -> Result<Response, PageError> {
    page(&MembersPage::load(&at, query, (InviteForm::default(), Faults::default())).await?)
}

/// `POST /t/{slug}/members`: invites somebody.
async fn invite(at: InTeamspacePage, Typed(form): Typed<InviteForm>) -> Result<Response, PageError> {
    let new = NewMember { email: form.email.clone(), role: form.role.parse().ok(), link: None };
    let error = match members::invite(&at, new).await {
        Ok((member, _)) => return Ok(invited(&at, &member.email)),
        Err(AdminError::MemberExists) if is_invited(&at, &form.email).await? => {
            return Ok(invited(&at, form.email.trim()));
        }
        Err(error) => error,
    };
    let faults = Faults::from_refusal(error, |error| match error {
        AdminError::EmailInvalid
        | AdminError::EmailDomainNotAllowed
        | AdminError::MemberExists
        | AdminError::MemberLimitReached => Some("email"),
        _ => None,
    })?;
    let query = MemberListQuery { q: String::new(), after: None };
    form_again(&MembersPage::load(&at, query, (form, faults)).await?)
}

fn invited(at: &InTeamspacePage, email: &str) -> Response {
    at.done(&at.path("/members"), format!("{email} is invited, and becomes active with the first sign-in."))
}

/// Whether this person is already invited: then the form was sent twice.
async fn is_invited(at: &InTeamspacePage, email: &str) -> Result<bool, PageError> {
    let email = email.trim().to_lowercase();
    let found = members::search(at, &email, (1, None)).await?;
    Ok(found.items.first().is_some_and(|(m, _)| m.email == email && m.status == Status::Invited))
}

impl MembersPage {
    async fn load(
        at: &InTeamspacePage,
        query: MemberListQuery,
        (invitation, faults): (InviteForm, Faults),
    ) -> Result<Self, PageError> {
        let follows_another = query.after.is_some();
        let prefix = query.q.trim().to_owned();
        let found: Page<Bound> = members::search(at, &prefix, (PAGE, query.after)).await?;
        let ids = found.items.iter().map(|(member, _)| member.id.clone()).collect();
        let exchanges = members::exchanges_this_month(at, ids).await?;
        let (now, config) = (at.app.clock.now(), at.teamspace_config());
        let rows = found.items.into_iter().map(|bound| {
            let used = exchanges.get(&bound.0.id).copied().unwrap_or_default();
            row(bound, used, now)
        });
        let items = rows.collect();
        let frame = at.frame(Place::Members);
        let here = format!("{}{}", frame.base, at.path("/members"));
        let first = format!("{here}?q={}", encoded(&prefix));
        Ok(Self {
            frame,
            here,
            seats: Seats { used: members::seats_used(at).await?, limit: config.teamspace.member_limit },
            is_metered: config.identity_providers.iter().any(|p| p.provider == Provider::Okta),
            prefix,
            items,
            next: found
                .next_cursor
                .map(|after| format!("{first}&after={}", encoded(&after)))
                .unwrap_or_default(),
            first: if follows_another { first } else { String::new() },
            invitation,
            faults,
        })
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn row((member, identities): Bound, used: i64, now: UnixSeconds) -> ListedMember {
    ListedMember {
        subject: identities.first().map_or_else(String::new, |identity| identity.subject.clone()),
        role: role_word(member.role),
        invited: invited_when(&member, now).unwrap_or_default(),
        first_sign_in: first_sign_in(&member, now),
        last_sign_in: member.last_sign_in_at.map_or_else(|| "never".to_owned(), |at| words::ago(at, now)),
        meter: Meter { used },
        badge: badge(member.status),
        name: name_of(&member, &identities),
        has_email: member.address().is_some(),
        id: member.id,
    }
}

/// The email; of somebody who has none, the subject.
fn name_of(member: &Member, identities: &[Identity]) -> String {
    let subject = || identities.first().map(|identity| identity.subject.as_str());
    member.address().or_else(subject).unwrap_or(&member.id).to_owned()
}

/// When somebody was invited; none for whoever came by a sign-in.
fn invited_when(member: &Member, now: UnixSeconds) -> Option<String> {
    (member.provisioned_by == "invitation").then(|| words::ago(member.created_at, now))
}

fn first_sign_in(member: &Member, now: UnixSeconds) -> String {
    match (member.first_sign_in(), member.last_sign_in_at) {
        (Some(first), _) => words::ago(first, now),
        (None, Some(_)) => "not known".to_owned(),
        (None, None) => "never".to_owned(),
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Developer => "Developer",
    }
}

fn badge(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Active => ("good", "Active"),
        Status::Invited => ("", "Invited"),
        Status::Suspended => ("warn", "Suspended"),
        Status::Removed => ("bad", "Removed"),
    }
}
