//! Why an assertion cannot be redeemed.

use crate::clock::{UnixSeconds, rfc3339};

/// Why nothing of an entry was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// RFC 7523 §3 point 7: it was redeemed before.
    #[error("the assertion was redeemed before")]
    Replayed,
    /// RFC 7523 §3 point 7: the client authenticated with the same assertion before.
    #[error("the client assertion was used before")]
    ClientAssertionReplayed,
    /// Whether the client authenticated with the same assertion before is no longer known.
    #[error("the client assertion is so old that its use may be forgotten; compare the clocks")]
    ClientAssertionTooOld,
    /// RFC 9449 §4.3: the proof of possession was used before.
    #[error("the proof was used before")]
    ProofReplayed,
    /// Whether the proof of possession was used before is no longer known.
    #[error("the proof is so old that its use may be forgotten; compare the clocks")]
    ProofTooOld,
    /// Used assertions that expire this early may have been deleted, by a clock that is or was ahead.
    #[error("used assertions that expire before {} may be forgotten; compare the clocks", rfc3339(*horizon))]
    ExpiresTooEarly {
        /// The time up to which used assertions may be forgotten, by their expiry.
        horizon: UnixSeconds,
    },
    /// The database is a restored backup, which does not know what was used after the backup.
    #[error("issued before {}, when a restored backup went into service", rfc3339(*from))]
    IssuedTooEarly {
        /// The earliest issue time that is accepted.
        from: UnixSeconds,
    },
    /// No process has begun to serve it.
    #[error("the database was restored while the service runs; restart the service")]
    NotServedYet,
    /// Another write came between decision and commit: read the facts again and decide again.
    #[error("the facts changed after the decision")]
    FactsChanged,
    /// An administrator's change came in between: an issuer, client or plan may have changed.
    #[error("the configuration changed after the decision")]
    ConfigurationChanged,
}
