//! One accepted exchange as it is to be written: everything or nothing.

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
    /// From when on the assertion is refused for its age alone (exp and skew).
    pub expires_at: UnixSeconds,
    /// The configuration that the decision stood on.
    pub generation: Generation,
    /// What the commit does about the member.
    pub member: MemberChange,
}

/// What the decision stood on, and what becomes of the member.
#[derive(Debug, Clone)]
pub enum MemberChange {
    /// Nobody: becomes a member while a seat is free.
    Provision {
        /// The member to be added, with a new identifier.
        member: Member,
        /// The subject that is bound to them.
        identity: Identity,
        /// How many seats were taken, where the decision stood on that.
        seats_counted: Option<i64>,
    },
    /// Invited or unlinked: is active from now on, and bound to the subject unless it is already. `signed_in_at` is
    /// the earliest time at which that can have been.
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

/// Why an assertion was not redeemed; nothing was written then.
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

/// A unique violation on a member's rows means that a parallel sign-in was first.
fn or_changed(result: QueryResult<()>) -> Result<(), RedeemError> {
    match result {
        Err(error) if is_duplicate(&error) => Err(Conflict::FactsChanged.into()),
        other => Ok(other?),
    }
}

/// Binds a member to its one subject. Of two subjects that arrive at once with the member's email, the
/// second finds the first: it must not become the same member.
fn bind_first(connection: &mut AnyConnection, identity: &Identity) -> Result<(), RedeemError> {
    if !members::identities_of(connection, std::slice::from_ref(&identity.member_id))?.is_empty() {
        return Err(Conflict::FactsChanged.into());
    }
    or_changed(members::bind(connection, identity))
}

impl MemberChange {
    /// In which order members are changed; none when nothing but a time is noted.
    ///
    /// A new one locks the teamspace before its own row, and so comes before one who is there already.
    pub(super) fn order(&self) -> Option<(&str, bool, &str)> {
        match self {
            Self::Provision { member, .. } => Some((&member.teamspace_id, false, &member.email)),
            Self::Accept { member, .. } => Some((&member.teamspace_id, true, &member.email)),
            Self::Known { .. } => None,
        }
    }

    /// Does it, or nothing where the facts are others.
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

/// Proof that a grant's assertion is consumed, its member exists and its sign-in is recorded. Only the write makes one.
#[derive(Debug)]
pub struct Committed(pub(in crate::store) ());
