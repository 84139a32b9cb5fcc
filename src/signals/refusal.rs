//! Why a signal ends nobody's sessions.

use std::error::Error as StdError;

use super::claims::EventFault;
use super::subject::SubjectFault;
use crate::limits::Limited;
use crate::store::StoreError;

/// A signal that is not acted on. Each endpoint answers it in its own protocol.
#[derive(Debug, thiserror::Error)]
pub enum SignalRefusal {
    /// It is not known to come from an identity provider of the teamspace. The sender learns nothing about the cause.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// It comes from an identity provider of the teamspace, and is for somebody else.
    #[error("another audience")]
    Audience,
    /// It breaks a rule of its protocol; the text is for the sender.
    #[error("{0}")]
    Malformed(String),
    /// Its subject is one of another issuer, for which the sender does not speak.
    #[error("a subject of another issuer")]
    Forbidden,
    /// The teamspace has no such member of the sender's.
    #[error("no such member")]
    UnknownUser,
    /// Its subject leads to two members.
    #[error("a subject that leads to two members")]
    Ambiguous,
    /// It was acted on before.
    #[error("acted on before")]
    Repeated,
    /// There are too many for this teamspace.
    #[error("too many signals for one teamspace")]
    Limited(Limited),
    /// The database or the issuer's keys are out of reach for now; nothing was written.
    #[error("unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}

impl SignalRefusal {
    /// A signal of an unknown sender, with the cause for the log.
    pub(super) fn unauthenticated(cause: impl ToString) -> Self {
        Self::Unauthenticated(cause.to_string())
    }

    /// Something of ours, or the identity provider, is out of order.
    pub(super) fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl From<EventFault> for SignalRefusal {
    fn from(fault: EventFault) -> Self {
        Self::Malformed(fault.to_string())
    }
}

impl From<SubjectFault> for SignalRefusal {
    fn from(fault: SubjectFault) -> Self {
        Self::Malformed(fault.to_string())
    }
}

impl From<StoreError> for SignalRefusal {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error)
    }
}

impl From<diesel::result::Error> for SignalRefusal {
    fn from(error: diesel::result::Error) -> Self {
        StoreError::from(error).into()
    }
}
