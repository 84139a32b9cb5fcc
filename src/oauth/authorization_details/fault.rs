//! Why authorization details cannot be processed, and what the caller is told.

use crate::oauth::error::{ErrorCode, Reason, TokenError, shown};

/// A fault in authorization details. Of the caller's values, it holds only the names of types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetailsFault {
    /// They are no array of objects with a type, or a common field has another type (RFC 9396 §2).
    #[error("{0}")]
    Malformed(String),
    /// Nobody registered the type.
    #[error("the type {} is not known here", shown(.0))]
    UnknownType(String),
    /// One does not fit the schema of its type.
    #[error("of type {}: {why}", shown(.detail_type))]
    Unfit {
        /// The type.
        detail_type: String,
        /// The fault, and its place in the detail.
        why: String,
    },
    /// One is about another resource than the token.
    #[error("of type {}: {member} is outside the resource", shown(.detail_type))]
    Elsewhere {
        /// The type.
        detail_type: String,
        /// The member that says so.
        member: &'static str,
    },
}

/// Where details come from: it decides the code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailSource {
    /// The parameter of the token request.
    Request,
    /// The claim of the assertion.
    Assertion,
}

impl DetailsFault {
    /// The refusal. Details of a request have a code of their own (RFC 9396 §5); the others are part of the grant.
    pub fn refusal(&self, source: DetailSource) -> TokenError {
        let code = match source {
            DetailSource::Request => ErrorCode::InvalidAuthorizationDetails,
            DetailSource::Assertion => ErrorCode::InvalidGrant,
        };
        let (reason, text) = self.told();
        TokenError::new(code, reason, text).detail(self.to_string())
    }

    fn told(&self) -> (Reason, &'static str) {
        match self {
            Self::Malformed(_) => (
                Reason::DETAILS_MALFORMED,
                "authorization_details must be 1 to 16 objects with a type, together at most 4 KiB.",
            ),
            Self::UnknownType(_) => (
                Reason::DETAILS_TYPE_UNKNOWN,
                "authorization_details has a type that is not supported: the server's metadata lists those that are.",
            ),
            Self::Unfit { .. } => {
                (Reason::DETAILS_UNFIT, "authorization_details has an entry that does not fit its type.")
            }
            Self::Elsewhere { .. } => {
                (Reason::DETAILS_ELSEWHERE, "authorization_details has an entry for another resource.")
            }
        }
    }
}
