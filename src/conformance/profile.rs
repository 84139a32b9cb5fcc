//! Profiles: which text a server is measured by.

use clap::ValueEnum;

use super::keys::SuiteAlg;
use super::requirements::RequirementLevel;
use super::wire::ClientAuth;

/// The text that a server is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConformanceProfile {
    /// MCP's Enterprise-Managed Authorization: an assertion counts once.
    Ema,
    /// The ID-JAG draft alone, version 04: clients may present an assertion again.
    #[value(name = "id-jag-04")]
    IdJag04,
    /// The shape proposed for MCP's own suite: ES256, credentials in the body, no email, introspection of the result.
    Upstream,
}

/// What the draft leaves to the server, and Enterprise-Managed Authorization demands.
const LEFT_BY_THE_DRAFT: [&str; 3] = ["JAG-14", "GRT-03", "GRT-06"];

impl ConformanceProfile {
    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ema => "ema",
            Self::IdJag04 => "id-jag-04",
            Self::Upstream => "upstream",
        }
    }

    /// How much a requirement binds here.
    pub fn level(self, id: &str, level: RequirementLevel) -> RequirementLevel {
        match self {
            Self::IdJag04 if LEFT_BY_THE_DRAFT.contains(&id) => RequirementLevel::Own,
            _ => level,
        }
    }

    /// The algorithm of the assertions, unless another is chosen.
    pub fn algorithm(self) -> SuiteAlg {
        if self == Self::Upstream { SuiteAlg::Es256 } else { SuiteAlg::Rs256 }
    }

    /// The way in which the client authenticates, unless another is chosen; none for one that the metadata lists.
    pub fn client_auth(self) -> Option<ClientAuth> {
        (self == Self::Upstream).then_some(ClientAuth::Post)
    }

    /// Whether assertions name an email.
    pub fn has_email(self) -> bool {
        self != Self::Upstream
    }

    /// Whether the server must offer introspection.
    pub fn needs_introspection(self) -> bool {
        self == Self::Upstream
    }
}
