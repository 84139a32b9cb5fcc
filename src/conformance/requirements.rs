//! The requirements of the standards, as `requirements.toml` lists them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// How much a requirement binds: the source's word, or ours where the sources are silent or differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequirementLevel {
    /// Without it, the server does not conform.
    Must,
    /// There may be reasons against it.
    Should,
    /// Left to the server.
    May,
    /// Our recommendation.
    Own,
}

impl RequirementLevel {
    /// As the list writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::Own => "OWN",
        }
    }
}

/// A requirement. Its state in Countersign is in the same list, for the tests.
#[derive(Debug, Clone, Deserialize)]
pub struct Requirement {
    /// Something like `JAG-07`.
    pub id: String,
    /// How much it binds.
    pub level: RequirementLevel,
    /// The document and section that it is from.
    pub source: String,
    /// The requirement in one sentence.
    pub rule: String,
}

#[derive(Deserialize, Default)]
struct RequirementList {
    chapters: BTreeMap<String, String>,
    requirement: Vec<Requirement>,
}

/// The list is compiled in, and a test reads it: it is never empty.
static LIST: LazyLock<RequirementList> =
    LazyLock::new(|| toml::from_str(include_str!("requirements.toml")).unwrap_or_default());

/// Every requirement, in order.
pub fn requirements() -> &'static [Requirement] {
    &LIST.requirement
}

/// The requirement of an id.
pub fn requirement(id: &str) -> Option<&'static Requirement> {
    LIST.requirement.iter().find(|requirement| requirement.id == id)
}

/// The chapter's letters in an id.
pub fn chapter_of(id: &str) -> &str {
    id.split_once('-').map_or(id, |(chapter, _)| chapter)
}

/// The heading of an id's chapter.
pub fn chapter_title(id: &str) -> &'static str {
    LIST.chapters.get(chapter_of(id)).map_or("", String::as_str)
}
