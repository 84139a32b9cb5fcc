//! `countersign config`.

use std::path::Path;

use clap::Subcommand;

use super::{End, Outcome};
use crate::config::Config;

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
                println!("The configuration is valid.");
            }
            Self::Show => print!("{}", toml::to_string_pretty(&Config::load(file)?)?),
            Self::Schema => println!("{:#}", Config::json_schema()),
        }
        Ok(End::Fine)
    }
}
