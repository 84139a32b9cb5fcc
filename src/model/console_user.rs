//! People who are signed in to the console.

use serde::{Deserialize, Serialize};

use super::member::Role;

/// A person in the console, as their session says who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleUser {
    /// The id of the session's row, which is no secret.
    pub session_id: String,
    /// The verified address, in lower case; empty for whoever came with a set-up token or a set-up link.
    pub email: String,
    /// The name that the sign-in told, for the page; the email where there was none.
    pub name: String,
    /// The groups that the identity provider stated at the sign-in.
    pub groups: Vec<String>,
    /// The rights that they have from the start: an operator's, a member's or those of a link.
    pub kind: UserKind,
}

/// The kind of access that a person has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserKind {
    /// One of the company that runs the service: sees everything.
    Operator,
    /// A member of these teamspaces.
    Member(Vec<Membership>),
    /// A customer's administrator without an account, who came by a set-up link.
    SetupLink {
        /// The only teamspace that the link opens.
        teamspace_id: String,
        /// The link's identifier, for the audit log.
        link_id: String,
    },
}

/// A person's place in one teamspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The identifier of the teamspace.
    pub teamspace_id: String,
    /// The person's role in it.
    pub role: Role,
}

impl ConsoleUser {
    /// Whether they see everything.
    pub fn is_operator(&self) -> bool {
        matches!(self.kind, UserKind::Operator)
    }

    /// The ids of the teamspaces that they are confined to; none for an operator, who sees all of them.
    pub fn confined_to(&self) -> Option<Vec<&str>> {
        match &self.kind {
            UserKind::Operator => None,
            UserKind::Member(memberships) => {
                Some(memberships.iter().map(|membership| membership.teamspace_id.as_str()).collect())
            }
            UserKind::SetupLink { teamspace_id, .. } => Some(vec![teamspace_id]),
        }
    }
}
