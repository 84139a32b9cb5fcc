//! Teamspaces. Only the operator decides which plan and which domains a teamspace has.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Admin, InTeamspace, Operator};
use super::change::Change;
use super::check;
use super::error::AdminError;
use super::patch::{nullable, present};
use super::view::as_json;
use crate::clock::rfc3339;
use crate::email::is_domain;
use crate::model::revocation::{Revocation, RevocationCause};
use crate::model::teamspace::{Plan, Teamspace, UTC, is_slug, known_time_zone};
use crate::policy::ConsoleAction;
use crate::policy::engine::references::Kind;
use crate::store::changes::Changed;
use crate::store::resources::replace_teamspace;
use crate::store::{AnyConnection, teamspaces};

/// A teamspace to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeamspace {
    pub slug: String,
    pub name: String,
    pub plan: Plan,
    #[serde(default)]
    pub member_limit: Option<i64>,
    #[serde(default)]
    pub email_domains: Vec<String>,
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    UTC.to_owned()
}

/// The members that can be changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamspacePatch {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub slug: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub plan: Option<Plan>,
    #[serde(default, deserialize_with = "nullable")]
    pub member_limit: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub email_domains: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub time_zone: Option<String>,
}

/// Adds a teamspace.
pub async fn create(operator: &Operator, new: NewTeamspace) -> Result<Teamspace, AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    let teamspace = checked(Teamspace {
        id: Uuid::new_v4().to_string(),
        slug: new.slug,
        name: new.name,
        plan: new.plan,
        member_limit: new.member_limit,
        email_domains: new.email_domains,
        time_zone: new.time_zone,
        created_at: operator.app.clock.now(),
    })?;
    operator
        .change(permission, move |c| {
            check_free(c, &teamspace)?;
            teamspaces::insert(c, &teamspace).map_err(|e| AdminError::TakenMeanwhile.if_duplicate(e))?;
            let (changed, slug) = (Changed::Teamspace(teamspace.id.clone()), &teamspace.slug);
            let change = Change::added(changed, "teamspace.create", slug, view(&teamspace));
            Ok((teamspace, change))
        })
        .await
}

/// Changes a teamspace. `force` renames it even if policies name its slug.
pub async fn change(at: &InTeamspace, patch: TeamspacePatch, force: bool) -> Result<Teamspace, AdminError> {
    change_if(at, patch, force, |_| true).await
}

/// Changes a teamspace that still is as somebody saw it.
pub async fn change_if(
    at: &InTeamspace,
    patch: TeamspacePatch,
    force: bool,
    is_as_seen: impl FnOnce(&Teamspace) -> bool + Send + 'static,
) -> Result<Teamspace, AdminError> {
    let permission = match patch.is_operators() {
        true => at.may_everywhere(ConsoleAction::ManageTeamspaces)?,
        false => at.may(ConsoleAction::ChangeTeamspace)?,
    };
    let teamspace_config = Arc::clone(at.teamspace_config());
    let slug = &teamspace_config.teamspace.slug;
    if !force && patch.slug.as_ref().is_some_and(|new| new != slug) {
        refuse_if_named(at, slug)?;
    }
    at.change(permission, move |c| {
        let old = find_named(c, &teamspace_config.teamspace)?;
        if !is_as_seen(&old) {
            return Err(AdminError::ChangedMeanwhile);
        }
        let new = checked(patch.apply(old.clone()))?;
        check_free(c, &new)?;
        teamspaces::update(c, &new).map_err(|e| AdminError::TakenMeanwhile.if_duplicate(e))?;
        if new.slug != old.slug {
            replace_teamspace(c, &old.slug, Some(&new.slug))?;
        }
        let changed = Changed::Teamspace(new.id.clone());
        let change = Change::updated(changed, "teamspace.update", &old.slug, view(&old), view(&new));
        Ok((new, change))
    })
    .await
}

/// Removes a teamspace with its members and identity provider; its decision log stays.
pub async fn remove(at: &InTeamspace) -> Result<(), AdminError> {
    let permission = at.may_everywhere(ConsoleAction::ManageTeamspaces)?;
    let (teamspace_config, now) = (Arc::clone(at.teamspace_config()), at.app.clock.now());
    at.change(permission, move |c| {
        let old = find_named(c, &teamspace_config.teamspace)?;
        teamspaces::delete(c, &old.id)?;
        // A later teamspace with the same slug must not inherit the resources offered to this one.
        replace_teamspace(c, &old.slug, None)?;
        let changed = Changed::Teamspace(old.id.clone());
        let revoked = Revocation::of_teamspace(&old, RevocationCause::TeamspaceRemoved, now);
        let change = Change::removed(changed, "teamspace.delete", &old.slug, view(&old));
        Ok(((), change.revoking([revoked])))
    })
    .await
}

/// Policies use the slug: after a rename, policies with the old slug would be about nobody, or about whoever takes the
/// slug next.
fn refuse_if_named(admin: &Admin, slug: &str) -> Result<(), AdminError> {
    match admin.app.policies().compiled.references().to(Kind::Teamspace, slug) {
        None => Ok(()),
        Some(named) => Err(AdminError::NamedInPolicies(named.policies)),
    }
}

/// Reads the teamspace that a request named, as it is now, inside a transaction. If its slug has changed by now, it is
/// not the one that was meant.
pub(super) fn find_named(connection: &mut AnyConnection, named: &Teamspace) -> Result<Teamspace, AdminError> {
    let found = find(connection, &named.id)?;
    if found.slug == named.slug { Ok(found) } else { Err(AdminError::NotFound) }
}

/// Reads one teamspace as it is now, inside a transaction.
pub(super) fn find(connection: &mut AnyConnection, id: &str) -> Result<Teamspace, AdminError> {
    teamspaces::find(connection, id)?.ok_or(AdminError::NotFound)
}

/// A teamspace as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = Teamspace)]
pub struct TeamspaceView<'t> {
    id: &'t str,
    slug: &'t str,
    name: &'t str,
    plan: Plan,
    /// Most members; null: no limit.
    #[schema(required)]
    member_limit: Option<i64>,
    /// Domains that its members' emails may have; empty: any.
    email_domains: &'t [String],
    time_zone: &'t str,
    #[schema(format = DateTime)]
    created_at: String,
}

/// A teamspace as JSON.
pub fn view(teamspace: &Teamspace) -> Value {
    as_json(TeamspaceView {
        id: &teamspace.id,
        slug: &teamspace.slug,
        name: &teamspace.name,
        plan: teamspace.plan,
        member_limit: teamspace.member_limit,
        email_domains: &teamspace.email_domains,
        time_zone: &teamspace.time_zone,
        created_at: rfc3339(teamspace.created_at),
    })
}

impl TeamspacePatch {
    /// Whether the change touches settings that only an operator may change.
    fn is_operators(&self) -> bool {
        self.slug.is_some()
            || self.plan.is_some()
            || self.member_limit.is_some()
            || self.email_domains.is_some()
            || self.time_zone.is_some()
    }

    fn apply(self, old: Teamspace) -> Teamspace {
        Teamspace {
            slug: self.slug.unwrap_or(old.slug),
            name: self.name.unwrap_or(old.name),
            plan: self.plan.unwrap_or(old.plan),
            member_limit: self.member_limit.unwrap_or(old.member_limit),
            email_domains: self.email_domains.unwrap_or(old.email_domains),
            time_zone: self.time_zone.unwrap_or(old.time_zone),
            ..old
        }
    }
}

/// Checks a teamspace's values and returns its stored form.
fn checked(mut teamspace: Teamspace) -> Result<Teamspace, AdminError> {
    if !is_slug(&teamspace.slug) {
        return Err(AdminError::SlugInvalid);
    }
    teamspace.name = check::name(&teamspace.name)?;
    if teamspace.member_limit.is_some_and(|limit| limit < 0) {
        return Err(AdminError::MemberLimitInvalid);
    }
    for domain in &mut teamspace.email_domains {
        domain.make_ascii_lowercase();
    }
    let rule = "this is no domain such as example.com.";
    check::list(&teamspace.email_domains, is_domain, rule).map_err(AdminError::EmailDomainInvalid)?;
    teamspace.email_domains.sort();
    teamspace.time_zone = known_time_zone(&teamspace.time_zone).ok_or(AdminError::TimeZoneInvalid)?;
    Ok(teamspace)
}

/// The indexes would refuse it as well, but without saying which value is taken.
fn check_free(connection: &mut AnyConnection, teamspace: &Teamspace) -> Result<(), AdminError> {
    if teamspaces::holder_of_slug(connection, &teamspace.slug)?.is_some_and(|id| id != teamspace.id) {
        return Err(AdminError::SlugTaken);
    }
    let held = teamspaces::holders_of_domains(connection, &teamspace.email_domains)?;
    match held.into_iter().find(|(_, id)| *id != teamspace.id) {
        Some((domain, _)) => Err(AdminError::DomainTaken(domain)),
        None => Ok(()),
    }
}
