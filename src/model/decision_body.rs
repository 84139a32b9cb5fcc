//! Bodies of decisions: the answers and the facts of a sign-in, without what is one person's or one moment's. Most
//! sign-ins share theirs with others.

use crate::random::{digest, short_digest};

/// The key of a body, made of its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(String);

impl BodyId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decisions, and the facts that all who are decided on alike have in common. Both are JSON.
#[derive(Debug, PartialEq, Eq)]
pub struct DecisionBody {
    id: BodyId,
    decisions: String,
    facts: String,
}

impl DecisionBody {
    /// Made of decisions and facts, which must lack what is one person's or one moment's.
    pub fn new(decisions: String, facts: String) -> Self {
        let digest = digest(&format!("{decisions}\0{facts}"));
        Self { id: BodyId(short_digest(&digest).to_owned()), decisions, facts }
    }

    /// Its key.
    pub fn id(&self) -> &BodyId {
        &self.id
    }

    /// The answer to each question.
    pub fn decisions(&self) -> &str {
        &self.decisions
    }

    /// The facts in common.
    pub fn facts(&self) -> &str {
        &self.facts
    }

    /// The length of both texts, in bytes.
    pub fn size(&self) -> usize {
        self.decisions.len() + self.facts.len()
    }
}
