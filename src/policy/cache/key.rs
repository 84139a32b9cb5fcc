//! The facts as far as policies can tell them apart: equal keys lead to the same decision.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use crate::clock::UnixSeconds;
use crate::model::member::Status;
use crate::model::seats::is_seat_free;
use crate::policy::engine::reads::{FactDependencies, Groups};
use crate::policy::facts::{
    Access, ClaimFacts, Class, Facts, LocalMoment, Maybe, MemberFacts, claim_facts, class, moment_facts,
    request_facts,
};

/// From 1970 to 3000: times that certainly have a text form, which Cedar needs. Outside this range nothing can be
/// decided.
const TIMES: Range<UnixSeconds> = 0..32_503_680_000;
/// Seat counts that policies see unchanged.
const SEATS: Range<i64> = 0..1_000_000_000;

/// The facts as far as the policies can tell them apart. Shared facts always count; others only if a policy reads
/// them.
pub(super) struct CacheKey<'a> {
    facts: &'a Facts,
    pub(super) reads: FactDependencies,
    member: MemberKey<'a>,
    groups: Vec<&'a str>,
}

/// The part of the membership that always counts.
#[derive(PartialEq, Eq, Hash)]
enum MemberKey<'a> {
    /// Every newcomer sees the same seats until none is free.
    Absent {
        has_email: bool,
        limit: Option<i64>,
        full: bool,
    },
    Present {
        status: Status,
        linking: bool,
        email_domain: Option<&'a str>,
    },
}

/// As much of a fact as counts.
#[derive(PartialEq, Eq, Hash)]
enum Glimpse<T> {
    Nothing,
    Presence(bool),
    Value(T),
}

fn glimpse<T: Maybe>(class: Class, read: Access, value: impl FnOnce() -> T) -> Glimpse<T> {
    match (class, read) {
        (Class::Shared, _) | (_, Access::Value) => Glimpse::Value(value()),
        (_, Access::Presence) => Glimpse::Presence(value().get().is_some()),
        (_, Access::No) => Glimpse::Nothing,
    }
}

macro_rules! hash_facts {
    (
        [$of:expr, $reads:expr, $state:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        $(glimpse(class!($class), $reads.$name, || &$of.$name).hash($state);)*
        $(glimpse(class!($dclass), $reads.$dname, || ($read)($of)).hash($state);)*
    };
}

macro_rules! same_facts {
    (
        [$one:expr, $other:expr, $reads:expr]
        stored { $($(#[$meta:meta])* $class:ident $name:ident: $type:ty => $need:ident $kind:ident in $place:ident,
            case $case:ident: $written:ty, example $example:expr, $from:literal;)* }
        derived { $($dclass:ident $dname:ident => $dneed:ident $dkind:ident in $dplace:ident = $read:expr, $dfrom:literal;)* }
    ) => {
        true
        $(&& glimpse(class!($class), $reads.$name, || &$one.$name) == glimpse(class!($class), $reads.$name, || &$other.$name))*
        $(&& glimpse(class!($dclass), $reads.$dname, || ($read)($one)) == glimpse(class!($dclass), $reads.$dname, || ($read)($other)))*
    };
}

impl Hash for CacheKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (facts, reads, state) = (self.facts, &self.reads, state);
        let (claims, moment) = (&facts.claims, &facts.moment());
        (facts.structure(), &self.member, &self.groups).hash(state);
        claim_facts!(hash_facts claims, reads.claims, state);
        moment_facts!(hash_facts moment, reads.moment, state);
        request_facts!(hash_facts facts, reads.request, state);
    }
}

impl PartialEq for CacheKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (facts, others, reads) = (self.facts, other.facts, &self.reads);
        let (moment, other_moment) = (&facts.moment(), &others.moment());
        (facts.structure(), &self.member, &self.groups) == (others.structure(), &other.member, &other.groups)
            && self.reads == other.reads
            && claim_facts!(same_facts & facts.claims, &others.claims, reads.claims)
            && moment_facts!(same_facts moment, other_moment, reads.moment)
            && request_facts!(same_facts facts, others, reads.request)
    }
}

impl<'a> CacheKey<'a> {
    /// None if the policies may see other values than we do.
    pub(super) fn of(
        facts: &'a Facts,
        reads: FactDependencies,
        named_groups: &BTreeSet<String>,
    ) -> Option<Self> {
        let groups = match reads.groups {
            Groups::Unread => Vec::new(),
            Groups::Named => {
                let named = |group: &&String| named_groups.contains(&facts.group_id(group));
                facts.groups().iter().filter(named).map(String::as_str).collect()
            }
            Groups::All => facts.groups().iter().map(String::as_str).collect(),
        };
        let member = MemberKey::of(facts)?;
        TIMES.contains(&facts.now).then_some(Self { facts, reads, member, groups })
    }
}

impl<'a> MemberKey<'a> {
    fn of(facts: &'a Facts) -> Option<Self> {
        Some(match facts.member {
            MemberFacts::Present { status, linking, ref email_domain, role: _ } => {
                Self::Present { status, linking, email_domain: email_domain.as_deref() }
            }
            MemberFacts::Absent { seats_used, seats_limit } => {
                let plain =
                    SEATS.contains(&seats_used) && seats_limit.is_none_or(|limit| SEATS.contains(&limit));
                plain.then_some(())?;
                let full = !is_seat_free(seats_used, seats_limit);
                let has_email = facts.claims.email.is_some();
                Self::Absent { has_email, limit: seats_limit, full }
            }
        })
    }
}
