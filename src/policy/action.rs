//! The questions that policies answer.

use serde::{Deserialize, Serialize};

/// The questions that policies answer, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Action {
    ConfigureIssuer,
    TrustIssuer,
    ProvisionMember,
    AdmitMember,
    GrantResource,
    GrantScope,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ConfigureIssuer,
        Self::TrustIssuer,
        Self::ProvisionMember,
        Self::AdmitMember,
        Self::GrantResource,
        Self::GrantScope,
    ];

    /// Its name in the schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigureIssuer => "ConfigureIssuer",
            Self::TrustIssuer => "TrustIssuer",
            Self::ProvisionMember => "ProvisionMember",
            Self::AdmitMember => "AdmitMember",
            Self::GrantResource => "GrantResource",
            Self::GrantScope => "GrantScope",
        }
    }
}
