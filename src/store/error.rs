//! Errors of the store.

use diesel::result::Error as DieselError;

use crate::oauth::error::{Reason, TokenError};

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection can be made, or a connection's settings are refused; with the address and the cause.
    #[error("cannot open the database: {0}")]
    Open(String),
    /// A migration failed; the migrations before it stay.
    #[error("cannot migrate the database: {0}")]
    Migrate(String),
    /// There is no database file at this path; only `migrate` makes one.
    #[error("there is no database at {0}; run `countersign migrate`")]
    Missing(String),
    /// The file at this path is not the one that was opened, so writes would go to a file that nobody sees.
    #[error(
        "the database file {0} was deleted or replaced while it was open; stop the service, put the file in its place, \
         and start the service again"
    )]
    Moved(String),
    /// The database lacks migrations that this version needs.
    #[error("the database is behind this version; run `countersign migrate`")]
    Behind,
    /// The database has these migrations, which this version does not know.
    #[error(
        "the database is of a newer version: this one does not know its migrations {0}; run a version that does, or \
         restore a backup that was taken before them"
    )]
    Ahead(String),
    /// A group of sign-ins was not committed, for this cause. None of them was written.
    #[error("cannot commit: {0}")]
    Commit(String),
    /// The queue of the writers or readers is full; asking again later helps.
    #[error("too many requests are waiting for the database")]
    Overloaded,
    /// The threads that talk to the database have ended, as when the service stops.
    #[error("the database cannot be reached")]
    Stopped,
    /// No answer within `database.timeout`. Whether a write took effect is not known.
    #[error("the database did not answer in time")]
    Timeout,
    /// More than one policy set has a hash with this beginning; a longer one tells them apart.
    #[error("several policy sets have a hash that begins with {0}")]
    AmbiguousSet(String),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] crate::random::NoEntropy),
    /// A value in the database is not of the form that this version writes, for this cause.
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
    /// A statement failed, or the connection was lost.
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
