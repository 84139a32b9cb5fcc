//! `countersign policy`: a file for each verb.

mod check;
mod diff;
mod diff_text;
mod explain;
mod explain_text;
mod revision;
mod test;
mod test_report;
mod widening;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{CannotRun, Outcome};
use crate::config::Config;
use crate::policy::{LoadError, PolicySource};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Parse the policies and validate them strictly against the schema.
    #[command(
        after_help = "Example: countersign policy check policies/\nExit: 0 valid, 1 problems or warnings found, 2 could not read them"
    )]
    Check(check::Check),
    /// Run the test cases that stand beside the policies.
    #[command(after_help = test::HELP)]
    Test(test::Test),
    /// Show every decision on a test case, a past sign-in or an assertion, clause by clause.
    #[command(after_help = explain::HELP)]
    Explain(explain::Explain),
    /// Show what a change of the policies changes, and whether it permits anything more.
    #[command(after_help = diff::HELP)]
    Diff(diff::Diff),
}

/// Where the policies are.
#[derive(Debug, Args)]
struct Place {
    /// Directory of *.cedar files [default: `policy_dir` of the configuration].
    dir: Option<PathBuf>,
    /// Schema file [default: `schema_file` of the configuration].
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Policy file that is looked at as if it stood in the directory; may be repeated.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Place {
    /// The policies with the files that are added, and the directory.
    fn source(self, file: Option<&Path>) -> Result<(PolicySource, PathBuf), CannotRun> {
        let with = self.with.clone();
        let (dir, schema) = self.resolve(file)?;
        let source = PolicySource::read(&dir, &schema).and_then(|source| source.with(&with));
        Ok((source.map_err(|error| CannotRun::from(render(&error)))?, dir))
    }

    /// Directory and schema file, each as given or else as configured.
    fn resolve(self, file: Option<&Path>) -> Result<(PathBuf, PathBuf), CannotRun> {
        let config = Config::load(file)?;
        Ok((self.dir.unwrap_or(config.policy_dir), self.schema.unwrap_or(config.schema_file)))
    }
}

impl Command {
    pub(super) fn run(self, file: Option<&Path>) -> Outcome {
        match self {
            Self::Check(check) => check.run(file),
            Self::Test(test) => test.run(file),
            Self::Explain(explain) => explain.run(file),
            Self::Diff(diff) => diff.run(file),
        }
    }
}

/// Every problem with its place, then how many there are.
pub(super) fn render(error: &LoadError) -> String {
    let problems: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    format!("{}\n{error}", problems.join("\n"))
}
