//! `countersign doctor`.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::doctor_text;
use super::policy::Format;
use super::{CommandResult, End};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::doctor::{self, LineStatus};
use crate::terminal::out;

pub(super) const HELP: &str = "\
Run it on the service's machine, as its user, with its configuration.
Examples:
  countersign doctor --config /etc/countersign.toml
  countersign doctor --format json | jq '.checks[] | select(.status != \"ok\")'
Exit: 0 nothing failed (there may be warnings), 1 something failed, 2 it could not run";

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl DoctorArgs {
    pub(super) async fn run(self, config: Config) -> CommandResult {
        let began = Instant::now();
        let lines = doctor::examine(config, Arc::new(SystemClock)).await?;
        match self.format {
            Format::Human => doctor_text::tell(&lines, began.elapsed()),
            Format::Json => out::json(json!({ "checks": lines }))?,
        }
        let fails = lines.iter().any(|line| line.status == LineStatus::Failed);
        Ok(if fails { End::Finding } else { End::Fine })
    }
}
