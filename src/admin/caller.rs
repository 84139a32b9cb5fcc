//! Callers and their reach. A function's first argument says what it needs: an [`Admin`] is any caller, an
//! [`InTeamspace`] one who may reach the teamspace in question, an [`Operator`] one who may do everything.

use std::ops::Deref;
use std::sync::Arc;

use super::error::AdminError;
use crate::app::App;
use crate::limits::places::RequestPlace;
use crate::model::actor_kind::ActorKind;
use crate::model::console_user::{ConsoleUser, UserKind};
use crate::store::admin_tokens::AdminToken;
use crate::store::snapshot::TeamspaceConfig;

/// The name that the audit log and the policies have for commands.
pub(super) const COMMAND_LINE: &str = "command line";

/// Who makes a change, for the audit log.
pub(super) struct ChangeAuthor {
    pub kind: ActorKind,
    /// The id of the token, session or set-up link; empty for a command.
    pub id: String,
    pub name: String,
    pub origin: Origin,
}

/// The origin of a request; both fields are empty for a command.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The request's identifier, as in the service's log and the answer's `X-Request-Id`.
    pub request_id: String,
    /// The caller's address, as far as it is known.
    pub address: String,
}

impl ChangeAuthor {
    /// The person at the command line of this machine.
    pub(super) fn command_line() -> Self {
        let name = COMMAND_LINE.to_owned();
        Self { kind: ActorKind::Command, id: String::new(), name, origin: Origin::default() }
    }
}

/// The acting party: the holder of an admin API token, a person signed in to the console, or a command.
#[derive(Debug, Clone)]
pub enum Principal {
    /// The holder of this token of the admin API.
    Token(Arc<AdminToken>),
    /// A person in the console, by the session.
    Console(Arc<ConsoleUser>),
    /// A command that works on the database itself. It counts as an operator.
    CommandLine,
}

impl Principal {
    /// The name that the audit log gives them.
    fn name(&self) -> &str {
        match self {
            Self::CommandLine => COMMAND_LINE,
            Self::Token(token) => &token.name,
            Self::Console(user) if user.email.is_empty() => &user.name,
            Self::Console(user) => &user.email,
        }
    }

    /// How the actor came in: by a token, or by a session of one kind or another.
    fn kind(&self) -> ActorKind {
        match self {
            Self::CommandLine => ActorKind::Command,
            Self::Token(_) => ActorKind::Token,
            Self::Console(user) => match user.kind {
                UserKind::SetupLink { .. } => ActorKind::SetupLink,
                // Whoever signed in has a verified address.
                _ if user.email.is_empty() => ActorKind::SetupToken,
                _ => ActorKind::Person,
            },
        }
    }

    /// The id by which the audit log tells actors of the same name apart.
    fn audited_id(&self) -> &str {
        match self {
            Self::Console(user) => match &user.kind {
                UserKind::SetupLink { link_id, .. } => link_id,
                _ => &user.session_id,
            },
            Self::Token(token) => &token.id,
            // All commands are one actor.
            Self::CommandLine => "",
        }
    }

    /// The id of the token or session.
    fn id(&self) -> &str {
        match self {
            Self::CommandLine => COMMAND_LINE,
            Self::Token(token) => &token.id,
            Self::Console(user) => &user.session_id,
        }
    }

    /// The ids of the teamspaces that the caller is confined to; none for an operator.
    fn confined_to(&self) -> Option<Vec<&str>> {
        match self {
            Self::Token(token) => token.teamspace_id.as_deref().map(|id| vec![id]),
            Self::Console(user) => user.confined_to(),
            Self::CommandLine => None,
        }
    }
}

/// A known caller with the request that they make.
pub struct Admin {
    /// The parts of the service that the request needs.
    pub app: Arc<App>,
    origin: Origin,
    principal: Principal,
}

/// A caller who is an operator.
pub struct Operator(Admin);

/// A caller who reaches a teamspace.
pub struct InTeamspace {
    admin: Admin,
    teamspace_config: Arc<TeamspaceConfig>,
}

impl Admin {
    /// A caller whose token or session was looked up and is still valid.
    pub fn new(app: Arc<App>, principal: Principal, origin: Origin) -> Self {
        Self { app, origin, principal }
    }

    /// The one who acts.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who the audit log says it was.
    pub(super) fn actor(&self) -> ChangeAuthor {
        ChangeAuthor {
            kind: self.principal.kind(),
            id: self.principal.audited_id().to_owned(),
            name: self.principal.name().to_owned(),
            origin: self.origin.clone(),
        }
    }

    /// Whether the caller sees everything.
    pub fn is_operator(&self) -> bool {
        self.principal.confined_to().is_none()
    }

    /// Refuses everybody but an operator.
    pub(super) fn require_operator(&self) -> Result<(), AdminError> {
        if self.is_operator() { Ok(()) } else { Err(AdminError::OperatorOnly) }
    }

    /// Returns the caller as an operator; anyone else is refused.
    pub fn into_operator(self) -> Result<Operator, AdminError> {
        self.require_operator().map(|()| Operator(self))
    }

    /// Returns the caller in the teamspace with this slug. A teamspace out of their reach is "not found", whether it
    /// exists or not.
    pub fn in_teamspace(self, slug: &str) -> Result<InTeamspace, AdminError> {
        let snapshot = self.app.snapshot();
        let found = snapshot.teamspace_config(slug).filter(|t| self.reaches(&t.teamspace.id)).cloned();
        let teamspace_config = found.ok_or(AdminError::NotFound)?;
        Ok(InTeamspace { admin: self, teamspace_config })
    }

    /// The ids of the teamspaces that the caller is confined to; none for an operator.
    pub fn confined_to(&self) -> Option<Vec<&str>> {
        self.principal.confined_to()
    }

    /// A place for something slow or heavy over all that the caller reaches, of which few may be under way. It counts
    /// among those of the first teamspace of whoever is confined to some.
    pub fn enter_heavy(&self) -> Result<RequestPlace, AdminError> {
        let budgets = &self.app.admin_budgets;
        let holder_id = self.principal.id();
        Ok(match self.confined_to() {
            None => budgets.enter_heavy_as_operator(holder_id),
            Some(own) => budgets.enter_heavy(own.first().copied().unwrap_or(holder_id)),
        }?)
    }

    /// Whether the caller reaches a teamspace.
    pub fn reaches(&self, teamspace_id: &str) -> bool {
        self.confined_to().is_none_or(|own| own.contains(&teamspace_id))
    }
}

impl Deref for Operator {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.0
    }
}

impl InTeamspace {
    /// The teamspace with everything that belongs to it, as it was when the request came in.
    pub fn teamspace_config(&self) -> &Arc<TeamspaceConfig> {
        &self.teamspace_config
    }

    /// Takes a slot for a slow or heavy request. A teamspace has only a few of them.
    pub fn enter_heavy(&self) -> Result<RequestPlace, AdminError> {
        let budgets = &self.app.admin_budgets;
        Ok(match self.is_operator() {
            true => budgets.enter_heavy_as_operator(self.principal.id()),
            false => budgets.enter_heavy(&self.teamspace_config.teamspace.id),
        }?)
    }
}

impl Deref for InTeamspace {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}
