//! Claims that a deployment declares itself, beside the standard ones.

use std::collections::BTreeMap;

use cedar_policy::RestrictedExpression as Expr;
use serde::{Deserialize, Serialize};

use super::kinds::{FactKind, Maybe, Shows, text};
use crate::model::identity_provider::ClaimType;

/// The most claims that a schema may declare: a number's bits hold which of them policies read.
pub const MAX_DECLARED: usize = u32::BITS as usize;

/// The value of a custom claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "a custom claim is a text, a whole number, true or false, or a list of texts")]
pub enum ClaimValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    Text(String),
    /// Texts, whose order means nothing.
    Texts(Vec<String>),
}

impl ClaimValue {
    /// The type that declares such a value.
    pub fn claim_type(&self) -> ClaimType {
        match self {
            Self::Boolean(_) => ClaimType::Boolean,
            Self::Long(_) => ClaimType::Long,
            Self::Text(_) => ClaimType::Text,
            Self::Texts(_) => ClaimType::Texts,
        }
    }

    fn expr(&self) -> Expr {
        match self {
            Self::Boolean(flag) => Expr::new_bool(*flag),
            Self::Long(number) => Expr::new_long(*number),
            Self::Text(value) => text(value),
            Self::Texts(values) => Expr::new_set(values.iter().map(|value| text(value))),
        }
    }
}

/// The custom claims of an assertion by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomClaims(pub BTreeMap<String, ClaimValue>);

impl CustomClaims {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The example of the claim that the shipped schema declares.
    pub fn example() -> Self {
        Self(BTreeMap::from([("department".to_owned(), ClaimValue::Text("research".to_owned()))]))
    }
}

impl Maybe for CustomClaims {
    type Value = Self;

    fn get(&self) -> Option<&Self> {
        Some(self)
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

/// A record with an attribute for each claim that is present.
pub(in crate::policy) struct CustomRecord;

impl FactKind for CustomRecord {
    const TYPE: &'static str = "CustomClaims";
}

impl Shows<CustomClaims> for CustomRecord {
    fn expr(claims: &CustomClaims) -> Option<Expr> {
        Expr::new_record(claims.0.iter().map(|(name, value)| (name.clone(), value.expr()))).ok()
    }
}

/// The custom claims that a schema declares, each with its type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredClaims(BTreeMap<String, ClaimType>);

impl DeclaredClaims {
    /// These claims, no more than [`MAX_DECLARED`].
    pub(in crate::policy) fn new(claims: BTreeMap<String, ClaimType>) -> Self {
        Self(claims)
    }

    /// The type of a claim, if it is declared.
    pub fn type_of(&self, name: &str) -> Option<ClaimType> {
        self.0.get(name).copied()
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Marks the claim of this name as read; nothing if it is not declared.
    pub(in crate::policy) fn read_of(&self, name: &str) -> CustomReads {
        let place = self.names().position(|declared| declared == name);
        let bit = place.and_then(|place| 1_u32.checked_shl(u32::try_from(place).ok()?));
        CustomReads(bit.unwrap_or(0))
    }

    /// The claims that are read.
    pub(in crate::policy) fn read(&self, reads: CustomReads) -> BTreeMap<String, ClaimType> {
        let is_read = |name: &str| reads.overlaps(self.read_of(name));
        let read = self.0.iter().filter(|(name, _)| is_read(name));
        read.map(|(name, claim_type)| (name.clone(), *claim_type)).collect()
    }
}

/// The custom claims that policies read: one bit for each, in the order of their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::policy) struct CustomReads(u32);

impl CustomReads {
    /// All of them.
    pub const ALL: Self = Self(u32::MAX);

    /// These and those.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether one is among both.
    pub fn overlaps(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
