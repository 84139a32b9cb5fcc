//! Everything that is wrong with a directory of policies, reported at once.

use cedar_policy::{Effect, Entities, PolicySet};

use super::format;
use crate::policy::engine::constraints::{applies, is_about};
use crate::policy::facts::action_uid;
use crate::policy::source::problem::{PolicyProblem, Severity};
use crate::policy::source::{self, PolicyPlace};
use crate::policy::validate::load::{Examined, examine};
use crate::policy::{Action, Topic};

/// The findings of a check.
#[derive(Debug)]
pub struct Findings {
    /// The set's hash, when it could be used.
    pub policy_set: Option<String>,
    /// How many files could be read.
    pub files: usize,
    /// How many policies they have.
    pub policies: usize,
    /// Whether its policies decide about the console; if not, the shipped ones do. None when unknown.
    pub decides_console: Option<bool>,
    /// Whether its policies decide about tools; if not, the shipped ones do. None when unknown.
    pub decides_tools: Option<bool>,
    /// Whether one of its policies permits authorization details; if not, none is granted. None when unknown.
    pub permits_details: Option<bool>,
    /// The problems by file and place.
    pub problems: Vec<PolicyProblem>,
}

impl Findings {
    /// Whether a file or directory could not even be read.
    pub fn unreadable(&self) -> bool {
        self.problems.iter().any(PolicyProblem::unreadable)
    }
}

/// Reads, parses, validates and lints as much as possible, and checks the format.
pub fn check(dir: impl Into<PolicyPlace>, schema: impl Into<PolicyPlace>) -> Findings {
    let mut problems = Vec::new();
    let schema = source::read_place(&schema.into()).map_err(|problem| problems.push(problem)).ok();
    let files = source::read_dir(&dir.into(), &mut problems);
    let Examined { policies, set, schema: valid, problems: found, .. } = examine(schema.as_ref(), &files);
    let actions = valid.and_then(|schema| schema.action_entities().ok());
    let decides = |topic| actions.as_ref().map(|actions| is_about(topic, &set, actions));
    let (decides_console, decides_tools) = (decides(Topic::Console), decides(Topic::Tools));
    let permits_details = actions.as_ref().map(|actions| permits(Action::GrantDetail, &set, actions));
    problems.extend(found);
    problems.extend(files.iter().filter_map(format::check));
    let key = |problem: &PolicyProblem| {
        (problem.file.clone(), problem.place.as_ref().map(|place| (place.span.start, place.span.end)))
    };
    problems.sort_by_cached_key(key);
    let usable = problems.iter().all(|problem| problem.rule.severity() == Severity::Warning);
    let policy_set = schema.filter(|_| usable).map(|schema| source::hash(&schema, &files));
    let (files, policies) = (files.len(), policies.len());
    Findings { policy_set, files, policies, decides_console, decides_tools, permits_details, problems }
}

/// Whether a permit of a set is about an action.
fn permits(action: Action, set: &PolicySet, actions: &Entities) -> bool {
    let uid = action_uid(action.name());
    let mut permits = set.policies().filter(|policy| policy.effect() == Effect::Permit);
    permits.any(|policy| applies(&policy.action_constraint(), &uid, actions))
}
