//! The person whom the provider describes.

use openidconnect::core::CoreGenderClaim;
use openidconnect::{
    AdditionalClaims, EndUserEmail, EndUserName, IdTokenClaims, LocalizedClaim, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::SignInError;
use crate::email::plain_address;

/// Most groups of a person that are kept.
const MOST_GROUPS: usize = 1000;
/// Longest name of a group, in bytes.
const LONGEST_GROUP: usize = 255;
/// Most characters of a name.
const LONGEST_NAME: usize = 100;

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInPerson {
    /// Verified, in lower case.
    pub email: String,
    /// For the page; the email where the provider told none.
    pub name: String,
    pub groups: Vec<String>,
}

/// The claims that are not OpenID Connect's own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct MoreClaims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for MoreClaims {}

impl MoreClaims {
    /// Entra tells in `xms_edov` whether the email's domain belongs to the directory, and never `email_verified`.
    fn has_own_domain(&self) -> bool {
        match self.all.get("xms_edov") {
            Some(Value::Bool(is_own)) => *is_own,
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            Some(Value::String(text)) => text == "1" || text == "true",
            _ => false,
        }
    }

    fn groups(&self, claim: &str) -> Option<Vec<String>> {
        let is_plain = |group: &&str| {
            group.len() <= LONGEST_GROUP && !group.is_empty() && !group.contains(char::is_control)
        };
        let named: Vec<&str> = match self.all.get(claim)? {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        Some(named.into_iter().filter(is_plain).take(MOST_GROUPS).map(str::to_owned).collect())
    }
}

/// The claims that count, from the ID token or the UserInfo endpoint.
#[derive(Default)]
pub(super) struct Told {
    email: Option<String>,
    is_verified: Option<bool>,
    name: Option<String>,
    groups: Option<Vec<String>>,
}

impl Told {
    /// By an ID token.
    pub fn by_token(claims: &IdTokenClaims<MoreClaims, CoreGenderClaim>, groups_claim: &str) -> Self {
        let address = (claims.email(), claims.email_verified());
        Self::of(address, claims.name(), (claims.additional_claims(), groups_claim))
    }

    /// By a UserInfo endpoint.
    pub fn by_user_info(claims: &UserInfoClaims<MoreClaims, CoreGenderClaim>, groups_claim: &str) -> Self {
        let address = (claims.email(), claims.email_verified());
        Self::of(address, claims.name(), (claims.additional_claims(), groups_claim))
    }

    fn of(
        (email, is_verified): (Option<&EndUserEmail>, Option<bool>),
        name: Option<&LocalizedClaim<EndUserName>>,
        (more, groups_claim): (&MoreClaims, &str),
    ) -> Self {
        let name = name.and_then(|names| names.get(None).or(names.iter().next().map(|(_, name)| name)));
        Self {
            email: email.map(|email| email.to_string()),
            is_verified: is_verified.or(more.has_own_domain().then_some(true)),
            name: name.map(|name| name.to_string()),
            groups: more.groups(groups_claim),
        }
    }

    /// Whether a claim is missing that the UserInfo endpoint may have.
    pub fn lacks(&self, groups: bool) -> bool {
        self.email.is_none() || self.is_verified.is_none() || groups && self.groups.is_none()
    }

    /// Fills in missing claims from elsewhere. An email and its verification come from the same place.
    pub fn or(self, other: Self) -> Self {
        let is_whole = self.email.is_some() && self.is_verified.is_some() || other.email.is_none();
        let (email, is_verified) = match is_whole {
            true => (self.email, self.is_verified),
            false => (other.email, other.is_verified),
        };
        Self { email, is_verified, name: self.name.or(other.name), groups: self.groups.or(other.groups) }
    }

    /// The person, if the email is there, verified and plain.
    pub fn person(self) -> Result<SignedInPerson, SignInError> {
        let email = self.email.filter(|email| !email.is_empty()).ok_or(SignInError::NoEmail)?;
        if self.is_verified != Some(true) {
            return Err(SignInError::EmailNotVerified);
        }
        let email = plain_address(&email).ok_or(SignInError::EmailNotPlain)?;
        let name: String = self.name.unwrap_or_default();
        let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        let name = if name.trim().is_empty() { email.clone() } else { name };
        Ok(SignedInPerson { email, name, groups: self.groups.unwrap_or_default() })
    }
}
