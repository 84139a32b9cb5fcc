//! Rules that Cedar does not enforce, but that precise denials need.

mod absence;
mod absent;
mod attributes;
mod ids;
mod impossible;
mod lifetime;
mod read;
mod step_up;
mod text;

use std::collections::HashMap;

use cedar_policy::Effect;

use super::vocabulary::Vocabulary;
use crate::oauth::error::ErrorCode;
use crate::policy::engine::annotations::{ACR_VALUES, ALLOW_ABSENT, LIFETIME, MAX_AGE};
use crate::policy::engine::constraints::resource_key;
use crate::policy::source::parse::Placed;
use crate::policy::source::problem::{PolicyProblem, Rule};
use crate::policy::source::source_file::SourceFile;
use read::PolicyParts;

pub(in crate::policy) use impossible::{cannot_match, is_impossible};

/// The annotations that policies must have.
const KNOWN: [&str; 5] = ["id", "reason", "otherwise", "error", "message"];
/// The annotation that names the parts of a policy that need no test.
pub(in crate::policy) const ALLOW_UNTESTED: &str = "allow_untested";
/// The annotations that policies may have.
const OPTIONAL: [&str; 5] = [ALLOW_ABSENT, ALLOW_UNTESTED, LIFETIME, ACR_VALUES, MAX_AGE];
/// Policies without a resource in their head are evaluated in every request; more than this many cause a warning.
const MAX_UNSCOPED: usize = 100;

/// Every finding about a set of policies that does not need the schema.
pub(in crate::policy) fn lint(
    files: &[SourceFile],
    policies: &[Placed<'_>],
    problems: &mut Vec<PolicyProblem>,
) {
    problems.extend(files.iter().flat_map(text::deceptive_texts));
    for placed in policies {
        annotations_present(placed, problems);
        annotations_sane(placed, problems);
        problems.extend(near_misses(placed));
        problems.extend(ids::impossible_ids(placed));
    }
    problems.extend(duplicates(policies));
    problems.extend(unscoped(policies));
}

/// Findings that need the schema's vocabulary and that Cedar does not report.
pub(in crate::policy) fn lint_words(policies: &[Placed<'_>], vocabulary: &Vocabulary) -> Vec<PolicyProblem> {
    let read: Vec<PolicyParts<'_, '_>> =
        policies.iter().filter_map(|placed| PolicyParts::of(placed, vocabulary)).collect();
    let mut problems: Vec<PolicyProblem> =
        read.iter().flat_map(|read| attributes::unknown_attributes(read, vocabulary)).collect();
    problems.extend(read.iter().flat_map(absence::allowed_in_vain));
    problems.extend(absence::escapes(&read));
    problems.extend(read.iter().filter_map(lifetime::misused));
    problems.extend(read.iter().filter_map(step_up::misused));
    problems
}

fn annotations_present(placed: &Placed<'_>, problems: &mut Vec<PolicyProblem>) {
    let is_blank = |value: &str| value.trim().is_empty();
    if placed.policy.annotation("id").is_none_or(is_blank) {
        let problem = placed.problem(Rule::IdMissing, "the policy has no @id");
        problems.push(problem.help("give it one that is its own, such as @id(\"team.rule\")"));
    }
    for key in KNOWN.into_iter().filter(|key| *key != "id") {
        let required = match placed.policy.effect() {
            Effect::Permit => key == "otherwise",
            Effect::Forbid => key != "otherwise",
        };
        // An optional annotation must not be empty.
        if placed.policy.annotation(key).map_or(required, is_blank) {
            let message = format!("{}: has no @{key}", placed.id());
            problems.push(placed.problem(Rule::AnnotationMissing, message));
        }
    }
}

fn annotations_sane(placed: &Placed<'_>, problems: &mut Vec<PolicyProblem>) {
    let annotation = |key: &str| placed.policy.annotation(key).filter(|value| !value.trim().is_empty());
    if let Some(code) = annotation("error")
        && ErrorCode::from_policy(code).is_none()
    {
        let message = format!("{}: @error(\"{code}\") is not {}", placed.id(), ErrorCode::OF_POLICIES);
        problems.push(placed.problem(Rule::ErrorUnknown, message));
    }
    for key in ["reason", "otherwise"] {
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if annotation(key).is_some_and(|value| !value.chars().all(snake)) {
            let message = format!("{}: @{key} must be snake_case", placed.id());
            problems.push(placed.problem(Rule::ReasonCase, message));
        }
    }
}

/// Annotations without a meaning that look like a typo; any others are the author's own.
fn near_misses(placed: &Placed<'_>) -> Vec<PolicyProblem> {
    let slip = |key: &str| {
        let near = |known: &&str| {
            let slips = if known.len() > 2 { 2 } else { 1 };
            strsim::osa_distance(&key.to_ascii_lowercase(), known) <= slips
        };
        let known = KNOWN.into_iter().chain(OPTIONAL);
        let meant = known.filter(near).min_by_key(|known| strsim::osa_distance(key, known))?;
        let message = format!("{}: @{key} has no meaning", placed.id());
        Some(placed.problem(Rule::AnnotationUnknown, message).help(format!("did you mean @{meant}?")))
    };
    let keys = placed.policy.annotations().map(|(key, _)| key);
    keys.filter(|key| !OPTIONAL.contains(key) && !KNOWN.contains(key)).filter_map(slip).collect()
}

/// Each further use of an id, with the first one.
fn duplicates(policies: &[Placed<'_>]) -> Vec<PolicyProblem> {
    let mut first: HashMap<&str, &Placed<'_>> = HashMap::new();
    let mut problems = Vec::new();
    for placed in policies {
        let Some(id) = placed.policy.annotation("id") else { continue };
        let Some(other) = first.get(id) else {
            first.insert(id, placed);
            continue;
        };
        let other = other.problem(Rule::IdDuplicate, format!("@id(\"{id}\") is used first here"));
        let message = format!("@id(\"{id}\") is used twice, here and at {}", other.location());
        let problem = placed.problem(Rule::IdDuplicate, message);
        problems.push(problem.and(other));
    }
    problems
}

/// One warning, at the first policy over the limit.
fn unscoped(policies: &[Placed<'_>]) -> Option<PolicyProblem> {
    let unscoped: Vec<&Placed<'_>> =
        policies.iter().filter(|placed| resource_key(&placed.policy).is_none()).collect();
    let message = format!(
        "{} policies name no resource in their head and are evaluated in every request; more than {MAX_UNSCOPED} are slow",
        unscoped.len()
    );
    let help = "name what a policy is about in its head: resource in Teamspace::\"acme\"";
    Some(unscoped.get(MAX_UNSCOPED)?.problem(Rule::UnscopedPolicies, message).help(help))
}
