//! The claims that may be not known.

use serde::{Deserialize, Serialize};

/// A claim that, at least in some sign-ins, only policies need. If its value is unusable, it counts as not known
/// instead of refusing the assertion whatever the policies are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OptionalClaim {
    /// `groups`, or what the provider's groups claim is called.
    Groups,
    /// `email` (OpenID Connect Core §5.1).
    Email,
    /// `email_verified` (OpenID Connect Core §5.1).
    EmailVerified,
    /// `scope` (RFC 8693 §4.2).
    Scope,
    /// A custom claim, by its name.
    Custom(String),
}

impl From<OptionalClaim> for String {
    fn from(claim: OptionalClaim) -> Self {
        match claim {
            OptionalClaim::Groups => "groups".to_owned(),
            OptionalClaim::Email => "email".to_owned(),
            OptionalClaim::EmailVerified => "email_verified".to_owned(),
            OptionalClaim::Scope => "scope".to_owned(),
            OptionalClaim::Custom(name) => format!("custom.{name}"),
        }
    }
}

impl TryFrom<String> for OptionalClaim {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "groups" => Ok(Self::Groups),
            "email" => Ok(Self::Email),
            "email_verified" => Ok(Self::EmailVerified),
            "scope" => Ok(Self::Scope),
            other => match other.strip_prefix("custom.") {
                Some(name) => Ok(Self::Custom(name.to_owned())),
                None => Err(format!(
                    "`{other}` cannot be not known; write groups, email, email_verified, scope or custom.NAME"
                )),
            },
        }
    }
}
