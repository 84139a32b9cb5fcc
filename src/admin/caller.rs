//! Who acts, and what they may touch. A function takes as its first argument what it needs: an [`Admin`] is any caller,
//! an [`InTeamspace`] one who reaches the teamspace that is meant, an [`Operator`] one who may do everything.

use std::ops::Deref;
use std::sync::Arc;

use super::error::AdminError;
use crate::app::App;
use crate::limits::admin::Place;
use crate::model::console_user::ConsoleUser;
use crate::store::admin_tokens::AdminToken;
use crate::store::snapshot::Tenancy;

/// Who makes a change, for the audit log.
pub(super) struct Actor {
    pub name: String,
    /// Empty where no request is behind the change.
    pub request_id: String,
}

impl Actor {
    /// Somebody who may run commands on this machine.
    pub(super) fn command_line() -> Self {
        Self { name: "command line".to_owned(), request_id: String::new() }
    }
}

/// The one who acts: the holder of a token of the admin API, or somebody who is signed in to the console.
#[derive(Debug, Clone)]
pub enum Principal {
    Token(Arc<AdminToken>),
    Console(Arc<ConsoleUser>),
}

impl Principal {
    /// The name that the audit log gives them.
    fn name(&self) -> &str {
        match self {
            Self::Token(token) => &token.name,
            Self::Console(user) if user.email.is_empty() => &user.name,
            Self::Console(user) => &user.email,
        }
    }

    /// The id of the token or session.
    fn id(&self) -> &str {
        match self {
            Self::Token(token) => &token.id,
            Self::Console(user) => &user.session_id,
        }
    }

    /// The ids of the teamspaces that they are confined to; none for an operator.
    fn confined_to(&self) -> Option<Vec<&str>> {
        match self {
            Self::Token(token) => token.teamspace_id.as_deref().map(|id| vec![id]),
            Self::Console(user) => user.confined_to(),
        }
    }
}

/// A caller who is known, and the request that they make.
pub struct Admin {
    pub app: Arc<App>,
    request_id: String,
    principal: Principal,
}

/// A caller who is an operator.
pub struct Operator(Admin);

/// A caller who reaches a teamspace.
pub struct InTeamspace {
    admin: Admin,
    tenancy: Arc<Tenancy>,
}

impl Admin {
    /// The holder of a token or session that was looked up and is live.
    pub fn new(app: Arc<App>, principal: Principal, request_id: String) -> Self {
        Self { app, request_id, principal }
    }

    /// The one who acts.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who the audit log says it was.
    pub(super) fn actor(&self) -> Actor {
        Actor { name: self.principal.name().to_owned(), request_id: self.request_id.clone() }
    }

    /// Whether the caller sees everything.
    pub fn is_operator(&self) -> bool {
        self.principal.confined_to().is_none()
    }

    /// Refuses everybody but an operator.
    pub(super) fn require_operator(&self) -> Result<(), AdminError> {
        if self.is_operator() { Ok(()) } else { Err(AdminError::OperatorOnly) }
    }

    /// The caller as an operator; anybody else is refused.
    pub fn into_operator(self) -> Result<Operator, AdminError> {
        self.require_operator().map(|()| Operator(self))
    }

    /// The caller in the teamspace of a slug. One that they do not reach is not found, whether it exists or not.
    pub fn in_teamspace(self, slug: &str) -> Result<InTeamspace, AdminError> {
        let snapshot = self.app.snapshot();
        let found = snapshot.tenancy(slug).filter(|t| self.reaches(&t.teamspace.id)).cloned();
        let tenancy = found.ok_or(AdminError::NotFound)?;
        Ok(InTeamspace { admin: self, tenancy })
    }

    /// The ids of the teamspaces that the caller is confined to; none for an operator.
    pub fn confined_to(&self) -> Option<Vec<&str>> {
        self.principal.confined_to()
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
    /// The teamspace with what belongs to it, as it was when the request came in.
    pub fn tenancy(&self) -> &Arc<Tenancy> {
        &self.tenancy
    }

    /// A place for something slow or heavy, of which a teamspace may have few under way.
    pub fn enter_heavy(&self) -> Result<Place, AdminError> {
        let budgets = &self.app.admin_budgets;
        Ok(match self.is_operator() {
            true => budgets.enter_heavy_as_operator(self.principal.id()),
            false => budgets.enter_heavy(&self.tenancy.teamspace.id),
        }?)
    }
}

impl Deref for InTeamspace {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}
