//! `countersign policy prove`.

#[cfg(feature = "prove")]
mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Format, PolicyArgs, positive};
use crate::cli::CommandResult;
use crate::config::Duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct Prove {
    #[command(flatten)]
    place: PolicyArgs,
    /// Directory of the invariants [default: `proofs` in the policy directory, if it exists].
    #[arg(long, value_name = "DIR")]
    proofs: Option<PathBuf>,
    /// Prove only that no policy can fail and that none is dead.
    #[arg(long, conflicts_with = "proofs")]
    without_invariants: bool,
    /// Time for each question to the solver.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive)]
    timeout: Duration,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Prove {
    #[cfg(feature = "prove")]
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        crate::cli::block_on(report::run(self, file))
    }

    #[cfg(not(feature = "prove"))]
    pub(super) fn run(self, _file: Option<&Path>) -> CommandResult {
        Err("this build has no prover; build with `--features prove`".into())
    }
}
