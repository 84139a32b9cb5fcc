//! A decision that is remembered is the one that would be made again.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use cedar_policy::{Policy, PolicyId, PolicySet};
use countersign::config::PolicyCache;
use countersign::model::member::{Role, Status};
use countersign::oauth::error::Reason;
use countersign::policy::authoring::example::maximal;
use countersign::policy::facts::{
    Actor, ClaimFacts, ClaimValue, Class, CustomClaims, DeclaredClaims, FactPlace, Facts, MemberFacts,
    OptionalClaim, table,
};
use countersign::policy::validate::vocabulary::Vocabulary;
use countersign::policy::{
    CacheControl, CompiledPolicies, PolicySource, RecordedDecision, RecordedFacts, decide,
};
use countersign::store::decision_body::put_together;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::policies::{SCHEMA, SHIPPED_SCHEMA, dana};

static SHIPPED: LazyLock<CompiledPolicies> = LazyLock::new(|| {
    let source = PolicySource::read(Path::new("policies"), Path::new(SCHEMA)).unwrap();
    source.compile(0).unwrap().compiled
});

static DECLARED: LazyLock<DeclaredClaims> =
    LazyLock::new(|| Vocabulary::shipped().unwrap().custom_claims().unwrap());

/// Conditions that read facts in every way there is, and in some that only look like it. Not all of them would
/// pass validation, and some err.
const CONDITIONS: &[&str] = &[
    "true",
    "context.now > datetime(\"2026-11-22\")",
    "context.now.toTime() < duration(\"12h\")",
    "context.weekday == 7",
    "context has now",
    "context has nothing",
    "context has seats_used",
    "context has seats_limit",
    "context has seats_limit && context.seats_used >= context.seats_limit",
    "context.seats_used < context.seats_limit",
    "context.seats_limit <= context.seats_used",
    "context.seats_limit > context.seats_used",
    "context.seats_limit >= context.seats_used",
    "context.seats_used > context.seats_limit",
    "context.seats_used == context.seats_limit",
    "context.seats_used > 4",
    "context.seats_limit - context.seats_used < 2",
    "{seats_used: context.seats_used}.seats_used >= context.seats_limit",
    "context has claims.auth_age",
    "context has claims.email && context.claims.email == \"a@acme.com\"",
    "context.claims has email",
    "context.claims.email like \"a@*\"",
    "context.claims has email_domain && context.claims.email_domain == \"acme.com\"",
    "context.claims.sub == \"a\"",
    "context[\"claims\"][\"sub\"] == \"a\"",
    "context.claims.sub like \"*b\"",
    "context.claims has auth_age && context.claims.auth_age < duration(\"1h\")",
    "context.claims.auth_age > duration(\"30m\")",
    "context.claims has tenant && context.claims.tenant == \"t\"",
    "context.claims has acr && context.claims.acr == \"loa2\"",
    "context.claims.acr == \"loa2\"",
    "context.claims.amr.contains(\"mfa\")",
    "context.claims.amr.isEmpty()",
    "context.claims.resources.isEmpty()",
    "context.claims has email_verified && context.claims.email_verified",
    "context.claims == context.claims",
    "[context.claims].contains({sub: \"a\", amr: [], resources: []})",
    "context == {now: datetime(\"2026-11-22\")}",
    "[context, {}].contains({})",
    "{c: context}.c.claims.sub == \"a\"",
    "{sub: context.claims.sub} == {sub: \"a\"}",
    "{context: 1, principal: \"a\"} has context",
    "(if context.key_bound then context else {claims: {sub: \"a\"}}) has now",
    "(if context.key_bound then context else context).claims.sub == \"b\"",
    "(if context.claims.amr.isEmpty() then context.claims else {sub: \"b\"}).sub == \"b\"",
    "(if context.now > datetime(\"2026-11-22\") then principal else resource) == principal",
    "principal == User::\"https://acme.okta.com||a\"",
    "principal != User::\"https://acme.okta.com||a\"",
    "principal in User::\"https://acme.okta.com||a\"",
    "User::\"https://acme.okta.com||a\" in Group::\"acme/staff\"",
    "[User::\"https://acme.okta.com||b\"].contains(principal)",
    "{who: principal} == {who: User::\"https://acme.okta.com||b\"}",
    "principal in Group::\"acme/staff\"",
    "principal in [Group::\"acme/staff\", Group::\"acme/board\"]",
    "principal in (if context.weekday == 7 then Group::\"acme/staff\" else Group::\"acme/board\")",
    "principal in [Group::\"acme/staff\", User::\"https://acme.okta.com||b\"]",
    "principal is User",
    "principal is Issuer",
    "principal is User in Group::\"acme/board\"",
    "(if context.key_bound then principal else principal) in Group::\"acme/board\"",
    "[principal].containsAny([User::\"https://acme.okta.com||a\"])",
    "principal has url",
    "principal == resource",
    "resource in principal",
    "Group::\"acme/staff\" in principal",
    "context.linking",
    "context.linking && context.claims.sub == \"a\"",
    "context.now > datetime(\"2026-11-22\") && context.linking",
    "!(context.linking || context.claims.sub == \"a\")",
    "(if context.linking then context.claims.sub else \"a\") == \"a\"",
    "if context.linking && true then principal in Group::\"acme/staff\" else context.now > datetime(\"2026-11-22\")",
    "!(resource.teamspace has scope_setting) && context.claims.sub == \"a\"",
    "resource has teamspace.scope_setting || principal in Group::\"acme/staff\"",
    "resource has scope_setting && context.claims.sub == \"a\"",
    "context.claims has groups",
    "context has claims.groups",
    "context.claims has groups && !(principal in Group::\"acme/board\")",
    "context.claims.groups == {}",
    "context.member_domain == \"acme.com\"",
    "context.member_domain like \"*.com\"",
    "context.claims has scopes && context.claims.scopes.contains(Scope::\"docs.read\")",
    "context.status == MemberStatus::\"invited\"",
    "context.client.auth_method == \"client_secret_basic\"",
    "context.client in ClientGroup::\"desktop\"",
    "context.key_bound",
    "context has client_address",
    "context has client_address && context.client_address.isLoopback()",
    "context.client_address.isInRange(ip(\"10.0.0.0/8\"))",
    "context has requested_scopes && context.requested_scopes.contains(Scope::\"docs.read\")",
    "context has requested_scopes",
    "context.member_role == MemberRole::\"admin\"",
    "context.local_weekday == 7",
    "context.local_time < duration(\"12h\")",
    "context.claims has act",
    "context.claims has act.sub && context.claims.act.sub == \"agent\"",
    "context.claims has act && context.claims.act.sub_profile.contains(\"ai_agent\")",
    "context.claims has act && context.claims.act has iss",
    "context.claims.custom has department",
    "context.claims has custom.department && context.claims.custom.department == \"research\"",
    "context.claims.custom.department like \"s*\"",
    "context.claims has custom",
    "context.claims.custom == {department: \"research\"}",
    "resource == Scope::\"docs.read\"",
    "resource is Scope && resource.default",
    "resource.teamspace has scope_setting",
    "ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\"))",
    "decimal(\"1.5\").lessThan(decimal(\"1.0\"))",
    "9223372036854775807 + context.weekday > 0",
];

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal",
    "principal is User",
    "principal is Issuer",
    "principal in Group::\"acme/staff\"",
    "principal is User in Group::\"acme/board\"",
    "principal == User::\"https://acme.okta.com||a\"",
    "principal in User::\"https://acme.okta.com||b\"",
];

const ACTIONS: &[&str] = &[
    "action",
    "action == Action::\"TrustIssuer\"",
    "action == Action::\"AdmitMember\"",
    "action == Action::\"GrantResource\"",
    "action == Action::\"GrantScope\"",
    "action == Action::\"ProvisionMember\"",
    "action in Action::\"grant\"",
    "action in [Action::\"issuer\", Action::\"member\"]",
];

const RESOURCES: &[&str] = &[
    "resource",
    "resource",
    "resource is Scope",
    "resource in Teamspace::\"acme\"",
    "resource == Scope::\"docs.read\"",
];

fn any_condition() -> impl Strategy<Value = String> {
    let leaf = select(CONDITIONS).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("if ({a}) then ({b}) else ({c})")),
        ]
    })
}

fn any_policy() -> impl Strategy<Value = String> {
    let head = (select(PRINCIPALS), select(ACTIONS), select(RESOURCES));
    let condition = (select(&["when", "unless"][..]), any_condition());
    (select(&["permit", "forbid"][..]), head, proptest::collection::vec(condition, 0..3)).prop_map(
        |(effect, (principal, action, resource), conditions)| {
            let conditions: Vec<_> =
                conditions.iter().map(|(kind, text)| format!("{kind} {{ {text} }}")).collect();
            format!("{effect} ({principal}, {action}, {resource}) {};", conditions.join(" "))
        },
    )
}

fn control(enabled: bool, recheck_one_in: u32) -> CacheControl {
    CacheControl::new(PolicyCache { enabled, recheck_one_in })
}

/// Without looking at remembered decisions again.
fn decide_recorded(policies: &CompiledPolicies, facts: &Facts) -> Arc<RecordedDecision> {
    countersign::policy::decide_recorded(policies, facts, &control(true, 0))
}

/// A set that comes as far as the scopes unless one of these says no.
fn compile(policies: &[String]) -> CompiledPolicies {
    let mut set = PolicySet::new();
    let lets_in = ["TrustIssuer", "ProvisionMember", "AdmitMember", "GrantResource"];
    let base = lets_in.map(|action| format!("permit (principal, action == Action::\"{action}\", resource);"));
    for (number, text) in base.iter().chain(policies).enumerate() {
        let id = PolicyId::new(format!("p{number}"));
        set.add(Policy::parse(Some(id), text).unwrap_or_else(|error| panic!("{text}: {error}"))).unwrap();
    }
    CompiledPolicies::compile(&set, &SHIPPED_SCHEMA, DECLARED.clone()).unwrap()
}

/// Few values of each fact, so that most sign-ins have most facts in common with another.
fn any_facts() -> impl Strategy<Value = Facts> {
    let moments = [0, 1_795_305_600, 1_795_348_800, 1_795_435_200, 32_503_679_999, 253_402_300_799, i64::MAX];
    let person = (
        select(&["a", "b"][..]),
        select(&[None, Some("t")][..]),
        select(&[None, Some("a@acme.com"), Some("b@acme.com"), Some("a@else.com"), Some("a")][..]),
        proptest::option::of(subsequence(vec!["staff", "board", "other"], 0..=3)),
        select(&[None, Some(-1), Some(60), Some(3000), Some(7200)][..]),
    );
    let claims = (
        select(&[None, Some(true), Some(false)][..]),
        subsequence(vec!["pwd", "mfa"], 0..=2),
        select(&[None, Some("loa2")][..]),
        any::<bool>(),
        subsequence(vec!["docs.read", "docs.write"], 0..=2),
        (any::<bool>(), select(&[None, Some("docs.read"), Some("docs.write")][..])),
    );
    let member = prop_oneof![
        6 => (
            select(&[Status::Active, Status::Invited, Status::Suspended][..]),
            any::<bool>(),
            select(&[None, Some(Role::Admin)][..]),
        )
            .prop_map(|(status, linking, role)| {
                let email_domain = Some("acme.com".to_owned());
                MemberFacts::Present { status, linking, email_domain, role }
            }),
        3 => (select(&[0, 4, 5, 6, i64::MAX][..]), select(&[None, Some(5), Some(6), Some(i64::MAX)][..]))
            .prop_map(|(seats_used, seats_limit)| MemberFacts::Absent { seats_used, seats_limit }),
    ];
    let request = (
        any::<bool>(),
        select(&[None, Some("agent"), Some("other")][..]),
        select(&[None, Some("127.0.0.1"), Some("10.0.0.1"), Some("::1")][..]),
        select(&[None, Some("docs.read"), Some("docs.write")][..]),
        select(&["UTC", "Asia/Tokyo"][..]),
        select(&[None, Some("research"), Some("sales")][..]),
    );
    (select(moments.to_vec()), person, claims, member, request).prop_map(
        |(now, person, claims, member, (key_bound, act, address, requested, zone, department))| {
            let mut facts = dana();
            facts.claims.act = act.map(|sub| Actor { sub: sub.to_owned(), ..Actor::example() });
            facts.client_address = address.map(|text| text.parse().unwrap());
            facts.candidates.requested = requested.map(|scope| vec![scope.to_owned()]);
            facts.teamspace.time_zone = zone.to_owned();
            facts.claims.custom = department.map(of_department).unwrap_or_default();
            let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
            (facts.now, facts.member, facts.key_bound) = (now, member, key_bound);
            facts.claims.sub = person.0.to_owned();
            facts.claims.tenant = person.1.map(str::to_owned);
            facts.claims.email = person.2.map(str::to_owned);
            facts.claims.groups = person.3.map(owned);
            facts.claims.auth_age = person.4;
            facts.claims.email_verified = claims.0;
            facts.claims.amr = owned(claims.1);
            facts.claims.acr = claims.2.map(str::to_owned);
            (facts.candidates.asked, facts.candidates.scopes) = (claims.3, owned(claims.4));
            facts.teamspace.scope_setting = facts.teamspace.scope_setting.filter(|_| claims.5.0);
            facts.claims.scopes = claims.5.1.map(|scope| vec![scope.to_owned()]);
            facts
        },
    )
}

fn of_department(department: &str) -> CustomClaims {
    CustomClaims([("department".to_owned(), ClaimValue::Text(department.to_owned()))].into())
}

fn stored(status: Status, linking: bool) -> MemberFacts {
    MemberFacts::Present {
        status,
        linking,
        email_domain: Some("acme.com".to_owned()),
        role: Some(Role::Developer),
    }
}

fn bound(status: Status) -> MemberFacts {
    stored(status, false)
}

/// The same facts with a claim that cannot be taken whole.
fn without(claim: OptionalClaim, mut facts: Facts) -> Facts {
    let claims = &mut facts.claims;
    match &claim {
        OptionalClaim::Groups => claims.groups = None,
        OptionalClaim::Email => claims.email = None,
        OptionalClaim::EmailVerified => claims.email_verified = None,
        OptionalClaim::Scope => claims.scopes = None,
        OptionalClaim::Custom(name) => drop(claims.custom.0.remove(name)),
    }
    claims.not_known = vec![claim];
    facts
}

fn optional() -> [OptionalClaim; 5] {
    let department = OptionalClaim::Custom("department".to_owned());
    [
        OptionalClaim::Groups,
        OptionalClaim::Email,
        OptionalClaim::EmailVerified,
        OptionalClaim::Scope,
        department,
    ]
}

/// A decision as a whole.
fn outcome(decision: &countersign::policy::Decision) -> String {
    format!("{:?} {:?}", decision.answers, decision.outcome)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever policies read and however the sign-ins differ.
    #[test]
    fn a_remembered_decision_is_the_one_that_would_be_made(
        policies in proptest::collection::vec(any_policy(), 0..4),
        sign_ins in proptest::collection::vec(any_facts(), 1..40),
    ) {
        let compiled = compile(&policies);
        for facts in sign_ins.iter().chain(&sign_ins) {
            let (known, made) = (decide_recorded(&compiled, facts), decide(&compiled, facts));
            prop_assert_eq!(outcome(&known.decision), outcome(&made), "{:?} {:?}", &policies, facts);
            prop_assert_eq!(known.body.decisions(), &serde_json::to_string(&made.answers).unwrap());
        }
    }

    /// The part that the log keeps once for a remembered decision is true for each sign-in that it serves, whatever
    /// policies read.
    #[test]
    fn who_is_decided_on_alike_has_the_same_in_common(
        policies in proptest::collection::vec(any_policy(), 0..4),
        sign_ins in proptest::collection::vec(any_facts(), 1..40),
    ) {
        let compiled = compile(&policies);
        let mut known: Vec<(Arc<RecordedDecision>, String)> = Vec::new();
        for facts in &sign_ins {
            let (decision, common) = (decide_recorded(&compiled, facts), RecordedFacts::in_common(facts));
            let whole = put_together(&common, &RecordedFacts::own(facts)).unwrap();
            let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(parsed(&whole), parsed(&RecordedFacts::whole(facts)));
            match known.iter().find(|(other, _)| Arc::ptr_eq(other, &decision)) {
                Some((_, others)) => prop_assert_eq!(others, &common),
                None => known.push((decision, common)),
            }
        }
    }

    /// A claim that is not known refuses, or its value would have made no difference.
    #[test]
    fn what_is_not_known_and_not_refused_does_not_matter(
        policies in proptest::collection::vec(any_policy(), 0..3),
        facts in any_facts(),
        others in proptest::collection::vec(any_facts(), 8),
    ) {
        let compiled = compile(&policies);
        for claim in optional() {
            let unknown = without(claim.clone(), facts.clone());
            let decision = decide(&compiled, &unknown);
            if decision.outcome.as_ref().is_err_and(|d| d.reasons == [Reason::CLAIM_MALFORMED]) {
                continue;
            }
            for other in &others {
                let mut known = Facts { claims: ClaimFacts { not_known: Vec::new(), ..unknown.claims.clone() }, ..unknown.clone() };
                match &claim {
                    OptionalClaim::Groups => known.claims.groups.clone_from(&other.claims.groups),
                    OptionalClaim::Email => known.claims.email.clone_from(&other.claims.email),
                    OptionalClaim::EmailVerified => known.claims.email_verified = other.claims.email_verified,
                    OptionalClaim::Scope => known.claims.scopes.clone_from(&other.claims.scopes),
                    OptionalClaim::Custom(_) => known.claims.custom.clone_from(&other.claims.custom),
                }
                let made = decide(&compiled, &known);
                prop_assert_eq!(outcome(&decision), outcome(&made), "{:?} {:?} {:?}", claim, &policies, &known);
            }
        }
    }

    /// The same with one policy, and with sign-ins that differ in one fact.
    #[test]
    fn one_fact_that_is_read_makes_another_decision(
        policy in any_policy(),
        (first, second) in (any_facts(), any_facts()),
    ) {
        let compiled = compile(std::slice::from_ref(&policy));
        let mut changed = vec![first.clone(); 10];
        changed[0].now = second.now;
        changed[1].claims.sub = second.claims.sub;
        changed[2].claims.email = second.claims.email;
        changed[3].claims.groups = second.claims.groups;
        changed[4].claims.auth_age = second.claims.auth_age;
        changed[5].claims.tenant = second.claims.tenant;
        changed[6].member = second.member;
        changed[7].claims.scopes = second.claims.scopes;
        changed[8].claims.not_known = vec![OptionalClaim::Groups];
        changed[9].claims.custom = second.claims.custom;
        decide_recorded(&compiled, &first);
        for facts in &changed {
            let (known, made) = (decide_recorded(&compiled, facts), decide(&compiled, facts));
            prop_assert_eq!(outcome(&known.decision), outcome(&made), "{} {:?}", &policy, facts);
        }
    }
}

/// Every combination of what differs from sign-in to sign-in, two values of each.
fn grid() -> Vec<Facts> {
    let base = Facts { member: bound(Status::Active), now: 1_795_305_600 - 60, ..dana() };
    let mut all = vec![base];
    all[0].claims.sub = "a".to_owned();
    all[0].claims.email = Some("a@acme.com".to_owned());
    all[0].claims.auth_age = Some(60);
    (all[0].claims.tenant, all[0].claims.amr) = (None, Vec::new());
    let changes: [fn(&mut Facts); 7] = [
        |f| f.teamspace.scope_setting = None,
        |f| f.member = MemberFacts::Absent { seats_used: 5, seats_limit: Some(5) },
        |f| f.now += 86_400,
        |f| f.claims.sub = "b".to_owned(),
        |f| f.claims.email = Some("b@acme.com".to_owned()),
        |f| f.claims.groups = Some(vec!["staff".to_owned()]),
        |f| f.claims.auth_age = Some(7200),
    ];
    for change in changes {
        let mut changed = all.clone();
        changed.iter_mut().for_each(change);
        all.extend(changed);
    }
    for (seats_used, seats_limit) in [(4, Some(5)), (5, Some(6)), (6, Some(6)), (5, None), (4, None)] {
        all.push(Facts { member: MemberFacts::Absent { seats_used, seats_limit }, ..all[0].clone() });
    }
    let base = all[0].clone();
    let changes: [fn(&mut Facts); 13] = [
        |f| f.claims.custom = of_department("research"),
        |f| f.claims.custom = of_department("sales"),
        |f| f.claims.act = None,
        |f| f.claims.act = Some(Actor { sub: "agent".to_owned(), ..Actor::default() }),
        |f| f.client_address = None,
        |f| f.client_address = Some([127, 0, 0, 1].into()),
        |f| f.candidates.requested = None,
        |f| f.teamspace.time_zone = "Pacific/Kiritimati".to_owned(),
        |f| f.claims.groups = Some(Vec::new()),
        |f| f.claims.scopes = None,
        |f| {
            f.member = MemberFacts::Present {
                status: Status::Active,
                linking: false,
                email_domain: None,
                role: Some(Role::Developer),
            }
        },
        |f| f.claims.not_known = vec![OptionalClaim::Groups],
        |f| (f.claims.email_verified, f.claims.not_known) = (None, vec![OptionalClaim::EmailVerified]),
    ];
    for change in changes {
        for linking in [false, true] {
            let mut changed = Facts { member: stored(Status::Active, linking), ..base.clone() };
            all.push(changed.clone());
            changed.claims.sub.push('x');
            change(&mut changed);
            all.push(changed);
        }
    }
    all
}

/// Each way to read a fact by itself, so that no other reading in the set hides that it is overlooked.
#[test]
fn every_reading_is_noticed() {
    let grid = grid();
    let conditional = CONDITIONS.iter().map(|text| ("principal", format!("when {{ {text} }}")));
    let by_head = PRINCIPALS.iter().map(|head| (*head, String::new()));
    let mut decided = std::collections::BTreeSet::new();
    for (head, condition) in conditional.chain(by_head) {
        let policy = format!("permit ({head}, action == Action::\"GrantScope\", resource) {condition};");
        let compiled = compile(std::slice::from_ref(&policy));
        for facts in &grid {
            let (known, made) = (decide_recorded(&compiled, facts), decide(&compiled, facts));
            assert_eq!(outcome(&known.decision), outcome(&made), "{policy} {facts:?}");
            decided.insert((policy.clone(), outcome(&made)));
        }
    }
    // Most of them tell some of these sign-ins apart: otherwise this would prove little.
    assert!(decided.len() > CONDITIONS.len() + PRINCIPALS.len() + 25, "{}", decided.len());
}

fn member() -> Facts {
    Facts { member: bound(Status::Active), ..dana() }
}

fn newcomer(seats_used: i64, seats_limit: Option<i64>) -> Facts {
    Facts { member: MemberFacts::Absent { seats_used, seats_limit }, ..dana() }
}

/// Whether a set takes the decision about a member's sign-in for that about another.
fn is_remembered(policies: &CompiledPolicies, change: impl FnOnce(&mut Facts)) -> bool {
    is_remembered_of(policies, member(), change)
}

fn is_remembered_of(policies: &CompiledPolicies, mut facts: Facts, change: impl FnOnce(&mut Facts)) -> bool {
    let known = decide_recorded(policies, &facts);
    change(&mut facts);
    Arc::ptr_eq(&known, &decide_recorded(policies, &facts))
}

/// Letter for letter: its digest is the name it is found by.
#[test]
fn what_is_ones_own_leaves_no_trace_in_what_is_common() {
    let changes: [fn(&mut Facts); 7] = [
        |f| f.claims.act = None,
        |f| f.client_address = None,
        |f| f.claims.sub.push('x'),
        |f| f.claims.email = None,
        |f| f.claims.groups = Some(vec!["staff".to_owned()]),
        |f| f.claims.auth_age = Some(60),
        |f| f.member = newcomer(3, Some(5)).member,
    ];
    let base = Facts {
        claims: ClaimFacts { email_verified: None, groups: None, auth_age: None, ..member().claims },
        ..member()
    };
    for change in changes {
        let mut facts = base.clone();
        change(&mut facts);
        assert_eq!(RecordedFacts::in_common(&facts), RecordedFacts::in_common(&base));
    }
}

/// The parts of a document by their paths, as in `/claims/sub`.
fn leaves(value: &serde_json::Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found))
        }
        other => found.push((path.to_owned(), other.to_string())),
    }
}

/// By the table: each stored fact is in one of the two parts, and only those that are shared are in the common one.
#[test]
fn only_shared_facts_are_kept_in_common() {
    let facts = Facts { member: bound(Status::Active), ..maximal() };
    let paths = |json: &str| {
        let mut found = Vec::new();
        leaves(&serde_json::from_str(json).unwrap(), "", &mut found);
        found.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    let (common, own) = (paths(&RecordedFacts::in_common(&facts)), paths(&RecordedFacts::own(&facts)));
    let mut seen = 0;
    for row in table() {
        let path = match row.place {
            FactPlace::Claims => format!("/claims/{}", row.name),
            FactPlace::Context(_) => format!("/{}", row.name),
            FactPlace::Entity(_) | FactPlace::Record(_) => continue,
        };
        let (in_common, in_own) = (common.contains(&path), own.contains(&path));
        assert!(!(in_common && in_own), "{path} is kept twice");
        assert!(!in_common || row.class == Class::Shared, "{path} is {:?}", row.class);
        assert!(!in_own || row.class != Class::Shared, "{path} is shared");
        seen += usize::from(in_common || in_own);
    }
    assert!(seen >= 13, "{seen}");
    assert!(!common.iter().any(|path| path.starts_with("/member") || path == "/now"), "{common:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever somebody is called: it is in their own row, and never where others' rows point to.
    #[test]
    fn personal_texts_stay_in_the_persons_own_row(
        sub in "[a-z]{24}", email in "[a-z]{24}", group in "[a-z]{24}", actor in "[a-z]{24}", department in "[a-z]{24}", age in 1_000_000_000..2_000_000_000_i64,
        facts in any_facts(),
    ) {
        let mut facts = facts;
        (facts.claims.sub, facts.claims.email) = (sub.clone(), Some(format!("{email}@acme.com")));
        (facts.claims.groups, facts.claims.auth_age) = (Some(vec![group.clone()]), Some(age));
        facts.claims.act = Some(Actor { sub: actor.clone(), ..Actor::default() });
        facts.claims.custom = of_department(&department);
        facts.client_address = Some([192, 0, 2, 77].into());
        let (common, own) = (RecordedFacts::in_common(&facts), RecordedFacts::own(&facts));
        for text in [&sub, &email, &actor, &department, &age.to_string(), "192.0.2.77"] {
            prop_assert!(!common.contains(text) && own.contains(text), "{text}");
        }
        prop_assert!(!common.contains(&group) && !own.contains(&group), "groups are kept as digests");
    }
}

/// The shipped policies read nothing of a member but the email's domain: one decision serves everybody.
#[test]
fn what_policies_do_not_read_does_not_matter() {
    let p = &*SHIPPED;
    assert!(is_remembered(p, |_| {}));
    assert!(is_remembered(p, |f| f.now += 1));
    assert!(is_remembered(p, |f| f.claims.sub.push('x')));
    assert!(is_remembered(p, |f| f.claims.email = Some("else@acme.com".to_owned())));
    assert!(is_remembered(p, |f| f.claims.auth_age = None));
    assert!(is_remembered(p, |f| f.claims.groups = Some(vec!["staff".to_owned()])));
}

#[test]
fn every_other_fact_is_looked_at() {
    type Change = fn(&mut Facts);
    let changes: [Change; 24] = [
        |f| f.teamspace.slug.push('x'),
        |f| f.teamspace.issuer = None,
        |f| f.teamspace.other_issuers.push("https://x.example".to_owned()),
        |f| f.teamspace.identity_provider = Some("x".to_owned()),
        |f| f.teamspace.email_domains.clear(),
        |f| f.teamspace.scope_setting = None,
        |f| f.client.client_id.push('x'),
        |f| f.client.groups.push("desktop".to_owned()),
        |f| f.client.public = true,
        |f| f.claims.iss.push('x'),
        |f| f.claims.tenant = None,
        |f| f.claims.aud_tenant = None,
        |f| f.claims.email = Some("dana@else.com".to_owned()),
        |f| f.claims.email_verified = None,
        |f| f.claims.amr.clear(),
        |f| f.claims.acr = None,
        |f| f.claims.scopes = None,
        |f| f.claims.resources.clear(),
        |f| f.claims.not_known = vec![OptionalClaim::Groups],
        |f| {
            f.member = MemberFacts::Present {
                status: Status::Active,
                linking: false,
                email_domain: None,
                role: Some(Role::Developer),
            }
        },
        |f| f.member = bound(Status::Suspended),
        |f| f.resource.published = false,
        |f| f.candidates.asked = !f.candidates.asked,
        |f| f.key_bound = false,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(!is_remembered(&SHIPPED, change), "change {number}");
    }
}

/// Switched off, it neither remembers nor finds anything.
#[test]
fn without_the_cache_each_decision_is_made() {
    let policies = compile(&["permit (principal, action == Action::\"GrantScope\", resource);".to_owned()]);
    let off = control(false, 1);
    let decide = |control| countersign::policy::decide_recorded(&policies, &member(), control);
    assert!(!Arc::ptr_eq(&decide(&off), &decide(&off)));
    let remembered = decide_recorded(&policies, &member());
    assert!(!Arc::ptr_eq(&remembered, &decide(&off)));
    assert!(Arc::ptr_eq(&remembered, &decide_recorded(&policies, &member())));
}

/// One in so many is made again; a wrong one shows, and the right one takes effect and its place.
#[test]
fn a_wrong_decision_in_the_cache_is_found_out() {
    let permit = "permit (principal, action == Action::\"GrantScope\", resource);".to_owned();
    let forbid = "forbid (principal, action == Action::\"GrantScope\", resource);".to_owned();
    let (policies, others) = (compile(std::slice::from_ref(&permit)), compile(&[permit, forbid]));
    let (right, wrong) = (decide(&policies, &member()), decide_recorded(&others, &member()));
    assert_ne!(right, wrong.decision);
    policies.remember(&member(), &wrong);

    let third = control(true, 3);
    let decide = || countersign::policy::decide_recorded(&policies, &member(), &third);
    for _ in 0..2 {
        assert!(Arc::ptr_eq(&decide(), &wrong));
    }
    assert_eq!(third.differences(), 0);
    let found = decide();
    assert_eq!((&found.decision, third.differences()), (&right, 1));
    for _ in 0..6 {
        assert!(Arc::ptr_eq(&decide(), &found), "the same is no difference, and is kept");
    }
    assert_eq!(third.differences(), 1);

    policies.remember(&member(), &wrong);
    let never = control(true, 0);
    for _ in 0..2000 {
        assert!(Arc::ptr_eq(&countersign::policy::decide_recorded(&policies, &member(), &never), &wrong));
    }
    assert_eq!(never.differences(), 0);
}

/// Of newcomers the shipped policies want to know whether a seat is free, not how many are taken.
#[test]
fn newcomers_are_alike_while_seats_are_free() {
    let seats =
        |seats_used, seats_limit| move |f: &mut Facts| f.member = newcomer(seats_used, seats_limit).member;
    let alike = |change: &dyn Fn(&mut Facts)| is_remembered_of(&SHIPPED, newcomer(3, Some(5)), change);
    assert!(alike(&seats(4, Some(5))));
    assert!(alike(&|f| f.claims.sub.push('x')));
    assert!(alike(&|f| f.claims.email = Some("else@acme.com".to_owned())));
    assert!(!alike(&seats(5, Some(5))), "no seat is free");
    assert!(!alike(&seats(3, Some(6))), "another limit");
    assert!(!alike(&seats(3, None)), "no limit");
    assert!(!alike(&|f| f.claims.email = None));
    assert!(!alike(&|f| f.claims.email = Some("dana@else.com".to_owned())));
    assert!(!alike(&|f| f.member = member().member));
    // Facts that only questions about members ask for are not read for newcomers, and the other way round.
    let about = |action: &str| {
        compile(&[format!(
            "permit (principal, action == Action::\"{action}\", resource) when {{ context.now < datetime(\"2099-01-01\") }};"
        )])
    };
    assert!(is_remembered_of(&about("AdmitMember"), newcomer(3, None), |f| f.now += 1));
    assert!(!is_remembered_of(&about("ProvisionMember"), newcomer(3, None), |f| f.now += 1));
    assert!(is_remembered(&about("ProvisionMember"), |f| f.now += 1));
}

/// Decisions that depend on numbers or times that Cedar may not have, or on an error, are never remembered, and
/// neither are those that would take much memory.
#[test]
fn some_decisions_are_made_each_time() {
    let again = |policies: &CompiledPolicies, facts: &Facts| {
        Arc::ptr_eq(&decide_recorded(policies, facts), &decide_recorded(policies, facts))
    };
    assert!(again(&SHIPPED, &member()));
    assert!(again(&SHIPPED, &newcomer(1, Some(2))));
    assert!(!again(&SHIPPED, &newcomer(1, Some(i64::MAX))));
    assert!(!again(&SHIPPED, &newcomer(-1, None)));
    assert!(!again(&SHIPPED, &Facts { now: -1, ..member() }));
    assert!(!again(&SHIPPED, &Facts { now: i64::MAX, ..member() }));
    let erring = "permit (principal, action == Action::\"GrantScope\", resource) when { 9223372036854775807 + context.weekday > 0 };";
    assert!(!again(&compile(&[erring.to_owned()]), &member()));
    let mut long = member();
    long.claims.amr = vec!["x".repeat(5000)];
    assert!(!again(&SHIPPED, &long));
}

/// A policy that reads a fact takes sign-ins apart by it.
#[test]
fn a_fact_that_is_read_is_looked_at() {
    let reading = |condition: &str| {
        compile(&[format!(
            "forbid (principal, action == Action::\"GrantScope\", resource) when {{ {condition} }};"
        )])
    };
    let groups = reading("principal in Group::\"acme/staff\"");
    assert!(is_remembered(&groups, |f| f.claims.groups = Some(vec!["other".to_owned()])));
    assert!(is_remembered(&groups, |f| f.claims.sub.push('x')));
    assert!(!is_remembered(&groups, |f| f.claims.groups = Some(vec!["staff".to_owned()])));
    // A new fact costs those whose policies read it, and nobody else.
    type Change = fn(&mut Facts);
    let changes: [(&str, Change); 5] = [
        ("context has client_address && context.client_address.isLoopback()", |f| f.client_address = None),
        ("context.member_role == MemberRole::\"admin\"", |f| {
            if let MemberFacts::Present { role, .. } = &mut f.member {
                *role = Some(Role::Owner);
            }
        }),
        ("context.claims has act && context.claims.act.sub == \"x\"", |f| f.claims.act = None),
        ("context.local_time < duration(\"1h\")", |f| f.now += 60),
        ("context.local_weekday == 7", |f| f.now += 86_400),
    ];
    for (condition, change) in changes {
        assert!(!is_remembered(&reading(condition), change), "{condition}");
        assert!(is_remembered(&SHIPPED, change), "{condition}");
    }
    assert!(
        is_remembered(&reading("context.local_time < duration(\"1h\")"), |f| f.now += 59),
        "to the minute"
    );
    let told = reading("context.claims has groups");
    assert!(!is_remembered(&told, |f| f.claims.groups = Some(Vec::new())));
    assert!(is_remembered(&reading("context.linking && context.claims has groups"), |f| {
        f.claims.groups = Some(Vec::new());
    }));
    let weekday = reading("context.weekday == 7");
    assert!(is_remembered(&weekday, |f| f.now += 1));
    assert!(!is_remembered(&weekday, |f| f.now += 86_400));
    assert!(!is_remembered(&reading("context.now > datetime(\"2026-01-01\")"), |f| f.now += 1));
    for everything in ["context == {}", "[context.claims].isEmpty()", "context has claims"] {
        let set = reading(everything);
        assert!(!is_remembered(&set, |f| f.now += 1), "{everything}");
        assert!(!is_remembered(&set, |f| f.claims.sub.push('x')), "{everything}");
        assert!(!is_remembered(&set, |f| f.claims.groups = Some(vec!["other".to_owned()])), "{everything}");
        assert!(!is_remembered(&set, |f| f.claims.auth_age = Some(1)), "{everything}");
        assert!(!is_remembered(&set, |f| f.claims.email = Some("x@acme.com".to_owned())), "{everything}");
    }
}
