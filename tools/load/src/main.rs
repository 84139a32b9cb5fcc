//! End to end: the real binary on one core, this driver on another, unique assertions signed in advance.
//!
//! `scripts/bench` builds both, prepares and runs everything. Without `--scenarios` the durable database is measured,
//! saturated and at a modest rate. Environment: `LOAD_EXCHANGES` (100000), `LOAD_CONNECTIONS` (32).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a benchmark ends"
)]
#![allow(clippy::disallowed_macros, reason = "what is measured is printed")]

mod assertions;
mod chart;
mod checks;
mod driver;
mod figures;
mod fill;
mod flame;
mod floor;
mod followers;
mod growth;
mod idp;
mod machine;
mod pages;
mod profile;
mod report;
mod rows;
mod run;
mod running;
mod scenario;
mod seed;
mod server;
mod stages;
mod with_keys;

use std::error::Error;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::rows::Size;
use crate::run::Run;
use crate::scenario::Scenario;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The repository, with the policies and documents.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Of the identity provider. These ports never change, because kept assertions name them; they are below those
/// that the kernel gives to outgoing connections.
const IDP_PORT: u16 = 18_470;
/// Of the first server; its management listener is the next, and the second server has the two after.
const SERVER_PORT: u16 = 18_480;

/// Measures exchanges end to end.
#[derive(Parser)]
#[command(name = "load")]
struct Options {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Task {
    /// Fills a database as years of use would, and says what a row weighs.
    Fill {
        /// An empty database; what it lacks of a schema is created.
        #[arg(long)]
        url: String,
        #[command(flatten)]
        size: Size,
    },
    /// Writes docs/performance.md's table and chart from the results of a run.
    Publish {
        /// A file that `--out` wrote.
        results: PathBuf,
    },
}

/// The scenarios to measure.
#[derive(Debug, clap::Args)]
pub struct Measure {
    /// Which scenarios; without, durable and paced-50.
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Fewer exchanges: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// A PostgreSQL cluster's URL, in which databases may be made.
    #[arg(long)]
    postgres: Option<String>,
    /// Also fills a database with this share of 100,000 teamspaces, 5 million members and 100 million sign-ins.
    #[arg(long)]
    growth: Option<f64>,
    /// Fills the PostgreSQL cluster instead of SQLite.
    #[arg(long)]
    growth_on_postgres: bool,
    /// Also measures the console's pages on a database with this share of 100,000 teamspaces, 5 million members and 20
    /// million sign-ins.
    #[arg(long)]
    pages: Option<f64>,
    /// Also measures what sealing and counting cost for each row of the decision log.
    #[arg(long)]
    followers: bool,
    /// Also records where the CPU goes, into this directory.
    #[arg(long)]
    profile: Option<PathBuf>,
    /// Where the results go, as JSON lines.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    match options.command {
        Some(Task::Fill { url, size }) => return fill::fill(&url, &size, &idp::issuer()).map(drop),
        Some(Task::Publish { results }) => return report::publish(&results),
        None => {}
    }
    // Before this process sees but one core.
    machine::cores();
    machine::pin(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(Run::new(options.measure)?))
}

/// Measures all that was asked for.
async fn measure(mut run: Run) -> Outcome<()> {
    run.scenarios().await?;
    if let Some(scale) = run.options.growth {
        growth::measure(&mut run, scale).await?;
    }
    if let Some(scale) = run.options.pages {
        pages::measure(&mut run, scale).await?;
    }
    if run.options.followers {
        followers::measure(&mut run).await?;
    }
    if let Some(dir) = run.options.profile.clone() {
        profile::measure(&mut run, &dir).await?;
    }
    Ok(())
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
