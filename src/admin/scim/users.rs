//! Users of SCIM, who are members: the user's id is the member's. Each rule for members is in [`crate::admin::members`].

use std::sync::Arc;

use super::caller::ScimCaller;
use super::error::ScimError;
use super::provisioned::{Provisioned, audited};
use crate::admin::change::Change;
use crate::admin::error::AdminError;
use crate::admin::members::{
    Bound, Invitation, admit, changed, check_email, check_new_seat, is_bound, with_identities,
};
use crate::admin::teamspaces::find_named;
use crate::clock::UnixSeconds;
use crate::model::member::{Member, Role, Status};
use crate::model::revocation::{Revocation, RevocationCause};
use crate::model::teamspace::Teamspace;
use crate::scim::{ScimFault, UserDocument, UserPatch};
use crate::store::scim_users::{self, ScimUser, ScimUserQuery};
use crate::store::{AnyConnection, members};

/// The state that the identity provider asks for.
struct WantedUser {
    user_name: String,
    external_id: Option<String>,
    active: Option<bool>,
    email: Option<String>,
    profile: String,
}

impl WantedUser {
    fn of(document: UserDocument) -> Result<Self, ScimFault> {
        Ok(Self {
            user_name: document.user_name()?,
            external_id: document.external_id()?,
            active: document.active()?,
            email: document.email(),
            profile: document.into_profile()?,
        })
    }
}

/// Lists users by name, and says how many there are.
pub async fn list(at: &ScimCaller, query: ScimUserQuery) -> Result<(Vec<Provisioned>, i64), ScimError> {
    let id = at.teamspace_id().to_owned();
    let (found, total) = at.app.store.list(move |c| scim_users::list(c, &id, query)).await?;
    let found = found.into_iter().map(|(user, member)| Provisioned { user, member });
    Ok((found.collect(), total))
}

/// One user, by the member's id.
pub async fn find(at: &ScimCaller, id: String) -> Result<Provisioned, ScimError> {
    let teamspace_id = at.teamspace_id().to_owned();
    at.app.store.list(move |c| look_up(c, &teamspace_id, &id)).await?.ok_or(ScimError::NoSuchUser)
}

fn look_up(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    id: &str,
) -> Result<Option<Provisioned>, crate::store::StoreError> {
    let Some(user) = scim_users::find(connection, teamspace_id, id)? else { return Ok(None) };
    let member = members::find(connection, teamspace_id, id)?;
    Ok(member.map(|member| Provisioned { user, member }))
}

/// Adds a user: a new member, or one who is there without SCIM. Somebody who is to be inactive is a suspended member, so
/// that no assertion lets them in.
pub async fn create(at: &ScimCaller, document: UserDocument) -> Result<Provisioned, ScimError> {
    let wanted = WantedUser::of(document)?;
    let email = wanted.email.clone().ok_or(ScimFault::Email)?;
    let (named, now) = (Arc::clone(&at.teamspace_config), at.app.clock.now());
    at.change(move |c| {
        let teamspace = find_named(c, &named.teamspace)?;
        if scim_users::is_taken(c, &teamspace.id, &wanted.user_name)? {
            return Err(ScimError::NotUnique);
        }
        let known = members::find_by_email(c, &teamspace.id, &email)?;
        match known.filter(|member| member.status != Status::Removed) {
            Some(member) => adopt(c, member, wanted, now),
            None => add(c, &teamspace, (email, wanted), now),
        }
    })
    .await
}

fn add(
    connection: &mut AnyConnection,
    teamspace: &Teamspace,
    (email, wanted): (String, WantedUser),
    now: UnixSeconds,
) -> Result<(Provisioned, Option<Change>), ScimError> {
    let deactivated = wanted.active == Some(false);
    let status = if deactivated { Status::Suspended } else { Status::Invited };
    let invitation = Invitation { email, role: Role::Developer, status, link: None };
    let (removed, bound) = admit(connection, teamspace, invitation, now)?;
    let user = ScimUser { deactivated, ..new_user(&bound.0, wanted, now) };
    scim_users::insert(connection, &user)?;
    let new = audited(&bound, Some(&user));
    let change = Change::added(changed(&bound.0), "scim_user.create", &bound.0.id, new);
    let change = change.replacing(removed.map(|removed| audited(&removed, None)));
    Ok((Provisioned { user, member: bound.0 }, Some(change)))
}

/// Takes over a member who was invited here, or came by a sign-in.
fn adopt(
    connection: &mut AnyConnection,
    member: Member,
    wanted: WantedUser,
    now: UnixSeconds,
) -> Result<(Provisioned, Option<Change>), ScimError> {
    if scim_users::find(connection, &member.teamspace_id, &member.id)?.is_some() {
        return Err(ScimError::NotUnique);
    }
    let active = wanted.active;
    let before = Provisioned { user: new_user(&member, wanted, now), member };
    let after = with_active(connection, before.clone(), active, now)?;
    scim_users::insert(connection, &after.user)?;
    let change = written(connection, ("scim_user.create", None), &before.member, &after, now)?;
    Ok((after, Some(change)))
}

fn new_user(member: &Member, wanted: WantedUser, now: UnixSeconds) -> ScimUser {
    ScimUser {
        member_id: member.id.clone(),
        teamspace_id: member.teamspace_id.clone(),
        user_name: wanted.user_name,
        external_id: wanted.external_id,
        profile: wanted.profile,
        created_at: now,
        updated_at: now,
        deactivated: false,
    }
}

/// Replaces what is known of a user. Without `active`, that stays as it is.
pub async fn replace(
    at: &ScimCaller,
    id: String,
    document: UserDocument,
    if_match: Option<String>,
) -> Result<Provisioned, ScimError> {
    WantedUser::of(document.clone())?;
    update(at, id, if_match, move |_| document).await
}

/// Changes some attributes of a user.
pub async fn patch(
    at: &ScimCaller,
    id: String,
    patch: UserPatch,
    if_match: Option<String>,
) -> Result<Provisioned, ScimError> {
    let patched = move |mut document: UserDocument| {
        patch.apply(&mut document);
        document
    };
    update(at, id, if_match, patched).await
}

async fn update(
    at: &ScimCaller,
    id: String,
    if_match: Option<String>,
    change: impl FnOnce(UserDocument) -> UserDocument + Send + 'static,
) -> Result<Provisioned, ScimError> {
    let (named, now) = (Arc::clone(&at.teamspace_config), at.app.clock.now());
    at.change(move |c| {
        let teamspace = find_named(c, &named.teamspace)?;
        let before = expected(c, &teamspace.id, &id, if_match.as_deref())?;
        let wanted = WantedUser::of(change(before.document()))?;
        if wanted.user_name != before.user.user_name
            && scim_users::is_taken(c, &teamspace.id, &wanted.user_name)?
        {
            return Err(ScimError::NotUnique);
        }
        let member = with_email(&teamspace, before.member.clone(), wanted.email)?;
        let user = ScimUser {
            user_name: wanted.user_name,
            external_id: wanted.external_id,
            profile: wanted.profile,
            ..before.user.clone()
        };
        let after = with_active(c, Provisioned { user, member }, wanted.active, now)?;
        if after.user == before.user && after.member == before.member {
            // A repeated request changes nothing, not even the time of the last change.
            return Ok((before, None));
        }
        let after = Provisioned { user: ScimUser { updated_at: now, ..after.user }, ..after };
        scim_users::update(c, &after.user)?;
        let old = ("scim_user.update", Some(&before.user));
        let change = written(c, old, &before.member, &after, now)?;
        Ok((after, Some(change)))
    })
    .await
}

/// The user as they are, if they are as the request expects.
fn expected(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    id: &str,
    if_match: Option<&str>,
) -> Result<Provisioned, ScimError> {
    let found = look_up(connection, teamspace_id, id)?.ok_or(ScimError::NoSuchUser)?;
    match if_match.is_none_or(|header| found.is_named_in(header)) {
        true => Ok(found),
        false => Err(ScimError::NotAsExpected),
    }
}

/// The member with the address that the identity provider has for them. The address of an owner or admin stays: by it
/// they sign in to the console, and a SCIM token must not make its holder one of them.
fn with_email(teamspace: &Teamspace, member: Member, email: Option<String>) -> Result<Member, ScimError> {
    match email {
        Some(email) if email != member.email && member.role == Role::Developer => {
            check_email(teamspace, &email)?;
            Ok(Member { email, ..member })
        }
        _ => Ok(member),
    }
}

/// The user, active or not as the identity provider wants. It lifts only what it has imposed itself: a suspension by an
/// administrator stays.
fn with_active(
    connection: &mut AnyConnection,
    Provisioned { user, member }: Provisioned,
    active: Option<bool>,
    now: UnixSeconds,
) -> Result<Provisioned, ScimError> {
    let (member, deactivated) = match active {
        Some(false) if member.status.holds_seat() => {
            (Member { status: Status::Suspended, ..member }.with_sessions_ended(now), true)
        }
        Some(true) if user.deactivated && member.status == Status::Suspended => {
            let back = member.clone().reinstated(is_bound(connection, &member)?);
            check_new_seat(connection, &member, back.status)?;
            (back, false)
        }
        Some(true) => (member, false),
        Some(false) | None => (member, user.deactivated),
    };
    Ok(Provisioned { user: ScimUser { deactivated, ..user }, member })
}

/// Removes a user: the member is removed, and stays out until added again.
pub async fn remove(at: &ScimCaller, id: String, if_match: Option<String>) -> Result<(), ScimError> {
    let (named, now) = (Arc::clone(&at.teamspace_config), at.app.clock.now());
    at.change(move |c| {
        let teamspace = find_named(c, &named.teamspace)?;
        let before = expected(c, &teamspace.id, &id, if_match.as_deref())?;
        let member = before.member.clone().removed().with_sessions_ended(now);
        let after = Provisioned { member, ..before.clone() };
        let old = ("scim_user.delete", Some(&before.user));
        let change = written(c, old, &before.member, &after, now)?;
        Ok(((), Some(change)))
    })
    .await
}

/// Writes the member, and tells what has changed. Whoever may no longer sign in has no active token.
fn written(
    connection: &mut AnyConnection,
    (action, user): (&'static str, Option<&ScimUser>),
    old: &Member,
    new: &Provisioned,
    now: UnixSeconds,
) -> Result<Change, ScimError> {
    let before: Bound = with_identities(connection, old.clone())?;
    let after: Bound = (new.member.clone(), before.1.clone());
    let shown = (audited(&before, user), audited(&after, Some(&new.user)));
    if *old == new.member {
        let noted = Change::noted(action, &old.id, Some(old.teamspace_id.clone()));
        return Ok(noted.replacing(Some(shown.0)).with(shown.1));
    }
    members::update(connection, &new.member).map_err(not_unique)?;
    let is_out =
        new.member.sessions_ended_at != old.sessions_ended_at || new.member.status == Status::Removed;
    let revoked = is_out.then(|| Revocation::of_member(old, RevocationCause::Scim, now));
    Ok(Change::updated(changed(old), action, &old.id, shown.0, shown.1).revoking(revoked))
}

/// Another member has the address, perhaps a removed one.
fn not_unique(error: crate::store::StoreError) -> ScimError {
    match AdminError::MemberExists.if_duplicate(error) {
        AdminError::MemberExists => ScimError::NotUnique,
        other => other.into(),
    }
}
