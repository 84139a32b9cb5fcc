//! Teamspaces. What they have bought and which domains are theirs is the operator's to say.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth::{Admin, InTeamspace, Operator};
use super::json::{JsonBody, Params};
use super::page::{self, PageQuery};
use super::problem::Problem;
use crate::admin::patch::{nullable, present};
use crate::admin::teamspaces::find_named;
use crate::admin::{self as check, AdminError, Change};
use crate::clock::rfc3339;
use crate::email::is_domain;
use crate::model::teamspace::{Plan, Teamspace, is_slug};
use crate::policy::references::Kind;
use crate::store::AnyConnection;
use crate::store::changes::Changed;
use crate::store::resources::replace_teamspace;
use crate::store::teamspaces;

/// What is needed for a new one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTeamspace {
    slug: String,
    name: String,
    plan: Plan,
    #[serde(default)]
    member_limit: Option<i64>,
    #[serde(default)]
    email_domains: Vec<String>,
}

/// What can be changed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamspacePatch {
    #[serde(default, deserialize_with = "present")]
    slug: Option<String>,
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    plan: Option<Plan>,
    #[serde(default, deserialize_with = "nullable")]
    member_limit: Option<Option<i64>>,
    #[serde(default, deserialize_with = "present")]
    email_domains: Option<Vec<String>>,
}

/// How a change is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeQuery {
    /// Whether to rename it though policies name its slug.
    #[serde(default)]
    force: bool,
}

/// `GET /teamspaces`
pub async fn list(admin: Admin, Params(query): Params<PageQuery>) -> Result<Json<Value>, Problem> {
    let snapshot = admin.app.snapshot();
    let seen = snapshot.tenancies().map(|t| &t.teamspace).filter(|t| admin.reaches(&t.id));
    Ok(page::answer(page::of_sorted(seen, &query, |t| t.slug.clone())?, view))
}

/// `GET /teamspaces/{slug}`
pub async fn show(InTeamspace { tenancy, .. }: InTeamspace) -> Json<Value> {
    Json(view(&tenancy.teamspace))
}

/// `POST /teamspaces`
pub async fn create(
    Operator(admin): Operator,
    JsonBody(new): JsonBody<NewTeamspace>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let teamspace = Teamspace {
        id: Uuid::new_v4().to_string(),
        slug: new.slug,
        name: new.name,
        plan: new.plan,
        member_limit: new.member_limit,
        email_domains: new.email_domains,
        created_at: admin.app.clock.now(),
    }
    .checked()?;
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            check_free(c, &teamspace)?;
            teamspaces::insert(c, &teamspace).map_err(|e| taken().if_duplicate(e))?;
            let (id, shown) = (&teamspace.id, view(&teamspace));
            Ok((
                shown.clone(),
                Change::added(Changed::Teamspace(id.clone()), "teamspace.create", &teamspace.slug, shown),
            ))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// `PATCH /teamspaces/{slug}`
pub async fn change(
    InTeamspace { admin, tenancy }: InTeamspace,
    Params(query): Params<ChangeQuery>,
    JsonBody(patch): JsonBody<TeamspacePatch>,
) -> Result<Json<Value>, Problem> {
    if patch.is_operators() {
        admin.require_operator()?;
    }
    let slug = &tenancy.teamspace.slug;
    if !query.force && patch.slug.as_ref().is_some_and(|new| new != slug) {
        refuse_if_named(&admin, slug)?;
    }
    let id = tenancy.teamspace.id.clone();
    let shown = admin
        .change(move |c| -> Result<_, Problem> {
            let old = find_named(c, &tenancy.teamspace)?;
            let new = patch.apply(old.clone()).checked()?;
            check_free(c, &new)?;
            teamspaces::update(c, &new).map_err(|e| taken().if_duplicate(e))?;
            if new.slug != old.slug {
                replace_teamspace(c, &old.slug, Some(&new.slug))?;
            }
            let shown = view(&new);
            let changed = Changed::Teamspace(id);
            let change = Change::updated(changed, "teamspace.update", &old.slug, view(&old), shown.clone());
            Ok((shown, change))
        })
        .await?;
    Ok(Json(shown))
}

/// `DELETE /teamspaces/{slug}`
pub async fn remove(InTeamspace { admin, tenancy }: InTeamspace) -> Result<StatusCode, Problem> {
    admin.require_operator()?;
    let id = tenancy.teamspace.id.clone();
    admin
        .change(move |c| -> Result<_, Problem> {
            let old = find_named(c, &tenancy.teamspace)?;
            teamspaces::delete(c, &id)?;
            // A later teamspace of the same slug must not inherit what was offered to this one.
            replace_teamspace(c, &old.slug, None)?;
            Ok(((), Change::removed(Changed::Teamspace(id), "teamspace.delete", &old.slug, view(&old))))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Policies go by the slug: after a rename those that name it would be about nobody, or about whoever takes the
/// slug next.
fn refuse_if_named(admin: &Admin, slug: &str) -> Result<(), Problem> {
    match admin.app.policies().compiled.references().to(Kind::Teamspace, slug) {
        None => Ok(()),
        Some(named) => {
            let detail = "Policies name this slug. Change them first, or rename it anyway with ?force=true.";
            Err(Problem::conflict("named_in_policies", detail).with("policies", json!(named.policies)))
        }
    }
}

fn view(teamspace: &Teamspace) -> Value {
    json!({
        "id": teamspace.id,
        "slug": teamspace.slug,
        "name": teamspace.name,
        "plan": teamspace.plan,
        "member_limit": teamspace.member_limit,
        "email_domains": teamspace.email_domains,
        "created_at": rfc3339(teamspace.created_at),
    })
}

impl TeamspacePatch {
    /// Whether it changes what only an operator may change.
    fn is_operators(&self) -> bool {
        self.slug.is_some()
            || self.plan.is_some()
            || self.member_limit.is_some()
            || self.email_domains.is_some()
    }

    fn apply(self, old: Teamspace) -> Teamspace {
        Teamspace {
            slug: self.slug.unwrap_or(old.slug),
            name: self.name.unwrap_or(old.name),
            plan: self.plan.unwrap_or(old.plan),
            member_limit: self.member_limit.unwrap_or(old.member_limit),
            email_domains: self.email_domains.unwrap_or(old.email_domains),
            ..old
        }
    }
}

impl Teamspace {
    /// The same in its stored form, if its values are acceptable.
    fn checked(mut self) -> Result<Self, Problem> {
        if !is_slug(&self.slug) {
            let detail = "A slug has 1 to 63 characters of a-z, 0-9 and -, and no - at its ends.";
            return Err(Problem::invalid("slug_invalid", detail));
        }
        self.name = check::name(&self.name)?;
        if self.member_limit.is_some_and(|limit| limit < 0) {
            return Err(Problem::invalid("member_limit_invalid", "A member limit is null, 0 or more."));
        }
        for domain in &mut self.email_domains {
            domain.make_ascii_lowercase();
        }
        let rule = "this is no domain such as example.com.";
        check::list(&self.email_domains, is_domain, rule).map_err(AdminError::EmailDomainInvalid)?;
        self.email_domains.sort();
        Ok(self)
    }
}

/// The indexes would refuse it as well, without saying what is taken.
fn check_free(connection: &mut AnyConnection, teamspace: &Teamspace) -> Result<(), Problem> {
    if teamspaces::holder_of_slug(connection, &teamspace.slug)?.is_some_and(|id| id != teamspace.id) {
        return Err(Problem::conflict("slug_taken", "Another teamspace has this slug."));
    }
    let held = teamspaces::holders_of_domains(connection, &teamspace.email_domains)?;
    match held.into_iter().find(|(_, id)| *id != teamspace.id) {
        Some((domain, _)) => {
            let detail = format!("The domain {domain} is another teamspace's.");
            Err(Problem::conflict("domain_taken", detail))
        }
        None => Ok(()),
    }
}

fn taken() -> Problem {
    Problem::conflict("slug_taken", "The slug or a domain was taken meanwhile.")
}
