//! `countersign policy shadow`.

use std::path::Path;

use clap::Args;

use super::Format;
use crate::admin::shadow;
use crate::cli::{CommandResult, End, block_on, now};
use crate::config::Config;
use crate::shadow::report::{self, ReportQuery, ShadowReport};
use crate::store::Store;
use crate::store::snapshot::Snapshot;
use crate::terminal::out::{self, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShadowCommand {
    /// Show only this teamspace's differences; the totals cover all teamspaces.
    #[arg(long, value_name = "SLUG")]
    teamspace: Option<String>,
    /// Hash of the shadow set, or the beginning of it [default: the set that was on trial last]. It is base64url and
    /// may begin with a hyphen.
    #[arg(long, value_name = "HASH", allow_hyphen_values = true)]
    set: Option<String>,
    /// Most differences to show one by one.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Delete everything about the set and start counting again.
    #[arg(long, conflicts_with_all = ["teamspace", "limit", "format"])]
    clear: bool,
}

const NOTHING: &str = "no decision was compared with such a shadow set yet; see `policy.shadow_dir`";

impl ShadowCommand {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        let config = Config::load(file)?;
        block_on(async {
            let store = Store::open(&config.database_url, &config.database)?;
            match self.clear {
                true => clear(&store, self.set).await,
                false => self.show(&store).await,
            }
        })
    }

    async fn show(self, store: &Store) -> CommandResult {
        let teamspace_id = match &self.teamspace {
            None => None,
            Some(slug) => {
                let snapshot = store.read(Snapshot::load).await?;
                let teamspace_config =
                    snapshot.teamspace_config(slug).ok_or(format!("there is no teamspace {slug}"))?;
                Some(teamspace_config.teamspace.id.clone())
            }
        };
        let differ = |report: &ShadowReport| match &self.teamspace {
            Some(_) => report.recorded > 0,
            None => report.different > 0,
        };
        let query = ReportQuery { set: self.set, teamspace_id, limit: self.limit };
        let report = store.read(move |c| report::report(c, &query)).await?.ok_or(NOTHING)?;
        match self.format {
            Format::Json => out::json(&report)?,
            Format::Human => tell(&report, self.teamspace.as_deref()),
        }
        Ok(if differ(&report) { End::Finding } else { End::Fine })
    }
}

async fn clear(store: &Store, set: Option<String>) -> CommandResult {
    let (set, count) = shadow::clear(store, set, now()).await?.ok_or(NOTHING)?;
    say!("forgot {count} differences of the shadow set {set}");
    Ok(End::Fine)
}

fn tell(report: &ShadowReport, teamspace: Option<&str>) {
    let ShadowReport { since, evaluated, different, dropped, .. } = report;
    say!("shadow set {}", report.shadow_set);
    let share = 100.0 * *different as f64 / (*evaluated).max(1) as f64;
    say!("since {since}: {evaluated} decisions, {different} differ ({share:.2}%)");
    if *dropped > 0 {
        say!("{dropped} of these could not be written down");
    }
    if let Some(slug) = teamspace {
        say!("of teamspace {slug}, {} differences are on record", report.recorded);
    }
    for group in &report.groups {
        say!("\n{:>7}  {}", group.count, group.change);
        for (whose, ids) in [("in force", &group.policies.actual), ("shadow", &group.policies.shadow)] {
            if !ids.is_empty() {
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                say!("         {whose}: {}", ids.join(", "));
            }
        }
    }
    if !report.latest.is_empty() {
        say!("\nlatest");
    }
    for told in &report.latest {
        let teamspace = told.teamspace.as_deref().unwrap_or("-");
        say!("{}  {}  {teamspace}  {}", told.time, told.request_id, told.change);
    }
}
