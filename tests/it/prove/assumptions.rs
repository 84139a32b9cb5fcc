//! The proofs' assumptions, compared with facts as the service makes them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request, RequestEnv};
use countersign::policy::Action;
use countersign::policy::authoring::example::question;
use countersign::policy::authoring::prove::Assumptions;
use countersign::policy::facts::{ConfigurationFacts, Facts, MemberFacts, action_uid, to_context};
use proptest::prelude::*;

use crate::policies::{SHIPPED_SCHEMA, any_facts};

/// By action.
static ASSUMPTIONS: LazyLock<BTreeMap<String, Assumptions>> = LazyLock::new(|| {
    let named = |environment: RequestEnv| {
        let assumptions = Assumptions::of(&environment, &SHIPPED_SCHEMA).unwrap();
        (environment.action().id().unescaped().to_owned(), assumptions)
    };
    SHIPPED_SCHEMA.request_envs().map(named).collect()
});

/// One that does not fit the schema is left out in silence, so what is expected stands here.
#[test]
fn each_action_has_the_assumptions_about_what_it_sees() {
    const ALL: [&str; 7] = [
        "9999",
        "auth_age",
        "email_domain",
        "member_domain",
        "resource.server",
        "resource.teamspace",
        "seats_used",
    ];
    for (action, expected) in [
        ("ConfigureIssuer", &["9999"][..]),
        ("TrustIssuer", &["9999", "auth_age", "email_domain"]),
        ("ProvisionMember", &["9999", "auth_age", "email_domain", "member_domain", "seats_used"]),
        ("AdmitMember", &["9999", "auth_age", "email_domain"]),
        ("GrantResource", &["9999", "auth_age", "email_domain", "resource.teamspace"]),
        ("GrantScope", &["9999", "auth_age", "email_domain", "resource.teamspace"]),
        ("GrantDetail", &["9999", "auth_age", "email_domain", "resource.teamspace"]),
        ("CallTool", &["9999", "auth_age", "email_domain", "resource.server", "resource.teamspace"]),
        ("ListTools", &["9999", "auth_age", "email_domain", "resource.teamspace"]),
    ] {
        let holds = ASSUMPTIONS[action].holds().to_string();
        let found: Vec<&str> = ALL.into_iter().filter(|word| holds.contains(word)).collect();
        assert_eq!(found, expected, "{action}: {holds}");
        // Where the context cannot have a limit, what is said of it is true without saying anything.
        assert!(holds.contains("seats_limit"));
    }
}

fn assert_holds(entities: &Entities, ends: (EntityUid, EntityUid), action: &str, context: Context) {
    let request = Request::new(ends.0, action_uid(action), ends.1, context, None).unwrap();
    let set = PolicySet::from_policies([ASSUMPTIONS[action].holds().clone()]).unwrap();
    let response = Authorizer::new().is_authorized(&request, &set, entities);
    assert_eq!(response.diagnostics().errors().count(), 0);
    assert_eq!(response.decision(), Decision::Allow, "{action}: {:?}", request.context());
}

fn assert_possible(facts: &Facts) {
    let entities = Entities::from_entities(facts.entities().unwrap(), None).unwrap();
    let holds = |ends, action, context| assert_holds(&entities, ends, action, context);
    let context = |pairs| to_context(pairs).unwrap();
    let member = match facts.member {
        MemberFacts::Absent { .. } => Action::ProvisionMember,
        MemberFacts::Present { .. } => Action::AdmitMember,
    };
    let (person, teamspace) = (facts.user(), facts.teamspace());
    let common = context(facts.context(Action::GrantScope).unwrap());
    holds(
        (facts.issuer(), teamspace.clone()),
        "TrustIssuer",
        context(facts.context(Action::TrustIssuer).unwrap()),
    );
    holds((person.clone(), teamspace), member.name(), context(facts.context(member).unwrap()));
    holds((person.clone(), facts.server()), "GrantResource", common.clone());
    for scope in &facts.candidates.scopes {
        holds((person.clone(), Facts::scope(scope)), "GrantScope", common.clone());
    }
    assert_possible_for_tools(facts);
    let saved = ConfigurationFacts {
        now: facts.now,
        issuer: facts.claims.iss.clone(),
        teamspace: facts.teamspace.clone(),
    };
    holds((saved.issuer(), saved.teamspace()), "ConfigureIssuer", context(saved.context()));
}

/// As the questions about a token are asked, by the code that makes their examples.
fn assert_possible_for_tools(facts: &Facts) {
    for action in Action::TOOLS {
        let asked = question(action, facts).unwrap().unwrap();
        let entities = serde_json::Value::Array(asked.entities);
        let entities = Entities::from_json_value(entities, None).unwrap();
        let context = to_context(facts.context(action).unwrap()).unwrap();
        assert_holds(&entities, (asked.principal, asked.resource), action.name(), context);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn facts_of_every_shape_are_possible(
        facts in any_facts(),
        // The years that Cedar's datetime can be parsed from, and so all that a policy ever sees.
        now in -62_167_219_200_i64..=253_402_300_799,
        email in proptest::option::of("[a-z@]{0,6}"),
    ) {
        let mut facts = facts;
        (facts.now, facts.claims.email) = (now, email);
        assert_possible(&facts);
    }
}

/// Beyond the years that are assumed there is no decision.
#[test]
fn other_years_never_reach_a_policy() {
    for now in [-62_167_219_201, 253_402_300_800, i64::MIN, i64::MAX] {
        let mut facts = crate::policies::dana();
        facts.now = now;
        assert!(to_context(facts.context(Action::TrustIssuer).unwrap()).is_err(), "{now}");
    }
}
