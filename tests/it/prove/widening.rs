//! Requests that a change of the policies newly permits.

use std::time::Duration;

use countersign::policy::authoring::prove::{Comparison, ProvenDirection, Prover, widening};
use countersign::policy::{Action, PolicySource, Validated};

use super::{cvc5, root};
use crate::policies::SCHEMA;

const BLOCK: &str = "@id(\"team.block\") @reason(\"x\") @error(\"access_denied\") @message(\"x\")
    forbid (principal, action == Action::\"GrantScope\", resource in Teamspace::\"acme\");";

fn set(schema: &str, added: &str) -> Validated {
    let mut files = vec![("team.cedar".to_owned(), added.to_owned())];
    for name in ["grants.cedar", "issuer.cedar", "members.cedar"] {
        files.push((name.to_owned(), std::fs::read_to_string(root().join("policies").join(name)).unwrap()));
    }
    // As `policy diff` takes a side: a rule that cannot work may be what the change mends.
    PolicySource::of(schema.to_owned(), files).past().validate().unwrap()
}

fn schema() -> String {
    std::fs::read_to_string(root().join(SCHEMA)).unwrap()
}

async fn compared(old: &Validated, new: &Validated) -> Vec<Comparison> {
    let mut prover = Prover::start(cvc5(), Duration::from_secs(30)).await.unwrap();
    let comparisons = widening(&mut prover, old, new).await;
    let actions: Vec<Action> = comparisons.iter().map(|comparison| comparison.action).collect();
    assert_eq!(actions, Action::ALL);
    comparisons
}

/// Only this action differs; the policies that decide under the old and the new set.
fn difference(comparisons: &[Comparison], action: Action, wider: bool) -> [(bool, Vec<String>); 2] {
    let mut found = None;
    for comparison in comparisons {
        let (here, other) = match wider {
            true => (&comparison.wider, &comparison.narrower),
            false => (&comparison.narrower, &comparison.wider),
        };
        assert!(matches!(other, ProvenDirection::No), "{comparison:?}");
        match here {
            ProvenDirection::Yes(difference) if comparison.action == action => {
                found = Some(difference.clone())
            }
            other => assert!(matches!(other, ProvenDirection::No), "{comparison:?}"),
        }
    }
    let found = found.unwrap();
    assert!(found.case.action.contains(action.name()) && found.case.to_string().contains("acme"));
    [found.old, found.new].map(|r| (r.allowed, r.policies.iter().map(ToString::to_string).collect()))
}

#[tokio::test]
async fn equal_sets_are_equally_wide() {
    let comparisons = compared(&set(&schema(), BLOCK), &set(&schema(), BLOCK)).await;
    for c in comparisons {
        assert!(matches!((&c.wider, &c.narrower), (ProvenDirection::No, ProvenDirection::No)), "{c:?}");
    }
}

#[tokio::test]
async fn a_permit_more_is_wider_and_a_forbid_more_is_narrower() {
    let permit = "@id(\"team.scope\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\",
        resource in Teamspace::\"acme\") when { context.claims has scopes && context.claims.scopes.isEmpty() };";
    let (plain, permitting, forbidding) = (set(&schema(), ""), set(&schema(), permit), set(&schema(), BLOCK));
    let [old, new] = difference(&compared(&plain, &permitting).await, Action::GrantScope, true);
    assert_eq!(old, (false, vec![]));
    assert_eq!(new, (true, vec!["team.scope (team.cedar)".to_owned()]));
    let [old, new] = difference(&compared(&plain, &forbidding).await, Action::GrantScope, false);
    assert!(old.0 && old.1.iter().all(|policy| policy.ends_with("(grants.cedar)")), "{old:?}");
    assert_eq!(new, (false, vec!["team.block (team.cedar)".to_owned()]));
    let [old, _] = difference(&compared(&forbidding, &plain).await, Action::GrantScope, true);
    assert_eq!(old, (false, vec!["team.block (team.cedar)".to_owned()]));
}

/// A difference only for requests that cannot occur is no difference.
#[tokio::test]
async fn impossible_requests_make_no_difference() {
    let permit = "@id(\"team.negative\") @otherwise(\"x\")
        permit (principal, action == Action::\"ProvisionMember\", resource) when { context.seats_used < 0 };";
    for c in compared(&set(&schema(), ""), &set(&schema(), permit)).await {
        assert!(matches!(c.wider, ProvenDirection::No), "{c:?}");
    }
}

#[tokio::test]
async fn a_schema_that_the_old_policies_do_not_fit_leaves_it_undecided() {
    let rule =
        "@id(\"team.x\") @otherwise(\"x\") permit (principal, action == Action::\"GrantScope\", resource)
        when { resource.sensitive };";
    let extended = schema().replace("  default: Bool,\n", "  default: Bool,\n  sensitive: Bool,\n");
    for c in compared(&set(&extended, rule), &set(&schema(), "")).await {
        let ProvenDirection::Undecided(why) = &c.wider else { panic!("{c:?}") };
        assert!(
            why.contains("the old policies do not fit the new schema") && why.contains("sensitive"),
            "{why}"
        );
    }
    let widened = compared(&set(&schema(), BLOCK), &set(&extended, "")).await;
    let [old, _] = difference(&widened, Action::GrantScope, true);
    assert!(!old.0);
}

/// The service denies where a policy fails, and the solver passes over it: dropping such a forbid opens what
/// the solver would call the same.
#[tokio::test]
async fn a_denial_by_failing_is_not_taken_for_a_permission() {
    let failing = "@id(\"team.fails\") @reason(\"x\") @error(\"access_denied\") @message(\"m\")
        forbid (principal, action == Action::\"ProvisionMember\", resource)
        when { context.seats_used + 9223372036854775807 < 0 };";
    let (plain, failing) = (set(&schema(), ""), set(&schema(), failing));
    for c in compared(&failing, &plain).await {
        match (c.action, &c.wider) {
            (Action::ProvisionMember, ProvenDirection::Undecided(why)) => {
                assert!(why.contains("team.fails can fail"), "{why}");
            }
            (Action::ProvisionMember, _) | (_, ProvenDirection::Yes(_) | ProvenDirection::Undecided(_)) => {
                panic!("{c:?}")
            }
            (_, ProvenDirection::No) => {}
        }
    }
    // Where both sets have it, both deny alike.
    for c in compared(&failing, &failing).await {
        assert!(matches!((&c.wider, &c.narrower), (ProvenDirection::No, ProvenDirection::No)), "{c:?}");
    }
}

/// `action in` a group means something else where the groups are others, though no policy changed.
#[tokio::test]
async fn other_groups_of_actions_leave_it_undecided() {
    let frozen = schema().replace(
        "action \"issuer\", \"member\", \"grant\", \"tool\";",
        "action \"issuer\", \"member\", \"grant\", \"tool\", \"frozen\";",
    );
    assert_ne!(frozen, schema());
    let grouped =
        frozen.replace("action GrantScope in [\"grant\"]", "action GrantScope in [\"grant\", \"frozen\"]");
    assert_ne!(grouped, frozen);
    let rule = "@id(\"team.frozen\") @reason(\"x\") @error(\"access_denied\") @message(\"m\")
        forbid (principal, action in Action::\"frozen\", resource);";
    for c in compared(&set(&grouped, rule), &set(&frozen, rule)).await {
        let ProvenDirection::Undecided(why) = &c.wider else { panic!("{c:?}") };
        assert!(why.contains("group actions differently"), "{why}");
    }
}
