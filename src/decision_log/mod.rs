//! The decision log as it is shown: to people, and to receivers that keep it for years.

pub mod counter;
pub(crate) mod reader;
pub mod stream;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::oauth::authorization_details::Detail;
use crate::policy::{Action, PolicyAnswer};
use crate::store::sign_ins::SignIn;

/// A row for people and for receivers of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = SignIn)]
pub struct SignInView<'r> {
    id: i64,
    #[schema(format = DateTime)]
    time: String,
    /// The slug that the teamspace has now.
    #[schema(required)]
    teamspace: Option<String>,
    #[schema(required)]
    teamspace_id: Option<&'r str>,
    /// `granted` or `refused`.
    outcome: &'r str,
    #[schema(required)]
    reason: Option<&'r str>,
    detail: &'r str,
    request_id: &'r str,
    client_id: &'r str,
    issuer: &'r str,
    /// The id of the identity provider.
    #[schema(required)]
    identity_provider: Option<&'r str>,
    subject: &'r str,
    email: &'r str,
    member_id: &'r str,
    resource: &'r str,
    scopes_asked: Vec<&'r str>,
    scopes_granted: Vec<&'r str>,
    /// The authorization details of the token (RFC 9396).
    #[schema(value_type = Vec<Object>)]
    authorization_details: Vec<Value>,
    /// The policies that determined the decisions.
    policy_ids: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    decisions: Vec<Value>,
    /// Hash of the policy set that decided.
    policy_set: &'r str,
    /// How many more refusals of the same kind the row stands for.
    repeated: i64,
}

/// A row as JSON; `teamspace` is a slug.
pub fn view(row: &SignIn, teamspace: Option<String>) -> Value {
    // Empty when the request was refused before anything was decided.
    let decisions: Vec<Value> = serde_json::from_str(&row.decisions).unwrap_or_default();
    let view = SignInView {
        id: row.id,
        time: rfc3339(row.at),
        teamspace,
        teamspace_id: row.teamspace_id.as_deref(),
        outcome: &row.outcome,
        reason: known(&row.reason),
        detail: &row.detail,
        request_id: &row.request_id,
        client_id: &row.client_id,
        issuer: &row.issuer,
        identity_provider: known(&row.identity_provider_id),
        subject: &row.subject,
        email: &row.email,
        member_id: &row.member_id,
        resource: &row.resource,
        scopes_asked: row.scopes_asked.split_whitespace().collect(),
        scopes_granted: row.scopes_granted.split_whitespace().collect(),
        authorization_details: granted_details(row).iter().map(Detail::to_value).collect(),
        policy_ids: policy_ids(&decisions).into_iter().cloned().collect(),
        decisions,
        policy_set: &row.policy_set,
        repeated: row.repeated,
    };
    // Plain data with texts as keys always has a JSON form.
    serde_json::to_value(view).unwrap_or_default()
}

/// The authorization details of the token of a granted sign-in, as its decisions have them.
pub fn granted_details(row: &SignIn) -> Vec<Detail> {
    // Most rows have none, and are not read for it.
    if row.outcome != "granted" || !row.decisions.contains(Action::GrantDetail.name()) {
        return Vec::new();
    }
    let answers: Vec<PolicyAnswer> = serde_json::from_str(&row.decisions).unwrap_or_default();
    let granted = answers.iter().filter(|answer| answer.action == Action::GrantDetail && answer.allowed);
    granted.filter_map(|answer| serde_json::from_str(&answer.resource).ok()).collect()
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
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
