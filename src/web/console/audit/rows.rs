//! Rows of the audit log, as people read them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::clock::rfc3339;
use crate::model::actor_kind::ActorKind;
use crate::store::admin_events::AdminEvent;

/// A row.
pub struct AuditRow {
    pub time: String,
    pub iso: String,
    pub actor: String,
    pub kind: &'static str,
    pub address: String,
    pub action: String,
    pub object: String,
    /// The slug; empty if the row belongs to no teamspace, or to one that is gone.
    pub teamspace: String,
    pub request_id: String,
    pub changes: Vec<FieldChange>,
}

/// One member of the object, before and after.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub name: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl AuditRow {
    /// A row; `teamspace` is its slug.
    pub fn of(row: &AdminEvent, teamspace: Option<String>) -> Self {
        let iso = rfc3339(row.at);
        Self {
            time: iso.replace('T', " ").trim_end_matches('Z').to_owned(),
            iso,
            actor: row.actor.clone(),
            kind: kind(row.actor_kind),
            address: row.address.clone(),
            action: row.action.clone(),
            object: row.object.clone(),
            teamspace: teamspace.unwrap_or_default(),
            request_id: row.request_id.clone(),
            changes: changes(&members(row.old_value.as_deref()), &members(row.new_value.as_deref())),
        }
    }
}

fn kind(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Token => "API token",
        ActorKind::Person => "Person",
        ActorKind::SetupToken => "Set-up token",
        ActorKind::SetupLink => "Set-up link",
        ActorKind::Command => "Command",
        ActorKind::ScimToken => "SCIM token",
        ActorKind::IdentityProvider => "Identity provider",
        ActorKind::ClientDocument => "Client's document",
    }
}

fn members(text: Option<&str>) -> Map<String, Value> {
    match text.and_then(|text| serde_json::from_str(text).ok()) {
        Some(Value::Object(members)) => members,
        Some(value) => Map::from_iter([("value".to_owned(), value)]),
        None => Map::new(),
    }
}

fn changes(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let text = |side: &Map<String, Value>, name: &str| side.get(name).map(shown);
    let change =
        |name: &String| FieldChange { name: name.clone(), old: text(old, name), new: text(new, name) };
    names.into_iter().map(change).collect()
}

/// A value as shown; for a shortened one, its beginning and its length.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "(none)".to_owned(),
        Value::Array(items) if items.is_empty() => "(none)".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(cut) => match (cut.get("begins").and_then(Value::as_str), cut.get("bytes")) {
            (Some(begins), Some(bytes)) => format!("{begins}… ({bytes} bytes)"),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}
