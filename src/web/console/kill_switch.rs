//! Kill switches in the console: the section on the page System, and the banner on every page.

use serde::Deserialize;

use super::form::Faults;
use super::words::ago;
use crate::admin::kill_switch::{self, NewKillSwitch, concerning, object_name};
use crate::admin::{Admin, AdminError, Operator};
use crate::clock::UnixSeconds;
use crate::model::kill_switch::{KillScope, KillSwitch};
use crate::store::snapshot::Snapshot;

/// The scopes with their words, the narrowest first.
const SCOPES: [(&str, &str); 5] = [
    ("client", "A client"),
    ("resource", "An MCP server"),
    ("issuer", "An issuer"),
    ("teamspace", "A teamspace"),
    ("all", "Everything"),
];
/// The most switches that the banner lists.
const MOST_LISTED: usize = 5;

/// The form that throws a switch.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct KillForm {
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub object: String,
    #[serde(default)]
    pub reason: String,
}

/// The section on the page System.
pub struct KillSection {
    pub rows: Vec<KillRow>,
    pub scopes: [(&'static str, &'static str); 5],
    pub form: KillForm,
    pub faults: Faults,
}

/// A switch that is on.
pub struct KillRow {
    pub id: String,
    pub stops: String,
    pub reason: String,
    pub by: String,
    pub thrown: String,
}

impl KillSection {
    /// The section with a form, filled in or empty.
    pub fn of(operator: &Operator, form: KillForm, faults: Faults) -> Result<Self, AdminError> {
        let (snapshot, now) = (operator.app.snapshot(), operator.app.clock.now());
        let switches = kill_switch::list(operator)?;
        let rows = switches.iter().map(|switch| row(switch, &snapshot, now)).collect();
        Ok(Self { rows, scopes: SCOPES, form, faults })
    }
}

fn row(switch: &KillSwitch, snapshot: &Snapshot, now: UnixSeconds) -> KillRow {
    KillRow {
        id: switch.id.clone(),
        stops: words(switch, snapshot),
        reason: switch.reason.clone(),
        by: switch.created_by.clone(),
        thrown: ago(switch.created_at, now),
    }
}

/// What a switch stops, in words.
pub fn words(switch: &KillSwitch, snapshot: &Snapshot) -> String {
    let name = object_name(switch, snapshot);
    match switch.scope {
        KillScope::All => "Everything".to_owned(),
        KillScope::Teamspace => format!("The teamspace {name}"),
        KillScope::Issuer => format!("The issuer {name}"),
        KillScope::Client => format!("The client {name}"),
        KillScope::Resource => format!("The MCP server {name}"),
    }
}

impl KillForm {
    /// The switch to be thrown; none where the scope is not one of the form's.
    pub fn new_switch(&self) -> Option<NewKillSwitch> {
        let id = Some(self.object.trim().to_owned());
        Some(NewKillSwitch { scope: self.scope.parse().ok()?, id, reason: self.reason.clone() })
    }
}

/// The field of the form that a refusal is about.
pub fn field_of(error: &AdminError) -> Option<&'static str> {
    match error {
        AdminError::KillTargetInvalid(_) => Some("object"),
        AdminError::KillReasonInvalid => Some("reason"),
        _ => None,
    }
}

/// The lines of the banner; none while no switch is on that the visitor may know of. Those who see the page System get
/// every switch with its reason, others what concerns their teamspaces.
pub fn banner(admin: &Admin, sees_system: bool) -> Vec<String> {
    let snapshot = admin.app.snapshot();
    if !sees_system {
        let stopped = concerning(admin);
        return stopped.iter().map(|switch| format!("{} is stopped.", words(switch, &snapshot))).collect();
    }
    let line = |switch: &KillSwitch| format!("{} is stopped: {}", words(switch, &snapshot), switch.reason);
    let switches = snapshot.kill_switches();
    let mut lines: Vec<String> = switches.iter().take(MOST_LISTED).map(line).collect();
    let more = switches.iter().count().saturating_sub(MOST_LISTED);
    if more > 0 {
        lines.push(format!("And {more} more."));
    }
    lines
}
