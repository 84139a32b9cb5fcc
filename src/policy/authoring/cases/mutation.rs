//! Mutation testing: each policy, and each part of it, is dropped in turn. If no case notices, it is not tested.

use std::collections::BTreeSet;

use cedar_policy::{Effect, Policy, PolicySet, Schema, ValidationMode, Validator};
use serde::Serialize;

use super::Case;
use super::parts::{Part, PartKind, parts};
use super::run::run;
use crate::policy::source::depth;
use crate::policy::source::parse::{self, Placed};
use crate::policy::validate::lint::ALLOW_UNTESTED;
use crate::policy::{PolicyEngine, PolicySource, Validated};

/// The most things that are dropped: each is tried on every case.
const MAX_MUTANTS: usize = 20_000;
/// Most characters of a part that are shown.
const MAX_TEXT: usize = 200;

/// The outcome of dropping everything in turn.
#[derive(Debug, Serialize)]
pub struct Mutation {
    /// How many policies and parts were dropped.
    pub tried: usize,
    /// Whether everything that can be dropped was.
    pub complete: bool,
    /// The policies and parts that could be dropped without a failing case: they are not tested.
    pub survivors: Vec<Survivor>,
    /// Parts that `@allow_untested` names but the policy does not have.
    pub excused_in_vain: Vec<Excuse>,
}

/// A part that a policy says need not be tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excuse {
    /// The policy's `@id`.
    pub policy: String,
    /// The part as the annotation writes it.
    pub part: String,
}

impl Mutation {
    /// Whether anything was dropped unnoticed, or was not tried.
    pub fn has_gaps(&self) -> bool {
        !self.complete || !self.survivors.is_empty() || !self.excused_in_vain.is_empty()
    }
}

/// A policy, or a part of one, whose loss no case notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survivor {
    /// The policy's `@id`.
    pub policy: String,
    /// The name of its file.
    pub file: String,
    /// The line where the policy or the part begins, from 1.
    pub line: usize,
    /// The column where it begins, in characters, from 1.
    pub column: usize,
    /// The part as it is written; none for the policy as a whole.
    pub part: Option<String>,
    /// The case that would miss it.
    pub wanted: String,
}

/// Drops each policy and each of its parts, and collects those that no case misses. `progress` gets each policy's
/// number.
///
/// # Errors
///
/// When the policies do not compile without one of them, which would be a defect.
pub fn mutate(
    source: &PolicySource,
    validated: &Validated,
    cases: &[Case],
    mut progress: impl FnMut(usize),
) -> Result<Mutation, String> {
    // Validation has already reported policies that cannot be placed.
    let mut problems = Vec::new();
    let mut policies: Vec<Placed<'_>> =
        source.files.iter().flat_map(|file| parse::policies(file, &mut problems)).collect();
    policies.sort_by_cached_key(|placed| placed.id());
    let mut laboratory = Laboratory {
        policies: PolicyEngine::compile(&validated.set, &validated.schema, validated.declared.clone())?,
        schema: &validated.schema,
        validator: Validator::new(validated.schema.clone()),
        cases,
        left: MAX_MUTANTS,
    };
    let (mut survivors, mut excused_in_vain) = (Vec::new(), Vec::new());
    for (index, placed) in policies.iter().enumerate() {
        progress(index + 1);
        let excuses = excuses(placed);
        let is_excused = |found: &Survivor| found.part.as_ref().is_some_and(|part| excuses.contains(part));
        survivors.extend(laboratory.survivors(placed)?.into_iter().filter(|found| !is_excused(found)));
        let known: Vec<String> = parts(placed).iter().map(|part| shown(part, placed)).collect();
        let unknown = excuses.into_iter().filter(|part| !known.contains(part));
        let policy = placed.id().to_string();
        excused_in_vain.extend(unknown.map(|part| Excuse { policy: policy.clone(), part }));
    }
    let left = laboratory.left;
    let complete = left > 0;
    Ok(Mutation { tried: MAX_MUTANTS - left, complete, survivors, excused_in_vain })
}

/// The parts that a policy exempts from being tested.
fn excuses(placed: &Placed<'_>) -> Vec<String> {
    let texts = placed.policy.annotation(ALLOW_UNTESTED).unwrap_or_default().split(';');
    texts.map(in_one_line).filter(|text| !text.is_empty()).collect()
}

struct Laboratory<'a> {
    policies: PolicyEngine,
    schema: &'a Schema,
    validator: Validator,
    cases: &'a [Case],
    /// How many more are tried.
    left: usize,
}

impl Laboratory<'_> {
    /// The policy if no case misses it, or else the parts of it that no case misses.
    fn survivors(&mut self, placed: &Placed<'_>) -> Result<Vec<Survivor>, String> {
        let policy = placed.policy.new_id(placed.id());
        if !self.is_noticed(&policy, None)? {
            return Ok(vec![Survivor::whole(placed)]);
        }
        let mut survivors = Vec::new();
        for part in parts(placed) {
            let Some(mutant) = self.without(&policy, placed, &part) else { continue };
            if !self.is_noticed(&policy, Some(&mutant))? {
                survivors.push(Survivor::part(placed, &part));
            }
        }
        Ok(survivors)
    }

    /// The policy without a part; none if that is invalid or cannot make a difference.
    fn without(&self, policy: &Policy, placed: &Placed<'_>, part: &Part) -> Option<Policy> {
        let text = part.dropped_from(placed);
        depth::with_stack(|| {
            let mutant = Policy::parse(Some(policy.id().clone()), text).ok()?;
            let alone = PolicySet::from_policies([mutant.clone()]).ok()?;
            let is_valid = self.validator.validate(&alone, ValidationMode::Strict).validation_passed();
            (is_valid && !self.is_implied(policy, &mutant, part, placed)).then_some(mutant)
        })
    }

    /// Whether a part of a head only asks for what the schema and the rest of the policy require anyway.
    fn is_implied(&self, policy: &Policy, mutant: &Policy, part: &Part, placed: &Placed<'_>) -> bool {
        let names_entity = placed.file.text.get(part.span.clone()).is_none_or(|text| text.contains('"'));
        let is_about_kinds = part.kind == PartKind::Action || (part.kind == PartKind::Head && !names_entity);
        is_about_kinds && kinds(policy, self.schema) == kinds(mutant, self.schema)
    }

    /// Whether a case fails when a mutant, or nothing, replaces a policy.
    fn is_noticed(&mut self, policy: &Policy, mutant: Option<&Policy>) -> Result<bool, String> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(true) };
        self.left = left;
        self.policies.swap(Some(policy), mutant)?;
        let noticed = self.cases.iter().any(|case| !run(&self.policies, case).failures.is_empty());
        self.policies.swap(mutant, Some(policy))?;
        Ok(noticed)
    }
}

/// The kinds of requests that a policy can match.
fn kinds(policy: &Policy, schema: &Schema) -> BTreeSet<[String; 3]> {
    let kinds = policy.get_valid_request_envs(schema);
    kinds
        .map(|kind| [kind.principal().to_string(), kind.action().to_string(), kind.resource().to_string()])
        .collect()
}

impl Survivor {
    fn whole(placed: &Placed<'_>) -> Self {
        let wanted = match placed.policy.effect() {
            Effect::Permit => "a case that is permitted by it alone",
            Effect::Forbid => "a case that is refused by it alone",
        };
        Self::at(placed, placed.span.start, None, wanted.to_owned())
    }

    fn part(placed: &Placed<'_>, part: &Part) -> Self {
        let text = shown(part, placed);
        // Without a part of an `unless`, a policy matches less; without any other part, it matches more.
        let outcome = match (part.kind, placed.policy.effect()) {
            (PartKind::UnlessPart, Effect::Permit) => "permitted",
            (PartKind::UnlessPart, Effect::Forbid) | (_, Effect::Permit) => "refused",
            (_, Effect::Forbid) => "not refused by this policy",
        };
        let value = if part.kind == PartKind::Unless { "true" } else { "false" };
        let wanted = format!("a case where only this part is {value}, and that is {outcome}");
        Self::at(placed, part.span.start, Some(text), wanted)
    }

    fn at(placed: &Placed<'_>, start: usize, part: Option<String>, wanted: String) -> Self {
        let place = placed.file.place(start..start);
        Self {
            policy: placed.id().to_string(),
            file: placed.file.path.display().to_string(),
            line: place.line,
            column: place.column,
            part,
            wanted,
        }
    }
}

/// A part as it is written, in one line.
fn shown(part: &Part, placed: &Placed<'_>) -> String {
    in_one_line(placed.file.text.get(part.span.clone()).unwrap_or_default())
}

/// A text on one line, cut to a readable length.
fn in_one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_TEXT) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
