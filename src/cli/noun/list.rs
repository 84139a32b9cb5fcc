//! How much of a list is shown.

use clap::Args;

/// The part of a list to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListOptions {
    /// The most items to show.
    #[arg(
        long, value_name = "N", default_value = "50", conflicts_with = "all",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    limit: u32,
    /// Show every item.
    #[arg(long)]
    all: bool,
    /// Show what comes after this: `next_cursor` of a list before, as `--format json` shows it.
    #[arg(long, value_name = "CURSOR", allow_hyphen_values = true)]
    pub cursor: Option<String>,
}

impl ListOptions {
    /// The most items to show.
    pub(in crate::cli) fn limit(&self) -> usize {
        match usize::try_from(self.limit) {
            Ok(limit) if !self.all => limit,
            _ => usize::MAX,
        }
    }
}
