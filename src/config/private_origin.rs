//! Origins that the operator exempts from https and from the public-address rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// An exact origin, for identity providers of every teamspace or of some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "an origin such as \"https://idp.internal:8443\", or { origin = \"https://idp.internal:8443\", \
                 teamspaces = [\"acme\"] }"
)]
pub enum PrivateOrigin {
    /// For every teamspace.
    ForAll(String),
    /// For the teamspaces that are named.
    ForSome(ConfinedOrigin),
}

/// An origin for some teamspaces only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfinedOrigin {
    /// Scheme, host and port, such as `https://idp.example.com:8443`, without a path.
    pub origin: String,
    /// The slugs of those teamspaces, at least one. A renamed teamspace needs its new slug here.
    pub teamspaces: Vec<String>,
}

impl From<String> for PrivateOrigin {
    fn from(origin: String) -> Self {
        Self::ForAll(origin)
    }
}

impl PrivateOrigin {
    /// The origin itself.
    pub fn origin(&self) -> &str {
        match self {
            Self::ForAll(origin) => origin,
            Self::ForSome(confined) => &confined.origin,
        }
    }

    /// Whether a teamspace's identity providers may be at this origin.
    pub fn is_for(&self, teamspace: &str) -> bool {
        match self {
            Self::ForAll(_) => true,
            Self::ForSome(confined) => confined.teamspaces.iter().any(|slug| slug == teamspace),
        }
    }

    /// The problem with it, if there is one.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let origin = self.origin();
        let is_exact = Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin);
        if !is_exact {
            return Some("must be an origin such as https://idp.internal:8443");
        }
        match self {
            Self::ForSome(confined) if confined.teamspaces.is_empty() => {
                Some("has no teamspaces: name some, or write the origin alone for all")
            }
            _ => None,
        }
    }
}

/// Whether the service may ask a URL for operators, although it is not https.
pub(super) fn excuses(origins: &[PrivateOrigin], url: &str) -> bool {
    let origin = Url::parse(url).map(|url| url.origin().ascii_serialization());
    let for_all = |excused: &PrivateOrigin| matches!(excused, PrivateOrigin::ForAll(_));
    let mut listed = origins.iter().filter(|excused| for_all(excused));
    origin.is_ok_and(|origin| listed.any(|excused| excused.origin() == origin))
}
