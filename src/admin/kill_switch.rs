//! Kill switches. One that is thrown is in force for the next request; the tokens that were issued before stay inactive
//! after it is lifted.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{Admin, Operator};
use super::change::Change;
use super::check;
use super::error::AdminError;
use super::fault::KillTargetFault;
use super::view::as_json;
use crate::clock::{UnixSeconds, rfc3339};
use crate::idp::client_documents::ClientDocuments;
use crate::model::kill_switch::{KillScope, KillSwitch};
use crate::model::revocation::{Revocation, RevocationCause};
use crate::policy::ConsoleAction;
use crate::store::changes::Changed;
use crate::store::snapshot::Snapshot;
use crate::store::{
    AnyConnection, StoreError, clients, identity_providers, kill_switches, resources, teamspaces,
};

/// A kill switch to be thrown.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKillSwitch {
    /// The kind of thing to stop.
    pub scope: KillScope,
    /// Which one: a teamspace's slug, an issuer, a client's id, or a resource's id or identifier. Left out for `all`.
    #[serde(default)]
    pub id: Option<String>,
    /// Why, for the audit log and for other operators.
    pub reason: String,
}

/// A kill switch as the API and the audit log show it.
#[derive(Serialize, ToSchema)]
#[schema(as = KillSwitch)]
pub struct KillSwitchView<'s> {
    id: &'s str,
    scope: KillScope,
    /// The object that it stops: a teamspace's slug, an issuer, a client's id, or a resource's identifier. Empty for
    /// everything.
    object: String,
    reason: &'s str,
    created_by: &'s str,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The switches that are on, oldest first.
pub fn list(operator: &Operator) -> Result<Vec<KillSwitch>, AdminError> {
    operator.may_everywhere(ConsoleAction::ViewSystem)?;
    let mut switches: Vec<KillSwitch> = operator.app.snapshot().kill_switches().iter().cloned().collect();
    switches.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(switches)
}

/// The switches that stop everything, or a caller's own teamspaces or their issuers.
pub fn concerning(admin: &Admin) -> Vec<KillSwitch> {
    let (snapshot, own) = (admin.app.snapshot(), admin.confined_to().unwrap_or_default());
    let is_own_issuer = |issuer: &str| {
        let known = snapshot.providers_of(issuer);
        known.is_some_and(|providers| own.iter().any(|id| providers.is_of_teamspace(id)))
    };
    let concerns = |switch: &&KillSwitch| match switch.scope {
        KillScope::All => true,
        KillScope::Teamspace => own.contains(&switch.object.as_str()),
        KillScope::Issuer => is_own_issuer(&switch.object),
        KillScope::Client | KillScope::Resource => false,
    };
    snapshot.kill_switches().iter().filter(concerns).cloned().collect()
}

/// Throws a switch; tells whether it was off before. One that is on stays as it is.
pub async fn throw(operator: &Operator, new: NewKillSwitch) -> Result<(KillSwitch, bool), AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeSystem)?;
    let reason = new.reason.trim().to_owned();
    if !check::is_short_text(&reason) {
        return Err(AdminError::KillReasonInvalid);
    }
    let (app, scope) = (&operator.app, new.scope);
    let documents = app.client_documents.clone();
    let (now, created_by, snapshot) = (app.clock.now(), operator.actor().name, app.snapshot());
    operator
        .change(permission, move |c| {
            let (object, revocations) = find_target(c, (scope, new.id), &documents, now)?;
            if let Some(known) = kill_switches::of_object(c, scope, &object)? {
                let shown = view(&known, &snapshot);
                let same = Change::noted("kill_switch.create", &known.id, None);
                return Ok(((known, false), same.replacing(Some(shown.clone())).with(shown)));
            }
            let id = Uuid::now_v7().to_string();
            let switch = KillSwitch { id, scope, object, reason, created_by, created_at: now };
            kill_switches::insert(c, &switch)?;
            let change = Change::added(
                Changed::KillSwitches,
                "kill_switch.create",
                &switch.id,
                view(&switch, &snapshot),
            );
            Ok(((switch, true), change.revoking(revocations)))
        })
        .await
}

/// Lifts a switch. The tokens that it ended stay inactive, and none was issued while it was on.
pub async fn lift(operator: &Operator, id: String) -> Result<KillSwitch, AdminError> {
    let permission = operator.may_everywhere(ConsoleAction::ChangeSystem)?;
    let snapshot = operator.app.snapshot();
    operator
        .change(permission, move |c| {
            let switch = kill_switches::find(c, &id)?.ok_or(AdminError::NotFound)?;
            kill_switches::delete(c, &id)?;
            let old = view(&switch, &snapshot);
            let change = Change::removed(Changed::KillSwitches, "kill_switch.delete", id, old);
            Ok((switch, change))
        })
        .await
}

/// The object with a name, and the revocations of its tokens.
fn find_target(
    connection: &mut AnyConnection,
    (scope, id): (KillScope, Option<String>),
    documents: &ClientDocuments,
    now: UnixSeconds,
) -> Result<(String, Vec<Revocation>), AdminError> {
    let id = match (scope, id.filter(|id| !id.is_empty())) {
        (KillScope::All, Some(_)) => return Err(KillTargetFault::Unneeded.into()),
        (KillScope::All, None) => String::new(),
        (_, Some(id)) => id,
        (_, None) => return Err(KillTargetFault::Missing { scope }.into()),
    };
    let object = match scope {
        KillScope::Teamspace => teamspaces::holder_of_slug(connection, &id)?,
        KillScope::Resource => {
            let named = resources::all(connection)?.into_iter().find(|r| r.id == id || r.identifier == id);
            named.map(|resource| resource.id)
        }
        KillScope::All | KillScope::Issuer | KillScope::Client => Some(id.clone()),
    };
    if let Some(object) = object {
        let revocations = revocations(connection, (scope, &object), documents, now)?;
        if !revocations.is_empty() {
            return Ok((object, revocations));
        }
    }
    Err(KillTargetFault::Unknown { scope, id: id.chars().take(200).collect() }.into())
}

/// The revocations of an object's tokens; none where the object is gone.
fn revocations(
    connection: &mut AnyConnection,
    (scope, object): (KillScope, &str),
    documents: &ClientDocuments,
    at: UnixSeconds,
) -> Result<Vec<Revocation>, StoreError> {
    let cause = RevocationCause::KillSwitch;
    let found = match scope {
        KillScope::All => Some(Revocation::of_everything(cause, at)),
        KillScope::Teamspace => {
            teamspaces::find(connection, object)?.map(|found| Revocation::of_teamspace(&found, cause, at))
        }
        KillScope::Client => {
            let is_known = documents.allows(object) || clients::find(connection, object)?.is_some();
            is_known.then(|| Revocation::of_client(object, cause, at))
        }
        KillScope::Resource => {
            resources::find(connection, object)?.map(|found| Revocation::of_resource(&found, cause, at))
        }
        KillScope::Issuer => {
            let providers = identity_providers::with_issuer(connection, object)?;
            return Ok(providers.iter().map(|found| Revocation::of_provider(found, cause, at)).collect());
        }
    };
    Ok(found.into_iter().collect())
}

/// Names the object of a switch for people; by its id if it is gone.
pub fn object_name(switch: &KillSwitch, snapshot: &Snapshot) -> String {
    let named = match switch.scope {
        KillScope::Teamspace => snapshot.slug_of(&switch.object),
        KillScope::Resource => snapshot.resource_by_id(&switch.object).map(|found| found.identifier.clone()),
        KillScope::All | KillScope::Issuer | KillScope::Client => None,
    };
    named.unwrap_or_else(|| switch.object.clone())
}

/// A switch as JSON.
pub fn view(switch: &KillSwitch, snapshot: &Snapshot) -> Value {
    as_json(KillSwitchView {
        id: &switch.id,
        scope: switch.scope,
        object: object_name(switch, snapshot),
        reason: &switch.reason,
        created_by: &switch.created_by,
        created_at: rfc3339(switch.created_at),
    })
}
