//! One accepted exchange to be written: all of it or nothing.

use diesel::prelude::*;
use diesel::result::Error as DieselError;

use crate::clock::UnixSeconds;
use crate::model::member::Member;
use crate::store::conflict::Conflict;
use crate::store::members::{self, Identity};
use crate::store::state::Generation;
use crate::store::{AnyConnection, StoreError, is_duplicate};

/// Consumes an assertion and keeps the member.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// SHA-256 over issuer and jti.
    pub assertion: String,
    /// The `iat` of the assertion.
    pub issued_at: UnixSeconds,
    /// The time from which the assertion is refused for its age alone (exp and skew).
    pub expires_at: UnixSeconds,
    /// The configuration that the decision is based on.
    pub generation: Generation,
    /// The change to the member.
    pub member: MemberChange,
}

/// The member that the decision is based on, and the change to them.
#[derive(Debug, Clone)]
pub enum MemberChange {
    /// A new person, who becomes a member if a seat is free.
    Provision {
        /// The member to be added, with a new identifier.
        member: Member,
        /// The subject that is bound to them.
        identity: Identity,
        /// The number of taken seats, if the decision is based on it.
        seats_counted: Option<i64>,
    },
    /// An invited or unlinked member, who becomes active, and is bound to the subject unless that is done already.
    Accept {
        /// The member as they were when it was decided.
        member: Member,
        /// The earliest time at which the sign-in can have been.
        signed_in_at: UnixSeconds,
        /// The subject to bind; none when it is bound already.
        identity: Option<Identity>,
    },
    /// A member already.
    Known {
        /// The member's identifier.
        member_id: String,
    },
}

/// Why an assertion was not redeemed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// The assertion, or the member's state, does not allow it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The database failed, or did not answer in time.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DieselError> for RedeemError {
    fn from(error: DieselError) -> Self {
        Self::Store(error.into())
    }
}

/// A unique violation on a member's rows means that a parallel sign-in came first.
fn or_changed(result: QueryResult<()>) -> Result<(), RedeemError> {
    match result {
        Err(error) if is_duplicate(&error) => Err(Conflict::FactsChanged.into()),
        other => Ok(other?),
    }
}

/// Binds a member to its one subject. If two subjects arrive at once with the member's email, the second finds the
/// first, and must not become the same member.
fn bind_first(connection: &mut AnyConnection, identity: &Identity) -> Result<(), RedeemError> {
    if !members::identities_of(connection, std::slice::from_ref(&identity.member_id))?.is_empty() {
        return Err(Conflict::FactsChanged.into());
    }
    or_changed(members::bind(connection, identity))
}

impl MemberChange {
    /// The order in which members are changed; none if only a time is noted.
    ///
    /// A new member locks the teamspace before its own row, and so comes before an existing one.
    pub(super) fn order(&self) -> Option<(&str, bool, &str)> {
        match self {
            Self::Provision { member, .. } => Some((&member.teamspace_id, false, &member.email)),
            Self::Accept { member, .. } => Some((&member.teamspace_id, true, &member.email)),
            Self::Known { .. } => None,
        }
    }

    /// Applies the change, or does nothing if the facts have changed.
    pub(super) fn apply(&self, connection: &mut AnyConnection, now: UnixSeconds) -> Result<(), RedeemError> {
        match self {
            Self::Provision { member, identity, seats_counted } => {
                match members::provision(connection, member, identity, *seats_counted)? {
                    true => Ok(()),
                    false => Err(Conflict::FactsChanged.into()),
                }
            }
            Self::Accept { member, signed_in_at, identity } => connection.transaction(|connection| {
                // The member's row is locked from here on.
                if !members::accept(connection, &member.id, now, *signed_in_at)? {
                    return Err(Conflict::FactsChanged.into());
                }
                identity.as_ref().map_or(Ok(()), |identity| bind_first(connection, identity))
            }),
            Self::Known { .. } => Ok(()),
        }
    }
}

/// Proof that a grant's assertion is used up, its member exists and its sign-in is recorded. Only the write makes one.
#[derive(Debug)]
pub struct Committed(pub(in crate::store) ());
