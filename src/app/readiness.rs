//! Whether sign-ins can be served, and what is wrong if they cannot.
//!
//! A background probe reads and writes the database, and `/readyz` shows its result. So a request costs nothing, and
//! one slow answer of the database changes nothing.

use std::sync::{Mutex, PoisonError};

use super::App;
use crate::clock::UnixSeconds;
use crate::store::{StoreError, changes};

/// The number of failed probes in a row after which sign-ins count as broken. One is enough if a sign-in failed too.
const FAILURES: u32 = 2;

/// One thing that sign-ins need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessCheck {
    /// The name in the answer of `/readyz`, which does not change.
    pub name: &'static str,
    /// A constant text; the cause is in the log. None when all is well.
    pub problem: Option<&'static str>,
}

/// The part of the database that a probe tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProbePart {
    Read,
    Write,
}

/// The results of the last probes.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    failures: u32,
    read: Option<&'static str>,
    write: Option<&'static str>,
    /// The names of the failing checks that were logged last.
    told: Vec<&'static str>,
}

impl Found {
    fn part(&mut self, part: ProbePart) -> &mut Option<&'static str> {
        match part {
            ProbePart::Read => &mut self.read,
            ProbePart::Write => &mut self.write,
        }
    }
}

impl Readiness {
    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a probe. A problem counts from the second failure on, or from the first if sign-ins fail too. It is over
    /// with the first successful probe.
    fn note(&self, outcome: &Result<(), (ProbePart, StoreError)>, sign_ins_fail: bool) {
        let mut found = self.found();
        let (part, error) = match outcome {
            Ok(()) => {
                (found.failures, found.read, found.write) = (0, None, None);
                return;
            }
            // Overload is not the database's fault, and another replica would not have less of it.
            Err((_, StoreError::Overloaded)) => return,
            Err((part, error)) => (*part, error),
        };
        found.failures = found.failures.saturating_add(1);
        if found.failures >= FAILURES || sign_ins_fail {
            (found.read, found.write) = (None, None);
            *found.part(part) = Some(problem(error));
        }
    }

    /// Whether the last probe failed.
    pub fn is_doubtful(&self) -> bool {
        self.found().failures > 0
    }
}

/// Describes a problem without giving away anything about the machine.
fn problem(error: &StoreError) -> &'static str {
    let text = error.to_string().to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    match error {
        StoreError::Timeout | StoreError::Stopped | StoreError::Open(_) => "the database does not answer",
        _ if says(&["deleted or replaced"]) => "the database file was deleted or replaced",
        _ if says(&["no space left", "disk is full", "file too large", "could not extend"]) => {
            "the disk is full"
        }
        _ if says(&["disk i/o error"]) => "the disk takes no writes",
        _ if says(&["readonly", "read-only"]) => "the database is read-only",
        _ if says(&["locked", "lock timeout"]) => "another process holds a lock of the database",
        _ => "the database refuses",
    }
}

impl App {
    /// Everything that sign-ins need, in the order in which it is shown.
    pub fn checks(&self) -> Vec<ReadinessCheck> {
        let (read, write) = {
            let found = self.readiness.found();
            (found.read, found.write)
        };
        let has_key = self.signer().active(self.clock.now()).is_some();
        vec![
            ReadinessCheck { name: "database_read", problem: read },
            ReadinessCheck { name: "database_write", problem: write },
            ReadinessCheck { name: "clock", problem: self.clock_watch.problem() },
            ReadinessCheck { name: "signing_key", problem: (!has_key).then_some("there is no signing key") },
        ]
    }

    /// Checks whether the database can be read and written. The write is this process's sign of life. If sign-ins have
    /// failed, a row of the decision log is written and rolled back as well.
    pub async fn probe(&self) {
        let sign_ins_fail = self.store.failures().is_failing();
        let outcome = self.try_database(sign_ins_fail, self.clock.now()).await;
        if let Err((_, error)) = &outcome {
            tracing::warn!(%error, "cannot read and write the database as a sign-in does");
        }
        self.readiness.note(&outcome, sign_ins_fail);
        self.tell_readiness();
    }

    async fn try_database(&self, with_row: bool, now: UnixSeconds) -> Result<(), (ProbePart, StoreError)> {
        self.store.read(changes::current).await.map_err(|error| (ProbePart::Read, error))?;
        let failed = |error| (ProbePart::Write, error);
        self.heartbeat().await.map_err(failed)?;
        if with_row {
            self.store.rehearse(now).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Logs when the service stops being ready and when it is ready again.
    fn tell_readiness(&self) {
        let checks = self.checks();
        let failing: Vec<_> = checks.iter().filter(|check| check.problem.is_some()).collect();
        let names: Vec<&str> = failing.iter().map(|check| check.name).collect();
        let mut found = self.readiness.found();
        if found.told == names {
            return;
        }
        for ReadinessCheck { name, problem } in failing {
            tracing::error!(check = name, problem, "sign-ins cannot be served");
        }
        if names.is_empty() {
            tracing::info!("sign-ins can be served again");
        }
        found.told = names;
    }
}
