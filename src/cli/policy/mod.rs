//! `countersign policy`: a file for each verb.

mod check;
mod diff;
mod diff_found;
mod diff_text;
mod explain;
mod explain_text;
mod explain_token;
mod fmt;
mod prove;
mod revision;
mod sarif;
mod schema;
mod shadow;
mod test;
mod test_report;
mod widening;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{CommandError, CommandResult};
use crate::app::StartError;
use crate::config::{Config, Duration};
use crate::policy::{LoadError, PolicyPlace, PolicyProblem, PolicySource};
use crate::terminal::out;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Parse the policies, validate them strictly against the schema, and look for common mistakes.
    #[command(after_help = "Examples:\n  countersign policy check policies/\n  \
        countersign policy check --format sarif > policies.sarif\n\
        Exit: 0 clean, 1 problems or warnings found, 2 could not read everything")]
    Check(check::CheckCommand),
    /// Run the test cases that are kept with the policies.
    #[command(after_help = test::HELP)]
    Test(test::Test),
    /// Show every decision on a test case, a past sign-in or an assertion, clause by clause.
    #[command(after_help = explain::HELP)]
    Explain(explain::Explain),
    /// Show the effect of a change to the policies, and whether it permits anything more.
    #[command(after_help = diff::HELP)]
    Diff(diff::Diff),
    /// Format policies in the standard layout. Each file is replaced at once, and only if it changes.
    #[command(
        after_help = "Examples:\n  countersign policy fmt\n  countersign policy fmt --check policies/ more.cedar\n\
        Exit: 0 formatted, 1 syntax errors or (with --check) files that differ, 2 could not read or write"
    )]
    Fmt(fmt::Fmt),
    /// Show the vocabulary of policies: each question with its context, each entity type, and examples.
    #[command(
        after_help = "Examples:\n  countersign policy schema\n  countersign policy schema --format json\n\
        Exit: 0 printed, 2 the schema could not be read"
    )]
    Schema(schema::Schema),
    /// Prove that no policy can fail, that none is dead, and that the invariants hold for every request.
    #[command(after_help = "Examples:\n  countersign policy prove\n  \
        countersign policy prove policies/ --proofs policies/proofs --timeout 2m\n\
        An invariant is a file of policies, each with @id and @message (the sentence that is proved): for each\n\
        action that they name, nothing may be permitted that they do not permit; where all of them are forbids,\n\
        everything else may be.\n\
        Solver: the environment variable CVC5 names a cvc5 executable, 1.3 or newer.\n\
        Exit: 0 all proved; 1 something was refuted, whatever could not be decided beside it; 2 nothing was refuted,\n\
        and something could not be decided")]
    Prove(prove::Prove),
    /// Show where the shadow set (`policy.shadow_dir`) would have decided differently.
    #[command(
        after_help = "Examples:\n  countersign policy shadow --config countersign.toml\n  countersign policy shadow --teamspace acme --format json\n  countersign policy shadow --clear      count anew\nExit: 0 none differ, 1 some do, 2 nothing was compared or it cannot be read"
    )]
    Shadow(shadow::ShadowCommand),
}

/// A duration that is not zero.
fn positive(text: &str) -> Result<Duration, String> {
    match text.parse::<Duration>()? {
        none if none.as_secs() == 0 => Err("must be longer than 0s".to_owned()),
        some => Ok(some),
    }
}

/// Where the policies are.
#[derive(Debug, Args)]
struct PolicyArgs {
    /// Directory of *.cedar files [default: the policies in force, by `policy_dir` of the configuration].
    dir: Option<PathBuf>,
    /// Schema file [default: the schema in force, by `schema_file` of the configuration].
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Text for people.
    Human,
    /// One JSON document.
    Json,
}

impl PolicyArgs {
    /// The policies with further files as if they were in the directory, and the directory.
    fn source(
        self,
        with: &[PathBuf],
        file: Option<&Path>,
    ) -> Result<(PolicySource, PolicyPlace), CommandError> {
        let (dir, schema) = self.resolve(file)?;
        let source = PolicySource::read(&dir, &schema).and_then(|source| source.with(with));
        Ok((source.map_err(render)?, dir))
    }

    /// The directory and the schema file, each as given or else as configured.
    fn resolve(self, file: Option<&Path>) -> Result<(PolicyPlace, PolicyPlace), CommandError> {
        let mut config = Config::load(file)?;
        config.policy_dir = self.dir.or(config.policy_dir);
        config.schema_file = self.schema.or(config.schema_file);
        Ok((PolicyPlace::of_policies(&config), PolicyPlace::of_schema(&config)))
    }
}

impl PolicyCommand {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        match self {
            Self::Check(check) => check.run(file),
            Self::Test(test) => test.run(file),
            Self::Explain(explain) => explain.run(file),
            Self::Diff(diff) => diff.run(file),
            Self::Fmt(fmt) => fmt.run(file),
            Self::Schema(schema) => schema.run(),
            Self::Prove(prove) => prove.run(file),
            Self::Shadow(shadow) => shadow.run(file),
        }
    }
}

/// Reports policy problems one by one, each with its place.
pub(super) fn cannot_start(error: StartError) -> CommandError {
    match error {
        StartError::Policies(problems) => CommandError::from(render(problems)),
        other => CommandError::from(other),
    }
}

/// Renders the number of problems, then each with an excerpt.
pub(super) fn render(error: LoadError) -> String {
    let count = error.to_string();
    let all = error.0.into_iter().map(|problem| format!("\n{}", problem.plain()));
    std::iter::once(count).chain(all).collect()
}

/// Prints every problem on standard error, with an excerpt.
fn tell(problems: Vec<PolicyProblem>) {
    problems.into_iter().for_each(|problem| out::coloured(&format!("{:?}\n", problem.report())));
}
