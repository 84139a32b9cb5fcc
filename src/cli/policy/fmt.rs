//! `countersign policy fmt`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::tell;
use crate::cli::{CommandError, CommandResult, End};
use crate::config::Config;
use crate::policy::authoring::format::{self, Unformatted};
use crate::policy::{PolicyPlace, PolicyProblem};
use crate::terminal::out::{complain, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct Fmt {
    /// Files, and directories of *.cedar files, with those of their `proofs` [default: the policies in force, by
    /// `policy_dir` of the configuration].
    paths: Vec<PathBuf>,
    /// Change nothing; name the files that would be changed.
    #[arg(long)]
    check: bool,
}

const NO_FILES: &str = "the policies in the binary are in force, which cannot be changed: name files, or write them \
    with `countersign init` first";

/// The outcome for all files.
#[derive(Default)]
struct FileTally {
    differ: usize,
    invalid: usize,
    /// Could not be read, formatted or written.
    failed: usize,
}

impl Fmt {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        let paths = match self.paths.is_empty() {
            true => match PolicyPlace::of_policies(&Config::load(file)?) {
                PolicyPlace::Path(dir) => vec![dir],
                PolicyPlace::BuiltIn(_) => return Err(NO_FILES.into()),
            },
            false => self.paths,
        };
        let mut tally = FileTally::default();
        for path in format::files(&paths) {
            match path {
                Ok(path) => tally.count(&path, format::format(&path, self.check)),
                Err(problem) => tally.refuse(vec![problem]),
            }
        }
        match tally {
            FileTally { failed: 1.., .. } => {
                Err(CommandError(format!("{} of the files could not be formatted", tally.failed)))
            }
            FileTally { invalid: 1.., .. } => Ok(End::Finding),
            FileTally { differ: 1.., .. } if self.check => Ok(End::Finding),
            _ => Ok(End::Fine),
        }
    }
}

impl FileTally {
    fn count(&mut self, path: &Path, done: Result<bool, Unformatted>) {
        match done {
            Ok(false) => {}
            Ok(true) => {
                self.differ += 1;
                say!("{}", path.display());
            }
            Err(Unformatted::Problems(problems)) => self.refuse(problems),
            Err(error) => {
                self.failed += 1;
                complain!("error: {error}");
            }
        }
    }

    fn refuse(&mut self, problems: Vec<PolicyProblem>) {
        match problems.iter().any(PolicyProblem::unreadable) {
            true => self.failed += 1,
            false => self.invalid += 1,
        }
        tell(problems);
    }
}
