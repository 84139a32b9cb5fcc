//! Statements that hold for every request because of how requests are made, though the schema's types do not say so.
//!
//! Without them the solver finds requests that cannot occur. Each holds by construction in
//! [`facts`](crate::policy::facts); `tests/it/prove/assumptions.rs` compares them with facts of every shape.

use std::str::FromStr as _;

use cedar_policy::{Effect, Policy, PolicyId, RequestEnv, Schema};
use cedar_policy_symcc::CompiledPolicy;
use serde_json::{Value, json};

use super::solver::Undecided;

/// Conditions, each for the actions where its attributes exist.
const ALWAYS: [&str; 12] = [
    // A scope and a server are in the hierarchy under exactly the teamspace that their attribute names.
    "resource in resource.teamspace",
    // A tool is in the hierarchy under the server that its attribute names, which is used in the same teamspace.
    "resource in resource.server && resource.server.teamspace == resource.teamspace && \
     resource.server in resource.teamspace",
    // Cut from the email.
    "if context.claims has email_domain then context.claims has email else true",
    // At a first sign-in the member's domain is the asserted one. (The seats keep this to that question.)
    "context.seats_used >= 0 && \
     (if context.claims has email_domain then context.member_domain == context.claims.email_domain \
     else context.member_domain == \"\")",
    // Clamped to a hundred years.
    "if context.claims has auth_age then context.claims.auth_age >= duration(\"0s\") && \
     context.claims.auth_age <= duration(\"36500d\") else true",
    // Clamped to what a u32 holds.
    "context.seats_used >= 0 && context.seats_used <= 4294967295",
    "if context has seats_limit then context.seats_limit >= 0 && context.seats_limit <= 4294967295 else true",
    // ISO 8601.
    "context.weekday >= 1 && context.weekday <= 7",
    "context.local_weekday >= 1 && context.local_weekday <= 7",
    "context.local_time >= duration(\"0s\") && context.local_time < duration(\"24h\")",
    // Deeper chains are refused.
    "if context.claims has act then context.claims.act.depth >= 1 && context.claims.act.depth <= 4 else true",
    // Parsed from text with a year of four digits.
    "context.now >= datetime(\"0000-01-01\") && context.now <= datetime(\"9999-12-31T23:59:59Z\")",
];

/// Unlike any `@id`.
const ID: &str = "countersign: what always holds";

/// The assumptions for one request environment: one action with its types.
#[derive(Debug, Clone)]
pub struct Assumptions {
    holds: Policy,
}

impl Assumptions {
    /// The assumptions whose attributes exist in the environment. Leaving one out is safe: with fewer assumptions, a
    /// proof covers more requests.
    pub fn of(environment: &RequestEnv, schema: &Schema) -> Result<Self, Undecided> {
        let mut conditions = String::new();
        for condition in ALWAYS {
            let when = format!(" when {{ {condition} }}");
            if CompiledPolicy::compile(&permit(&when)?, environment, schema).is_ok() {
                conditions.push_str(&when);
            }
        }
        Ok(Self { holds: permit(&conditions)? })
    }

    /// A permit that matches exactly what can occur.
    pub fn holds(&self) -> &Policy {
        &self.holds
    }

    /// A forbid that matches exactly what cannot occur.
    pub(super) fn broken(&self) -> Result<Policy, Undecided> {
        let all = conjunction(&conditions(&self.holds)?);
        rebuilt(&self.holds, Effect::Forbid, &json!([{ "kind": "unless", "body": all }]))
    }

    /// A permit with the policy's scope that matches what can occur there.
    pub(super) fn within(&self, policy: &Policy) -> Result<Policy, Undecided> {
        rebuilt(policy, Effect::Permit, &conditions(&self.holds)?)
    }
}

/// A permit with the policy's scope that matches unless the policy's conditions err.
pub(super) fn defined(policy: &Policy) -> Result<Policy, Undecided> {
    let evaluated = conjunction(&conditions(policy)?);
    let body = json!({ "||": { "left": evaluated, "right": { "Value": true } } });
    rebuilt(policy, Effect::Permit, &json!([{ "kind": "when", "body": body }]))
}

fn permit(conditions: &str) -> Result<Policy, Undecided> {
    let text = format!("permit (principal, action, resource){conditions};");
    Ok(Policy::from_str(&text).map_err(Undecided::because)?.new_id(PolicyId::new(ID)))
}

/// The conditions in Cedar's JSON form.
fn conditions(policy: &Policy) -> Result<Value, Undecided> {
    let mut json = policy.to_json().map_err(Undecided::because)?;
    Ok(json.get_mut("conditions").map(Value::take).unwrap_or_default())
}

/// One expression that is true when every `when` is true and every `unless` is false, evaluated in Cedar's order.
fn conjunction(conditions: &Value) -> Value {
    let clauses = conditions.as_array().into_iter().flatten().map(|clause| match clause.get("kind") {
        Some(kind) if kind == "unless" => json!({ "!": { "arg": clause.get("body") } }),
        _ => clause.get("body").cloned().unwrap_or_default(),
    });
    clauses
        .reduce(|left, right| json!({ "&&": { "left": left, "right": right } }))
        .unwrap_or_else(|| json!({ "Value": true }))
}

/// The policy with another effect and other conditions.
fn rebuilt(policy: &Policy, effect: Effect, conditions: &Value) -> Result<Policy, Undecided> {
    let mut json = policy.to_json().map_err(Undecided::because)?;
    if let Some(fields) = json.as_object_mut() {
        fields.insert("effect".to_owned(), json!(effect));
        fields.insert("conditions".to_owned(), conditions.clone());
    }
    Policy::from_json(Some(policy.id().clone()), json).map_err(Undecided::because)
}
