//! `policy test --mutate`: what is dropped of a policy, and what is told of a part that no case misses.

use std::path::Path;
use std::process::Command;

use countersign::policy::PolicySource;
use countersign::policy::authoring::cases::{self, Mutation, mutate};
use serde_json::Value;
use tempfile::TempDir;

use crate::files;

const FIXTURES: &str = r#"
[server.docs]
identifier = "https://mcp.example.com/mcp"
scopes = ["docs.read", "docs.write"]
[teamspace.acme]
issuer = "https://acme.okta.com"
servers = ["https://mcp.example.com/mcp"]
[claims.dana]
email = "dana@acme.com"
scope = "docs.read docs.write"
"#;

/// Everybody gets everything, but for what a test adds.
const OPEN: &str = r#"@id("open")
@otherwise("open")
permit (principal, action, resource);
"#;

/// A forbid to get a scope.
fn forbid(annotations: &str, conditions: &str) -> String {
    format!(
        "@id(\"t\")\n@reason(\"t\")\n@error(\"invalid_scope\")\n@message(\"m\")\n{annotations}forbid (\n  principal is User,\n  action == Action::\"GrantScope\",\n  resource == Scope::\"docs.write\"\n)\n{conditions};\n"
    )
}

/// A case of what somebody with these claims gets.
fn case(name: &str, more: &str, granted: &str) -> String {
    format!(
        "[[test]]\nname = \"{name}\"\nteamspace = \"acme\"\nclaims = {{ use = \"dana\"{more} }}\nexpect.granted = {granted}\n"
    )
}

struct Set {
    policies: TempDir,
    tests: TempDir,
}

impl Set {
    fn of(policy: &str, cases: &[String]) -> Self {
        Self {
            policies: files::with(&[("a.cedar", OPEN), ("t.cedar", policy)]),
            tests: files::with(&[("t.toml", [&[FIXTURES.to_owned()], cases].concat().concat())]),
        }
    }

    fn mutation(&self) -> Mutation {
        let schema = Path::new("schema/countersign.cedarschema");
        let source = PolicySource::read(self.policies.path(), schema).unwrap();
        let cases = cases::read(self.tests.path()).unwrap();
        let validated = source.validate().unwrap();
        mutate(&source, &validated, &cases, |_| {}).unwrap()
    }

    /// The parts of the rule that can be dropped unnoticed.
    fn unnoticed(&self) -> Vec<String> {
        let survivors = self.mutation().survivors.into_iter().filter(|survivor| survivor.policy == "t");
        survivors.map(|survivor| survivor.part.unwrap_or_else(|| "the policy".to_owned())).collect()
    }

    fn command(&self, more: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["policy", "test", self.policies.path().to_str().unwrap()]);
        command.args(["--schema", "schema/countersign.cedarschema"]);
        command.args(["--tests", self.tests.path().to_str().unwrap()]);
        let output = command.args(more).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

const READ: &str = r#"["docs.read"]"#;
const BOTH: &str = r#"["docs.read", "docs.write"]"#;
const CONDITIONS: &str = r#"when
{
  // The first of two.
  context.claims.amr.contains("pwd") && (context.claims has acr && context.claims.acr == "low")
}
unless { context.claims has tenant && context.claims.tenant == "a" }
unless { principal in Group::"acme/a" }"#;

/// Each part that no case misses is found, and each case that misses one takes it from the list.
#[test]
fn each_part_is_dropped_by_itself() {
    let (pwd, acr) = (", amr = [\"pwd\"]", ", acr = \"low\"");
    let refused = case("refused", &format!("{pwd}{acr}"), READ);
    let mut cases = vec![refused];
    let expected = [
        "resource == Scope::\"docs.write\"",
        "context.claims.amr.contains(\"pwd\")",
        "(context.claims has acr && context.claims.acr == \"low\")",
        "unless { context.claims has tenant && context.claims.tenant == \"a\" }",
        "context.claims.tenant == \"a\"",
        "unless { principal in Group::\"acme/a\" }",
    ];
    // The case that is refused one scope shows already that the head names a scope.
    let rule = forbid("", CONDITIONS);
    assert_eq!(Set::of(&rule, &cases).unnoticed(), expected[1..]);
    for (index, more, granted) in [
        (1, acr.to_owned(), BOTH),
        (2, pwd.to_owned(), BOTH),
        (3, format!("{pwd}{acr}, tenant = \"a\""), BOTH),
        (4, format!("{pwd}{acr}, tenant = \"b\""), READ),
        (5, format!("{pwd}{acr}, groups = [\"a\"]"), BOTH),
    ] {
        cases.push(case(&format!("case {index}"), &more, granted));
        assert_eq!(Set::of(&rule, &cases).unnoticed(), expected[index + 1..], "case {index}");
    }
}

/// Alternatives are one part: there is no `&&` between them that could be dropped.
#[test]
fn what_binds_less_than_and_is_not_taken_apart() {
    for conditions in [
        r#"when { context.key_bound && context.weekday > 9 || context.claims.amr.contains("pwd") }"#,
        r#"when { if context.key_bound then context.weekday > 9 && true else context.claims.amr.contains("pwd") }"#,
    ] {
        let set = Set::of(&forbid("", conditions), &[case("refused", ", amr = [\"pwd\"]", READ)]);
        assert_eq!(set.unnoticed(), [conditions]);
    }
}

/// A part that the schema implies anyway is not dropped, and neither is one that the rest needs to be valid.
#[test]
fn what_cannot_make_a_difference_is_not_dropped() {
    let rule = forbid("", r#"when { context.claims has acr && context.claims.acr == "low" }"#);
    let set = Set::of(&rule, &[case("refused", ", acr = \"low\"", READ), case("granted", "", BOTH)]);
    let mutation = set.mutation();
    assert_eq!(mutation.survivors.iter().map(|survivor| survivor.policy.as_str()).collect::<Vec<_>>(), ["t"]);
    assert_eq!(mutation.survivors[0].part.as_deref(), Some("context.claims.acr == \"low\""));
    // Two policies, the scope of the head, and the comparison.
    assert_eq!(mutation.tried, 4);
    assert!(mutation.complete && mutation.excused_in_vain.is_empty());
}

/// A policy that is not missed as a whole is told as a whole, without its parts.
#[test]
fn a_policy_that_is_not_missed_is_told_once() {
    let set = Set::of(&forbid("", CONDITIONS), &[case("granted", "", BOTH)]);
    assert_eq!(set.unnoticed(), ["the policy"]);
}

#[test]
fn a_survivor_is_told_with_its_place_and_the_case_that_is_wanted() {
    let set = Set::of(&forbid("", CONDITIONS), &[case("refused", ", amr = [\"pwd\"], acr = \"low\"", READ)]);
    let (code, text) = set.command(&["--mutate"]);
    assert_eq!(code, Some(0), "{text}");
    let file = set.policies.path().join("t.cedar");
    for told in [
        format!(
            "dropped, and no case noticed: t ({}:13:3): `context.claims.amr.contains(\"pwd\")`\n    wanted: a case where only this part is false, and that is not refused by this policy\n",
            file.display()
        ),
        format!(
            "t ({}:15:1): `unless {{ context.claims has tenant && context.claims.tenant == \"a\" }}`\n    wanted: a case where only this part is true, and that is not refused by this policy\n",
            file.display()
        ),
        format!(
            "t ({}:15:39): `context.claims.tenant == \"a\"`\n    wanted: a case where only this part is false, and that is refused\n",
            file.display()
        ),
    ] {
        assert!(text.contains(&told), "{told} in {text}");
    }
    assert!(text.contains("dropped in turn, 5 unnoticed"), "{text}");
    let (code, text) = set.command(&["--mutate=strict", "--format", "json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(1), "{text}");
    let first = &told["mutation"]["survivors"][0];
    assert_eq!((&first["policy"], &first["line"], &first["column"]), (&"t".into(), &13.into(), &3.into()));
    assert_eq!((&first["file"], &told["mutation"]["complete"]), (&file.to_str().into(), &true.into()));
}

/// An excused part is not reported; an excuse for a missing part is.
#[test]
fn parts_can_be_excused() {
    let excused = r#"@allow_untested("context.claims.amr.contains(\"pwd\");  unless { principal in  Group::\"acme/a\" }")
"#;
    let refused = case("refused", ", amr = [\"pwd\"], acr = \"low\"", READ);
    let set = Set::of(&forbid(excused, CONDITIONS), std::slice::from_ref(&refused));
    let unnoticed = set.unnoticed();
    assert_eq!(unnoticed.len(), 3, "{unnoticed:?}");
    assert!(unnoticed.iter().all(|part| part.contains("acr") || part.contains("tenant")), "{unnoticed:?}");
    assert_eq!(set.mutation().excused_in_vain, []);
    let conditions = r#"when { context.claims.amr.contains("pwd") }"#;
    let stale = "@allow_untested(\"context.key_bound\")\n";
    let set = Set::of(&forbid(stale, conditions), &[refused, case("granted", "", BOTH)]);
    let (code, text) = set.command(&["--mutate=strict"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("t: @allow_untested names `context.key_bound`, which is no part"), "{text}");
}
