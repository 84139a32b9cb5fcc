//! `countersign policy diff`.

use std::path::Path;

use clap::Args;

use super::diff_found::DiffFindings;
use super::revision::PolicySide;
use super::{Format, diff_text, positive, widening};
use crate::cli::{CommandError, CommandResult, block_on};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Database;
use crate::config::{Config, Duration};
use crate::policy::PolicyPlace;
use crate::policy::authoring::diff::{Replayed, SignInReplay, cases_of, replay_cases};
use crate::policy::authoring::edits::{Exercised, edits};
use crate::store::Store;
use crate::store::sign_ins::{self, Filter};
use crate::terminal::out::{self, ProgressLine};

pub(super) const HELP: &str = "\
Examples:
  countersign policy diff origin/main              the working tree against a git revision
  countersign policy diff v1.2 v1.3 --days 30      and 30 days of recorded sign-ins
  countersign policy diff policies new-policies --without-solver
  countersign policy diff built-in                 your policies against those that this version ships
  countersign policy diff set:CNkNLyVK --days 7    a set that was in force, by its hash in the decision log
The report is Markdown, to be posted on a pull request as it is.
Exit: 0 nothing is wider; 1 NEW permits something that OLD did not, whatever could not be decided beside it;
2 nothing wider was found, and something could not be decided, or a side could not be read";

/// Rows of the decision log that are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// Directory, git revision of the configured directory, `built-in` for the policies in the binary, or `set:HASH` for a
    /// set that was in force.
    old: String,
    /// The new policies [default: those in force, by `policy_dir` of the configuration].
    new: Option<String>,
    /// Replay the recorded sign-ins of this many days.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Do not ask a solver. Cases and sign-ins can show that a change permits more, but not that it does not.
    #[arg(long)]
    without_solver: bool,
    /// Time for each question to the solver.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive, conflicts_with = "without_solver")]
    timeout: Duration,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Diff {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        block_on(self.compare(Config::load(file)?))
    }

    async fn compare(self, config: Config) -> CommandResult {
        let new = self.new.unwrap_or_else(|| PolicyPlace::of_policies(&config).to_string());
        let (old, new) =
            (PolicySide::read(&self.old, &config).await?, PolicySide::read(&new, &config).await?);
        let mut sign_ins = match self.days {
            Some(days) => Some(replay_sign_ins(&config.database_url, days, &old, &new).await?),
            None => None,
        };
        let solver = match self.without_solver {
            true => None,
            false => Some(widening::ask(&old.validated, &new.validated, self.timeout).await),
        };
        let cases = cases_of(old.cases, new.cases);
        let mut cases = replay_cases(&old.compiled, &new.compiled, &cases);
        let mut exercised = std::mem::take(&mut cases.exercised);
        exercised
            .and(sign_ins.as_mut().map_or_else(Exercised::default, |s| std::mem::take(&mut s.exercised)));
        let found = DiffFindings {
            edits: edits(&old.validated, &new.validated),
            untested: match solver {
                Some(_) => Vec::new(),
                None => exercised.unexercised(&old.validated, &new.validated),
            },
            cases,
            old: old.name,
            new: new.name,
            sign_ins,
            solver,
        };
        match self.format {
            Format::Human => out::text(diff_text::markdown(&found)),
            Format::Json => out::json(&found)?,
        }
        found.end()
    }
}

async fn replay_sign_ins(
    url: &str,
    days: u32,
    old: &PolicySide,
    new: &PolicySide,
) -> Result<Replayed, CommandError> {
    let since = SystemClock.now() - i64::from(days) * 86_400;
    let store = Store::open(url, &Database::default())?;
    let mut replay = SignInReplay::new(&old.compiled, &new.compiled);
    let (mut before, mut progress) = (None, ProgressLine::new());
    loop {
        let filter = Filter { cursor: before, ..Filter::default() };
        let page = store.read(move |c| sign_ins::list(c, &filter, PAGE)).await?;
        for row in page.items.iter().filter(|row| row.at >= since) {
            replay.add(&row.id.to_string(), &row.facts);
        }
        progress.show(format_args!("replayed {} sign-ins", replay.total()));
        match page.items.last().filter(|oldest| oldest.at >= since && page.next_cursor.is_some()) {
            Some(oldest) => before = Some(oldest.id),
            None => break,
        }
    }
    Ok(replay.finish())
}
