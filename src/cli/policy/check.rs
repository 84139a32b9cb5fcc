//! `countersign policy check`.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Place, print, sarif, tell};
use crate::cli::{End, Outcome};
use crate::policy::check::{Findings, check};
use crate::policy::{Problem, Severity};

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    place: Place,
    /// How to tell what was found.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Excerpts of the files on standard error, a summary on standard output.
    Human,
    /// One document on standard output.
    Json,
    /// SARIF 2.1.0 on standard output, for code scanning.
    Sarif,
}

impl Check {
    pub(super) fn run(self, file: Option<&Path>) -> Outcome {
        let (dir, schema) = self.place.resolve(file)?;
        let findings = check(&dir, &schema);
        let (unreadable, clean) = (findings.unreadable(), findings.problems.is_empty());
        match self.format {
            Format::Human => summarize(findings),
            Format::Json => print(&format!("{:#}", document(&findings)))?,
            Format::Sarif => print(&format!("{:#}", sarif::log(&findings, &std::env::current_dir()?)))?,
        }
        match (unreadable, clean) {
            (true, _) => Err("not everything could be read".into()),
            (_, true) => Ok(End::Fine),
            (_, false) => Ok(End::Finding),
        }
    }
}

fn summarize(findings: Findings) {
    let Findings { policy_set, files, policies, problems } = findings;
    let of = |severity| problems.iter().filter(|problem| problem.rule.severity() == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    tell(problems);
    println!("{policies} policies in {files} files: {errors} errors, {warnings} warnings.");
    if let Some(hash) = policy_set {
        println!("policy set {hash}");
    }
}

/// The form is stable: pipelines read it.
fn document(findings: &Findings) -> Value {
    json!({
        "policy_set": findings.policy_set,
        "files": findings.files,
        "policies": findings.policies,
        "problems": findings.problems.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(problem: &Problem) -> Value {
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
