//! The facts of a question about the console: the person, and the object of the action.

use cedar_policy::{Entity, EntityUid, RestrictedExpression as Expr};
use serde::Deserialize;

use super::cedar::{FactsResult, entity};
use super::kinds::{refs, text};
use super::uids::{TYPES, uid};
use super::{LocalMoment, TeamspaceFacts};
use crate::clock::UnixSeconds;
use crate::model::teamspace::UTC;

/// The id of the one `Deployment`.
const DEPLOYMENT: &str = "countersign";

/// How a person or token reached the console or the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleKind {
    /// A person of the company that runs the service.
    Operator,
    /// A token of the admin API for the whole deployment.
    OperatorToken,
    /// A member of at least one teamspace.
    Member,
    /// A token of the admin API for one teamspace.
    TeamspaceToken,
    /// Somebody with a set-up link for one teamspace, who has no account.
    SetupLink,
}

impl ConsoleKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Operator, Self::OperatorToken, Self::Member, Self::TeamspaceToken, Self::SetupLink];

    /// Its name in the schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::OperatorToken => "operator_token",
            Self::Member => "member",
            Self::TeamspaceToken => "teamspace_token",
            Self::SetupLink => "setup_link",
        }
    }
}

/// Facts about the user of the console. Teamspaces are given by their slugs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleUserFacts {
    /// The person's email, or the id of the token or the link.
    pub id: String,
    /// How they came.
    pub kind: ConsoleKind,
    /// The verified email in lower case; none for tokens and links.
    pub email: Option<String>,
    /// The groups that the sign-in named.
    pub groups: Vec<String>,
    /// Teamspaces where the person's role is owner.
    pub owner_of: Vec<String>,
    /// Teamspaces where the person's role is admin.
    pub admin_of: Vec<String>,
    /// Teamspaces where the person's role is developer.
    pub developer_of: Vec<String>,
    /// The only teamspace that a token or a link is for.
    pub teamspace: Option<String>,
}

/// Facts about a question of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleFacts {
    /// The time of the question, in seconds since 1970.
    pub now: UnixSeconds,
    /// Who asks.
    pub user: ConsoleUserFacts,
    /// The teamspace in question; none for the deployment.
    pub teamspace: Option<TeamspaceFacts>,
}

impl ConsoleUserFacts {
    /// Somebody of whom nothing else is known.
    pub fn new(kind: ConsoleKind, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            email: None,
            groups: Vec::new(),
            owner_of: Vec::new(),
            admin_of: Vec::new(),
            developer_of: Vec::new(),
            teamspace: None,
        }
    }

    fn entity(&self, id: EntityUid) -> FactsResult<Entity> {
        let teamspaces = |slugs: &[String]| refs(&TYPES.teamspace, slugs);
        let kind = Expr::new_entity_uid(uid(&TYPES.console_kind, self.kind.as_str()));
        let always = [
            ("kind", kind),
            ("groups", Expr::new_set(self.groups.iter().map(|group| text(group)))),
            ("owner_of", teamspaces(&self.owner_of)),
            ("admin_of", teamspaces(&self.admin_of)),
            ("developer_of", teamspaces(&self.developer_of)),
        ];
        let email = self.email.as_deref().map(|email| ("email", text(email)));
        let teamspace = self.teamspace.as_deref();
        let teamspace =
            teamspace.map(|slug| ("teamspace", Expr::new_entity_uid(uid(&TYPES.teamspace, slug))));
        entity(id, always.into_iter().chain(email).chain(teamspace), [])
    }
}

impl ConsoleFacts {
    /// The principal.
    pub fn user(&self) -> EntityUid {
        uid(&TYPES.console_user, &self.user.id)
    }

    /// The resource.
    pub fn resource(&self) -> EntityUid {
        match &self.teamspace {
            Some(teamspace) => teamspace.uid(),
            None => uid(&TYPES.deployment, DEPLOYMENT),
        }
    }

    /// Every entity that a policy can reach.
    pub fn entities(&self) -> FactsResult<Vec<Entity>> {
        let mut all = vec![self.user.entity(self.user())?];
        match &self.teamspace {
            Some(teamspace) => all.extend(teamspace.with_issuer()?),
            None => all.push(entity(self.resource(), [], [])?),
        }
        Ok(all)
    }

    /// The context. The deployment's time zone is UTC.
    pub fn context(&self) -> Vec<(String, Expr)> {
        let time_zone = self.teamspace.as_ref().map_or(UTC, |teamspace| &teamspace.time_zone);
        LocalMoment { now: self.now, time_zone }.context()
    }
}
