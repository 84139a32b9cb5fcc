//! `countersign apply`: makes a service have what files declare.

mod files;
pub(super) mod found;
mod perform;
mod report;
mod secrets;

use std::path::{Path, PathBuf};

use clap::Args;

use super::api::{Api, ApiOptions};
use super::noun::{Confirmation, OutputFormat};
use super::{CommandResult, End};
use crate::manifest::{self, ChangePlan, Manifest, StepAction};
use crate::terminal::out::complain;
use found::ResourceIds;
use perform::Performed;
use secrets::Secrets;

/// The most requests under way at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// A file in YAML, JSON or TOML, `-` for YAML from standard input, or a directory: the files in it that end in
    /// .yaml, .yml, .json or .toml. Repeat it for several.
    #[arg(short = 'f', long = "file", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Only print what would be done; exit 1 if there is anything to do.
    #[arg(long)]
    dry_run: bool,
    /// Delete what the files do not declare, of the kinds that they have lists of. Members who came by a sign-in stay.
    #[arg(long)]
    prune: bool,
    /// Lines for people, or JSON.
    #[arg(long, value_enum, default_value = "table")]
    format: OutputFormat,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    api: ApiOptions,
}

impl ApplyArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let manifest = manifest::read(&files::read(&self.files)?)?;
        let secrets = Secrets::read(&manifest)?;
        let api = Api::open(&self.api, config).await?;
        let done = self.apply(&api, &manifest, &secrets).await;
        api.close().await;
        done
    }

    async fn apply(&self, api: &Api, manifest: &Manifest, secrets: &Secrets) -> CommandResult {
        let found = found::declared(api, manifest, self.prune).await?;
        let ids = ResourceIds::of(&found);
        let current = secrets.current(api, &found, &ids).await?;
        let plan = manifest::plan(manifest, &found, &current, self.prune)?;
        if self.format == OutputFormat::Table {
            report::print_plan(&plan);
        }
        if self.dry_run {
            self.print_json(&plan, None)?;
            return Ok(if plan.groups.is_empty() { End::Fine } else { End::Finding });
        }
        let deletions = plan.steps().filter(|step| step.action == StepAction::Delete).count();
        let question = format!("Delete {deletions} objects {}", api.place());
        if deletions > 0 && !self.confirmation.given(&question)? {
            complain!("Nothing was changed.");
            return Ok(End::Finding);
        }
        let performed = perform::perform(api, &plan, secrets, ids).await;
        self.print_json(&plan, Some(&performed))?;
        ended(&performed)
    }

    fn print_json(&self, plan: &ChangePlan, performed: Option<&Performed<'_>>) -> serde_json::Result<()> {
        match self.format {
            OutputFormat::Table => Ok(()),
            OutputFormat::Json => report::print_json(plan, performed),
        }
    }
}

/// How the command ends.
fn ended(performed: &Performed<'_>) -> CommandResult {
    if performed.is_interrupted || !performed.failed.is_empty() {
        return Err(report::stopped(performed).into());
    }
    match performed.done.len() {
        0 => complain!("Nothing to do: everything is as declared."),
        done => complain!("Done: {done} of {done}."),
    }
    Ok(End::Fine)
}
