//! The value by which an identity provider knows a member, such as an employee number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Longest name of a claim, in bytes; what a custom claim may have.
const MAX_CLAIM: usize = 255;
/// Longest value, in bytes.
const MAX_VALUE: usize = 512;

/// The claim by whose value an identity provider's people are linked to members.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LinkBy {
    /// A custom claim of the provider, which is a text.
    Claim(String),
    /// `aud_sub`, the member's id here (draft-ietf-oauth-identity-assertion-authz-grant §3.1).
    Account,
}

impl LinkBy {
    /// The name of the claim.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Claim(name) => name,
            Self::Account => "aud_sub",
        }
    }
}

impl From<String> for LinkBy {
    fn from(name: String) -> Self {
        if name == "aud_sub" { Self::Account } else { Self::Claim(name) }
    }
}

/// A claim and its value, which together belong to one member of a teamspace. Both are compared byte for byte.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(try_from = "WrittenLink", into = "WrittenLink")]
pub struct MemberLink {
    claim: String,
    value: String,
    /// Both as one text, as the database has it: no two pairs have the same.
    key: String,
}

/// A claim or value that no assertion can have.
#[derive(Debug, thiserror::Error)]
#[error("a link has a claim of 1 to 255 bytes and a value of 1 to 512, without control characters")]
pub struct LinkFault;

/// A link in JSON.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = MemberLink)]
#[serde(deny_unknown_fields)]
struct WrittenLink {
    /// The claim that carries the value, which an identity provider of the teamspace has as `link_by`.
    #[schema(min_length = 1, max_length = 255)]
    claim: String,
    /// The value, as assertions have it.
    #[schema(min_length = 1, max_length = 512)]
    value: String,
}

impl MemberLink {
    /// The link by a claim's value.
    pub fn new(claim: &str, value: &str) -> Result<Self, LinkFault> {
        let is_text =
            |text: &str, longest| (1..=longest).contains(&text.len()) && !text.chars().any(char::is_control);
        if !is_text(claim, MAX_CLAIM) || !is_text(value, MAX_VALUE) {
            return Err(LinkFault);
        }
        let key = json!([claim, value]).to_string();
        Ok(Self { claim: claim.to_owned(), value: value.to_owned(), key })
    }

    /// The name of the claim.
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// The value of the claim.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Both as one text, as the database has it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// `CLAIM=VALUE`. The claim may be a URL, but has no equals sign.
impl FromStr for MemberLink {
    type Err = LinkFault;

    fn from_str(text: &str) -> Result<Self, LinkFault> {
        let (claim, value) = text.split_once('=').ok_or(LinkFault)?;
        Self::new(claim, value)
    }
}

impl fmt::Display for MemberLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.claim, self.value)
    }
}

impl TryFrom<WrittenLink> for MemberLink {
    type Error = LinkFault;

    fn try_from(written: WrittenLink) -> Result<Self, LinkFault> {
        Self::new(&written.claim, &written.value)
    }
}

impl From<MemberLink> for WrittenLink {
    fn from(link: MemberLink) -> Self {
        Self { claim: link.claim, value: link.value }
    }
}

impl From<MemberLink> for Value {
    fn from(link: MemberLink) -> Self {
        json!({ "claim": link.claim, "value": link.value })
    }
}

impl PartialSchema for MemberLink {
    fn schema() -> RefOr<Schema> {
        WrittenLink::schema()
    }
}

impl ToSchema for MemberLink {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        WrittenLink::schemas(schemas);
    }
}

impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for MemberLink
where
    DB: diesel::backend::Backend,
    String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        let [claim, value]: [String; 2] = serde_json::from_str(&String::from_sql(value)?)?;
        Ok(Self::new(&claim, &value)?)
    }
}

impl<DB> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for MemberLink
where
    DB: diesel::backend::Backend,
    str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.key.as_str().to_sql(out)
    }
}
