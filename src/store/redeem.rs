//! The one write of an accepted exchange: everything or nothing, in one transaction.

use diesel::prelude::*;
use diesel::result::Error as DieselError;

use super::members::{self, Identity, Member};
use super::schema::used_assertions;
use super::sign_ins::{self, NewSignIn};
use super::{AnyConnection, StoreError, generation, is_duplicate};
use crate::clock::UnixSeconds;

/// Consumes an assertion, keeps the member, records the sign-in.
pub struct Redemption {
    /// SHA-256 over issuer and jti.
    pub assertion: String,
    /// From when on the assertion is refused for its age alone (exp and skew).
    pub expires_at: UnixSeconds,
    /// The configuration that the decision stood on.
    pub generation: i64,
    pub member: MemberChange,
    pub sign_in: NewSignIn,
}

/// What the decision stood on, and what becomes of the member.
pub enum MemberChange {
    /// Nobody: becomes a member while fewer than `limit` seats are taken.
    Provision { member: Member, identity: Identity, limit: Option<i64> },
    /// Invited or unlinked: is active from now on, and bound to the subject unless it is already.
    Accept { member_id: String, signed_in_at: UnixSeconds, identity: Option<Identity> },
    /// A member already, who signed in at the identity provider at `signed_in_at`.
    Known { member_id: String, signed_in_at: UnixSeconds },
}

/// Why an assertion was not redeemed; nothing was written then.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// RFC 7523 §3 point 7: it was redeemed before.
    #[error("the assertion was redeemed before")]
    Replayed,
    /// Somebody else's write came between decision and commit: read the facts again and decide again.
    #[error("the facts changed under the decision")]
    FactsChanged,
    /// An administrator's change came in between: an issuer, client or plan may not be what it was.
    #[error("the configuration changed under the decision")]
    ConfigurationChanged,
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
        Err(error) if is_duplicate(&error) => Err(RedeemError::FactsChanged),
        other => Ok(other?),
    }
}

impl Redemption {
    pub(super) fn perform(self, connection: &mut AnyConnection) -> Result<(), RedeemError> {
        if generation(connection)? != self.generation {
            return Err(RedeemError::ConfigurationChanged);
        }
        consume(connection, &self.assertion, self.expires_at)?;
        self.member.apply(connection, self.sign_in.at)?;
        sign_ins::append(connection, &self.sign_in)?;
        Ok(())
    }
}

/// Under what an assertion is kept: 132 bits of its digest, which nobody can make two assertions meet in.
fn key(assertion: &str) -> &str {
    assertion.get(..22).unwrap_or(assertion)
}

/// The primary key decides: of two transactions with one assertion, one fails.
fn consume(
    connection: &mut AnyConnection,
    assertion: &str,
    expires_at: UnixSeconds,
) -> Result<(), RedeemError> {
    let row = (used_assertions::assertion.eq(key(assertion)), used_assertions::expires_at.eq(expires_at));
    match diesel::insert_into(used_assertions::table).values(row).execute(connection) {
        Err(error) if is_duplicate(&error) => Err(RedeemError::Replayed),
        other => Ok(other.map(drop)?),
    }
}

/// Whether an assertion was redeemed.
pub fn is_redeemed(connection: &mut AnyConnection, assertion: &str) -> Result<bool, StoreError> {
    let row = used_assertions::table.filter(used_assertions::assertion.eq(key(assertion)));
    Ok(row.count().get_result::<i64>(connection)? > 0)
}

/// Binds a member to its one subject. Of two subjects that arrive at once with the member's email, the
/// second finds the first: it must not become the same member.
fn bind_first(connection: &mut AnyConnection, identity: &Identity) -> Result<(), RedeemError> {
    if !members::identities_of(connection, std::slice::from_ref(&identity.member_id))?.is_empty() {
        return Err(RedeemError::FactsChanged);
    }
    or_changed(members::bind(connection, identity))
}

impl MemberChange {
    fn apply(self, connection: &mut AnyConnection, now: UnixSeconds) -> Result<(), RedeemError> {
        match self {
            Self::Provision { member, identity, limit } => {
                let seats_used = members::seats_used(connection, &member.teamspace_id)?;
                if limit.is_some_and(|limit| seats_used >= limit) {
                    return Err(RedeemError::FactsChanged);
                }
                or_changed(members::insert(connection, &member))?;
                or_changed(members::bind(connection, &identity))
            }
            Self::Accept { member_id, signed_in_at, identity } => {
                if !members::accept(connection, &member_id, now, signed_in_at)? {
                    return Err(RedeemError::FactsChanged);
                }
                identity.map_or(Ok(()), |identity| bind_first(connection, &identity))
            }
            Self::Known { member_id, signed_in_at } => {
                match members::touch(connection, &member_id, now, signed_in_at)? {
                    true => Ok(()),
                    false => Err(RedeemError::FactsChanged),
                }
            }
        }
    }
}
