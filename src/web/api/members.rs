//! Members of a teamspace: invited here, or let in by their first sign-in.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{InTeamspace, ItemId};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::Change;
use crate::admin::patch::present;
use crate::admin::teamspaces::{find as find_teamspace, find_named};
use crate::clock::{UnixSeconds, rfc3339};
use crate::email::{domain_of, plain_address};
use crate::model::member::{Member, Role, Status};
use crate::model::teamspace::Teamspace;
use crate::store::AnyConnection;
use crate::store::changes::Changed;
use crate::store::members::{self, Identity};
use crate::store::snapshot::Tenancy;
use crate::store::teamspaces;

/// Who is invited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    email: String,
    role: Option<Role>,
}

/// What can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    #[serde(default, deserialize_with = "present")]
    status: Option<Status>,
    #[serde(default, deserialize_with = "present")]
    role: Option<Role>,
    /// Only the empty list: unlinks the member, so that the next subject with the member's email is bound.
    #[serde(default, deserialize_with = "present")]
    identities: Option<[(); 0]>,
}

/// `GET /teamspaces/{slug}/members`: removed ones are not listed.
pub async fn list(
    InTeamspace { admin, tenancy }: InTeamspace,
    Params(query): Params<PageQuery>,
) -> Result<Json<Value>, Problem> {
    let (limit, after, id) = (query.limit()?, query.after()?, tenancy.teamspace.id.clone());
    let found = admin.app.store.list(move |c| members::list(c, &id, limit, after.as_deref())).await?;
    Ok(page::answer(found, |(member, identities)| view(&member, &identities)))
}

/// `POST /teamspaces/{slug}/members`
pub async fn invite(
    InTeamspace { admin, tenancy }: InTeamspace,
    JsonBody(new): JsonBody<NewMember>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let email = plain_address(&new.email).ok_or_else(|| {
        let detail = "Write a plain email address such as dana@example.com, without comments or quotes.";
        Problem::invalid("email_invalid", detail)
    })?;
    let invitation =
        Invitation { tenancy, email, role: new.role.unwrap_or(Role::Developer), now: admin.app.clock.now() };
    let shown = admin.change(move |c| invitation.perform(c)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `PATCH /teamspaces/{slug}/members/{id}`
pub async fn change(
    InTeamspace { admin, tenancy }: InTeamspace,
    ItemId(id): ItemId,
    JsonBody(patch): JsonBody<MemberPatch>,
) -> Result<Json<Value>, Problem> {
    let teamspace_id = tenancy.teamspace.id.clone();
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &teamspace_id, &id)?;
            let status = next_status(old.status, patch.status)?;
            if status.holds_seat() && !old.status.holds_seat() {
                let teamspace = find_teamspace(c, &teamspace_id)?;
                check_seat(c, &teamspace)?;
            }
            let new = Member { status, role: patch.role.unwrap_or(old.role), ..old.clone() };
            let bound = members::identities_of(c, std::slice::from_ref(&id))?;
            if patch.identities.is_some() {
                members::unbind_all(c, &id)?;
            }
            update(c, "member.update", (&old, &bound), &new)
        })
        .await?;
    Ok(Json(shown))
}

/// `DELETE /teamspaces/{slug}/members/{id}`: the identities stay, so that the same subject stays out.
pub async fn remove(
    InTeamspace { admin, tenancy }: InTeamspace,
    ItemId(id): ItemId,
) -> Result<StatusCode, Problem> {
    let teamspace_id = tenancy.teamspace.id.clone();
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &teamspace_id, &id)?;
            let bound = members::identities_of(c, std::slice::from_ref(&id))?;
            update(c, "member.delete", (&old, &bound), &Member { status: Status::Removed, ..old.clone() })
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /teamspaces/{slug}/members/{id}/end-sessions`
pub async fn end_sessions(
    InTeamspace { admin, tenancy }: InTeamspace,
    ItemId(id): ItemId,
) -> Result<StatusCode, Problem> {
    let (teamspace_id, now) = (tenancy.teamspace.id.clone(), admin.app.clock.now());
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find(c, &teamspace_id, &id)?;
            let new = Member { sessions_ended_at: old.sessions_ended_at.max(Some(now)), ..old.clone() };
            let bound = members::identities_of(c, std::slice::from_ref(&id))?;
            update(c, "member.end_sessions", (&old, &bound), &new)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

struct Invitation {
    tenancy: Arc<Tenancy>,
    email: String,
    role: Role,
    now: UnixSeconds,
}

impl Invitation {
    fn perform(self, connection: &mut AnyConnection) -> Result<(Value, Change), Problem> {
        let teamspace = find_named(connection, &self.tenancy.teamspace)?;
        check_domain(&teamspace, &self.email)?;
        let known = members::find_by_email(connection, &teamspace.id, &self.email)?;
        if known.as_ref().is_some_and(|member| member.status != Status::Removed) {
            return Err(exists());
        }
        check_seat(connection, &teamspace)?;
        match known {
            None => self.add(connection),
            Some(removed) => self.revive(connection, &removed),
        }
    }

    fn add(self, connection: &mut AnyConnection) -> Result<(Value, Change), Problem> {
        let member = Member {
            id: Uuid::now_v7().to_string(),
            teamspace_id: self.tenancy.teamspace.id.clone(),
            email: self.email,
            role: self.role,
            status: Status::Invited,
            provisioned_by: "invitation".to_owned(),
            created_at: self.now,
            last_sign_in_at: None,
            sessions_ended_at: None,
        };
        members::insert(connection, &member).map_err(|e| exists().if_duplicate(e))?;
        let shown = view(&member, &[]);
        let change = Change::added(changed(&member), "member.invite", &member.id, shown.clone());
        Ok((shown, change))
    }

    /// Whoever signs in next with this email is the member: perhaps the same person under a new subject.
    fn revive(self, connection: &mut AnyConnection, removed: &Member) -> Result<(Value, Change), Problem> {
        let old = view(removed, &members::identities_of(connection, std::slice::from_ref(&removed.id))?);
        members::unbind_all(connection, &removed.id)?;
        let member = Member {
            role: self.role,
            status: Status::Invited,
            provisioned_by: "invitation".to_owned(),
            ..removed.clone()
        };
        members::update(connection, &member)?;
        let shown = view(&member, &[]);
        let change = Change::updated(changed(&member), "member.invite", &member.id, old, shown.clone());
        Ok((shown, change))
    }
}

fn exists() -> Problem {
    Problem::conflict("member_exists", "The teamspace has a member of this email.")
}

fn update(
    connection: &mut AnyConnection,
    action: &'static str,
    (old, bound): (&Member, &[Identity]),
    new: &Member,
) -> Result<(Value, Change), Problem> {
    members::update(connection, new)?;
    let identities = members::identities_of(connection, std::slice::from_ref(&new.id))?;
    let shown = view(new, &identities);
    let change = Change::updated(changed(new), action, &new.id, view(old, bound), shown.clone());
    Ok((shown, change))
}

fn changed(member: &Member) -> Changed {
    Changed::Members(member.teamspace_id.clone())
}

/// A member who is not removed, as they are now, inside a transaction.
fn find(connection: &mut AnyConnection, teamspace_id: &str, id: &str) -> Result<Member, Problem> {
    let found = members::find(connection, teamspace_id, id)?;
    found.filter(|member| member.status != Status::Removed).ok_or_else(Problem::not_found)
}

/// Only a sign-in makes an invited member active, since it is what shows who they are.
fn next_status(old: Status, wanted: Option<Status>) -> Result<Status, Problem> {
    match (old, wanted) {
        (_, None) => Ok(old),
        (old, Some(wanted)) if old == wanted => Ok(old),
        (Status::Active, Some(Status::Suspended)) => Ok(Status::Suspended),
        (Status::Suspended, Some(Status::Active)) => Ok(Status::Active),
        (old, Some(wanted)) => {
            let detail = format!(
                "A member cannot go from {} to {}: PATCH suspends active members and brings suspended ones \
                 back; an invited one becomes active by signing in, and DELETE withdraws the invitation.",
                old.as_str(),
                wanted.as_str()
            );
            Err(Problem::invalid("status_invalid", detail))
        }
    }
}

fn check_domain(teamspace: &Teamspace, email: &str) -> Result<(), Problem> {
    let domain = domain_of(email).unwrap_or_default();
    match teamspace.email_domains.is_empty() || teamspace.email_domains.iter().any(|own| own == domain) {
        true => Ok(()),
        false => {
            let detail = "The email's domain is not one of the teamspace's.";
            Err(Problem::invalid("email_domain_not_allowed", detail))
        }
    }
}

/// Inside the transaction that takes the seat: writes come one after the other.
fn check_seat(connection: &mut AnyConnection, teamspace: &Teamspace) -> Result<(), Problem> {
    let Some(limit) = teamspace.member_limit else { return Ok(()) };
    match teamspaces::seats_used(connection, &teamspace.id)? < limit {
        true => Ok(()),
        false => Err(Problem::conflict("member_limit_reached", "The teamspace is at its member limit.")),
    }
}

fn view(member: &Member, identities: &[Identity]) -> Value {
    let identities = identities.iter().map(|identity| {
        json!({ "issuer": identity.issuer, "tenant": identity.tenant, "subject": identity.subject })
    });
    json!({
        "id": member.id,
        "email": member.email,
        "role": member.role,
        "status": member.status,
        "provisioned_by": member.provisioned_by,
        "created_at": rfc3339(member.created_at),
        "last_sign_in_at": member.last_sign_in_at.map(rfc3339),
        "sessions_ended_at": member.sessions_ended_at.map(rfc3339),
        "identities": identities.collect::<Vec<_>>(),
    })
}
