//! Turns text into a validated set, and reports every problem at once with its place in the file.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::lint;
use super::vocabulary::{self, Vocabulary};
use crate::clock::UnixSeconds;
use crate::policy::Policies;
use crate::policy::cache::CompiledPolicies;
use crate::policy::engine::annotations::AnnotatedSet;
use crate::policy::facts::DeclaredClaims;
use crate::policy::source::parse::Placed;
use crate::policy::source::problem::{LoadError, PolicyProblem, Rule, Severity};
use crate::policy::source::source_file::SourceFile;
use crate::policy::source::{self, PolicySource};
use crate::policy::source::{depth, parse};

/// A file of the set.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PolicyFile {
    /// The file's name in the directory.
    pub name: String,
    /// The `@id` of its policies, in their order.
    pub policies: Vec<String>,
}

/// A set that is valid against its schema; each policy's id is its `@id`.
#[derive(Debug)]
pub struct Validated {
    /// The policies, as Cedar's authorizer takes them.
    pub set: PolicySet,
    /// The schema that they were validated against.
    pub schema: Schema,
    /// The custom claims of the schema.
    pub declared: DeclaredClaims,
    /// SHA-256 over schema and files.
    pub hash: String,
    /// The files, each with its policies.
    pub files: Vec<PolicyFile>,
    /// The validator's warnings, such as a policy that can never match.
    pub warnings: Vec<String>,
}

impl PolicySource {
    /// Parses, validates strictly and slices.
    pub fn compile(&self, now: UnixSeconds) -> Result<Policies, LoadError> {
        let Validated { set, schema, declared, hash, files, warnings } = self.validate()?;
        let compiled = CompiledPolicies::compile(&set, &schema, declared)
            .map_err(|e| LoadError(vec![PolicyProblem::new(Rule::SchemaInvalid, &self.schema.path, e)]))?;
        Ok(Policies { compiled, hash, files, warnings, loaded_at: now, content: self.content() })
    }

    /// Parses and validates strictly.
    pub fn validate(&self) -> Result<Validated, LoadError> {
        let Examined { policies, set, schema, declared, problems } = examine(Some(&self.schema), &self.files);
        let refuses = |problem: &PolicyProblem| {
            problem.rule.severity() == Severity::Error && !(self.is_past && problem.rule.is_about_sense())
        };
        let (errors, warnings): (Vec<_>, Vec<_>) = problems.into_iter().partition(refuses);
        match schema {
            Some(schema) if errors.is_empty() => Ok(Validated {
                set,
                schema,
                declared,
                hash: source::hash(&self.schema, &self.files),
                files: describe(&self.files, &policies),
                warnings: warnings.iter().map(PolicyProblem::to_string).collect(),
            }),
            _ => Err(LoadError(errors)),
        }
    }
}

impl PolicySource {
    /// The policies' annotations, whether or not the policies fit the schema.
    pub fn annotations(&self) -> AnnotatedSet {
        let mut problems = Vec::new();
        let policies: Vec<Placed<'_>> =
            self.files.iter().flat_map(|file| parse::policies(file, &mut problems)).collect();
        depth::with_stack(|| AnnotatedSet::of(policies.iter().map(|placed| (placed.id(), &placed.policy))))
    }
}

/// The policies of some files, and all problems with them.
pub(in crate::policy) struct Examined<'a> {
    pub policies: Vec<Placed<'a>>,
    pub set: PolicySet,
    /// None: there is none, or it is not valid.
    pub schema: Option<Schema>,
    /// The custom claims of the schema.
    pub declared: DeclaredClaims,
    pub problems: Vec<PolicyProblem>,
}

/// Parses and validates as much as possible: a problem in one file hides nothing in another.
pub(in crate::policy) fn examine<'a>(schema: Option<&SourceFile>, files: &'a [SourceFile]) -> Examined<'a> {
    let mut problems = Vec::new();
    let parsed = schema.and_then(|file| Some((file, parse::schema(file, &mut problems)?)));
    let policies: Vec<Placed<'a>> =
        files.iter().flat_map(|file| parse::policies(file, &mut problems)).collect();
    lint::lint(files, &policies, &mut problems);
    let (set, by_id) = assemble(&policies);
    let mut declared = DeclaredClaims::default();
    let schema = parsed.map(|(file, schema)| {
        problems.extend(vocabulary::differs(file));
        declared = check_words(file, &policies, &mut problems);
        let found = check_types(&set, &by_id, &schema, &problems);
        problems.extend(found);
        forget_claims_of_dead_forbids(&mut problems);
        schema
    });
    Examined { policies, set, schema, declared, problems }
}

/// Reports only that a forbid can never match, if so: a missing claim makes no difference to it.
fn forget_claims_of_dead_forbids(problems: &mut Vec<PolicyProblem>) {
    let dead = problems.iter().filter(|problem| problem.rule == Rule::ForbidCannotMatch);
    let dead: Vec<_> =
        dead.filter_map(|problem| Some((problem.file.clone(), problem.place.as_ref()?.span.start))).collect();
    problems.retain(|problem| {
        let about = |(file, start): &(_, usize)| {
            *file == problem.file && problem.place.as_ref().is_some_and(|place| place.span.contains(start))
        };
        problem.rule != Rule::AbsentClaim || !dead.iter().any(about)
    });
}

/// Builds one set in which each policy's id is its `@id`. A policy without one, or with a repeated one, is refused
/// elsewhere; here its place is its id, so that it is validated too.
fn assemble<'a>(policies: &'a [Placed<'a>]) -> (PolicySet, HashMap<PolicyId, &'a Placed<'a>>) {
    let (mut set, mut by_id) = (PolicySet::new(), HashMap::new());
    for placed in policies {
        let id = Some(placed.id()).filter(|id| !by_id.contains_key(id)).unwrap_or_else(|| placed.place_id());
        if set.add(placed.policy.new_id(id.clone())).is_ok() {
            by_id.insert(id, placed);
        }
    }
    (set, by_id)
}

/// Checks the policies against the schema's vocabulary. Returns its custom claims.
fn check_words(
    schema: &SourceFile,
    policies: &[Placed<'_>],
    problems: &mut Vec<PolicyProblem>,
) -> DeclaredClaims {
    let vocabulary = match Vocabulary::of_file(schema) {
        Ok(vocabulary) => vocabulary,
        Err(error) => {
            problems.push(PolicyProblem::new(Rule::SchemaInvalid, &schema.path, error));
            return DeclaredClaims::default();
        }
    };
    // Cedar builds the walkable form of a policy recursively.
    problems.extend(depth::with_stack(|| lint::lint_words(policies, &vocabulary)));
    vocabulary.custom_claims().unwrap_or_else(|message| {
        problems.push(PolicyProblem::new(Rule::CustomClaim, &schema.path, message));
        DeclaredClaims::default()
    })
}

/// Cedar's findings, except those that are reported already.
fn check_types(
    set: &PolicySet,
    by_id: &HashMap<PolicyId, &Placed<'_>>,
    schema: &Schema,
    told: &[PolicyProblem],
) -> Vec<PolicyProblem> {
    let validator = Validator::new(schema.clone());
    let result = depth::with_stack(|| validator.validate(set, ValidationMode::Strict));
    // Every policy has a place. If one had none, its problem would still have to be reported.
    let diagnosed = |rule, id: &PolicyId, said: &dyn Diagnostic| match by_id.get(id) {
        Some(placed) => PolicyProblem::diagnosed(rule, placed.file, said),
        None => PolicyProblem::new(rule, Path::new(&id.to_string()), said),
    };
    let mut problems = Vec::new();
    // A policy that is reported already, or as never matching, is not reported again for that.
    let mut wrong: HashSet<&PolicyId> =
        by_id.iter().filter(|(_, placed)| asks_in_vain(placed, told)).map(|(id, _)| id).collect();
    for error in result.validation_errors() {
        wrong.insert(error.policy_id());
        problems.push(diagnosed(Rule::Type, error.policy_id(), error));
    }
    for warning in result.validation_warnings() {
        // Cedar's own check of texts refuses names in most scripts; ours is `lint::deceptive_texts`.
        if lint::is_impossible(warning) && wrong.insert(warning.policy_id()) {
            problems.push(match by_id.get(warning.policy_id()) {
                Some(placed) => lint::cannot_match(placed, warning, &validator),
                None => diagnosed(Rule::CannotMatch, warning.policy_id(), warning),
            });
        }
    }
    problems
}

/// Whether a policy was reported for asking about an attribute that nothing has: that is why it matches nothing.
fn asks_in_vain(placed: &Placed<'_>, told: &[PolicyProblem]) -> bool {
    let within = |problem: &PolicyProblem| {
        let place = problem.place.as_ref();
        problem.file == placed.file.path && place.is_some_and(|place| placed.span.contains(&place.span.start))
    };
    told.iter().any(|problem| problem.rule == Rule::AttributeUnknown && within(problem))
}

fn describe(files: &[SourceFile], policies: &[Placed<'_>]) -> Vec<PolicyFile> {
    let mut by_path: HashMap<_, Vec<String>> = HashMap::new();
    for placed in policies {
        by_path.entry(&placed.file.path).or_default().push(placed.id().to_string());
    }
    let describe = |file: &SourceFile| {
        let mut policies = by_path.remove(&file.path).unwrap_or_default();
        policies.sort();
        PolicyFile { name: file.name(), policies }
    };
    files.iter().map(describe).collect()
}
