//! Members: people in a teamspace.

use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The rights of a member in the teamspace's own administration.
    Role { Owner = "owner", Admin = "admin", Developer = "developer" }
}

text_enum! {
    /// Whether a member comes in. A removed one stays out until invited again.
    Status { Active = "active", Invited = "invited", Suspended = "suspended", Removed = "removed" }
}

impl Status {
    /// Whether a member of this status takes one of the teamspace's seats.
    pub fn holds_seat(self) -> bool {
        matches!(self, Self::Active | Self::Invited)
    }
}

/// A person in a teamspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub teamspace_id: String,
    /// Lower case.
    pub email: String,
    pub role: Role,
    pub status: Status,
    /// `sign-in` or `invitation`.
    pub provisioned_by: String,
    pub created_at: UnixSeconds,
    pub last_sign_in_at: Option<UnixSeconds>,
    /// Assertions about a sign-in at or before this time are refused.
    pub sessions_ended_at: Option<UnixSeconds>,
}
