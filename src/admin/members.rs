//! Members of a teamspace: invited here, or admitted by their first sign-in.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::InTeamspace;
use super::change::Change;
use super::error::AdminError;
use super::patch::{nullable, present};
use super::teamspaces::{find as find_teamspace, find_named};
use super::view::as_json;
use crate::clock::{UnixSeconds, month_of, rfc3339};
use crate::email::plain_address;
use crate::model::member::{Member, Role, Status};
use crate::model::member_link::MemberLink;
use crate::model::revocation::{Revocation, RevocationCause, RevocationKind};
use crate::model::seats::is_seat_free;
use crate::model::teamspace::Teamspace;
use crate::policy::ConsoleAction;
use crate::store::changes::Changed;
use crate::store::members::{self, Identity};
use crate::store::{AnyConnection, Page, revocations, sign_in_counts, teamspaces};

/// A member with the subjects that are bound to them.
pub type Bound = (Member, Vec<Identity>);

/// Somebody to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    pub email: String,
    pub role: Option<Role>,
    pub link: Option<MemberLink>,
}

/// The members of a member that can be changed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub role: Option<Role>,
    /// Only the empty list is allowed. It unlinks the member, so that the next subject with the member's email is
    /// bound.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    #[schema(value_type = Vec<String>, max_items = 0)]
    pub identities: Option<[(); 0]>,
    /// The value by which an identity provider with `link_by` knows the member; null clears it.
    #[serde(default, deserialize_with = "nullable")]
    pub link: Option<Option<MemberLink>>,
}

/// A page of the members whose emails begin with a text, by email; removed ones are not listed.
pub async fn search(
    at: &InTeamspace,
    prefix: &str,
    (limit, after): (i64, Option<String>),
) -> Result<Page<Bound>, AdminError> {
    at.may(ConsoleAction::ViewMembers)?;
    let (id, prefix) = (at.teamspace_config().teamspace.id.clone(), prefix.trim().to_lowercase());
    let found = move |c: &mut _| members::search(c, &id, &prefix, (limit, after.as_deref()));
    Ok(at.app.store.list(found).await?)
}

/// One member who is not removed.
pub async fn find(at: &InTeamspace, id: String) -> Result<Bound, AdminError> {
    at.may(ConsoleAction::ViewMembers)?;
    let teamspace_id = at.teamspace_config().teamspace.id.clone();
    let found = move |c: &mut AnyConnection| {
        let Some(member) = members::find(c, &teamspace_id, &id)? else { return Ok(None) };
        let identities = members::identities_of(c, std::slice::from_ref(&member.id))?;
        Ok((member.status != Status::Removed).then_some((member, identities)))
    };
    at.app.store.list(found).await?.ok_or(AdminError::NotFound)
}

/// The most revocations that a member's page shows.
const SHOWN_REVOCATIONS: i64 = 20;

/// The latest revocations of a member's tokens, newest first.
pub async fn revocations(at: &InTeamspace, id: &str) -> Result<Vec<Revocation>, AdminError> {
    at.may(ConsoleAction::ViewMembers)?;
    let (kind, member_id) = (RevocationKind::Member, id.to_owned());
    let found = move |c: &mut AnyConnection| revocations::latest_of(c, kind, &member_id, SHOWN_REVOCATIONS);
    let mut found = at.app.store.list(found).await?;
    let own = Some(at.teamspace_config().teamspace.id.as_str());
    found.retain(|revocation| revocation.teamspace_id.as_deref() == own);
    Ok(found)
}

/// How many seats the members take.
pub async fn seats_used(at: &InTeamspace) -> Result<i64, AdminError> {
    at.may(ConsoleAction::ViewOverview)?;
    let id = at.teamspace_config().teamspace.id.clone();
    Ok(at.app.store.list(move |c| teamspaces::seats_used(c, &id)).await?)
}

/// Counts the tokens that each of these members got this month through the client that asked for the most.
pub async fn exchanges_this_month(
    at: &InTeamspace,
    ids: Vec<String>,
) -> Result<HashMap<String, i64>, AdminError> {
    let month = month_of(at.app.clock.now());
    let found = at.app.store.list(move |c| sign_in_counts::of_members(c, month, &ids)).await?;
    let mut most: HashMap<String, i64> = HashMap::new();
    for counted in found {
        let own = most.entry(counted.member_id).or_default();
        *own = counted.number.max(*own);
    }
    Ok(most)
}

/// Invites somebody: a new member, or one who was removed.
pub async fn invite(at: &InTeamspace, new: NewMember) -> Result<Bound, AdminError> {
    let permission = at.may(ConsoleAction::ChangeMembers)?;
    let email = plain_address(&new.email).ok_or(AdminError::EmailInvalid)?;
    let role = new.role.unwrap_or(Role::Developer);
    let invitation = Invitation { email, role, status: Status::Invited, link: new.link };
    let (teamspace_config, now) = (Arc::clone(at.teamspace_config()), at.app.clock.now());
    at.change(permission, move |c| {
        let teamspace = find_named(c, &teamspace_config.teamspace)?;
        let (removed, bound) = admit(c, &teamspace, invitation, now)?;
        let change = Change::added(changed(&bound.0), "member.invite", &bound.0.id, view(&bound));
        let change = change.replacing(removed.as_ref().map(view));
        Ok((bound, change))
    })
    .await
}

/// Somebody to be let in.
pub(super) struct Invitation {
    /// In lower case.
    pub email: String,
    pub role: Role,
    /// The status to begin with.
    pub status: Status,
    /// The value by which an identity provider knows them.
    pub link: Option<MemberLink>,
}

/// Adds a member inside a transaction, or lets a removed one back. Returns the removed one as well.
pub(super) fn admit(
    connection: &mut AnyConnection,
    teamspace: &Teamspace,
    invitation: Invitation,
    now: UnixSeconds,
) -> Result<(Option<Bound>, Bound), AdminError> {
    let Invitation { email, role, status, link } = invitation;
    check_email(teamspace, &email)?;
    let known = members::find_by_email(connection, &teamspace.id, &email)?;
    if known.as_ref().is_some_and(|member| member.status != Status::Removed) {
        return Err(AdminError::MemberExists);
    }
    if status.holds_seat() {
        check_seat(connection, teamspace)?;
    }
    if let Some(link) = &link {
        check_link(connection, (&teamspace.id, known.as_ref().map(|m| m.id.as_str())), link)?;
    }
    match known {
        None => {
            let id = Uuid::now_v7().to_string();
            let member =
                Member { status, link, ..Member::invited(id, teamspace.id.clone(), email, role, now) };
            members::insert(connection, &member).map_err(|e| AdminError::MemberExists.if_duplicate(e))?;
            Ok((None, (member, Vec::new())))
        }
        Some(removed) => {
            let before = with_identities(connection, removed.clone())?;
            // The next sign-in with this email takes over the membership, possibly under a new subject.
            members::unbind_all(connection, &removed.id)?;
            let member = Member { status, link, ..removed.invited_again(role) };
            members::update(connection, &member)?;
            Ok((Some(before), (member, Vec::new())))
        }
    }
}

/// Refuses a value that another member has. A removed one loses it, since an administrator gives it to somebody else.
fn check_link(
    connection: &mut AnyConnection,
    (teamspace_id, own): (&str, Option<&str>),
    link: &MemberLink,
) -> Result<(), AdminError> {
    members::free_link(connection, teamspace_id, link)?;
    match members::find_by_link(connection, teamspace_id, link)? {
        Some(other) if own != Some(other.id.as_str()) => Err(AdminError::LinkTaken),
        _ => Ok(()),
    }
}

/// Refuses an address whose domain is not one of the teamspace's.
pub(super) fn check_email(teamspace: &Teamspace, email: &str) -> Result<(), AdminError> {
    if teamspace.admits_email(email) { Ok(()) } else { Err(AdminError::EmailDomainNotAllowed) }
}

/// Changes a member's role, status or link, or unlinks the subjects that are bound to them.
pub async fn change(at: &InTeamspace, id: String, patch: MemberPatch) -> Result<Bound, AdminError> {
    update(at, "member.update", id, move |c, old| {
        let status = patch.status.map_or(Ok(old.status), |wanted| old.status.set_to(wanted))?;
        let new = match (old.status, status) {
            (Status::Suspended, Status::Active) => old.clone().reinstated(is_bound(c, &old)?),
            _ => Member { status, ..old.clone() },
        };
        check_new_seat(c, &old, new.status)?;
        let link = patch.link.unwrap_or_else(|| old.link.clone());
        if patch.identities.is_some() {
            // Nobody could be bound to them again.
            if link.is_none() {
                old.address().ok_or(AdminError::MemberWithoutEmail)?;
            }
            members::unbind_all(c, &old.id)?;
        }
        if let Some(wanted) = link.as_ref().filter(|link| old.link.as_ref() != Some(link)) {
            check_link(c, (&old.teamspace_id, Some(&old.id)), wanted)?;
        }
        Ok(Member { role: patch.role.unwrap_or(old.role), link, ..new })
    })
    .await
}

/// Unlinks the subjects that are bound to a member. The next subject with the member's email is bound.
pub async fn unlink(at: &InTeamspace, id: String) -> Result<Bound, AdminError> {
    change(at, id, MemberPatch { identities: Some([]), ..MemberPatch::default() }).await
}

/// Removes a member. The identities stay, so that the same subject stays out.
pub async fn remove(at: &InTeamspace, id: String) -> Result<(), AdminError> {
    update(at, "member.delete", id, |_, old| Ok(old.removed())).await.map(drop)
}

/// Ends a member's sessions: assertions about a sign-in until now are refused.
pub async fn end_sessions(at: &InTeamspace, id: String) -> Result<(), AdminError> {
    let now = at.app.clock.now();
    update(at, "member.end_sessions", id, move |_, old| Ok(old.with_sessions_ended(now))).await.map(drop)
}

/// Changes a member who is not removed.
async fn update(
    at: &InTeamspace,
    action: &'static str,
    id: String,
    change: impl FnOnce(&mut AnyConnection, Member) -> Result<Member, AdminError> + Send + 'static,
) -> Result<Bound, AdminError> {
    let (teamspace_id, now) = (at.teamspace_config().teamspace.id.clone(), at.app.clock.now());
    at.change(at.may(ConsoleAction::ChangeMembers)?, move |c| {
        let found = members::find(c, &teamspace_id, &id)?;
        let old = found.filter(|member| member.status != Status::Removed).ok_or(AdminError::NotFound)?;
        let before = with_identities(c, old.clone())?;
        let new = change(c, old)?;
        members::update(c, &new)?;
        let bound = with_identities(c, new)?;
        let revoked = why_revoked(&before, &bound).map(|cause| Revocation::of_member(&bound.0, cause, now));
        let change = Change::updated(changed(&bound.0), action, id, view(&before), view(&bound));
        Ok((bound, change.revoking(revoked)))
    })
    .await
}

/// Why a change ends the member's tokens, if it does.
fn why_revoked((old, identities): &Bound, (new, bound): &Bound) -> Option<RevocationCause> {
    match new.status {
        _ if new.sessions_ended_at != old.sessions_ended_at => Some(RevocationCause::SessionsEnded),
        Status::Suspended if old.status != new.status => Some(RevocationCause::MemberSuspended),
        Status::Removed if old.status != new.status => Some(RevocationCause::MemberRemoved),
        // The subject that held them may have been somebody else.
        _ if bound.len() < identities.len() => Some(RevocationCause::SessionsEnded),
        _ => None,
    }
}

pub(super) fn with_identities(connection: &mut AnyConnection, member: Member) -> Result<Bound, AdminError> {
    let identities = members::identities_of(connection, std::slice::from_ref(&member.id))?;
    Ok((member, identities))
}

/// Whether any subject is bound to a member.
pub(super) fn is_bound(connection: &mut AnyConnection, member: &Member) -> Result<bool, AdminError> {
    Ok(!members::identities_of(connection, std::slice::from_ref(&member.id))?.is_empty())
}

pub(super) fn changed(member: &Member) -> Changed {
    Changed::Members(member.teamspace_id.clone())
}

/// Refuses a new status of a member if it takes a seat and none is free.
pub(super) fn check_new_seat(
    connection: &mut AnyConnection,
    old: &Member,
    status: Status,
) -> Result<(), AdminError> {
    if !status.holds_seat() || old.status.holds_seat() {
        return Ok(());
    }
    let teamspace = find_teamspace(connection, &old.teamspace_id)?;
    check_seat(connection, &teamspace)
}

/// Runs inside the transaction that takes the seat, since writes come one after another.
fn check_seat(connection: &mut AnyConnection, teamspace: &Teamspace) -> Result<(), AdminError> {
    match is_seat_free(teamspaces::seats_used(connection, &teamspace.id)?, teamspace.member_limit) {
        true => Ok(()),
        false => Err(AdminError::MemberLimitReached),
    }
}

/// A member as the API and the audit log show them.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView<'m> {
    id: &'m str,
    /// Null for somebody who is known by the subject alone.
    #[schema(required)]
    email: Option<&'m str>,
    role: Role,
    status: Status,
    /// `invitation`, or the issuer whose assertion brought them in.
    provisioned_by: &'m str,
    #[schema(format = DateTime)]
    created_at: String,
    /// Null as well where it is not known: of members who were invited, older versions did not keep it.
    #[schema(required, format = DateTime)]
    first_sign_in_at: Option<String>,
    #[schema(required, format = DateTime)]
    last_sign_in_at: Option<String>,
    #[schema(required, format = DateTime)]
    sessions_ended_at: Option<String>,
    /// The value by which an identity provider with `link_by` knows them.
    #[schema(required)]
    link: Option<&'m MemberLink>,
    identities: Vec<IdentityView<'m>>,
}

/// A subject that is bound to a member.
#[derive(Serialize, ToSchema)]
#[schema(as = Identity)]
pub struct IdentityView<'m> {
    issuer: &'m str,
    tenant: &'m str,
    subject: &'m str,
}

impl<'m> IdentityView<'m> {
    fn of(identity: &'m Identity) -> Self {
        Self { issuer: &identity.issuer, tenant: &identity.tenant, subject: &identity.subject }
    }
}

/// A member as JSON.
pub fn view((member, identities): &Bound) -> Value {
    as_json(MemberView {
        id: &member.id,
        email: member.address(),
        role: member.role,
        status: member.status,
        provisioned_by: &member.provisioned_by,
        created_at: rfc3339(member.created_at),
        first_sign_in_at: member.first_sign_in().map(rfc3339),
        last_sign_in_at: member.last_sign_in_at.map(rfc3339),
        sessions_ended_at: member.sessions_ended_at.map(rfc3339),
        link: member.link.as_ref(),
        identities: identities.iter().map(IdentityView::of).collect(),
    })
}
