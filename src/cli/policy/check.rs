//! `countersign policy check`.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{PolicyArgs, sarif, tell};
use crate::cli::{CommandResult, End};
use crate::policy::authoring::check::{Findings, check};
use crate::policy::{PolicyProblem, Severity, counted};
use crate::terminal::out::{self, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckCommand {
    #[command(flatten)]
    place: PolicyArgs,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: CheckFormat,
}

/// The formats of every verb, and one more.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CheckFormat {
    /// Excerpts of the files on standard error, and a summary on standard output.
    Human,
    /// One document on standard output.
    Json,
    /// SARIF 2.1.0 on standard output, for code scanning.
    Sarif,
}

impl CheckCommand {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        let (dir, schema) = self.place.resolve(file)?;
        let findings = check(&dir, &schema);
        let (unreadable, clean) = (findings.unreadable(), findings.problems.is_empty());
        match self.format {
            CheckFormat::Human => summarize(findings),
            CheckFormat::Json => out::json(document(&findings))?,
            CheckFormat::Sarif => out::json(sarif::log(&findings, &std::env::current_dir()?))?,
        }
        match (unreadable, clean) {
            (true, _) => Err("not everything could be read".into()),
            (_, true) => Ok(End::Fine),
            (_, false) => Ok(End::Finding),
        }
    }
}

fn summarize(findings: Findings) {
    let Findings { policy_set, files, policies, decides_console, decides_tools, permits_details, problems } =
        findings;
    let of = |severity| problems.iter().filter(|problem| problem.rule.severity() == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    tell(problems);
    let (policies, files) = (counted(policies, "policy", "policies"), counted(files, "file", "files"));
    let (errors, warnings) = (counted(errors, "error", "errors"), counted(warnings, "warning", "warnings"));
    say!("{policies} in {files}: {errors}, {warnings}.");
    if let Some(hash) = policy_set {
        if decides_console == Some(false) {
            say!(
                "No policy names an action of the console: the console.cedar of this version decides there."
            );
        }
        if decides_tools == Some(false) {
            say!("No policy names an action about tools: the tools.cedar of this version decides there.");
        }
        if permits_details == Some(false) {
            say!("No policy permits GrantDetail: no authorization detail is granted.");
        }
        say!("policy set {hash}");
    }
}

/// The form is stable: pipelines read it.
fn document(findings: &Findings) -> Value {
    json!({
        "policy_set": findings.policy_set,
        "files": findings.files,
        "policies": findings.policies,
        "decides_console": findings.decides_console,
        "decides_tools": findings.decides_tools,
        "permits_details": findings.permits_details,
        "problems": findings.problems.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(problem: &PolicyProblem) -> Value {
    let place = problem.place.as_ref();
    json!({
        "rule": problem.rule.name(),
        "severity": problem.rule.severity(),
        "file": problem.file.display().to_string(),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "end_line": place.map(|place| place.end_line),
        "end_column": place.map(|place| place.end_column),
        "message": problem.message,
        "help": problem.help,
    })
}
