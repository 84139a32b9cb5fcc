//! `countersign policy check`.

use std::path::Path;

use clap::Args;

use super::{Place, render};
use crate::cli::{End, Outcome};
use crate::policy::PolicySource;

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(super) fn run(self, file: Option<&Path>) -> Outcome {
        let (dir, schema) = self.place.resolve(file)?;
        let validated = PolicySource::read(&dir, &schema).and_then(|source| source.validate());
        match validated {
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
