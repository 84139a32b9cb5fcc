//! `countersign policy test`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::test_report::{self, TestReport};
use super::{Format, PolicyArgs, render};
use crate::cli::{CommandError, CommandResult, End};
use crate::policy::authoring::cases::{self, Case, Mutation, coverage, mutate, run};
use crate::policy::{CompiledPolicies, PolicyPlace, PolicySource, Validated};
use crate::terminal::out::{self, ProgressLine};

pub(super) const HELP: &str = "\
Examples:
  countersign policy test                            the policies of the configuration, and their tests/
  countersign policy test policies --filter seats    only cases whose name or file says so
  countersign policy test --mutate=strict --junit policy-tests.xml
  countersign policy test --with policies/examples/mfa.cedar --tests policies/examples/tests/mfa.toml
Exit: 0 all passed, 1 a case failed (or strict mode found a gap), 2 policies or cases could not be read";

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    place: PolicyArgs,
    /// Policy file to treat as if it were in the directory; may be repeated.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Case file, or directory of case files; may be repeated [default: tests/ in the policy directory].
    #[arg(long, value_name = "PATH")]
    tests: Vec<PathBuf>,
    /// Run only the cases whose name or file contains this text.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["coverage", "mutate"])]
    filter: Option<String>,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Report policies that decided nothing, and permits that always matched; `=strict` fails on them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "report", value_name = "HOW")]
    coverage: Option<Rigor>,
    /// Drop each policy, and each part of its head and conditions, in turn, and report those that no case misses;
    /// `=strict` fails on them.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "report", value_name = "HOW")]
    mutate: Option<Rigor>,
}

/// How a gap in the tests counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rigor {
    Report,
    Strict,
}

impl Test {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        let (source, dir) = self.place.source(&self.with, file)?;
        let validated = source.validate().map_err(render)?;
        let compiled =
            CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared.clone())?;
        let tests = match self.tests.is_empty() {
            true => vec![dir.join("tests")],
            false => self.tests.into_iter().map(PolicyPlace::Path).collect(),
        };
        let cases = select(&tests, self.filter.as_deref())?;
        let started = Instant::now();
        let verdicts: Vec<_> = cases.iter().map(|case| (case, run(&compiled, case))).collect();
        let mut report = TestReport {
            policy_set: &validated.hash,
            took: started.elapsed(),
            verdicts,
            coverage: None,
            mutation: None,
        };
        if self.coverage.is_some() {
            report.coverage =
                Some(coverage(&compiled, report.verdicts.iter().map(|(_, verdict)| &verdict.observed)));
        }
        if self.mutate.is_some() && report.failed() == 0 {
            report.mutation = Some(drop_each(&source, &validated, &cases)?);
        }
        match self.format {
            Format::Human => out::text(test_report::human(&report)),
            Format::Json => out::json(test_report::json(&report))?,
        }
        if let Some(path) = &self.junit {
            let text = test_report::junit(&report)?;
            std::fs::write(path, text)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        let gaps = (self.coverage == Some(Rigor::Strict)
            && report.coverage.as_ref().is_some_and(|c| c.has_gaps()))
            || (self.mutate == Some(Rigor::Strict)
                && report.mutation.as_ref().is_some_and(Mutation::has_gaps));
        Ok(if gaps || report.failed() > 0 { End::Finding } else { End::Fine })
    }
}

fn select(tests: &[PolicyPlace], filter: Option<&str>) -> Result<Vec<Case>, CommandError> {
    let mut all = Vec::new();
    for place in tests {
        if !place.exists() {
            return Err(format!("{}: there are no test cases here", place.shown().display()).into());
        }
        all.extend(cases::read(place)?);
    }
    let known = all.len();
    all.retain(|case| filter.is_none_or(|text| case.is_about(text)));
    match (all.is_empty(), known) {
        (false, _) => Ok(all),
        (true, 0) => Err("there are no test cases".into()),
        (true, known) => Err(format!("none of the {known} cases matches the filter").into()),
    }
}

/// This takes long with many policies, so a terminal shows the progress.
fn drop_each(source: &PolicySource, validated: &Validated, cases: &[Case]) -> Result<Mutation, String> {
    let (all, mut progress) = (validated.set.policies().count(), ProgressLine::new());
    mutate(source, validated, cases, |n| {
        progress.show(format_args!("dropping policy {n} of {all} and its parts"))
    })
}
