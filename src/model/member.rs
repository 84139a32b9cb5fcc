//! Members: people in a teamspace.

use super::member_link::MemberLink;
use crate::clock::UnixSeconds;
use crate::text_enum::text_enum;

text_enum! {
    /// The rights of a member in the teamspace's own administration.
    Role {
        /// By the shipped policies, reads and changes everything of the teamspace.
        Owner = "owner",
        /// By the shipped policies, may do what an owner may.
        Admin = "admin",
        /// By the shipped policies, reads everything of the teamspace and changes nothing.
        Developer = "developer",
    }
}

text_enum! {
    /// Whether a member comes in. A removed one stays out until invited again.
    Status {
        /// Signs in, and takes a seat.
        Active = "active",
        /// Has not signed in yet, and takes a seat already.
        Invited = "invited",
        /// Is refused until an administrator lifts it; takes no seat.
        Suspended = "suspended",
        /// Is refused until invited again, and takes no seat.
        Removed = "removed",
    }
}

impl Status {
    /// Whether a member of this status takes one of the teamspace's seats.
    pub fn holds_seat(self) -> bool {
        matches!(self, Self::Active | Self::Invited)
    }

    /// The status that an administrator sets. Only a sign-in makes an invited member active, since it is what shows who
    /// they are.
    pub fn set_to(self, wanted: Self) -> Result<Self, StatusFault> {
        match (self, wanted) {
            (Self::Active, Self::Suspended) | (Self::Suspended, Self::Active) => Ok(wanted),
            _ if self == wanted => Ok(wanted),
            _ => Err(StatusFault { from: self, to: wanted }),
        }
    }
}

/// A change of status that no administrator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "A member cannot go from {} to {}: PATCH suspends active members and brings suspended ones back; an invited one \
     becomes active by signing in, and DELETE withdraws the invitation.",
    .from.as_str(), .to.as_str()
)]
pub struct StatusFault {
    from: Status,
    to: Status,
}

/// A person in a teamspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// A random identifier, unique in the deployment: the `sub` of this person's access tokens.
    pub id: String,
    /// The teamspace that the membership is in. The same person in another teamspace is another member.
    pub teamspace_id: String,
    /// The address in lower case; of somebody without one, [`Self::without_email`]. Members are listed by it.
    pub email: String,
    /// The member's rights in the console; policies read it as well.
    pub role: Role,
    /// Whether the member may sign in.
    pub status: Status,
    /// `sign-in` or `invitation`.
    pub provisioned_by: String,
    /// The time of the invitation or of the first sign-in.
    pub created_at: UnixSeconds,
    /// The time of the last granted token request; none before the first.
    pub last_sign_in_at: Option<UnixSeconds>,
    /// Assertions about a sign-in at or before this time are refused.
    pub sessions_ended_at: Option<UnixSeconds>,
    /// None as well where it was not kept: see [`Self::first_sign_in`].
    pub first_sign_in_at: Option<UnixSeconds>,
    /// The value by which an identity provider with `link_by` knows them.
    pub link: Option<MemberLink>,
}

impl Member {
    /// Somebody who was invited and has not signed in yet. The email is in lower case.
    pub fn invited(
        id: String,
        teamspace_id: String,
        email: String,
        role: Role,
        created_at: UnixSeconds,
    ) -> Self {
        Self {
            id,
            teamspace_id,
            email,
            role,
            status: Status::Invited,
            provisioned_by: "invitation".to_owned(),
            created_at,
            last_sign_in_at: None,
            sessions_ended_at: None,
            first_sign_in_at: None,
            link: None,
        }
    }

    /// What stands in the place of the email of a member who is known by the subject alone. It is nobody else's, no
    /// address, and comes behind all addresses in a list.
    pub fn without_email(id: &str) -> String {
        format!("~{id}")
    }

    /// The address, if the member has one.
    pub fn address(&self) -> Option<&str> {
        self.email.contains('@').then_some(self.email.as_str())
    }

    /// When they signed in first, if that is known. Older versions kept it only of those who came by a sign-in.
    pub fn first_sign_in(&self) -> Option<UnixSeconds> {
        let came_by_sign_in = self.provisioned_by == "sign-in";
        self.first_sign_in_at.or(came_by_sign_in.then_some(self.created_at))
    }

    /// A removed member who is invited once more.
    pub fn invited_again(self, role: Role) -> Self {
        Self { role, status: Status::Invited, provisioned_by: "invitation".to_owned(), ..self }
    }

    /// A suspended member who comes back. Whoever has no subject bound to them has yet to show who they are.
    pub fn reinstated(self, is_bound: bool) -> Self {
        Self { status: if is_bound { Status::Active } else { Status::Invited }, ..self }
    }

    /// The member, who stays out until invited again.
    pub fn removed(self) -> Self {
        Self { status: Status::Removed, ..self }
    }

    /// The member, of whom no sign-in until a time counts any more. That time never goes back.
    pub fn with_sessions_ended(self, at: UnixSeconds) -> Self {
        Self { sessions_ended_at: self.sessions_ended_at.max(Some(at)), ..self }
    }
}
