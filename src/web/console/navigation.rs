//! The places, tabs and buttons that pages offer: those that the policies let a person use. The action itself is
//! decided again when it is taken.

use crate::admin::{Admin, allowed};
use crate::policy::ConsoleAction;
use crate::store::snapshot::TeamspaceConfig;

/// The page that is shown, for the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// None of the navigation's.
    Elsewhere,
    Teamspaces,
    Policies,
    Clients,
    Resources,
    Audit,
    System,
    Overview,
    Enterprise,
    Members,
    Activity,
    Explain,
}

/// The pages of the deployment, with the action that each asks for.
const PLACES: [(Place, ConsoleAction, &str, &str); 6] = [
    (Place::Teamspaces, ConsoleAction::ViewOverview, "Teamspaces", "/teamspaces"),
    (Place::Policies, ConsoleAction::ViewPolicies, "Policies", "/policies"),
    (Place::Clients, ConsoleAction::ViewClients, "Clients", "/clients"),
    (Place::Resources, ConsoleAction::ViewResources, "Resources", "/resources"),
    (Place::Audit, ConsoleAction::ViewAudit, "Audit", "/audit"),
    (Place::System, ConsoleAction::ViewSystem, "System", "/system"),
];
/// The actions of places that show a teamspace's people what is theirs.
const SHARED: [ConsoleAction; 2] = [ConsoleAction::ViewOverview, ConsoleAction::ViewAudit];
/// The pages of a teamspace, with the action that each asks for.
const TABS: [(Place, ConsoleAction, &str, &str); 5] = [
    (Place::Overview, ConsoleAction::ViewOverview, "Overview", ""),
    (Place::Enterprise, ConsoleAction::ViewEnterprise, "Enterprise", "/enterprise"),
    (Place::Members, ConsoleAction::ViewMembers, "Members", "/members"),
    (Place::Activity, ConsoleAction::ViewActivity, "Activity", "/activity"),
    (Place::Explain, ConsoleAction::Explain, "Explain", "/explain"),
];
/// The actions of the buttons on a teamspace's pages.
const CHANGES: [ConsoleAction; 3] =
    [ConsoleAction::ChangeEnterprise, ConsoleAction::ChangeMembers, ConsoleAction::ManageSetupLinks];

/// The actions of the other links on the deployment's pages.
const BUTTONS: [ConsoleAction; 2] = [ConsoleAction::ManageTeamspaces, ConsoleAction::ViewActivity];

/// A place of the navigation.
pub struct Link {
    pub label: &'static str,
    pub path: &'static str,
    pub is_current: bool,
}

/// The actions that pages offer a person. The policies are asked once for each page.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// In the teamspace whose page it is.
    here: Vec<ConsoleAction>,
    /// In the deployment; for a teamspace's people, in any teamspace of theirs.
    everywhere: Vec<ConsoleAction>,
}

impl Offered {
    /// Asks the policies for a page, of a teamspace or of none.
    pub fn to(admin: &Admin, at: Option<&TeamspaceConfig>) -> Self {
        let of_teamspace = TABS.iter().map(|(_, action, ..)| *action).chain(CHANGES);
        let here = at.map_or_else(Vec::new, |at| allowed(admin, of_teamspace, Some(at)));
        let everywhere = match admin.is_operator() {
            true => {
                let of_deployment = PLACES.iter().map(|(_, action, ..)| *action);
                allowed(admin, of_deployment.chain(BUTTONS), None)
            }
            false => SHARED.into_iter().filter(|action| admin.may_somewhere(*action)).collect(),
        };
        Self { here, everywhere }
    }

    /// Whether something may be done in the teamspace whose page it is.
    pub fn has(&self, action: ConsoleAction) -> bool {
        self.here.contains(&action)
    }

    /// Whether something may be done in the deployment.
    pub fn has_everywhere(&self, action: ConsoleAction) -> bool {
        self.everywhere.contains(&action)
    }

    /// The pages of the deployment.
    pub fn places(&self, current: Place) -> Vec<Link> {
        links(&PLACES, &self.everywhere, current)
    }

    /// The pages of the teamspace.
    pub fn tabs(&self, current: Place) -> Vec<Link> {
        links(&TABS, &self.here, current)
    }
}

fn links(
    all: &[(Place, ConsoleAction, &'static str, &'static str)],
    allowed: &[ConsoleAction],
    current: Place,
) -> Vec<Link> {
    let offered = all.iter().filter(|(_, action, ..)| allowed.contains(action));
    offered.map(|&(place, _, label, path)| Link { label, path, is_current: place == current }).collect()
}
