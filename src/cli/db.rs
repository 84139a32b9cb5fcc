//! `countersign db`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{CommandError, CommandResult, End, block_on, now};
use crate::admin::database::{self, DatabaseEvent};
use crate::config::{Config, check_database_url};
use crate::store::backup::back_up;
use crate::store::copy::{Copy, CopyError, CopyProgress, CopyReport, CopyStep};
use crate::store::{Store, connection};
use crate::terminal::out::{self, complain, say};

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Copy everything to another database, of the same kind or the other, and compare both.
    ///
    /// Stop the service on FROM first. TO must be empty, or hold the beginning of the same copy: an interrupted copy
    /// continues. Missing tables are created. Ends with 1 if the two differ in the end, and with 2 if TO holds
    /// anything else; nothing is changed then. FROM is never changed.
    #[command(
        after_help = "Example:\n  countersign db copy sqlite://countersign.db postgres://countersign@localhost/countersign\n\n\
        URLs are as in `database_url`. Keep a password out of them, since others can see a command line: libpq\n\
        reads PGPASSFILE (~/.pgpass) and PGPASSWORD."
    )]
    Copy(CopyArgs),
    /// Write the SQLite database to a new file that only you can read. The service may keep running.
    ///
    /// The file holds everything: signing keys (plain, unless `keys.encryption_key` is set), digests of secrets,
    /// members and the decision log. Keep it as safe as the database. It is one consistent state of the database, is
    /// checked, and gets its name only when it is complete.
    #[command(after_help = "Example:\n  countersign db backup /backups/countersign-$(date +%F).db\n\n\
        To restore, stop the service and put the file in the place of the database; remove the files that are\n\
        named like the database with -wal and -shm behind. The first start then refuses assertions that were issued\n\
        before it. For PostgreSQL use pg_dump, and `countersign db mark-restored` after restoring.")]
    Backup {
        /// The file to make; it must not exist.
        file: PathBuf,
        /// Print a JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Mark the database as restored from a backup. Run this before you serve it.
    ///
    /// A restored database does not know which assertions were used after the backup. With the mark, the next start of
    /// the service refuses all assertions issued before that start, and clients ask their identity provider for new
    /// ones. Files made by `countersign db backup` carry the mark already. Databases restored by pg_dump, a server's
    /// own backup or a copy of the files do not.
    #[command(after_help = "Example:\n  countersign db mark-restored")]
    MarkRestored,
}

#[derive(Debug, Args)]
pub(super) struct CopyArgs {
    /// The database to copy: sqlite://FILE or postgres://USER@HOST/DATABASE.
    from: String,
    /// The database that becomes the copy.
    to: String,
    /// Copy even while FROM is being served, for a rehearsal. Sign-ins and changes during the copy are missing from
    /// it, and an assertion redeemed in that time could be redeemed there again.
    #[arg(long)]
    while_serving: bool,
    /// Print a JSON document.
    #[arg(long)]
    json: bool,
}

impl DbCommand {
    pub(super) fn run(self, file: Option<&Path>) -> CommandResult {
        match self {
            Self::Copy(args) => copy(args),
            Self::Backup { file: to, json } => backup(&Config::load(file)?, &to, json),
            Self::MarkRestored => mark_restored(&Config::load(file)?),
        }
    }
}

fn copy(args: CopyArgs) -> CommandResult {
    for (name, url) in [("FROM", &args.from), ("TO", &args.to)] {
        check_database_url(name, url)?;
    }
    let pace = ProgressPace::new();
    let copy = Copy { from: args.from, to: args.to, while_serving: args.while_serving };
    let report = match copy.run(now(), &|progress| pace.tell(progress)) {
        Err(error @ CopyError::Nul { .. }) => {
            complain!("error: {error}");
            return Ok(End::Finding);
        }
        other => other?,
    };
    match args.json {
        true => out::json(&report)?,
        false => tell(&report),
    }
    for table in report.different() {
        complain!("error: `{}` is not the same in both databases", table.name);
    }
    let is_behind = report.moved_on && !copy.while_serving;
    if is_behind {
        complain!(
            "error: FROM was written to meanwhile, and the copy lacks that; stop the service and copy to an empty database"
        );
    }
    Ok(if is_behind || report.different().next().is_some() { End::Finding } else { End::Fine })
}

fn tell(report: &CopyReport) {
    report.applied.iter().for_each(|version| say!("applied {version} to TO"));
    say!("{} -> {}\n", report.from, report.to);
    say!("{:<20} {:>12} {:>12}  SHA-256 of the rows", "table", "rows", "copied now");
    for table in &report.tables {
        say!("{:<20} {:>12} {:>12}  {}", table.name, table.from.rows, table.copied, table.from.sha256);
        if table.from != table.to {
            say!("{:<20} {:>12} {:>12}  {}", "  differs in TO", table.to.rows, "", table.to.sha256);
        }
    }
    if report.replaced > 0 {
        say!("\nIn {} rows of `sign_ins`, NUL was replaced by U+FFFD.", report.replaced);
    }
    if report.moved_on {
        say!("\nFROM was written to since the copy began; that is not in the copy.");
    }
    if report.different().next().is_none() {
        say!("\nAll {} tables are the same.", report.tables.len());
    }
}

fn backup(config: &Config, file: &Path, json: bool) -> CommandResult {
    let pace = ProgressPace::new();
    // This comes first, so that the copy has the row too. A full disk must not prevent a backup to another disk.
    let event = DatabaseEvent::BackedUp(file.display().to_string());
    if connection::missing(&config.database_url).is_none()
        && let Err(CommandError(error)) = record(config, event)
    {
        complain!("warning: the audit log does not tell of this backup: {error}");
    }
    let report = back_up(&config.database_url, file, &|written, total| pace.tell_bytes(written, total))?;
    if json {
        out::json(&report)?;
        return Ok(End::Fine);
    }
    for (table, rows) in &report.tables {
        say!("{table:<20} {rows:>12} rows");
    }
    say!("\n{}: {} bytes, checked.", report.file, report.bytes);
    if !report.marked {
        say!(
            "The database is of an older version, whose backups are not marked. After restoring this one, run \
             `countersign migrate` and `countersign db mark-restored` before you serve it."
        );
    }
    Ok(End::Fine)
}

fn mark_restored(config: &Config) -> CommandResult {
    Store::mark_restored(&config.database_url, &config.database)?;
    record(config, DatabaseEvent::MarkedRestored)?;
    say!("The next start of the service refuses assertions that were issued before it.");
    Ok(End::Fine)
}

/// Tells the audit log what was done.
fn record(config: &Config, event: DatabaseEvent) -> Result<(), CommandError> {
    block_on(async {
        let store = Store::open(&config.database_url, &config.database)?;
        let recorded = database::record(&store, event, now()).await;
        store.close().await;
        Ok(recorded?)
    })
}

/// Tells how far long work is, once a second.
struct ProgressPace {
    told: Mutex<LastMessage>,
}

/// The last message, and when it was printed.
struct LastMessage {
    at: Instant,
    doing: Option<CopyStep>,
    done: u64,
}

const SECOND: Duration = Duration::from_secs(1);

impl ProgressPace {
    fn new() -> Self {
        Self { told: Mutex::new(LastMessage { at: Instant::now(), doing: None, done: 0 }) }
    }

    /// The rows per second since the last report; none when that was less than a second ago, or another thread is
    /// reporting.
    fn rate(&self, doing: Option<CopyStep>, done: u64) -> Option<f64> {
        let mut told = self.told.try_lock().ok()?;
        if told.doing != doing {
            *told = LastMessage { at: Instant::now(), doing, done };
        }
        let passed = told.at.elapsed();
        if passed < SECOND {
            return None;
        }
        let rate = done.saturating_sub(told.done) as f64 / passed.as_secs_f64();
        *told = LastMessage { at: Instant::now(), doing, done };
        Some(rate)
    }

    fn tell(&self, progress: CopyProgress) {
        let CopyProgress { doing, done, total, table } = progress;
        let Some(rate) = self.rate(Some(doing), done) else { return };
        let doing = match doing {
            CopyStep::Comparing => "comparing",
            CopyStep::Copying => "copying",
            CopyStep::Verifying => "verifying",
        };
        complain!("{doing} {table}: {done} of {total} rows, {rate:.0} a second");
    }

    fn tell_bytes(&self, written: u64, total: u64) {
        let Some(rate) = self.rate(None, written) else { return };
        let [written, total] = [written, total].map(|bytes| bytes / 1_000_000);
        complain!("writing: {written} of about {total} MB, {:.0} MB a second", rate / 1e6);
    }
}
