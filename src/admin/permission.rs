//! Permissions. Within a caller's reach the policies decide, both for people in the console and for tokens of the JSON
//! API.

use super::caller::{Admin, COMMAND_LINE, InTeamspace, Principal};
use super::error::AdminError;
use crate::model::console_user::{ConsoleUser, Membership, UserKind};
use crate::model::member::Role;
use crate::policy::facts::{ConsoleFacts, ConsoleKind, ConsoleUserFacts, TeamspaceFacts};
use crate::policy::{ConsoleAction, decide_console};
use crate::store::admin_tokens::AdminToken;
use crate::store::snapshot::{Snapshot, TeamspaceConfig};

/// Proof that an action is permitted: the policies say so, which only [`may`] asks, or it concerns only the caller. No
/// change is made without one.
pub struct Permission(());

impl Permission {
    /// The permission of every caller over their own sessions.
    pub(super) const fn over_own_sessions() -> Self {
        Self(())
    }
}

/// Asks the policies whether a caller may do something in a teamspace, or in the deployment. Anything out of the
/// caller's reach stays so whatever the policies say: it is not found, or needs an operator.
pub fn may(
    admin: &Admin,
    action: ConsoleAction,
    at: Option<&TeamspaceConfig>,
) -> Result<Permission, AdminError> {
    decide(admin, action, &facts(admin, at)?)
}

/// Those of some actions that a caller may do in a teamspace, or else in the deployment; for pages, which offer nothing
/// else.
pub fn allowed(
    admin: &Admin,
    actions: impl IntoIterator<Item = ConsoleAction>,
    at: Option<&TeamspaceConfig>,
) -> Vec<ConsoleAction> {
    let Ok(facts) = facts(admin, at) else { return Vec::new() };
    actions.into_iter().filter(|action| decide(admin, *action, &facts).is_ok()).collect()
}

/// Gathers the facts of a question for the policies; an error if it is out of the caller's reach.
fn facts(admin: &Admin, at: Option<&TeamspaceConfig>) -> Result<ConsoleFacts, AdminError> {
    match at {
        Some(teamspace_config) if !admin.reaches(&teamspace_config.teamspace.id) => {
            return Err(AdminError::NotFound);
        }
        None => admin.require_operator()?,
        Some(_) => {}
    }
    Ok(ConsoleFacts {
        now: admin.app.clock.now(),
        user: user_facts(admin.principal(), &admin.app.snapshot()),
        teamspace: at.map(|teamspace_config| TeamspaceFacts::of(teamspace_config, None)),
    })
}

fn decide(admin: &Admin, action: ConsoleAction, facts: &ConsoleFacts) -> Result<Permission, AdminError> {
    let (_, decided) = decide_console(&admin.app.policies().compiled, action, facts);
    decided.map(|()| Permission(())).map_err(|denial| AdminError::NotPermitted(denial.message))
}

impl InTeamspace {
    /// Asks whether the caller may do something in the teamspace.
    pub fn may(&self, action: ConsoleAction) -> Result<Permission, AdminError> {
        may(self, action, Some(self.teamspace_config()))
    }
}

impl Admin {
    /// Asks whether the caller may do something in the deployment as a whole. Only operators ever may.
    pub fn may_everywhere(&self, action: ConsoleAction) -> Result<Permission, AdminError> {
        may(self, action, None)
    }

    /// Whether the caller may do something in the deployment, or else in one of their teamspaces.
    pub fn may_somewhere(&self, action: ConsoleAction) -> bool {
        let Some(own) = self.confined_to() else { return self.may_everywhere(action).is_ok() };
        let snapshot = self.app.snapshot();
        let mut own = own.into_iter().filter_map(|id| snapshot.teamspace_config_by_id(id));
        own.any(|teamspace_config| may(self, action, Some(teamspace_config)).is_ok())
    }

    /// Returns the teamspaces in which the caller may do something. None stands for all of them and is an operator's
    /// answer. A caller who may do it in no teamspace is refused.
    pub fn teamspaces_where(&self, action: ConsoleAction) -> Result<Option<Vec<String>>, AdminError> {
        let Some(own) = self.confined_to() else {
            return self.may_everywhere(action).map(|_| None);
        };
        let snapshot = self.app.snapshot();
        let (mut allowed, mut refused) = (Vec::new(), None);
        for id in own {
            // The teamspace is gone, so there is nothing to see in it.
            let Some(teamspace_config) = snapshot.teamspace_config_by_id(id) else { continue };
            match may(self, action, Some(teamspace_config)) {
                Ok(_) => allowed.push(id.to_owned()),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(error),
            _ => Ok(Some(allowed)),
        }
    }
}

fn user_facts(principal: &Principal, snapshot: &Snapshot) -> ConsoleUserFacts {
    match principal {
        Principal::Token(token) => token_facts(token, snapshot),
        Principal::Console(user) => person_facts(user, snapshot),
        // Policies about an operator's token are about the same requests without one, too.
        Principal::CommandLine => ConsoleUserFacts::new(ConsoleKind::OperatorToken, COMMAND_LINE),
    }
}

fn token_facts(token: &AdminToken, snapshot: &Snapshot) -> ConsoleUserFacts {
    match &token.teamspace_id {
        None => ConsoleUserFacts::new(ConsoleKind::OperatorToken, &token.id),
        Some(id) => ConsoleUserFacts {
            teamspace: snapshot.slug_of(id),
            ..ConsoleUserFacts::new(ConsoleKind::TeamspaceToken, &token.id)
        },
    }
}

fn person_facts(user: &ConsoleUser, snapshot: &Snapshot) -> ConsoleUserFacts {
    let email = Some(user.email.clone()).filter(|email| !email.is_empty());
    let id = email.clone().unwrap_or_else(|| user.name.clone());
    match &user.kind {
        UserKind::Operator => ConsoleUserFacts {
            email,
            groups: user.groups.clone(),
            ..ConsoleUserFacts::new(ConsoleKind::Operator, id)
        },
        UserKind::Member(memberships) => {
            let with_role = |role: Role| -> Vec<String> {
                let held = memberships.iter().filter(|membership| membership.role == role);
                held.filter_map(|Membership { teamspace_id, .. }| snapshot.slug_of(teamspace_id)).collect()
            };
            ConsoleUserFacts {
                email,
                owner_of: with_role(Role::Owner),
                admin_of: with_role(Role::Admin),
                developer_of: with_role(Role::Developer),
                ..ConsoleUserFacts::new(ConsoleKind::Member, id)
            }
        }
        UserKind::SetupLink { teamspace_id, link_id } => ConsoleUserFacts {
            teamspace: snapshot.slug_of(teamspace_id),
            ..ConsoleUserFacts::new(ConsoleKind::SetupLink, link_id)
        },
    }
}
