//! Jobs for the threads that own the database connections.

use tokio::sync::oneshot;

use super::StoreError;
use super::connection::AnyConnection;
use super::ledger::{Entry, RedeemError};
use super::link::DatabaseLink;

/// The callback that a job leaves behind: it gets the outcome of the commit, and answers the waiting task.
pub(super) type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Says also whether the job failed.
pub(super) type WriteJob = Box<dyn FnOnce(Start<'_>) -> (Finish, bool) + Send>;
/// Says whether the job failed.
pub(super) type ReadJob = Box<dyn FnOnce(&mut DatabaseLink) -> bool + Send>;
/// Where the outcome of an entry is waited for.
pub(super) type EntryAnswer = oneshot::Sender<Result<(), RedeemError>>;

/// How a job begins.
pub(super) enum Start<'a> {
    /// In a transaction of its own.
    Alone(&'a mut DatabaseLink),
    /// In a savepoint of a transaction with others.
    Among(&'a mut AnyConnection),
    /// Not at all, and why.
    Never(&'a str),
}

/// The work of writers.
pub(super) enum Job {
    /// For the ledger, which writes many at once.
    Entry(Box<Entry>, EntryAnswer),
    /// Any other job, in its own transaction or savepoint.
    Other(WriteJob),
}

/// The state of a connection after some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Sound,
    /// Something failed: it is to be looked at.
    Doubtful,
    /// Not to be used again.
    Broken,
}
