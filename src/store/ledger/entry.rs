//! One accepted exchange to be written: all of it or nothing.

use diesel::prelude::*;
use diesel::result::Error as DieselError;

use crate::clock::UnixSeconds;
use crate::model::member::Member;
use crate::model::member_link::MemberLink;
use crate::store::conflict::Conflict;
use crate::store::members::{self, Identity};
use crate::store::state::Generation;
use crate::store::{AnyConnection, StoreError, is_duplicate};

/// The use of the assertion by which a client authenticated (RFC 7523 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAssertionUse {
    /// SHA-256 over client and jti.
    pub id: String,
    /// The earliest time at which it can have been used.
    pub issued_at: UnixSeconds,
    /// The time from which it is refused for its age alone.
    pub expires_at: UnixSeconds,
}

/// The use of a proof of possession (RFC 9449 §11.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofUse {
    /// SHA-256 over key and jti.
    pub id: String,
    /// Its `iat`.
    pub issued_at: UnixSeconds,
    /// The time from which it is refused for its age alone.
    pub expires_at: UnixSeconds,
}

/// Consumes an assertion and keeps the member.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// SHA-256 over issuer and jti.
    pub assertion: String,
    /// The `iat` of the assertion.
    pub issued_at: UnixSeconds,
    /// The time from which the assertion is refused for its age alone (exp and skew).
    pub expires_at: UnixSeconds,
    /// The assertion by which the client authenticated, which is used up with it; none if it has a secret.
    pub client_assertion: Option<ClientAssertionUse>,
    /// The proof that the token will be bound by, which is used up with it as well.
    pub proof: Option<ProofUse>,
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
        /// The subjects that are bound to them: `sub`, and a NameID if there is one.
        identities: Vec<Identity>,
        /// The number of taken seats, if the decision is based on it.
        seats_counted: Option<i64>,
    },
    /// An invited or unlinked member, who becomes active, and is bound to the subjects unless that is done already.
    Accept {
        /// The member as they were when it was decided.
        member: Member,
        /// The earliest time at which the sign-in can have been.
        signed_in_at: UnixSeconds,
        /// The subjects to bind; empty when one is bound already.
        identities: Vec<Identity>,
        /// The value to record, by which the identity provider knows them.
        link: Option<MemberLink>,
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

/// Binds a member to their first subjects. If two people arrive at once with the member's email, the second finds the
/// subject of the first, and must not become the same member.
fn bind_first(
    connection: &mut AnyConnection,
    member: &Member,
    identities: &[Identity],
) -> Result<(), RedeemError> {
    if !members::identities_of(connection, std::slice::from_ref(&member.id))?.is_empty() {
        return Err(Conflict::FactsChanged.into());
    }
    identities.iter().try_for_each(|identity| or_changed(members::bind(connection, identity)))
}

/// Records the value of a member's first sign-in, which nobody else may have. For somebody who is bound already, a value
/// that a removed member still has is left there.
fn note_link(
    connection: &mut AnyConnection,
    member: &Member,
    link: &MemberLink,
    is_bound: bool,
) -> Result<(), RedeemError> {
    let mut is_recorded = false;
    or_changed(members::record_link(connection, member, link).map(|recorded| is_recorded = recorded))?;
    if is_recorded || is_bound { Ok(()) } else { Err(Conflict::FactsChanged.into()) }
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
            Self::Provision { member, identities, seats_counted } => {
                match members::provision(connection, member, identities, *seats_counted)? {
                    true => Ok(()),
                    false => Err(Conflict::FactsChanged.into()),
                }
            }
            Self::Accept { member, signed_in_at, identities, link } => connection.transaction(|connection| {
                // The member's row is locked from here on.
                if !members::accept(connection, &member.id, now, *signed_in_at)? {
                    return Err(Conflict::FactsChanged.into());
                }
                if let Some(link) = link {
                    note_link(connection, member, link, identities.is_empty())?;
                }
                if identities.is_empty() { Ok(()) } else { bind_first(connection, member, identities) }
            }),
            Self::Known { .. } => Ok(()),
        }
    }
}

/// Proof that a grant's assertion is used up, its member exists and its sign-in is recorded. Only the write makes one.
#[derive(Debug)]
pub struct Committed(pub(in crate::store) ());
