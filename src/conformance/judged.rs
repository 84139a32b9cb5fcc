//! What a check found.

use serde::Serialize;

use super::requirements::RequirementLevel;
use super::wire::{ProbeReply, Transcript};

/// The title of the check that all others build on.
pub const GOOD_ASSERTION: &str = "a good assertion";

/// A check: the rule that it is about, and what is tried.
#[derive(Debug, Clone)]
pub struct CheckedRule {
    /// The id of the rule.
    pub id: &'static str,
    /// How much it binds, if not as much as the rule in general.
    pub level: Option<RequirementLevel>,
    /// What is tried, in a few words.
    pub title: String,
}

impl CheckedRule {
    /// A check that binds as much as its rule.
    pub fn new(id: &'static str, title: impl Into<String>) -> Self {
        Self { id, level: None, title: title.into() }
    }

    /// A part of a rule that is only our recommendation.
    pub fn own(id: &'static str, title: impl Into<String>) -> Self {
        Self { level: Some(RequirementLevel::Own), ..Self::new(id, title) }
    }

    /// A part of a rule from which a server may differ with reason.
    pub fn should(id: &'static str, title: impl Into<String>) -> Self {
        Self { level: Some(RequirementLevel::Should), ..Self::new(id, title) }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Judgement {
    /// As it should be.
    Holds,
    /// Not as it should be.
    Fails {
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
        /// The requests and answers that show it.
        transcripts: Vec<Transcript>,
    },
    /// Not tested.
    Skipped {
        /// Why not.
        reason: String,
    },
}

impl Judgement {
    /// An answer that is not as expected.
    pub fn fails(expected: &str, reply: &ProbeReply) -> Self {
        let code = reply.text("error");
        let found = match reply.status {
            0 => "no answer".to_owned(),
            200 if reply.is_grant() => "200 with an access token".to_owned(),
            status => format!("{status} {code}").trim().to_owned(),
        };
        Self::Fails { expected: expected.to_owned(), found, transcripts: vec![reply.transcript.clone()] }
    }
}

/// A check and how it came out.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The id of the rule.
    pub id: &'static str,
    /// How much it binds in the profile.
    pub level: RequirementLevel,
    /// What was tried.
    pub title: String,
    /// How it came out.
    #[serde(flatten)]
    pub judgement: Judgement,
}
