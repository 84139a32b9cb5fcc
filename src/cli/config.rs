//! `countersign config`.

mod check;

use std::path::Path;

use clap::Subcommand;

use check::ServeProblem;

use super::now;
use super::{CommandResult, End};
use crate::config::Config;
use crate::policy::PolicyPlace;
use crate::store::connection::shown;
use crate::terminal::out::{self, say};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Validate the configuration and open everything that `serve` opens: policies, database, keys, addresses. Reports
    /// every problem at once. Ends with 0 if there is none, else with 2.
    Check,
    /// Print the configuration in force, without secrets.
    Show,
    /// Print the JSON Schema of the configuration.
    Schema,
}

impl ConfigCommand {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        match self {
            Self::Check => {
                let (config, places) = Config::load_with_places(file)?;
                let problems: Vec<String> = check::problems(&config, now())
                    .iter()
                    .map(|ServeProblem { key, text }| match places.of(key) {
                        Some(place) => format!("{place}: {text}"),
                        None => text.clone(),
                    })
                    .collect();
                if !problems.is_empty() {
                    return Err(problems.join("\n").into());
                }
                say!("The configuration is valid, and all that it names can be opened.");
                say!("{}", in_force(&config));
            }
            Self::Show => {
                let mut config = Config::load(file)?;
                config.database_url = shown(&config.database_url);
                say!("# {}", in_force(&config));
                out::text(toml::to_string_pretty(&config)?);
            }
            Self::Schema => out::json(Config::json_schema())?,
        }
        Ok(End::Fine)
    }
}

/// The policies and the schema that are in force with a configuration.
fn in_force(config: &Config) -> String {
    format!("Policies: {}. Schema: {}.", PolicyPlace::of_policies(config), PolicyPlace::of_schema(config))
}
