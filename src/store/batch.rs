//! Writes the jobs that a writer takes from the queue together.

use std::time::{Duration, Instant};

use diesel::Connection as _;

use super::StoreError;
use super::connection::{AnyConnection, DatabaseKind, is_transient};
use super::decision_body::{KnownBodies, Noted};
use super::job::{EntryAnswer, Finish, Health, Job, Start, WriteJob};
use super::ledger::{self, Entry, RedeemError, WrittenBatch};
use super::link::DatabaseLink;

/// How often a batch is written again if PostgreSQL prefers another one.
const ATTEMPTS: usize = 4;

/// A slower attempt is not repeated for each entry.
const SLOW: Duration = Duration::from_secs(2);

/// Jobs that are written together.
#[derive(Default)]
pub(super) struct Batch {
    entries: Vec<Entry>,
    answers: Vec<EntryAnswer>,
    others: Vec<WriteJob>,
}

/// The outcome of a batch.
#[derive(Debug)]
pub(super) struct Commits {
    pub transactions: u64,
    pub jobs: u64,
    pub health: Health,
}

impl Batch {
    pub(super) fn of(jobs: impl Iterator<Item = Job>) -> Self {
        let mut batch = Self::default();
        for job in jobs {
            match job {
                // The caller has already been told that nothing was done.
                Job::Entry(_, answer) if answer.is_closed() => {}
                Job::Entry(entry, answer) => {
                    batch.entries.push(*entry);
                    batch.answers.push(answer);
                }
                Job::Other(job) => batch.others.push(job),
            }
        }
        batch
    }

    /// Writes everything and answers.
    pub(super) fn commit(self, link: &mut DatabaseLink, kind: DatabaseKind, known: &KnownBodies) -> Commits {
        match kind {
            DatabaseKind::Sqlite => self.commit_at_once(&mut link.connection, known),
            DatabaseKind::Postgres => self.commit_apart(link, known),
        }
    }

    /// SQLite: one transaction for all jobs, since each transaction costs an fsync and only one runs at a time.
    fn commit_at_once(self, connection: &mut AnyConnection, known: &KnownBodies) -> Commits {
        let jobs = (self.entries.len() + self.others.len()) as u64;
        if let Err(error) = connection.begin_with_config_lock() {
            tracing::error!(%error, jobs, "cannot begin a transaction");
            let refused = self.refuse(&error.to_string());
            return Commits { health: Health::Doubtful, ..refused };
        }
        let mut bodies = Bodies { known, written: Vec::new() };
        let write_all = if self.others.is_empty() { write_alone } else { write_entries };
        let mut finishes: Vec<Finish> = Vec::with_capacity(self.others.len() + 1);
        let mut written = Ok(());
        for job in self.others {
            let (finish, failed) = job(Start::Among(connection));
            finishes.push(finish);
            // A full disk makes SQLite undo the whole transaction, not only the savepoint. Earlier work is lost then,
            // and later work would commit by itself: so stop and tell everybody.
            if failed && connection.has_lost_transaction() {
                written = Err("the database undid the transaction".to_owned());
                break;
            }
        }
        let written = written.and_then(|()| {
            let verdicts =
                write_all(connection, &self.entries, &mut bodies).map_err(|Lost(error)| error.to_string())?;
            finishes.push(answering(self.answers, verdicts));
            Ok(())
        });
        let lost = written.is_err();
        let committed = written.and_then(|()| connection.commit().map_err(|e| e.to_string()));
        if committed.is_ok() {
            known.note(bodies.written);
        }
        finish(connection, finishes, &committed);
        let health = match &committed {
            _ if lost => Health::Broken,
            Err(_) => Health::Doubtful,
            Ok(()) => Health::Sound,
        };
        Commits { transactions: 1, jobs, health }
    }

    /// Tells everybody that nothing was begun.
    pub(super) fn refuse(self, error: &str) -> Commits {
        for answer in self.answers {
            let _ = answer.send(Err(StoreError::Commit(error.to_owned()).into()));
        }
        for job in self.others {
            let (finish, _) = job(Start::Never(error));
            finish(Ok(()));
        }
        Commits { transactions: 0, jobs: 0, health: Health::Sound }
    }

    /// PostgreSQL: the entries share one transaction, and every other job has its own, so that locks are held briefly.
    fn commit_apart(self, link: &mut DatabaseLink, known: &KnownBodies) -> Commits {
        let mut commits = Commits { transactions: 0, jobs: 0, health: Health::Sound };
        if !self.entries.is_empty() {
            commits.transactions += 1;
            commits.jobs += self.entries.len() as u64;
            let verdicts = commit_entries(link, &self.entries, &self.answers, known);
            if verdicts.iter().any(|verdict| matches!(verdict, Err(RedeemError::Store(_)))) {
                commits.health = Health::Doubtful;
            }
            for (answer, verdict) in self.answers.into_iter().zip(verdicts) {
                let _ = answer.send(verdict);
            }
        }
        for job in self.others {
            let (finish, failed) = job(Start::Alone(link));
            finish(Ok(()));
            commits.transactions += 1;
            commits.jobs += 1;
            if failed {
                commits.health = Health::Doubtful;
            }
        }
        commits
    }
}

fn finish(connection: &mut AnyConnection, finishes: Vec<Finish>, committed: &Result<(), String>) {
    if let Err(error) = committed {
        tracing::error!(error, "cannot commit; nothing was written");
        connection.roll_back();
    }
    for finish in finishes {
        finish(committed.clone().map_err(StoreError::Commit));
    }
}

/// Answers entries once their transaction has ended.
fn answering(answers: Vec<EntryAnswer>, verdicts: Vec<Result<(), RedeemError>>) -> Finish {
    Box::new(move |commit| {
        let failure = commit.err().map(|error| error.to_string());
        for (answer, verdict) in answers.into_iter().zip(verdicts) {
            let outcome = match &failure {
                None => verdict,
                Some(error) => verdict.and(Err(StoreError::Commit(error.clone()).into())),
            };
            let _ = answer.send(outcome);
        }
    })
}

type EntryResult = Result<(), RedeemError>;

/// The decision bodies that a transaction writes. They are known once it is committed.
struct Bodies<'a> {
    known: &'a KnownBodies,
    written: Vec<Noted>,
}

impl Bodies<'_> {
    /// Notes what was written for entries, and the outcome of each.
    fn take(&mut self, written: WrittenBatch) -> Vec<EntryResult> {
        self.written.extend(written.bodies);
        written.verdicts.into_iter().map(|verdict| verdict.map_err(RedeemError::from)).collect()
    }
}

/// The transaction around everything is gone.
struct Lost(StoreError);

/// Writes entries that share an open transaction with nothing else. They get no savepoint unless they fail: after a
/// savepoint, SQLite copies every page before changing it.
fn write_alone(
    connection: &mut AnyConnection,
    entries: &[Entry],
    bodies: &mut Bodies<'_>,
) -> Result<Vec<EntryResult>, Lost> {
    match ledger::write(connection, entries, bodies.known) {
        Ok(written) => Ok(bodies.take(written)),
        Err(error) if connection.has_lost_transaction() => Err(Lost(error)),
        Err(_) => {
            connection.roll_back();
            connection.begin_with_config_lock().map_err(|error| Lost(error.into()))?;
            write_entries(connection, entries, bodies)
        }
    }
}

/// Writes entries inside an open transaction. If that fails, writes each by itself, so that a bad one does not affect
/// the others.
fn write_entries(
    connection: &mut AnyConnection,
    entries: &[Entry],
    bodies: &mut Bodies<'_>,
) -> Result<Vec<EntryResult>, Lost> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    match connection.transaction(|c| ledger::write(c, entries, bodies.known)) {
        Ok(written) => Ok(bodies.take(written)),
        Err(error) if connection.has_lost_transaction() => Err(Lost(error)),
        Err(error) if entries.len() == 1 => Ok(vec![Err(error.into())]),
        Err(_) => {
            let mut all = Vec::with_capacity(entries.len());
            for entry in entries {
                all.extend(write_entries(connection, std::slice::from_ref(entry), bodies)?);
            }
            Ok(all)
        }
    }
}

/// Writes the entries in transactions of their own.
fn commit_entries(
    link: &mut DatabaseLink,
    entries: &[Entry],
    answers: &[EntryAnswer],
    known: &KnownBodies,
) -> Vec<EntryResult> {
    let mut attempt = 1;
    let started = Instant::now();
    let error = loop {
        match link.transaction(AnyConnection::begin_with_config_lock, |c| ledger::write(c, entries, known)) {
            Ok(written) => {
                let mut bodies = Bodies { known, written: Vec::new() };
                let outcomes = bodies.take(written);
                known.note(bodies.written);
                return outcomes;
            }
            Err(StoreError::Database(error)) if attempt < ATTEMPTS && is_transient(&error) => attempt += 1,
            Err(error) => break error,
        }
    };
    if let [_] = entries {
        return vec![Err(error.into())];
    }
    // If the batch was slow, each entry would be slow too.
    if started.elapsed() > SLOW || !link.connection.is_usable() {
        return failed(entries, &error);
    }
    let each = entries.iter().zip(answers).map(|(entry, answer)| match answer.is_closed() {
        true => vec![Err(StoreError::Timeout.into())],
        false => commit_entries(link, std::slice::from_ref(entry), std::slice::from_ref(answer), known),
    });
    each.flatten().collect()
}

fn failed(entries: &[Entry], error: &StoreError) -> Vec<EntryResult> {
    tracing::error!(%error, jobs = entries.len(), "cannot write; nothing was written");
    entries.iter().map(|_| Err(StoreError::Commit(error.to_string()).into())).collect()
}
