//! Single policies and invariants of every kind.

use tempfile::TempDir;

use super::prove;
use crate::files::with;

const READ: &str = "@id(\"read\") @otherwise(\"x\")
    permit (principal, action == Action::\"GrantScope\", resource) when { resource.name == \"read\" };";

fn member_rule(condition: &str) -> String {
    format!(
        "@id(\"rule\") @reason(\"x\") @error(\"access_denied\") @message(\"x\")
         forbid (principal, action == Action::\"ProvisionMember\", resource) when {{ {condition} }};"
    )
}

/// One policy, and an invariant beside it.
fn bounded(invariant: &str) -> TempDir {
    let dir = with(&[("read.cedar", READ)]);
    std::fs::create_dir(dir.path().join("proofs")).unwrap();
    std::fs::write(dir.path().join("proofs/bound.cedar"), invariant).unwrap();
    dir
}

#[test]
fn a_policy_that_can_err_is_found() {
    for (condition, cause) in [
        ("context.seats_used + 9223372036854775807 > 0", "integer overflow"),
        (
            "context.now.offset(duration(\"9223372036854775807ms\")) > context.now",
            "error while evaluating `offset`",
        ),
        ("context.key_bound && context.seats_used * -9223372036854775807 == 7", "integer overflow"),
    ] {
        let dir = with(&[("members.cedar", &member_rule(condition))]);
        let cause = format!("rule (members.cedar) fails: {cause}");
        prove(dir.path(), &[]).ended(1, &["✗", &cause, "Action::\"ProvisionMember\"", "seats_used: "]);
    }
}

/// Requests that cannot occur refute nothing.
#[test]
fn arithmetic_on_what_can_occur_is_proved() {
    for condition in [
        "context has seats_limit && context.seats_limit - context.seats_used < 5",
        "context has seats_limit && context.seats_used + 1 > context.seats_limit",
        "context.now.durationSince(datetime(\"2026-01-01\")) < duration(\"1d\")",
        "context.claims has auth_age && datetime(\"2026-01-01\").offset(context.claims.auth_age) > context.now",
    ] {
        let dir = with(&[("members.cedar", &member_rule(condition))]);
        prove(dir.path(), &[]).ended(0, &["2 proved, 0 refuted, 0 undecided"]);
    }
}

#[test]
fn a_dead_policy_is_found() {
    for condition in [
        "context.claims has email && context.claims.email == \"a\" && context.claims.email == \"b\"",
        // Only by what can occur.
        "context.seats_used < 0",
    ] {
        let dir = with(&[("members.cedar", &member_rule(condition))]);
        prove(dir.path(), &[])
            .ended(1, &["no request can match rule (members.cedar)", "1 proved, 1 refuted"]);
    }
}

#[test]
fn a_permit_bounds_and_forbids_alone_leave_the_rest_permitted() {
    let scope = |effect: &str, condition: &str| {
        format!(
            "@id(\"bound\") @message(\"Reading only.\")
             {effect} (principal, action == Action::\"GrantScope\", resource) when {{ {condition} }};"
        )
    };
    for (invariant, code) in [
        (scope("permit", "resource.name like \"re*\""), 0),
        (scope("permit", "resource.name == \"write\""), 1),
        (scope("forbid", "resource.name == \"write\""), 0),
        (scope("forbid", "resource.name == \"read\""), 1),
        // A permit that matches nothing is a statement too: nothing may be permitted.
        (scope("permit", "false && resource.default"), 1),
    ] {
        let proved = prove(bounded(&invariant).path(), &[]);
        proved.ended(code, &["bound.cedar GrantScope: Reading only."]);
        let finding =
            proved.stdout.contains("permitted by read (read.cedar)\n  against bound: Reading only.");
        assert_eq!(finding, code == 1, "{}", proved.stdout);
    }
}

/// Actions that an invariant does not name are not its matter.
#[test]
fn an_invariant_is_asked_for_the_actions_that_it_names() {
    let invariant = "@id(\"bound\") @message(\"No member.\")
        forbid (principal, action in Action::\"member\", resource);";
    let proved = prove(bounded(invariant).path(), &[]);
    proved.ended(0, &["bound.cedar AdmitMember", "bound.cedar ProvisionMember"]);
    assert_eq!(proved.stdout.matches("bound.cedar").count(), 2, "{}", proved.stdout);
}

/// Cedar skips a forbid that errs, so such an invariant would prove less than it says.
#[test]
fn an_invariant_that_can_err_is_found() {
    let invariant = "@id(\"bound\") @message(\"m\") forbid (principal, action == Action::\"ProvisionMember\",
        resource) when { context.seats_used + 9223372036854775807 > 0 };";
    prove(bounded(invariant).path(), &[]).ended(1, &["bound (bound.cedar) fails: integer overflow"]);
}

#[test]
fn broken_invariants_are_refused_with_their_file() {
    let head = "(principal, action == Action::\"GrantScope\", resource)";
    for (invariant, expected) in [
        ("permit (principal".to_owned(), "unexpected"),
        (format!("@id(\"a\") @message(\"m\") permit {head} when {{ resource.nam == \"x\" }};"), "nam"),
        (format!("@message(\"m\") permit {head};"), "has no @id"),
        (format!("@id(\"a\") permit {head};"), "has no @message"),
        (format!("@id(\"a\") @message(\" \") permit {head};"), "has no @message"),
        (format!("@id(\"a\") @message(\"m\") permit {head}; ").repeat(2), "used twice"),
        (
            "@id(\"a\") @message(\"m\") permit (principal == ?principal, action, resource);".into(),
            "templates",
        ),
        ("// nothing".into(), "nothing to prove"),
    ] {
        let proved = prove(bounded(&invariant).path(), &[]);
        proved.ended(2, &["bound.cedar", expected]);
        assert!(proved.stdout.is_empty(), "{}", proved.stdout);
    }
}

#[test]
fn places_that_cannot_be_read_are_told() {
    let dir = with(&[("read.cedar", READ)]);
    prove(dir.path(), &["--proofs", "nowhere"]).ended(2, &["nowhere"]);
    std::fs::create_dir(dir.path().join("proofs")).unwrap();
    prove(dir.path(), &[]).ended(2, &["no *.cedar file"]);
    prove(std::path::Path::new("nowhere"), &[]).ended(2, &["nowhere"]);
    prove(with(&[("bad.cedar", "permit (")]).path(), &[]).ended(2, &["bad.cedar"]);
}

/// An invariant that forbids nothing holds of anything, and says nothing.
#[test]
fn an_invariant_that_cannot_match_is_found() {
    let dead = "@id(\"dead\") @message(\"Nobody reads.\")
        forbid (principal, action == Action::\"GrantScope\", resource)
        when { context.weekday == 9 };";
    prove(bounded(dead).path(), &[]).ended(1, &["dead: a request can match it", "no request can match dead"]);
}

/// That the invariants are gone must not pass for proved.
#[test]
fn missing_invariants_are_told() {
    let dir = with(&[("read.cedar", READ)]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["policy", "prove"]).arg(dir.path()).current_dir(super::root()).env("CVC5", super::cvc5());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there are no invariants to prove"));
}
