//! The policies' decisions, and facts that fit the schema.

use std::path::Path;
use std::sync::LazyLock;

use cedar_policy::{EntityUid, Request, Schema};
use countersign::model::member::Status;
use countersign::oauth::authorization_details::{Detail, DetailCandidates};
use countersign::oauth::error::{ErrorCode, Reason};
use countersign::policy::authoring::example::maximal;
use countersign::policy::facts::{Actor, ConfigurationFacts, Facts, MemberFacts, action_uid, to_context};
use countersign::policy::{Action, Policies, PolicySource, RecordedFacts, decide};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::files::with;

pub const SCHEMA: &str = "schema/countersign.cedarschema";

fn load(dir: &Path) -> Result<Policies, String> {
    PolicySource::read(dir, Path::new(SCHEMA))
        .and_then(|source| source.compile(0))
        .map_err(|error| error.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

static SHIPPED: LazyLock<Policies> = LazyLock::new(|| load(Path::new("policies")).unwrap());

pub static SHIPPED_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text = std::fs::read_to_string(SCHEMA).unwrap();
    Schema::from_cedarschema_str(&text).unwrap().0
});

/// The hash names the whole set: any change of any file or of the schema is another set.
#[test]
fn the_hash_follows_the_content() {
    let rule = "@id(\"a\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource);";
    let (one, same) = (with(&[("r.cedar", rule)]), with(&[("r.cedar", rule)]));
    let (renamed, changed) =
        (with(&[("s.cedar", rule)]), with(&[("r.cedar", &rule.replace("\"x\"", "\"y\""))]));
    let hash = |dir: &TempDir| load(dir.path()).unwrap().hash;
    assert_eq!(hash(&one), hash(&same));
    assert_ne!(hash(&one), hash(&renamed));
    assert_ne!(hash(&one), hash(&changed));
}

/// Dana asks for one scope; no group is known.
pub fn dana() -> Facts {
    let mut facts = maximal();
    facts.candidates.scopes = vec!["docs.read".to_owned()];
    facts.client.groups.clear();
    facts.claims.groups = None;
    facts
}

/// The result of a change to Dana's facts: the scopes, or the wire code and all reasons.
fn decided(
    policies: &Policies,
    change: impl FnOnce(&mut Facts),
) -> Result<Vec<String>, (ErrorCode, Vec<Reason>)> {
    let mut facts = dana();
    change(&mut facts);
    let decision = decide(&policies.compiled, &facts);
    decision.outcome.map(|p| p.scopes().to_vec()).map_err(|denial| (denial.error, denial.reasons))
}

fn refused(error: ErrorCode, reasons: &[&str]) -> Result<Vec<String>, (ErrorCode, Vec<Reason>)> {
    Err((error, reasons.iter().map(|reason| Reason::of_policy(*reason)).collect()))
}

/// Facts that the schema can hold and a case file cannot state are bounded all the same.
#[test]
fn numbers_at_their_limits_are_decided() {
    let p = &SHIPPED;
    let unlimited =
        |f: &mut Facts| f.member = MemberFacts::Absent { seats_used: i64::MAX, seats_limit: None };
    assert!(decided(p, unlimited).is_ok());
    for age in [i64::MIN, -1, 0, i64::MAX] {
        assert!(decided(p, |f| f.claims.auth_age = Some(age)).is_ok());
    }
    for now in [i64::MIN / 2, 0, 253_402_300_799] {
        decided(p, |f| f.now = now).ok();
    }
}

/// The day of the week is that of ISO 8601, before 1970 as well.
#[test]
fn weekdays_are_those_of_the_calendar() {
    let rule = |day: i64| {
        let text = format!(
            "@id(\"day\") @otherwise(\"x\") permit (principal, action, resource) when {{ context.weekday == {day} }};"
        );
        load(with(&[("day.cedar", text.as_str())]).path()).unwrap()
    };
    for (now, day) in [(0, 4), (345_600, 1), (345_599, 7), (-1, 3), (1_767_614_400, 1), (1_795_348_800, 7)] {
        assert!(decided(&rule(day), |f| f.now = now).is_ok(), "{now} is {day}");
        assert!(decided(&rule(day % 7 + 1), |f| f.now = now).is_err());
    }
}

/// A recorded fact is the fact again, but for the groups that no policy names.
#[test]
fn recorded_facts_are_recalled() {
    let rule =
        "@id(\"g\") @otherwise(\"x\") permit (principal in Group::\"acme/editors\", action, resource);";
    let p = load(with(&[("g.cedar", rule)]).path()).unwrap();
    let mut facts = dana();
    facts.claims.groups = Some(vec!["editors".into(), "secret-project".into()]);
    let kept = serde_json::to_string(&RecordedFacts::of(&facts)).unwrap();
    assert!(!kept.contains("editors") && !kept.contains("secret-project"), "{kept}");
    let recalled = serde_json::from_str::<RecordedFacts>(&kept).unwrap().recall(&p.compiled);
    facts.claims.groups = Some(vec!["editors".into()]);
    assert_eq!(recalled, facts);
    // A group of that name in another teamspace is another group.
    facts.teamspace.slug = "globex".into();
    assert!(RecordedFacts::of(&facts).recall(&p.compiled).claims.groups.unwrap().is_empty());
}

/// Without a permit there is no way in, whatever the facts are.
#[test]
fn without_permits_everything_is_denied() {
    let dir = with(&[(
        "only.cedar",
        "@id(\"f\") @reason(\"r\") @error(\"access_denied\") @message(\"m\") forbid (principal, action, resource);",
    )]);
    let p = load(dir.path()).unwrap();
    assert_eq!(decided(&p, |_| {}), refused(ErrorCode::AccessDenied, &["r"]));
    let dir = with(&[(
        "other.cedar",
        "@id(\"p\") @otherwise(\"o\") permit (principal, action == Action::\"GrantScope\", resource);",
    )]);
    let p = load(dir.path()).unwrap();
    assert_eq!(decided(&p, |_| {}), refused(ErrorCode::AccessDenied, &["policy_denied"]));
}

/// A slice leaves out only policies that cannot match: rules scoped to another teamspace, server or scope.
#[test]
fn slices_keep_every_rule_that_can_match() {
    let rule = |resource: &str| {
        format!(
            "@id(\"deny\") @reason(\"hit\") @error(\"access_denied\") @message(\"m\")
             forbid (principal, action in [Action::\"grant\", Action::\"member\"], resource {resource});"
        )
    };
    let server = "McpServer::\"https://mcp.example.com/mcp\"";
    for (resource, hits) in [
        ("", true),
        ("in Teamspace::\"acme\"", true),
        ("== Teamspace::\"acme\"", true),
        (&format!("in {server}") as &str, true),
        (&format!("is Scope in {server}"), true),
        ("== Scope::\"docs.read\"", true),
        ("in Teamspace::\"globex\"", false),
        ("== Scope::\"docs.write\"", false),
    ] {
        let mut files = vec![("deny.cedar", rule(resource))];
        for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
            files.push((name, std::fs::read_to_string(format!("policies/{name}")).unwrap()));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let p = load(with(&files).path()).unwrap();
        let untouched = decided(&p, |_| {}) == Ok(vec!["docs.read".to_owned()]);
        assert_eq!(untouched, !hits, "{resource}");
    }
}

/// Facts are handed to Cedar without a check against the schema, because their types guarantee it: this
/// checks what they guarantee, for facts of every shape.
fn fits_the_schema(facts: &Facts) {
    let schema = &*SHIPPED_SCHEMA;
    let entities = facts.entities().unwrap();
    cedar_policy::Entities::from_entities(entities, Some(schema)).unwrap();
    let ask = |principal: EntityUid, action: Action, resource: EntityUid, pairs| {
        let context = to_context(pairs).unwrap();
        Request::new(principal, action_uid(action.name()), resource, context, Some(schema)).unwrap();
    };
    let member = match facts.member {
        MemberFacts::Absent { .. } => Action::ProvisionMember,
        MemberFacts::Present { .. } => Action::AdmitMember,
    };
    let of = |action| facts.context(action).unwrap();
    ask(facts.issuer(), Action::TrustIssuer, facts.teamspace(), of(Action::TrustIssuer));
    ask(facts.user(), member, facts.teamspace(), of(member));
    ask(facts.user(), Action::GrantResource, facts.server(), of(Action::GrantResource));
    for scope in &facts.candidates.scopes {
        ask(facts.user(), Action::GrantScope, Facts::scope(scope), of(Action::GrantScope));
    }
    for candidate in facts.candidates.details.iter().flat_map(|details| &details.decided) {
        let detail = Facts::detail(&candidate.detail.to_string());
        ask(facts.user(), Action::GrantDetail, detail, of(Action::GrantDetail));
    }
    let saved = ConfigurationFacts {
        now: facts.now,
        issuer: facts.claims.iss.clone(),
        teamspace: facts.teamspace.clone(),
    };
    ask(saved.issuer(), Action::ConfigureIssuer, saved.teamspace(), saved.context());
}

pub fn any_facts() -> impl Strategy<Value = Facts> {
    let text = || proptest::option::of(".{0,12}");
    let texts = || proptest::collection::vec(".{1,8}", 0..3);
    let claims = (
        text(),
        text(),
        text(),
        proptest::option::of(any::<bool>()),
        texts(),
        text(),
        proptest::option::of(any::<i64>()),
        proptest::option::of(texts()),
        texts(),
        proptest::option::of(texts()),
    );
    let member = prop_oneof![
        (any::<i64>(), proptest::option::of(any::<i64>()))
            .prop_map(|(seats_used, seats_limit)| MemberFacts::Absent { seats_used, seats_limit }),
        (any::<bool>(), text()).prop_map(|(linking, email_domain)| {
            MemberFacts::Present { status: Status::Invited, linking, email_domain, role: None }
        }),
    ];
    let act = proptest::option::of((".{0,8}", text(), texts())).prop_map(|act| {
        act.map(|(sub, iss, sub_profile)| Actor {
            sub,
            iss,
            sub_profile,
            act: Some(Box::new(Actor::example())),
        })
    });
    let request = (act, proptest::option::of(any::<std::net::IpAddr>()), proptest::option::of(texts()));
    (".{0,12}", claims, member, proptest::option::of(texts()), (texts(), request), texts()).prop_map(
        |(sub, claims, member, scope_setting, (candidates, (claims_act, address, requested)), groups)| {
            let mut facts = dana();
            facts.claims.sub = sub;
            (facts.claims.tenant, facts.claims.aud_tenant, facts.claims.email) =
                (claims.0, claims.1, claims.2);
            (facts.claims.email_verified, facts.claims.amr, facts.claims.acr) =
                (claims.3, claims.4, claims.5);
            (facts.claims.auth_age, facts.claims.scopes) = (claims.6, claims.7);
            (facts.claims.resources, facts.claims.groups) = (claims.8, claims.9);
            (facts.member, facts.candidates.scopes) = (member, candidates);
            facts.teamspace.scope_setting = scope_setting;
            facts.client.groups = groups;
            facts.claims.act = claims_act;
            (facts.client_address, facts.candidates.requested) = (address, requested);
            facts.teamspace.time_zone = "Asia/Kathmandu".to_owned();
            facts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn facts_of_every_shape_fit_the_schema(facts in any_facts()) {
        fits_the_schema(&facts);
        // And whatever they say, deciding neither panics nor errs.
        let decision = decide(&SHIPPED.compiled, &facts);
        prop_assert!(decision.answers.iter().all(|r| r.reasons.iter().all(|reason| *reason != Reason::POLICY_ERROR)));
    }
}

/// The details of an assertion and a request, of both kinds.
#[test]
fn authorization_details_fit_the_schema() {
    let detail = |value: serde_json::Value| Detail::try_from(value).unwrap();
    let payment = detail(serde_json::json!({ "type": "payment", "identifier": "7", "actions": ["a"] }));
    let tools = detail(serde_json::json!({ "type": "mcp_tool", "tools": ["a", "b"] }));
    let mut facts = maximal();
    let claimed = std::slice::from_ref(&payment);
    facts.candidates.details = DetailCandidates::of(claimed, Some(&[payment.clone(), tools]));
    fits_the_schema(&facts);
}

fn user_id(parts: &(String, String, String)) -> String {
    let mut facts = dana();
    let (issuer, tenant, subject) = parts.clone();
    (facts.claims.iss, facts.claims.tenant, facts.claims.sub) = (issuer, Some(tenant), subject);
    facts.user().id().unescaped().to_owned()
}

proptest! {
    /// Whatever a provider calls people: two of them never have one id.
    #[test]
    fn no_two_people_have_one_id(
        one in ("[ab|%7C]{1,4}", "[ab|%7C]{0,4}", "[ab|%7C]{1,4}"),
        other in ("[ab|%7C]{1,4}", "[ab|%7C]{0,4}", "[ab|%7C]{1,4}"),
    ) {
        prop_assert_eq!(one == other, user_id(&one) == user_id(&other));
    }
}

#[test]
fn a_persons_id_is_readable() {
    for (issuer, tenant, subject, id) in [
        ("https://acme.okta.com", "", "00u1abc", "https://acme.okta.com||00u1abc"),
        ("https://acme.eu.auth0.com/", "", "auth0|5f7c%", "https://acme.eu.auth0.com/||auth0|5f7c%"),
        ("https://idp.example.com", "a|b", "c", "https://idp.example.com|a%7Cb|c"),
        ("https://idp.example.com", "a", "b|c", "https://idp.example.com|a|b|c"),
        ("https://idp.example.com/x%20y", "50%", "c", "https://idp.example.com/x%2520y|50%25|c"),
    ] {
        assert_eq!(user_id(&(issuer.into(), tenant.into(), subject.into())), id);
    }
}

/// A permit for others was not unmet: it says nothing of why somebody is refused.
#[test]
fn permits_for_others_give_no_reasons() {
    let permit = |head: &str| {
        format!(
            "@id(\"other\") @otherwise(\"other\") permit ({head}, action == Action::\"ProvisionMember\", resource);"
        )
    };
    for (head, named) in [
        ("principal == User::\"x||nobody\"", false),
        ("principal in Group::\"acme/board\"", false),
        ("principal is User in Group::\"acme/board\"", false),
        (&format!("principal == {}", dana().user()) as &str, true),
        ("principal in Group::\"acme/staff\"", true),
        ("principal is User", true),
        ("principal", true),
    ] {
        let rule = permit(head).replace("resource);", "resource) when { context.claims.sub == \"x\" };");
        let p = load(
            with(&[
                ("r.cedar", &rule),
                ("i.cedar", &std::fs::read_to_string("policies/issuer.cedar").unwrap()),
            ])
            .path(),
        );
        let outcome = decided(&p.unwrap(), |f| f.claims.groups = Some(vec!["staff".into()]));
        let reason = if named { "other" } else { "policy_denied" };
        assert_eq!(outcome, refused(ErrorCode::AccessDenied, &[reason]), "{head}");
    }
}
