//! The fields of a teamspace's form.

use serde::Deserialize;

use crate::admin::AdminError;
use crate::admin::teamspaces::{NewTeamspace, TeamspacePatch};
use crate::model::teamspace::{Plan, Teamspace, UTC};
use crate::web::console::answer::PageError;
use crate::web::console::form::Faults;
use crate::web::console::seen::{changes, settings};

/// The form's input.
#[derive(Deserialize)]
pub struct TeamspaceForm {
    #[serde(default)]
    pub slug: String,
    #[serde(default)]
    pub name: String,
    pub plan: Plan,
    #[serde(default)]
    pub member_limit: String,
    #[serde(default)]
    pub email_domains: String,
    #[serde(default)]
    pub time_zone: String,
    /// Whether to rename it even if policies name it.
    #[serde(default)]
    pub force: String,
    /// The values when the page was made; empty for a new teamspace.
    #[serde(default)]
    pub seen: String,
}

impl TeamspaceForm {
    /// The form for one that is added.
    pub fn blank() -> Self {
        Self {
            slug: String::new(),
            name: String::new(),
            plan: Plan::Enterprise,
            member_limit: String::new(),
            email_domains: String::new(),
            time_zone: UTC.to_owned(),
            force: String::new(),
            seen: String::new(),
        }
    }

    /// The form of one that exists.
    pub fn of(teamspace: &Teamspace) -> Self {
        let fields = Self {
            slug: teamspace.slug.clone(),
            name: teamspace.name.clone(),
            plan: teamspace.plan,
            member_limit: teamspace.member_limit.map(|limit| limit.to_string()).unwrap_or_default(),
            email_domains: teamspace.email_domains.join(", "),
            time_zone: teamspace.time_zone.clone(),
            force: String::new(),
            seen: String::new(),
        };
        Self { seen: fields.settings(), ..fields }
    }

    /// Whether a teamspace is what this form adds: then the form was sent twice.
    pub fn is_added_as(&self, teamspace: &Teamspace) -> bool {
        let lower = |domains: &[String]| {
            let mut domains: Vec<String> = domains.iter().map(|domain| domain.to_lowercase()).collect();
            domains.sort();
            domains
        };
        self.slug.trim() == teamspace.slug
            && self.name.trim() == teamspace.name
            && self.plan == teamspace.plan
            && self.limit().is_ok_and(|limit| limit == teamspace.member_limit)
            && lower(&self.domains()) == lower(&teamspace.email_domains)
            && self.time_zone.trim().eq_ignore_ascii_case(&teamspace.time_zone)
    }

    fn settings(&self) -> String {
        settings([
            ("Slug", &self.slug),
            ("Name", &self.name),
            ("Plan", self.plan.as_str()),
            ("Member limit", &self.member_limit),
            ("Email domains", &self.email_domains),
            ("Time zone", &self.time_zone),
        ])
    }

    /// Says what somebody else has changed since the page was made, and takes it as seen.
    pub fn changed_since(&mut self, now: &Teamspace) -> Faults {
        let now = Self::of(now).seen;
        let seen = std::mem::replace(&mut self.seen, now);
        Faults::of("name", changes("teamspace", &seen, &self.seen))
    }

    /// Whether the box was ticked.
    pub fn force(&self) -> bool {
        !self.force.is_empty()
    }

    fn limit(&self) -> Result<Option<i64>, AdminError> {
        match self.member_limit.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| AdminError::MemberLimitInvalid),
        }
    }

    fn domains(&self) -> Vec<String> {
        let parts = self.email_domains.split([',', ';', ' ', '\t', '\r', '\n']);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The teamspace to be added.
    pub fn new_teamspace(&self) -> Result<NewTeamspace, AdminError> {
        Ok(NewTeamspace {
            slug: self.slug.trim().to_owned(),
            name: self.name.clone(),
            plan: self.plan,
            member_limit: self.limit()?,
            email_domains: self.domains(),
            time_zone: self.time_zone.trim().to_owned(),
        })
    }

    /// The change to an existing teamspace.
    pub fn patch(&self) -> Result<TeamspacePatch, AdminError> {
        let NewTeamspace { slug, name, plan, member_limit, email_domains, time_zone } =
            self.new_teamspace()?;
        Ok(TeamspacePatch {
            slug: Some(slug),
            name: Some(name),
            plan: Some(plan),
            member_limit: Some(member_limit),
            email_domains: Some(email_domains),
            time_zone: Some(time_zone),
        })
    }
}

/// The mistakes in a form that was refused.
pub fn faults_of(error: AdminError) -> Result<Faults, PageError> {
    if let AdminError::NamedInPolicies(policies) = &error {
        let text = format!(
            "Policies name the present slug: {}. Change them first, or tick the box below to rename it anyway.",
            policies.join(", ")
        );
        return Ok(Faults::of("slug", text));
    }
    Faults::from_refusal(error, field_of)
}

/// The field that a refusal is about.
fn field_of(error: &AdminError) -> Option<&'static str> {
    match error {
        AdminError::SlugInvalid | AdminError::SlugTaken | AdminError::TakenMeanwhile => Some("slug"),
        AdminError::NameInvalid => Some("name"),
        AdminError::MemberLimitInvalid => Some("member_limit"),
        AdminError::EmailDomainInvalid(_) | AdminError::DomainTaken(_) => Some("email_domains"),
        AdminError::TimeZoneInvalid => Some("time_zone"),
        _ => None,
    }
}
