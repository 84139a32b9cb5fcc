//! The policies: their form, their cases, the names in them, and the set on trial.

use countersign::config::Config;
use countersign::doctor::{DoctorGroup, LineStatus};

use super::{config, examine, examine_with, service};
use crate::harness::TestApp;
use crate::reload::Rules;

const POLICIES: DoctorGroup = DoctorGroup::Policies;

/// A teamspace that nobody has.
const STRANGER: &str = r#"@id("keep_globexx_out")
@reason("keep_out")
@error("access_denied")
@message("Kept out.")
forbid (
  principal,
  action == Action::"GrantScope",
  resource in Teamspace::"globexx"
);
"#;

/// Dana gets in with the shipped policies.
const FAILING: &str = r#"[[test]]
name = "nobody may"
teamspace = "acme"
claims = "dana"
expect = { error = "access_denied" }
"#;

fn with_policies(app: &TestApp, rules: &Rules) -> Config {
    Config { policy_dir: Some(rules.policies()), ..config(app) }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_policies_that_nothing_has_are_found() {
    let app = service(|_| {}).await;
    let good = examine(&app).await;
    for name in ["check", "references"] {
        good.line(POLICIES, name, LineStatus::Ok);
    }
    good.line(POLICIES, "cases", LineStatus::Warning);
    let rules = Rules::shipped_and(STRANGER);
    let examined = examine_with(&app, with_policies(&app, &rules)).await;
    examined.failed(POLICIES, "references", &["teamspace \"globexx\" in keep_globexx_out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_cannot_be_loaded_are_found() {
    let app = service(|_| {}).await;
    let rules = Rules::shipped_and("permit (principal, action, resource");
    let mut both = config(&app);
    both.policy.shadow_dir = Some(rules.policies());
    let examined = examine_with(&app, both).await;
    examined.failed(POLICIES, "shadow", &["rule.cedar"]);
    examined.line(POLICIES, "check", LineStatus::Ok);
    let mut broken = with_policies(&app, &rules);
    broken.policy.shadow_dir = config(&app).policy_dir;
    let examined = examine_with(&app, broken).await;
    let line = examined.failed(POLICIES, "check", &["rule.cedar"]);
    assert!(line.fix.as_ref().unwrap().contains("countersign policy check"), "{line:?}");
    examined.line(POLICIES, "shadow", LineStatus::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_that_fail_are_found() {
    let app = service(|_| {}).await;
    let rules = Rules::shipped();
    std::fs::create_dir(rules.policies().join("tests")).unwrap();
    std::fs::copy("policies/tests/fixtures.toml", rules.policies().join("tests/fixtures.toml")).unwrap();
    rules.put("tests/own.toml", FAILING);
    let examined = examine_with(&app, with_policies(&app, &rules)).await;
    examined.failed(POLICIES, "cases", &["nobody may"]);
    rules.put("tests/own.toml", "[[test]]\nnme = 1\n");
    let examined = examine_with(&app, with_policies(&app, &rules)).await;
    examined.failed(POLICIES, "cases", &["own.toml", "cannot be read"]);
}
