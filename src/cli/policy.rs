//! `countersign policy`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{End, Outcome};
use crate::config::Config;
use crate::policy::{LoadError, PolicySource};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Parse the policies and validate them strictly against the schema.
    #[command(
        after_help = "Example: countersign policy check policies/\nExit: 0 valid, 1 problems or warnings found, 2 could not read them"
    )]
    Check {
        /// Directory of *.cedar files [default: `policy_dir` of the configuration].
        dir: Option<PathBuf>,
        /// Schema file [default: `schema_file` of the configuration].
        #[arg(long)]
        schema: Option<PathBuf>,
    },
}

impl Command {
    pub(super) fn run(self, file: Option<&Path>) -> Outcome {
        let Self::Check { dir, schema } = self;
        let config = Config::load(file)?;
        let dir = dir.unwrap_or(config.policy_dir);
        let schema = schema.unwrap_or(config.schema_file);
        let compiled = PolicySource::read(&dir, &schema).and_then(|source| source.compile(0));
        match compiled {
            Ok(policies) => {
                let count: usize = policies.files.iter().map(|file| file.policies.len()).sum();
                println!("{count} policies in {} files are valid.", policies.files.len());
                println!("policy set {}", policies.hash);
                policies.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
                Ok(if policies.warnings.is_empty() { End::Fine } else { End::Finding })
            }
            Err(problems) if problems.0.iter().any(|problem| problem.unreadable) => {
                Err(render(&problems).into())
            }
            Err(problems) => {
                eprintln!("{}", render(&problems));
                Ok(End::Finding)
            }
        }
    }
}

/// Every problem with its place, then how many there are.
pub(super) fn render(error: &LoadError) -> String {
    let problems: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    format!("{}\n{error}", problems.join("\n"))
}
