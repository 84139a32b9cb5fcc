//! One member, and what can be done about them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;

use super::super::answer::{PageError, form_again, page};
use super::super::form::{Faults, Typed};
use super::super::page::{Frame, InTeamspacePage, Place};
use super::super::revocation_words::why_ended;
use super::super::words;
use super::{Meter, badge, first_sign_in, invited_when, name_of, role_word};
use crate::admin::AdminError;
use crate::admin::members::{self, Bound, MemberPatch};
use crate::app::App;
use crate::model::identity_provider::Provider;
use crate::model::member::{Member, Role, Status};
use crate::model::member_link::{LinkBy, MemberLink};
use crate::policy::ConsoleAction;
use crate::store::members::Identity;

/// Most ends of sessions that are listed.
const MOST_ENDS: usize = 10;

/// The slug and the member's id.
type Named = Path<(String, String)>;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/t/{slug}/members/{id}", get(show))
        .route("/t/{slug}/members/{id}/role", post(change_role))
        .route("/t/{slug}/members/{id}/link", post(change_link))
        .route("/t/{slug}/members/{id}/suspend", post(suspend))
        .route("/t/{slug}/members/{id}/resume", post(resume))
        .route("/t/{slug}/members/{id}/end-sessions", post(end_sessions))
        .route("/t/{slug}/members/{id}/unlink", post(unlink))
        .route("/t/{slug}/members/{id}/remove", get(ask_to_remove).post(remove))
}

#[derive(Template)]
#[template(path = "member.html")]
struct MemberPage {
    frame: Frame,
    here: String,
    list: String,
    /// The email, or the subject.
    name: String,
    member: Member,
    identities: Vec<Identity>,
    badge: (&'static str, &'static str),
    invited: Option<String>,
    first_sign_in: String,
    last_sign_in: String,
    sessions_ended: Option<String>,
    /// When and why tokens were ended, the latest first.
    ends: Vec<(String, &'static str)>,
    meter: Meter,
    is_metered: bool,
    /// The claims by which identity providers of the teamspace link members, and that of the member's link.
    link_claims: Vec<String>,
    /// The value as it is, or as it was typed.
    link_value: String,
    faults: Faults,
}

impl MemberPage {
    async fn load(at: &InTeamspacePage, id: String, faults: Faults) -> Result<Self, PageError> {
        let (member, identities): Bound = members::find(at, id).await?;
        let revocations = members::revocations(at, &member.id).await?;
        let exchanges = members::exchanges_this_month(at, vec![member.id.clone()]).await?;
        let (frame, now) = (at.frame(Place::Members), at.app.clock.now());
        let list = format!("{}{}", frame.base, at.path("/members"));
        Ok(Self {
            here: format!("{list}/{}", member.id),
            list,
            frame,
            badge: badge(member.status),
            invited: invited_when(&member, now),
            first_sign_in: first_sign_in(&member, now),
            last_sign_in: member.last_sign_in_at.map_or_else(|| "never".to_owned(), |at| words::ago(at, now)),
            ends: revocations
                .iter()
                .take(MOST_ENDS)
                .map(|r| (words::ago(r.at, now), why_ended(r.cause)))
                .collect(),
            sessions_ended: member.sessions_ended_at.map(|at| words::ago(at, now)),
            meter: Meter { used: exchanges.get(&member.id).copied().unwrap_or_default() },
            is_metered: at.teamspace_config().identity_providers.iter().any(|p| p.provider == Provider::Okta),
            name: name_of(&member, &identities),
            link_claims: link_claims(at, &member),
            link_value: member.link.as_ref().map(|link| link.value().to_owned()).unwrap_or_default(),
            member,
            identities,
            faults,
        })
    }

    fn roles(&self) -> [(Role, &'static str); 3] {
        [Role::Developer, Role::Admin, Role::Owner].map(|role| (role, role_word(role)))
    }

    fn is(&self, status: Status) -> bool {
        self.member.status == status
    }
}

/// `GET /t/{slug}/members/{id}`
async fn show(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    page(&MemberPage::load(&at, id, Faults::default()).await?)
}

/// The claims that a link can be of, the member's own first.
fn link_claims(at: &InTeamspacePage, member: &Member) -> Vec<String> {
    let own = member.link.as_ref().map(|link| link.claim().to_owned());
    let of_providers =
        at.teamspace_config().identity_providers.iter().filter_map(|provider| match &provider.link_by {
            Some(LinkBy::Claim(name)) => Some(name.clone()),
            Some(LinkBy::Account) | None => None,
        });
    let mut claims: Vec<String> = Vec::new();
    for claim in own.into_iter().chain(of_providers) {
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LinkForm {
    claim: String,
    link_value: String,
}

/// `POST /t/{slug}/members/{id}/link`. A blank value clears it.
async fn change_link(
    at: InTeamspacePage,
    Path((_, id)): Named,
    Typed(form): Typed<LinkForm>,
) -> Result<Response, PageError> {
    let value = form.link_value.trim();
    let link = match value.is_empty() {
        true => Ok(None),
        false => MemberLink::new(&form.claim, value).map(Some),
    };
    let error = match link {
        Ok(link) => {
            let patch = MemberPatch { link: Some(link), ..MemberPatch::default() };
            match members::change(&at, id.clone(), patch).await {
                Ok((member, _)) => return Ok(done(&at, &member, "The link is saved.".to_owned())),
                Err(error @ AdminError::LinkTaken) => error.to_string(),
                Err(error) => return Err(error.into()),
            }
        }
        Err(_) => "A value has 1 to 512 bytes without control characters.".to_owned(),
    };
    let again = MemberPage::load(&at, id, Faults::of("link_value", error)).await?;
    form_again(&MemberPage { link_value: form.link_value, ..again })
}

#[derive(Deserialize)]
struct RoleForm {
    role: Role,
}

/// `POST /t/{slug}/members/{id}/role`
async fn change_role(
    at: InTeamspacePage,
    Path((_, id)): Named,
    Typed(form): Typed<RoleForm>,
) -> Result<Response, PageError> {
    let patch = MemberPatch { role: Some(form.role), ..MemberPatch::default() };
    let (member, identities) = members::change(&at, id, patch).await?;
    let name = name_of(&member, &identities);
    Ok(done(&at, &member, format!("{name} is {} now.", role_word(member.role).to_lowercase())))
}

/// `POST /t/{slug}/members/{id}/suspend`
async fn suspend(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    set_status(at, id, Status::Suspended, "is suspended: no sign-in of theirs is granted.").await
}

/// `POST /t/{slug}/members/{id}/resume`
async fn resume(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    set_status(at, id, Status::Active, "is active again.").await
}

async fn set_status(
    at: InTeamspacePage,
    id: String,
    status: Status,
    what: &str,
) -> Result<Response, PageError> {
    let patch = MemberPatch { status: Some(status), ..MemberPatch::default() };
    match members::change(&at, id.clone(), patch).await {
        Ok((member, identities)) => {
            Ok(done(&at, &member, format!("{} {what}", name_of(&member, &identities))))
        }
        Err(error @ (AdminError::MemberLimitReached | AdminError::StatusInvalid(_))) => {
            let faults = Faults::of("status", error.to_string());
            form_again(&MemberPage::load(&at, id, faults).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /t/{slug}/members/{id}/end-sessions`
async fn end_sessions(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    members::end_sessions(&at, id.clone()).await?;
    let (member, identities) = members::find(&at, id).await?;
    let name = name_of(&member, &identities);
    let notice = format!("The sessions of {name} are ended: they sign in at the identity provider again.");
    Ok(done(&at, &member, notice))
}

/// `POST /t/{slug}/members/{id}/unlink`
async fn unlink(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    let (member, _) = members::unlink(&at, id).await?;
    let notice = format!("{} is unlinked: the next sign-in with this email is bound.", member.email);
    Ok(done(&at, &member, notice))
}

fn done(at: &InTeamspacePage, member: &Member, notice: String) -> Response {
    at.done(&at.path(&format!("/members/{}", member.id)), notice)
}

#[derive(Template)]
#[template(path = "member_remove.html")]
struct RemoveMemberPage {
    frame: Frame,
    here: String,
    /// The email, or the subject.
    name: String,
    member: Member,
}

/// `GET /t/{slug}/members/{id}/remove`
async fn ask_to_remove(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    at.may(ConsoleAction::ChangeMembers)?;
    let (member, identities) = members::find(&at, id).await?;
    let frame = at.frame(Place::Members);
    let here = format!("{}{}/{}", frame.base, at.path("/members"), member.id);
    page(&RemoveMemberPage { frame, here, name: name_of(&member, &identities), member })
}

/// `POST /t/{slug}/members/{id}/remove`. A second press finds them gone, as intended.
async fn remove(at: InTeamspacePage, Path((_, id)): Named) -> Result<Response, PageError> {
    match members::remove(&at, id).await {
        Ok(()) | Err(AdminError::NotFound) => {
            Ok(at.done(&at.path("/members"), "The member is removed, and stays out until invited again."))
        }
        Err(error) => Err(error.into()),
    }
}
