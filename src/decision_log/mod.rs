//! The decision log as it is told: to people, and to receivers that keep it for years.

pub mod counter;
pub mod reader;
pub mod stream;

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::store::sign_ins::SignIn;

/// A row as it is told to people and to receivers of the log; `teamspace` is a slug.
pub fn view(row: &SignIn, teamspace: Option<String>) -> Value {
    // Empty when the request was refused before anything was decided.
    let decisions: Vec<Value> = serde_json::from_str(&row.decisions).unwrap_or_default();
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "id": row.id,
        "time": rfc3339(row.at),
        "teamspace": teamspace,
        "teamspace_id": row.teamspace_id,
        "outcome": row.outcome,
        "reason": known(&row.reason),
        "detail": row.detail,
        "request_id": row.request_id,
        "client_id": row.client_id,
        "issuer": row.issuer,
        "identity_provider": known(&row.identity_provider_id),
        "subject": row.subject,
        "email": row.email,
        "member_id": row.member_id,
        "resource": row.resource,
        "scopes_asked": row.scopes_asked.split_whitespace().collect::<Vec<_>>(),
        "scopes_granted": row.scopes_granted.split_whitespace().collect::<Vec<_>>(),
        "policy_ids": policy_ids(&decisions),
        "decisions": decisions,
        "policy_set": row.policy_set,
        "repeated": row.repeated,
    })
}

/// The policies that determined the decisions, each once, in their order.
fn policy_ids(decisions: &[Value]) -> Vec<&Value> {
    let mut ids: Vec<&Value> = Vec::new();
    let named = decisions.iter().filter_map(|decision| decision.get("policies")?.as_array());
    for id in named.flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}
