//! `countersign healthcheck`.

use std::path::Path;

use clap::Args;

use super::{CommandError, CommandResult, End};
use crate::config::Config;
use crate::doctor::healthcheck::{self, management_url};
use crate::terminal::out::{complain, say};

pub(super) const HELP: &str = "\
Examples:
  countersign healthcheck                                 GET /healthz at management_listen of the configuration
  countersign healthcheck --ready                         GET /readyz: whether sign-ins can be served
  countersign healthcheck --url http://127.0.0.1:8081     without reading the configuration
Exit: 0 it is alive (or ready), 1 it is not, or could not be asked";

#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Whether sign-ins can be served, rather than whether the process runs.
    #[arg(long)]
    ready: bool,
    /// The management listener [default: `management_listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl HealthcheckArgs {
    /// Docker takes 1 for unhealthy and has no use for 2, so everything that goes wrong is 1.
    pub(super) async fn run(self, file: Option<&Path>) -> CommandResult {
        match self.ask(file).await {
            Ok(told) => {
                say!("{told}");
                Ok(End::Fine)
            }
            Err(CommandError(why)) => {
                complain!("{why}");
                Ok(End::Finding)
            }
        }
    }

    async fn ask(self, file: Option<&Path>) -> Result<&'static str, CommandError> {
        let url = match self.url {
            Some(url) => url,
            None => management_url(&Config::load(file)?),
        };
        healthcheck::ask(&url, self.ready).await?;
        Ok(if self.ready { "ready" } else { "alive" })
    }
}
