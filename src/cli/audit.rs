//! `countersign audit`.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::audit_list::AuditList;
use super::{CommandResult, End, now};
use crate::clock::rfc3339;
use crate::config::Config;
use crate::model::log::Log;
use crate::store::log_seals::key::SealKey;
use crate::store::log_seals::verify::{Expected, Rules, SealFinding, Verification};
use crate::store::log_seals::{self, Seal};
use crate::store::{Store, StoreError};
use crate::terminal::out::{self, complain, say};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Print the newest seal of each log as LOG:NUMBER:DIGEST, to be kept elsewhere.
    #[command(after_help = "Example: countersign audit head >> /mnt/elsewhere/heads")]
    Head,
    /// Check that no sealed row of the logs was changed, removed, added or reordered.
    ///
    /// Ends with 1 if one was. Rows are sealed within about a minute; rows that are not sealed yet are reported.
    #[command(after_help = "Example: countersign audit verify --expect $(tail -n 1 /mnt/elsewhere/heads)")]
    Verify {
        /// One of the logs [default: both].
        #[arg(long)]
        log: Option<LogName>,
        /// A seal that must exist, as `audit head` printed it. It shows whether the end of the log was cut off.
        #[arg(long, value_name = "LOG:NUMBER:DIGEST")]
        expect: Vec<Expected>,
        #[arg(long, default_value = "text")]
        format: AuditFormat,
    },
    /// List who changed what, newest first.
    #[command(after_help = "Examples:\n  countersign audit list --action member --teamspace acme\n  \
        countersign audit list --from 2026-11-01 --all --format json")]
    List(Box<AuditList>),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogName {
    Decisions,
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AuditFormat {
    Text,
    Json,
}

impl FromStr for Expected {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be as `countersign audit head` prints it: LOG:NUMBER:DIGEST";
        let mut parts = text.splitn(3, ':');
        let (Some(log), Some(number), Some(digest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong);
        };
        let (log, number) = (log.parse().map_err(|_| wrong)?, number.parse().map_err(|_| wrong)?);
        Ok(Self { log, number, digest: digest.to_owned() })
    }
}

impl AuditCommand {
    pub(super) async fn run(self, file: Option<&Path>) -> CommandResult {
        if let Self::List(list) = self {
            return list.run(file).await;
        }
        let config = Config::load(file)?;
        let store = Store::open(&config.database_url, &config.database)?;
        let done = self.run_on(&store, &config).await;
        store.close().await;
        done
    }

    /// Runs what works on the chains themselves.
    async fn run_on(self, store: &Store, config: &Config) -> CommandResult {
        let Self::Verify { log, expect, format } = self else { return head(store).await };
        let logs = match log {
            None => Log::ALL.to_vec(),
            Some(LogName::Decisions) => vec![Log::Decisions],
            Some(LogName::Admin) => vec![Log::Admin],
        };
        verify(store, config, (&logs, &expect), format).await
    }
}

async fn head(store: &Store) -> CommandResult {
    for log in Log::ALL {
        if let Some(seal) = store.list(move |c| log_seals::newest(c, log)).await? {
            say!("{}", seal.name());
        }
    }
    Ok(End::Fine)
}

/// A checked chain, and the oldest row that is not sealed.
struct CheckedChain {
    log: Log,
    chain: Verification,
    unsealed: Option<(i64, i64)>,
}

async fn verify(
    store: &Store,
    config: &Config,
    (logs, expect): (&[Log], &[Expected]),
    format: AuditFormat,
) -> CommandResult {
    if let Some(other) = expect.iter().find(|expected| !logs.contains(&expected.log)) {
        return Err(format!("--expect is about `{}`, which --log leaves out", other.log.as_str()).into());
    }
    let mut checked = Vec::new();
    for log in logs {
        checked.push(check(store, rules(config, *log, expect)).await?);
    }
    match format {
        AuditFormat::Json => out::json(checked.iter().map(view).collect::<Vec<_>>())?,
        AuditFormat::Text => checked.iter().for_each(tell),
    }
    let is_fine = checked.iter().all(|checked| checked.chain.findings.is_empty());
    Ok(if is_fine { End::Fine } else { End::Finding })
}

fn rules(config: &Config, log: Log, expect: &[Expected]) -> Rules {
    let kept_for = match log {
        Log::Decisions => config.retention.sign_ins.as_secs(),
        Log::Admin => config.retention.audit.as_secs(),
    };
    Rules {
        log,
        key: config.keys.encryption_key.as_ref().map(SealKey::of),
        pruned_before: (kept_for > 0).then(|| now() - kept_for),
        expected: expect.iter().filter(|expected| expected.log == log).cloned().collect(),
    }
}

async fn check(store: &Store, rules: Rules) -> Result<CheckedChain, StoreError> {
    let (log, mut told) = (rules.log, Instant::now());
    let mut chain = Verification::new(rules);
    loop {
        let (stepped, is_more) = store
            .list(move |c| {
                let is_more = chain.step(c)?;
                Ok((chain, is_more))
            })
            .await?;
        chain = stepped;
        if !is_more {
            break;
        }
        if told.elapsed() >= Duration::from_secs(1) {
            complain!("verifying {}: {} rows", log.as_str(), chain.rows);
            told = Instant::now();
        }
    }
    let (chain, unsealed) = store
        .list(move |c| {
            let unsealed = chain.unsealed(c)?;
            Ok((chain, unsealed))
        })
        .await?;
    Ok(CheckedChain { log, chain, unsealed })
}

fn view(CheckedChain { log, chain, unsealed }: &CheckedChain) -> Value {
    json!({
        "log": log,
        "seals": chain.seals,
        "rows": chain.rows,
        "authentic_seals": chain.authentic,
        "head": chain.head().map(Seal::name),
        "pruned_to": chain.pruned_to,
        "sealed_late": chain.latest.map(|(seal, seconds)| json!({ "seal": seal, "seconds": seconds })),
        "not_sealed_from": unsealed.map(|(id, _)| id),
        "findings": chain.findings,
    })
}

fn tell(CheckedChain { log, chain, unsealed }: &CheckedChain) {
    let head = chain.head().map_or_else(|| "nothing is sealed yet".to_owned(), Seal::name);
    say!("{}: {} rows under {} seals; {head}", log.as_str(), chain.rows, chain.seals);
    if let Some(id) = chain.pruned_to {
        say!("  rows up to {id} were deleted for their age");
    }
    if chain.authentic < chain.seals {
        say!("  {} of the seals were made with this encryption key", chain.authentic);
    }
    if let Some((seal, seconds)) = chain.latest {
        say!(
            "  seal {seal} was made {seconds} s after its oldest row: what happened in between is not known"
        );
    }
    if let Some((id, at)) = unsealed {
        say!("  rows from {id} on are not sealed yet, the first is of {}", rfc3339(*at));
    }
    for SealFinding { seal, rows_after, rows_to, problem } in &chain.findings {
        complain!("error: {} seal {seal}, rows {} to {rows_to}: {problem}", log.as_str(), rows_after + 1);
    }
}
