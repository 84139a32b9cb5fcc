//! The actors who act for the person (RFC 8693 §4.1), such as an agent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Deepest chain of actors.
const MAX_ACTORS: usize = 4;

/// An actor, and the one that it acts for in turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The actor's subject at its issuer.
    pub sub: String,
    /// The issuer of `sub`; none where it is the assertion's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The kinds of actor that it is, such as `ai_agent`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sub_profile: Vec<String>,
    /// The actor for whom this one acts; none at the end of the chain (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// Reads the chain from an `act` claim; none if any part of it is unusable.
    pub fn read(act: &Value) -> Option<Self> {
        let mut chain = Vec::new();
        let mut next = Some(act);
        while let Some(act) = next {
            if chain.len() == MAX_ACTORS {
                return None;
            }
            chain.push(Self {
                sub: act.get("sub")?.as_str()?.to_owned(),
                iss: text(act.get("iss"))?,
                sub_profile: words(act.get("sub_profile"))?,
                act: None,
            });
            next = present(act.get("act"));
        }
        chain
            .into_iter()
            .rev()
            .fold(None, |inner: Option<Self>, outer| Some(Self { act: inner.map(Box::new), ..outer }))
    }

    /// The subjects of the chain, the acting one first.
    pub fn chain(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self), |actor| actor.act.as_deref()).map(|actor| actor.sub.as_str())
    }

    /// An example.
    pub fn example() -> Self {
        Self {
            sub: "agent-7".to_owned(),
            iss: Some("https://acme.okta.com".to_owned()),
            sub_profile: vec!["ai_agent".to_owned()],
            act: None,
        }
    }
}

/// A claim with the value null is absent.
fn present(claim: Option<&Value>) -> Option<&Value> {
    claim.filter(|value| !value.is_null())
}

/// A text or nothing; none for anything else.
fn text(claim: Option<&Value>) -> Option<Option<String>> {
    match present(claim) {
        None => Some(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())),
    }
}

/// One text with spaces between its words, or an array of texts; none for anything else.
fn words(claim: Option<&Value>) -> Option<Vec<String>> {
    match present(claim) {
        None => Some(Vec::new()),
        Some(Value::String(text)) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Some(Value::Array(words)) => words.iter().map(|word| word.as_str().map(str::to_owned)).collect(),
        Some(_) => None,
    }
}
