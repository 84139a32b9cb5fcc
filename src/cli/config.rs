//! `countersign config`.

use std::path::Path;

use clap::Subcommand;

use super::out::{self, say};
use super::{End, Outcome};
use crate::config::Config;
use crate::store::connection::shown;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read and validate the configuration.
    Check,
    /// Print the configuration in force, without secrets.
    Show,
    /// Print the JSON Schema of the configuration.
    Schema,
}

impl Command {
    pub(super) fn run(self, file: Option<&Path>) -> Outcome {
        match self {
            Self::Check => {
                Config::load(file)?;
                say!("The configuration is valid.");
            }
            Self::Show => {
                let mut config = Config::load(file)?;
                config.database_url = shown(&config.database_url);
                out::text(toml::to_string_pretty(&config)?);
            }
            Self::Schema => out::json(Config::json_schema())?,
        }
        Ok(End::Fine)
    }
}
