//! Facts as the decision log keeps them: enough to ask other policies about a past sign-in.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::policy::engine::set::PolicyEngine;
use crate::policy::facts::{Class, Facts, Maybe as _, claim_facts, class, request_facts};
use crate::random::digest;

/// Facts with the person's groups as digests. A policy that names a group can still be asked, but nobody can read from
/// the log who is in which group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedFacts(Facts);

/// Writes the facts of one kind that are not shared.
macro_rules! own_entries {
    (
        [$map:ident, $of:expr, $digests:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {
        $(match class!($class) {
            Class::Shared => {}
            Class::Digested => {
                if let Some(digests) = $digests {
                    $map.serialize_entry(stringify!($name), &digests)?;
                }
            }
            Class::Personal | Class::Momentary => {
                if !$of.$name.is_left_out() {
                    $map.serialize_entry(stringify!($name), &$of.$name)?;
                }
            }
        })*
    };
}

/// The names of the facts of one kind that are not shared.
macro_rules! own_names {
    (
        []
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($derived:tt)* }
    ) => {{
        let all: &[(Class, &str)] = &[$((class!($class), stringify!($name))),*];
        all.iter().filter(|(class, _)| *class != Class::Shared).map(|(_, name)| *name)
    }};
}

/// The facts that differ between people or moments, whatever the policies read.
struct Own<'a>(&'a Facts);

impl Serialize for Own<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("now", &facts.now)?;
        map.serialize_entry("claims", &OwnClaims(facts))?;
        map.serialize_entry("member", &facts.member)?;
        request_facts!(own_entries map, facts, None::<Vec<String>>);
        map.end()
    }
}

struct OwnClaims<'a>(&'a Facts);

impl Serialize for OwnClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = &self.0.claims;
        let mut map = serializer.serialize_map(None)?;
        claim_facts!(own_entries map, claims, group_digests(self.0));
        map.end()
    }
}

fn group_digests(facts: &Facts) -> Option<Vec<String>> {
    let groups = facts.claims.groups.as_ref()?;
    Some(groups.iter().map(|group| digest(&facts.group_id(group))).collect())
}

impl RecordedFacts {
    /// For the log.
    pub fn of(facts: &Facts) -> Self {
        let mut kept = facts.clone();
        kept.claims.groups = group_digests(facts);
        Self(kept)
    }

    /// The part that the log keeps, as JSON.
    pub fn whole(facts: &Facts) -> String {
        // Plain data always serializes; a gap in the log would show otherwise.
        match facts.groups().is_empty() {
            true => serde_json::to_string(facts).unwrap_or_default(),
            false => serde_json::to_string(&Self::of(facts)).unwrap_or_default(),
        }
    }

    /// The facts without those of one person or moment (`Own`): the same text for all sign-ins decided alike.
    pub fn in_common(facts: &Facts) -> String {
        let mut value = serde_json::to_value(facts).unwrap_or_default();
        // `remove` may move the last member into the gap; people with groups would then get a text, and so a digest,
        // of their own.
        let remove = |object: Option<&mut Value>, names: &[&str]| {
            object.and_then(Value::as_object_mut).into_iter().for_each(|object| {
                object.retain(|name, _| !names.contains(&name.as_str()));
            });
        };
        let of_claims: Vec<&str> = claim_facts!(own_names).collect();
        let of_whole: Vec<&str> = ["now", "member"].into_iter().chain(request_facts!(own_names)).collect();
        remove(value.get_mut("claims"), &of_claims);
        remove(Some(&mut value), &of_whole);
        value.to_string()
    }

    /// The rest of it, which goes on top.
    pub fn own(facts: &Facts) -> String {
        serde_json::to_string(&Own(facts)).unwrap_or_default()
    }

    /// Restores the facts, with the groups that the policies name.
    pub fn recall(self, policies: &PolicyEngine) -> Facts {
        let mut facts = self.0;
        let Some(digests) = facts.claims.groups.take() else { return facts };
        let own = format!("{}/", facts.teamspace.slug);
        let named = policies.named_groups().iter().filter(|id| digests.contains(&digest(id)));
        let groups = named.filter_map(|id| id.strip_prefix(&own)).map(str::to_owned);
        facts.claims.groups = Some(groups.collect());
        facts
    }
}
