//! Facts as the decision log keeps them: enough to ask other policies about a past sign-in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::engine::PolicyEngine;
use super::facts::{Facts, MemberFacts};
use crate::clock::UnixSeconds;
use crate::random::digest;

/// Facts with the person's groups as digests: a policy that names a group can still be asked about it, but
/// the log cannot be read for who is in which group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedFacts(Facts);

/// What differs from person to person and from moment to moment, whatever the policies look at.
#[derive(Serialize)]
struct Own<'a> {
    now: UnixSeconds,
    claims: OwnClaims<'a>,
    member: &'a MemberFacts,
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_age: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
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

    /// What the log keeps, as JSON.
    pub fn whole(facts: &Facts) -> String {
        // Plain data always serializes; the log would show the gap.
        match facts.groups().is_empty() {
            true => serde_json::to_string(facts).unwrap_or_default(),
            false => serde_json::to_string(&Self::of(facts)).unwrap_or_default(),
        }
    }

    /// The same without what is one person's or one moment's (`Own`): for all who are decided on alike, the same.
    pub fn in_common(facts: &Facts) -> String {
        let mut value = serde_json::to_value(facts).unwrap_or_default();
        // `remove` may put the last member in the place of the one that goes: then who has groups would have a text,
        // and so a digest, of their own.
        let remove = |object: Option<&mut Value>, names: &[&str]| {
            object.and_then(Value::as_object_mut).into_iter().for_each(|object| {
                object.retain(|name, _| !names.contains(&name.as_str()));
            });
        };
        remove(value.get_mut("claims"), &["sub", "email", "auth_age", "groups"]);
        remove(Some(&mut value), &["now", "member"]);
        value.to_string()
    }

    /// The rest of it, which goes on top.
    pub fn own(facts: &Facts) -> String {
        let claims = &facts.claims;
        serde_json::to_string(&Own {
            now: facts.now,
            claims: OwnClaims {
                sub: &claims.sub,
                email: claims.email.as_deref(),
                auth_age: claims.auth_age,
                groups: group_digests(facts),
            },
            member: &facts.member,
        })
        .unwrap_or_default()
    }

    /// The facts again, with those of the groups that the policies name.
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
