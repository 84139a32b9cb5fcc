//! A question before something is lost.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use clap::Args;

use crate::cli::CommandError;
use crate::terminal::out::{aside, inline};

/// Longest answer that is read.
const LONGEST: u64 = 100;

/// Whether a command may go on without asking.
#[derive(Debug, Args)]
pub(in crate::cli) struct Confirmation {
    /// Do not ask. Needed where no terminal can be asked.
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Whether somebody at the terminal, or the option, says yes.
    pub(in crate::cli) fn given(&self, question: &str) -> Result<bool, CommandError> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(format!("{}? There is no terminal to ask; give --yes", inline(question)).into());
        }
        aside(format_args!("{}? [y/N] ", inline(question)));
        let mut answer = String::new();
        io::stdin().lock().take(LONGEST).read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
