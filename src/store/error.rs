//! Errors of the store.

use diesel::result::Error as DieselError;

use crate::oauth::error::{Reason, TokenError};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database: {0}")]
    Open(String),
    #[error("cannot migrate the database: {0}")]
    Migrate(String),
    #[error("there is no database at {0}; run `countersign migrate`")]
    Missing(String),
    #[error(
        "the database file {0} was deleted or replaced while it was open; stop the service, put the file in its place, \
         and start the service again"
    )]
    Moved(String),
    #[error("the database is behind this version; run `countersign migrate`")]
    Behind,
    #[error(
        "the database is of a newer version: this one does not know its migrations {0}; run a version that does, or \
         restore a backup that was taken before them"
    )]
    Ahead(String),
    #[error("cannot commit: {0}")]
    Commit(String),
    #[error("too many requests are waiting for the database")]
    Overloaded,
    #[error("the database cannot be reached")]
    Stopped,
    #[error("the database did not answer in time")]
    Timeout,
    #[error("several policy sets have a hash that begins with {0}")]
    AmbiguousSet(String),
    #[error(transparent)]
    NoEntropy(#[from] crate::random::NoEntropy),
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
    #[error("database: {0}")]
    Database(#[from] DieselError),
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(Reason::INTERNAL, error)
    }
}

impl From<crate::text_enum::NotAValue> for StoreError {
    fn from(error: crate::text_enum::NotAValue) -> Self {
        Self::Damaged(error.to_string())
    }
}
