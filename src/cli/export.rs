//! `countersign export`: what a service has, as a file that `apply` reads.

use std::path::Path;

use clap::Args;

use super::api::{Api, ApiOptions, ApiProblem, api_path};
use super::apply::found;
use super::{CommandResult, End};
use crate::manifest::{ExportFormat, FoundObject, ObjectKind, written};
use crate::terminal::out;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The language of the file.
    #[arg(long, value_enum, default_value = "yaml")]
    format: ExportFormat,
    /// Only this teamspace, with its identity providers and invited members.
    #[arg(long, value_name = "SLUG")]
    teamspace: Option<String>,
    #[command(flatten)]
    api: ApiOptions,
}

impl ExportArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> CommandResult {
        let api = Api::open(&self.api, config).await?;
        let found = self.found(&api).await;
        api.close().await;
        let kinds: &[ObjectKind] = match &self.teamspace {
            Some(_) => &[ObjectKind::Teamspace],
            None => &ObjectKind::ALL,
        };
        out::text(written(&found?, kinds, self.format));
        Ok(End::Fine)
    }

    async fn found(&self, api: &Api) -> Result<Vec<FoundObject>, ApiProblem> {
        let mut found = Vec::new();
        if let Some(slug) = &self.teamspace {
            let teamspace = api.get(&api_path(&["teamspaces", slug])?).await?;
            found.extend(FoundObject::of(ObjectKind::Teamspace, None, teamspace));
        } else {
            for kind in ObjectKind::outermost() {
                found.extend(found::all(api, kind).await?);
            }
        }
        let inner = found::inside(api, &found, |_, _| true).await?;
        found.extend(inner);
        Ok(found)
    }
}
