//! Shipped policies that decide where the set in force leaves a topic to them.

use std::sync::LazyLock;

use cedar_policy::{PolicySet, Schema};

use super::set::PolicyEngine;
use crate::policy::action::Topic;
use crate::policy::facts::{DeclaredClaims, FactsError};
use crate::shipped;

/// The shipped policies about a topic, compiled without the checks of `policy check`; a test makes those.
type ShippedEngine = LazyLock<Result<PolicyEngine, String>>;

static CONSOLE: ShippedEngine = LazyLock::new(|| compile(shipped::CONSOLE_POLICIES));
static TOOLS: ShippedEngine = LazyLock::new(|| compile(shipped::TOOL_POLICIES));

fn compile(text: &str) -> Result<PolicyEngine, String> {
    let (schema, _) = Schema::from_cedarschema_str(shipped::SCHEMA).map_err(|e| e.to_string())?;
    let placed: PolicySet = text.parse().map_err(|e: cedar_policy::ParseErrors| e.to_string())?;
    let named = placed.policies().filter_map(|p| Some(p.new_id(p.annotation("id")?.parse().ok()?)));
    let set = PolicySet::from_policies(named).map_err(|e| e.to_string())?;
    PolicyEngine::compile(&set, &schema, DeclaredClaims::default())
}

impl PolicyEngine {
    /// The policies that decide about a topic: its own, or the shipped ones where none of its own names an action of
    /// the topic. Such a set was written before those actions existed, or leaves them to the default.
    pub(in crate::policy) fn deciding(&self, topic: Topic) -> Result<&Self, FactsError> {
        let shipped = match topic {
            Topic::SignIns => return Ok(self),
            _ if self.decides(topic) => return Ok(self),
            Topic::Tools => &TOOLS,
            Topic::Console => &CONSOLE,
        };
        shipped.as_ref().map_err(FactsError::of)
    }
}
