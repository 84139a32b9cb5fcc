//! The report: what was found, by requirement.

mod badge;
mod json;
mod junit;
mod not_visible;
mod text;

use std::collections::BTreeMap;

use super::judged::{GOOD_ASSERTION, Judged, Judgement};
use super::requirements::{RequirementLevel, requirements};
use super::target::TestTarget;
use not_visible::why_not_visible;

/// How a requirement came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Each check found it so.
    Holds,
    /// A check found it otherwise.
    Fails,
    /// Only something that we recommend beside it is missing.
    Differs,
    /// Nothing was tested, for a reason that the report has.
    Skipped,
}

/// A requirement, and what was found about it.
#[derive(Debug, Clone)]
pub struct RuleReport {
    /// Its id.
    pub id: &'static str,
    /// How much it binds: as much as the check that failed, or the strictest one.
    pub level: RequirementLevel,
    /// The requirement in one sentence.
    pub rule: &'static str,
    /// The document and section that it is from.
    pub source: &'static str,
    /// How it came out.
    pub state: RuleState,
    /// The checks.
    pub checks: Vec<Judged>,
    /// Why nothing was tested.
    pub reason: Option<String>,
}

/// Everything that a run found.
#[derive(Debug, Clone)]
pub struct ConformanceReport {
    /// The server under test.
    pub issuer: String,
    /// The name of the profile.
    pub profile: &'static str,
    /// Whether the good assertion was accepted: without that, a refusal says nothing.
    pub was_accepted: bool,
    /// Every requirement that was to be tested, in order.
    pub rules: Vec<RuleReport>,
}

impl ConformanceReport {
    pub(super) fn new(target: &TestTarget, judged: Vec<Judged>) -> Self {
        let mut by_id: BTreeMap<&str, Vec<Judged>> = BTreeMap::new();
        for judged in judged {
            by_id.entry(judged.id).or_default().push(judged);
        }
        let was_accepted =
            !by_id.values().flatten().any(|check| check.title == GOOD_ASSERTION && is_failure(check));
        let wanted = requirements().iter().filter(|requirement| target.wants(&requirement.id));
        let rules = wanted.map(|requirement| {
            let checks = by_id.remove(requirement.id.as_str()).unwrap_or_default();
            let level = target.profile.level(&requirement.id, requirement.level);
            let strictest = checks.iter().filter(|check| is_failure(check)).map(|check| check.level).min();
            let state = state(&checks, level);
            let reason =
                (state == RuleState::Skipped).then(|| reason(&requirement.id, &checks, was_accepted));
            RuleReport {
                id: &requirement.id,
                level: strictest.unwrap_or(level),
                rule: &requirement.rule,
                source: &requirement.source,
                state,
                checks,
                reason,
            }
        });
        let (issuer, profile) = (target.issuer.clone(), target.profile.name());
        Self { issuer, profile, was_accepted, rules: rules.collect() }
    }

    /// Whether the good assertion was accepted, and every MUST that could be tested holds.
    pub fn conforms(&self) -> bool {
        let is_broken =
            |rule: &RuleReport| rule.state == RuleState::Fails && rule.level == RequirementLevel::Must;
        self.was_accepted && !self.rules.iter().any(is_broken)
    }

    /// How many requirements of a level came out so.
    pub fn count(&self, level: RequirementLevel, state: RuleState) -> usize {
        self.rules.iter().filter(|rule| rule.level == level && rule.state == state).count()
    }

    /// The requirement of an id.
    pub fn rule(&self, id: &str) -> Option<&RuleReport> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Text for people.
    pub fn to_text(&self) -> String {
        text::text(self)
    }

    /// A document for programs.
    pub fn to_json(&self) -> serde_json::Value {
        json::json(self)
    }

    /// `JUnit`'s XML, for continuous integration.
    pub fn to_junit(&self) -> Result<String, quick_junit::SerializeError> {
        junit::junit(self)
    }

    /// A badge in Markdown.
    pub fn to_badge(&self) -> String {
        badge::badge(self)
    }
}

fn is_failure(judged: &Judged) -> bool {
    matches!(judged.judgement, Judgement::Fails { .. })
}

/// A recommendation of ours that is missing does not break a rule that binds more.
fn state(checks: &[Judged], level: RequirementLevel) -> RuleState {
    let failed = checks.iter().filter(|check| is_failure(check)).map(|check| check.level).min();
    match failed {
        Some(failed) if failed > level => RuleState::Differs,
        Some(_) => RuleState::Fails,
        None if checks.iter().any(|check| matches!(check.judgement, Judgement::Holds)) => RuleState::Holds,
        None => RuleState::Skipped,
    }
}

fn reason(id: &str, checks: &[Judged], was_accepted: bool) -> String {
    let told = checks.iter().find_map(|check| match &check.judgement {
        Judgement::Skipped { reason } => Some(reason.clone()),
        _ => None,
    });
    told.or_else(|| why_not_visible(id).map(str::to_owned)).unwrap_or_else(|| {
        let why = if was_accepted {
            "no check of this suite is about it"
        } else {
            "the good assertion was not accepted, so a refusal would say nothing"
        };
        why.to_owned()
    })
}
