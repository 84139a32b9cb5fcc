//! From files to a validated set, telling every problem at once with its place in the file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::{Diagnostic, NamedSource, Report};

use super::Policies;
use super::set::CompiledPolicies;
use crate::clock::UnixSeconds;
use crate::exchange::error::ErrorCode;
use crate::random::digest;

/// Files larger than this are refused: a policy file is read by people.
const MAX_FILE: u64 = 1024 * 1024;

/// Something wrong with a policy file, with the place in it where that is known.
#[derive(Debug)]
pub struct Problem {
    pub file: PathBuf,
    pub report: Report,
    /// The file or directory could not even be read.
    pub unreadable: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.file.display(), self.report)
    }
}

impl Problem {
    fn say(file: &Path, message: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), report: Report::msg(message.to_string()), unreadable: false }
    }

    fn unreadable(file: &Path, message: impl fmt::Display) -> Self {
        Self { unreadable: true, ..Self::say(file, message) }
    }

    fn at<E: Diagnostic + Send + Sync + 'static>(source: &SourceFile, error: E) -> Self {
        let named = NamedSource::new(source.path.display().to_string(), source.text.clone());
        let report = Report::new(error).with_source_code(named);
        Self { file: source.path.clone(), report, unreadable: false }
    }
}

/// Why no policy set could be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{} problem(s) in the policies", .0.len())]
pub struct LoadError(pub Vec<Problem>);

/// A file of the set.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PolicyFile {
    pub name: String,
    pub policies: Vec<String>,
}

struct SourceFile {
    path: PathBuf,
    text: String,
}

/// A set that is valid against its schema; each policy's id is its `@id`.
#[derive(Debug)]
pub struct Validated {
    pub set: PolicySet,
    pub schema: Schema,
    /// SHA-256 over schema and files.
    pub hash: String,
    pub files: Vec<PolicyFile>,
    pub warnings: Vec<String>,
}

/// Policies and schema as text, not yet parsed.
pub struct PolicySource {
    schema: SourceFile,
    files: Vec<SourceFile>,
}

impl PolicySource {
    /// Reads the schema and every `*.cedar` file directly in `dir`, by name.
    pub fn read(dir: &Path, schema: &Path) -> Result<Self, LoadError> {
        let mut problems = Vec::new();
        let schema = read_file(schema).map_err(|p| problems.push(p)).ok();
        let mut files = Vec::new();
        for path in list(dir).map_err(|p| problems.push(p)).unwrap_or_default() {
            match read_file(&path) {
                Ok(file) => files.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        if files.is_empty() && problems.is_empty() {
            problems
                .push(Problem::say(dir, "no *.cedar file; without a policy nothing would ever be permitted"));
        }
        match schema {
            Some(schema) if problems.is_empty() => Ok(Self { schema, files }),
            _ => Err(LoadError(problems)),
        }
    }

    /// The same with further files.
    pub fn with(mut self, files: &[PathBuf]) -> Result<Self, LoadError> {
        let mut problems = Vec::new();
        for path in files {
            match read_file(path) {
                Ok(file) => self.files.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(self) } else { Err(LoadError(problems)) }
    }

    /// From texts that stand in no directory, such as a revision or a set that was in force once.
    pub fn of(schema: String, files: Vec<(String, String)>) -> Self {
        let file = |(name, text): (String, String)| SourceFile { path: name.into(), text };
        let schema = file(("countersign.cedarschema".to_owned(), schema));
        Self { schema, files: files.into_iter().map(file).collect() }
    }

    /// Parses, validates strictly and slices.
    pub fn compile(&self, now: UnixSeconds) -> Result<Policies, LoadError> {
        let Validated { set, schema, hash, files, warnings } = self.validate()?;
        let compiled = CompiledPolicies::compile(&set, &schema)
            .map_err(|e| LoadError(vec![Problem::say(&self.schema.path, e)]))?;
        Ok(Policies { compiled, hash, files, warnings, loaded_at: now })
    }

    /// Parses and validates strictly.
    pub fn validate(&self) -> Result<Validated, LoadError> {
        let mut problems = Vec::new();
        let schema = self.parse_schema().map_err(|p| problems.push(p)).ok();
        let policies = self.parse_policies(&mut problems);
        let (Some(schema), true) = (schema, problems.is_empty()) else { return Err(LoadError(problems)) };
        let (set, places) = self.assemble(policies, &mut problems);
        let warnings = self.check_types(&set, &places, &schema, &mut problems);
        if !problems.is_empty() {
            return Err(LoadError(problems));
        }
        let (hash, files) = (self.hash(), self.describe(&places));
        Ok(Validated { set, schema, hash, files, warnings })
    }

    fn parse_schema(&self) -> Result<Schema, Problem> {
        match Schema::from_cedarschema_str(&self.schema.text) {
            Ok((schema, _warnings)) => Ok(schema),
            Err(error) => Err(Problem::at(&self.schema, error)),
        }
    }

    /// Every policy with the index of its file.
    fn parse_policies(&self, problems: &mut Vec<Problem>) -> Vec<(usize, Policy)> {
        let mut policies = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            match PolicySet::from_str(&file.text) {
                Ok(set) if set.templates().next().is_some() => {
                    problems
                        .push(Problem::say(&file.path, "templates are not supported; write each policy out"));
                }
                Ok(set) => policies.extend(set.policies().map(|policy| (index, policy.clone()))),
                Err(error) => problems.push(Problem::at(file, error)),
            }
        }
        policies
    }

    /// One set, in which each policy's id is its `@id`; and in which file each stands.
    fn assemble(
        &self,
        policies: Vec<(usize, Policy)>,
        problems: &mut Vec<Problem>,
    ) -> (PolicySet, HashMap<PolicyId, usize>) {
        let (mut set, mut places) = (PolicySet::new(), HashMap::new());
        for (index, policy) in policies {
            let Some(file) = self.files.get(index) else { continue };
            problems.extend(lint(&policy).into_iter().map(|message| Problem::say(&file.path, message)));
            let Some(id) = policy.annotation("id").map(PolicyId::new) else { continue };
            if let Some(other) = places.insert(id.clone(), index).and_then(|i: usize| self.files.get(i)) {
                let message = format!("@id(\"{id}\") is used twice, here and in {}", other.path.display());
                problems.push(Problem::say(&file.path, message));
            } else if let Err(error) = set.add(policy.new_id(id)) {
                problems.push(Problem::say(&file.path, error));
            }
        }
        (set, places)
    }

    fn check_types(
        &self,
        set: &PolicySet,
        places: &HashMap<PolicyId, usize>,
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) -> Vec<String> {
        let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
        for error in result.validation_errors() {
            let file = places.get(error.policy_id()).and_then(|i| self.files.get(*i)).unwrap_or(&self.schema);
            problems.push(Problem::at(file, error.clone()));
        }
        result.validation_warnings().map(ToString::to_string).collect()
    }

    fn hash(&self) -> String {
        let mut all = digest(&self.schema.text);
        for file in &self.files {
            all.push_str(&format!("\n{} {}", name_of(&file.path), digest(&file.text)));
        }
        digest(&all)
    }

    fn describe(&self, places: &HashMap<PolicyId, usize>) -> Vec<PolicyFile> {
        let of = |index: usize| {
            let mut policies: Vec<String> =
                places.iter().filter(|(_, i)| **i == index).map(|(id, _)| id.to_string()).collect();
            policies.sort();
            policies
        };
        let files = self.files.iter().enumerate();
        files.map(|(i, file)| PolicyFile { name: name_of(&file.path), policies: of(i) }).collect()
    }
}

/// What a policy must say of itself, so that a denial is a precise reason.
fn lint(policy: &Policy) -> Vec<String> {
    let Some(id) = policy.annotation("id") else {
        return vec![format!("a policy has no @id; give it one, such as @id(\"team.rule\"):\n{policy}")];
    };
    let mut missing = Vec::new();
    let required: &[&str] = match policy.effect() {
        Effect::Permit => &["otherwise"],
        Effect::Forbid => &["reason", "error", "message"],
    };
    for key in required {
        if policy.annotation(key).is_none_or(|value| value.trim().is_empty()) {
            missing.push(format!("{id}: has no @{key}"));
        }
    }
    if let Some(code) = policy.annotation("error")
        && ErrorCode::from_policy(code).is_none()
    {
        missing.push(format!(
            "{id}: @error(\"{code}\") is none of invalid_grant, invalid_scope, invalid_target, access_denied"
        ));
    }
    for key in ["reason", "otherwise"] {
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if policy.annotation(key).is_some_and(|value| !value.chars().all(snake)) {
            missing.push(format!("{id}: @{key} must be snake_case"));
        }
    }
    missing
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = std::fs::read_dir(dir)
        .map_err(|e| Problem::unreadable(dir, format!("cannot read the directory: {e}")))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path =
            entry.map_err(|e| Problem::unreadable(dir, format!("cannot read the directory: {e}")))?.path();
        if path.extension().is_some_and(|extension| extension == "cedar") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> Result<SourceFile, Problem> {
    let fail = |e: std::io::Error| Problem::unreadable(path, format!("cannot read the file: {e}"));
    let size = std::fs::metadata(path).map_err(fail)?.len();
    if size > MAX_FILE {
        return Err(Problem::say(path, format!("the file has {size} bytes; the limit is {MAX_FILE}")));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Problem::say(path, format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to())))?;
    Ok(SourceFile { path: path.to_owned(), text })
}
