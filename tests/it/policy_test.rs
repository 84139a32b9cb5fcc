//! `policy test`: the shipped cases, mistakes in case files, expectations that fail, gaps.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign::policy::authoring::cases::{self, Case, Survivor, coverage, mutate, run};
use countersign::policy::facts::{ClaimFacts, Facts, MemberFacts};
use countersign::policy::{CompiledPolicies, PolicySource, Validated, decide};
use serde_json::Value;
use tempfile::TempDir;

const FIXTURES: &str = r#"
[server.docs]
identifier = "https://mcp.example.com/mcp"
scopes = ["docs.read", "docs.write"]
[teamspace.acme]
issuer = "https://acme.okta.com"
servers = ["https://mcp.example.com/mcp"]
[claims.dana]
email = "dana@acme.com"
scope = "docs.read"
"#;

fn shipped_source() -> PolicySource {
    PolicySource::read(Path::new("policies"), Path::new("schema/countersign.cedarschema")).unwrap()
}

fn shipped() -> (Validated, CompiledPolicies) {
    let validated = shipped_source().validate().unwrap();
    let compiled =
        CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared.clone()).unwrap();
    (validated, compiled)
}

fn file(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cases.toml"), format!("{FIXTURES}{text}")).unwrap();
    dir
}

/// The mistakes in a file, without the directory.
fn mistakes(text: &str) -> String {
    let dir = file(text);
    let told = cases::read(dir.path()).unwrap_err().to_string();
    told.replace(&format!("{}/", dir.path().display()), "")
}

/// The failures of the one case in a file.
fn failures(text: &str) -> Vec<String> {
    let dir = file(text);
    let cases = cases::read(dir.path()).unwrap();
    assert_eq!(cases.len(), 1);
    run(&shipped().1, &cases[0]).failures
}

fn policy_test(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(["policy", "test"]).args(arguments).output().unwrap()
}

/// The shipped cases pass, decide with every policy, and miss every policy that is dropped.
#[test]
fn the_shipped_cases_pass_and_leave_no_gap() {
    let (_, compiled) = shipped();
    let cases = cases::read(Path::new("policies/tests")).unwrap();
    assert!(cases.len() > 50);
    let verdicts: Vec<_> = cases.iter().map(|case| run(&compiled, case)).collect();
    for (case, verdict) in cases.iter().zip(&verdicts) {
        assert_eq!(verdict.failures, Vec::<String>::new(), "{}", case.name);
    }
    assert!(!coverage(&compiled, verdicts.iter().map(|verdict| &verdict.observed)).has_gaps());
    assert_eq!(survivors(&shipped_source(), &cases), []);
}

/// The parts of policies that can be dropped without a case noticing.
fn survivors(source: &PolicySource, cases: &[Case]) -> Vec<Survivor> {
    let mutation = mutate(source, &source.validate().unwrap(), cases, |_| {}).unwrap();
    assert!(mutation.complete);
    mutation.survivors
}

/// Each ready example beside the shipped policies, and its cases.
fn examples() -> Vec<(String, PolicySource, CompiledPolicies, Vec<Case>)> {
    let examples = Path::new("policies/examples");
    let paths = std::fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path());
    let is_policy = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cedar");
    let example = |path: PathBuf| {
        let source = shipped_source().with(std::slice::from_ref(&path)).unwrap();
        let validated = source.validate().unwrap();
        assert_eq!(validated.warnings, Vec::<String>::new());
        let compiled =
            CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared.clone()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let cases = cases::read(examples.join("tests").join(format!("{name}.toml"))).unwrap();
        (name, source, compiled, cases)
    };
    let examples: Vec<_> = paths.filter(is_policy).map(example).collect();
    assert_eq!(examples.len(), 17);
    examples
}

/// GRT-12 (`mfa.cedar`). Each ready example passes its own cases beside the shipped policies, which miss it when it is dropped.
#[test]
fn every_example_is_covered_by_its_cases() {
    for (name, source, compiled, cases) in examples() {
        assert!(!cases.is_empty(), "{name}");
        for case in &cases {
            assert_eq!(run(&compiled, case).failures, Vec::<String>::new(), "{name}: {}", case.name);
        }
        let (shipped, _) = shipped();
        let own = |survivor: &Survivor| {
            !shipped.set.policies().any(|policy| policy.id().to_string() == survivor.policy)
        };
        let unnoticed: Vec<_> = survivors(&source, &cases).into_iter().filter(own).collect();
        assert_eq!(unnoticed, [], "{name}");
    }
}

/// A claim that is left out never opens what an example refused.
#[test]
fn no_example_is_switched_off_by_a_claim_that_is_left_out() {
    let leave_out: [fn(&mut ClaimFacts); 8] = [
        |c| c.email = None,
        |c| c.email_verified = None,
        |c| c.amr.clear(),
        |c| c.acr = None,
        |c| c.auth_age = None,
        |c| c.scopes = None,
        |c| c.resources.clear(),
        |c| c.groups = None,
    ];
    let mut refused = 0;
    // That example is about nothing else: newcomers without an email.
    let others = examples().into_iter().filter(|(name, ..)| name != "members-without-email");
    for (name, _, compiled, cases) in others {
        for facts in cases.iter().filter_map(Case::facts) {
            let mut facts = facts.clone();
            if let MemberFacts::Present { email_domain, .. } = &mut facts.member {
                // The member has an email, whatever the assertion says.
                let asserted = facts.claims.email_domain().unwrap_or("acme.com");
                email_domain.get_or_insert_with(|| asserted.to_owned());
            }
            for change in leave_out {
                let mut less = facts.clone();
                change(&mut less.claims);
                let allowed = |facts: &Facts| {
                    let outcome = decide(&compiled, facts).outcome;
                    outcome.map(|permitted| permitted.scopes().to_vec()).unwrap_or_default()
                };
                let (before, after) = (allowed(&facts), allowed(&less));
                // Without a scope claim the server's default scopes apply.
                let default = &less.resource.default_scopes;
                let is_new = |scope: &&String| !before.contains(scope) && !default.contains(scope);
                let opened: Vec<_> = after.iter().filter(is_new).collect();
                assert!(opened.is_empty(), "{name}: {opened:?} {facts:?} {less:?}");
                refused += usize::from(after.len() < less.candidates.scopes.len());
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

/// Every mistake is told with the line that it is in (the fixtures take ten lines).
#[test]
fn mistakes_are_told_with_file_and_line() {
    let test = "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\n";
    let expecting = |expect: &str| format!("{test}expect = {expect}\n");
    for (text, told) in [
        ("[[test]\n", "cases.toml:11:"),
        ("[[test]]\nteamspace = \"acme\"\n", "cases.toml:11:1: a test needs a name"),
        (test, "cases.toml:11:1: nothing is expected"),
        (&format!("{test}{test}expect = {{ granted = [] }}\n"), "cases.toml:11:1: nothing is expected"),
        (&expecting("{}"), "cases.toml:11:1: nothing is expected"),
        (&expecting("{ grantd = [] }"), "cases.toml:15:12: `grantd` is unknown; did you mean `granted`?"),
        (
            &expecting("{ granted = [], error = \"invalid_grant\" }"),
            "expects a token or a change, and a refusal",
        ),
        (&expecting("{ error = \"invalid_client\" }"), "`invalid_client` is not invalid_grant"),
        (&expecting("{ saved = true }"), "add `configure"),
        (
            &expecting("{ denied_details = [{ detail = { actions = [] }, reason = \"x\" }] }"),
            "an entry has no type that is a string",
        ),
        (&expecting("{ denied_details = [{ detail = { type = \"a\" } }] }"), "`reason` is missing"),
        (
            &expecting("{ denied_details = [{ detail = { type = \"a\" }, reasn = \"x\" }] }"),
            "`reasn` is unknown; did you mean `reason`?",
        ),
        (
            &expecting(
                "{ details = [{ type = \"a\" }], denied_details = [{ detail = { type = \"a\" }, reason = \"x\" }] }",
            ),
            "expects the detail {\"type\":\"a\"} to be granted, and refused",
        ),
        (&expecting("{ denied_details = [] }\ntool = \"a\""), "a tool grants and provisions nothing"),
        (
            &expecting("{ reason = 7 }"),
            "cases.toml:15:21: this must be a string or an array of strings; found the number 7",
        ),
        (
            &format!("{test}membr = \"active\"\n"),
            "cases.toml:15:1: `membr` is unknown; did you mean `member`?",
        ),
        (&format!("{test}member = \"actve\"\n"), "cases.toml:15:10: this must be "),
        (&format!("{test}now = \"noon\"\n"), "`noon` is no time"),
        (&expecting("{ granted = [] }\nlinking = true"), "`linking` needs a member"),
        (
            &expecting("{ saved = true }\nconfigure = \"https://x\""),
            "has no claims, client, member or request",
        ),
        (
            "[[test]]\nname = \"n\"\nteamspace = \"amce\"\nclaims = \"dana\"\nexpect.granted = []\n",
            "there is no [teamspace.amce]; there is: acme",
        ),
        (
            "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = { use = \"dana\", emial = \"x\" }\n",
            "cases.toml:14:26: `emial` is unknown; did you mean `email`?",
        ),
        (
            "[[test]]\nname = \"n\"\nteamspace = { extends = \"acme\", without = [\"isuer\"] }\nclaims = \"dana\"\nexpect.granted = []\n",
            "`without` names `isuer`, which teamspace does not have",
        ),
        (
            "[[test]]\nname = \"n\"\nteamspace = { extends = \"acme\", plan = \"enterprize\" }\n",
            "cases.toml:13:40: this must be free, pro or enterprise; found \"enterprize\"",
        ),
        (
            &expecting("{ granted = [] }\nclient = \"partner\""),
            "there is no [client.partner], and no other fixture of client",
        ),
        (&format!("{test}now = 2026-01-05\n"), "cases.toml:15:7: `2026-01-05` is no time"),
        (&format!("{test}now = 7\n"), "cases.toml:15:7: expected a time such as"),
        ("[[test]]\nname = \"n\"\nclaims = \"dana\"\nexpect.granted = []\n", "no teamspace"),
        ("[[test]]\nname = \"n\"\nteamspace = \"acme\"\nexpect.granted = []\n", "no claims"),
        (
            "[[test]]\nname = \"n\"\nteamspace = { slug = \"x\", servers = [\"https://s\"] }\nclaims = \"dana\"\nexpect.granted = []\n",
            "the claims have no iss, and the teamspace no issuer",
        ),
        (
            "[[test]]\nname = \"n\"\nteamspace = { extends = \"acme\", servers = [] }\nclaims = \"dana\"\nexpect.granted = []\n",
            "which MCP server?",
        ),
        (
            &format!(
                "{}each = [{{ each = [] , name = \"a\" }}, {{ each = [{{}}] }}]\n",
                expecting("{ granted = [] }")
            ),
            "cannot have rows itself",
        ),
        (
            "[teamspace.a]\nextends = \"b\"\n[teamspace.b]\nextends = \"a\"\n[[test]]\nname = \"n\"\nteamspace = \"a\"\nclaims = \"dana\"\nexpect.granted = []\n",
            "extends itself",
        ),
    ] {
        let found = mistakes(text);
        assert!(found.contains(told), "{text}\n→ {found}\nnot {told}");
        assert!(found.contains("cases.toml:"), "{found}");
    }
}

/// TOML has times of its own: they may be written without quotes.
#[test]
fn a_time_needs_no_quotes() {
    let test = "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\n";
    for now in ["\"2026-01-05T09:30:00Z\"", "2026-01-05T09:30:00Z", "2026-01-05 10:30:00+01:00"] {
        let dir = file(&format!("{test}now = {now}\nexpect.granted = [\"docs.read\"]\n"));
        let cases = cases::read(dir.path()).unwrap();
        assert_eq!(cases[0].facts().unwrap().now, 1_767_605_400, "{now}");
    }
}

/// A lock that an editor leaves, which leads nowhere, is no case.
#[test]
fn names_that_begin_with_a_dot_are_no_cases() {
    let dir = file("[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = []\n");
    std::os::unix::fs::symlink("dana@host.1234", dir.path().join(".#cases.toml")).unwrap();
    std::fs::write(dir.path().join(".cases.toml"), "no TOML").unwrap();
    assert_eq!(cases::read(dir.path()).unwrap().len(), 1);
}

#[test]
fn every_mistake_is_told_at_once_and_names_are_unique() {
    let two = "[[test]]\nname = \"a\"\n[[test]]\nname = \"b\"\n";
    assert_eq!(mistakes(two).lines().count(), 2);
    let one = "[[test]]\nname = \"a\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = []\n";
    assert!(mistakes(&format!("{one}{one}")).contains("cases.toml:16:1: there is another case named `a`"));
}

#[test]
fn unreadable_case_files_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    let told = || cases::read(dir.path()).unwrap_err().to_string();
    std::fs::write(&path, b"a = \"\xff\"").unwrap();
    assert!(told().contains("x.toml: is not UTF-8 at byte 5"));
    std::fs::write(&path, " ".repeat(1_048_577)).unwrap();
    assert!(told().contains("the limit is"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(told().contains("x.toml: is no file"));
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("x.toml", &path).unwrap();
    assert!(told().contains("x.toml: cannot be read"));
}

/// Each key of an expectation can fail, and says what came instead.
#[test]
fn each_expectation_can_fail() {
    let test = |rest: &str| format!("[[test]]\nname = \"n\"\nteamspace = \"acme\"\n{rest}");
    let dana = |expect: &str| failures(&test(&format!("claims = \"dana\"\nexpect = {expect}\n")));
    let evil = |expect: &str| {
        failures(&test(&format!(
            "claims = {{ use = \"dana\", iss = \"https://evil\" }}\nexpect = {expect}\n"
        )))
    };
    let save =
        |expect: &str| failures(&test(&format!("configure = \"https://x/oauth2/y\"\nexpect = {expect}\n")));
    for passing in [
        dana(
            "{ granted = [\"docs.read\"], provision = true, by = [\"issuer.own\", \"scope.pass-through\"] }",
        ),
        evil("{ error = \"invalid_grant\", reason = \"issuer_not_configured\", provision = false }"),
        save(
            "{ saved = false, error = \"access_denied\", reason = \"custom_authorization_server\", by = \"issuer.okta-custom-server\" }",
        ),
    ] {
        assert_eq!(passing, Vec::<String>::new());
    }
    for (found, told) in [
        (dana("{ granted = [] }"), "expected granted none, got granted [docs.read]"),
        (
            dana("{ granted = [\"docs.read\", \"docs.write\"] }"),
            "expected granted `docs.read`, `docs.write`, got granted [docs.read]",
        ),
        (dana("{ denied = { \"docs.read\" = \"x\" } }"), "expected `docs.read` to be refused; it was not"),
        (dana("{ error = \"invalid_grant\" }"), "expected error invalid_grant, got granted [docs.read]"),
        (dana("{ reason = \"x\" }"), "expected reason `x`, got granted [docs.read]"),
        (dana("{ by = \"scope.setting\" }"), "expected `scope.setting` to decide"),
        (dana("{ provision = false }"), "expected no new member; one was made"),
        (evil("{ granted = [\"docs.read\"] }"), "got refused, invalid_grant: issuer_not_configured"),
        (evil("{ error = \"access_denied\" }"), "expected error access_denied, got refused, invalid_grant"),
        (evil("{ reason = [\"issuer_not_configured\", \"plan_not_enterprise\"] }"), "expected reason"),
        (evil("{ provision = true }"), "expected a new member; none was made"),
        (save("{ saved = true }"), "expected the issuer to be saved, got refused, access_denied"),
    ] {
        assert!(found.iter().any(|failure| failure.contains(told)), "{found:?}\nnot {told}");
    }
    let scopes = "claims = { use = \"dana\" }\nrequest = { scope = \"docs.read docs.write\" }\nexpect = { denied = { \"docs.write\" = \"x\" } }\n";
    assert!(
        failures(&test(scopes))[0]
            .contains("expected `docs.write` refused for `x`, got `scope_not_authorized`")
    );
}

/// Layers: rows over tests over fixtures over fixtures; what is dropped stays dropped.
#[test]
fn layers_are_laid_over_one_another() {
    let dir = file(
        r#"
[teamspace.full]
extends = "acme"
seats_used = 5
seats_limit = 5
[teamspace.fuller]
extends = "full"
without = ["seats_limit"]
[[test]]
name = "n"
teamspace = "fuller"
claims = { use = "dana", without = ["email"] }
each = [
  { name = "dropped", expect = { error = "invalid_grant" } },
  { name = "stated again", claims = { email = "d@acme.com" }, expect = { granted = ["docs.read"] } },
  { name = "own fixture", claims = "dana", expect = { granted = ["docs.read"] } },
  { name = "nothing of the test's table", claims = { use = "dana", sub = "x" }, expect = { granted = ["docs.read"] } },
]
"#,
    );
    let cases = cases::read(dir.path()).unwrap();
    let policies = shipped().1;
    for case in &cases {
        assert_eq!(run(&policies, case).failures, Vec::<String>::new(), "{}", case.name);
        assert_eq!(case.facts().unwrap().teamspace.slug, "acme");
    }
    assert_eq!(cases[3].facts().unwrap().claims.sub, "x");
    assert_eq!(cases[0].facts().unwrap().claims.sub, "dana");
}

/// Fixtures that several files share stand in `fixtures.toml`; a file's own come first.
#[test]
fn fixtures_can_be_shared() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("fixtures.toml"), FIXTURES).unwrap();
    let test =
        "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = [\"docs.read\"]\n";
    std::fs::write(dir.path().join("a.toml"), test).unwrap();
    let own = format!("[claims.dana]\nemail = \"other@acme.com\"\n{test}");
    std::fs::write(dir.path().join("b.toml"), own).unwrap();
    let cases = cases::read(dir.path()).unwrap();
    let emails: Vec<_> =
        cases.iter().map(|case| case.facts().unwrap().claims.email.as_deref().unwrap()).collect();
    assert_eq!(emails, ["dana@acme.com", "other@acme.com"]);
    assert_eq!(cases::read(dir.path().join("b.toml")).unwrap().len(), 1);
}

/// A case that shows nothing of a policy leaves it uncovered, and its mutant alive.
#[test]
fn gaps_are_found() {
    let (_, compiled) = shipped();
    let dir = file(
        "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = [\"docs.read\"]\n",
    );
    let cases = cases::read(dir.path()).unwrap();
    let verdict = run(&compiled, &cases[0]);
    let found = coverage(&compiled, std::iter::once(&verdict.observed));
    assert!(found.undecided.contains(&"issuer.enterprise-plan".to_owned()));
    assert!(!found.undecided.contains(&"issuer.own".to_owned()));
    assert!(found.never_unmatched.contains(&"issuer.own".to_owned()));
    assert!(!found.never_unmatched.contains(&"scope.default".to_owned()), "it did not match");
    let alive = survivors(&shipped_source(), &cases);
    let whole = |id: &str| alive.iter().any(|survivor| survivor.policy == id && survivor.part.is_none());
    assert!(whole("issuer.enterprise-plan") && !whole("issuer.own"));
    let own: Vec<&str> = alive
        .iter()
        .filter(|survivor| survivor.policy == "issuer.own")
        .filter_map(|survivor| survivor.part.as_deref())
        .collect();
    assert_eq!(
        own,
        ["resource.issuer == principal"],
        "`has` cannot be dropped alone, and the head is excused"
    );
}

#[test]
fn the_command_reports_and_ends_as_promised() {
    let all = policy_test(&["--coverage=strict", "--mutate=strict"]);
    let text = String::from_utf8(all.stdout).unwrap();
    assert!(all.status.success() && text.contains("dropped in turn, each is missed"), "{text}");
    let dir = file(
        "[[test]]\nname = \"fails <&>\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = []\n",
    );
    let (tests, junit) = (dir.path().to_str().unwrap(), dir.path().join("out.xml"));
    let failed = policy_test(&["--tests", tests, "--junit", junit.to_str().unwrap(), "--format", "json"]);
    assert_eq!(failed.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!((&report["passed"], &report["failed"]), (&0.into(), &1.into()));
    assert_eq!(report["cases"][0]["line"], 11);
    assert_eq!(report["cases"][0]["failures"][0], "expected granted none, got granted [docs.read]");
    let junit = std::fs::read_to_string(junit).unwrap();
    let class = format!("classname=\"{}\"", dir.path().join("cases.toml").display());
    assert!(junit.contains(&class), "{class}: {junit}");
    assert!(junit.contains("failures=\"1\"") && junit.contains("fails &lt;&amp;"), "{junit}");
    let human = policy_test(&["--tests", tests]);
    let text = String::from_utf8(human.stdout).unwrap();
    assert!(text.contains("cases.toml:11)") && text.contains("0 of 1 case passed"), "{text}");
    assert!(text.contains("GrantScope docs.read: allowed by scope.pass-through\n"), "{text}");
    let nobody =
        "@id(\"a\")\n@otherwise(\"x\")\npermit (principal is Issuer, action, resource is Teamspace);\n";
    let policies = crate::files::with(&[("a.cedar", nobody)]);
    let told = policy_test(&[policies.path().to_str().unwrap(), "--tests", tests]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("acme: denied, since no policy permits it\n"), "{text}");
}

#[test]
fn gaps_fail_only_in_strict_mode() {
    let dir = file(
        "[[test]]\nname = \"n\"\nteamspace = \"acme\"\nclaims = \"dana\"\nexpect.granted = [\"docs.read\"]\n",
    );
    let tests = dir.path().to_str().unwrap();
    for (flag, code) in [("--coverage", 0), ("--coverage=strict", 1), ("--mutate", 0), ("--mutate=strict", 1)]
    {
        assert_eq!(policy_test(&["--tests", tests, flag]).status.code(), Some(code), "{flag}");
    }
}

#[test]
fn what_cannot_be_run_ends_with_2() {
    for arguments in [
        &["nowhere"] as &[&str],
        &["--tests", "nowhere"],
        &["--filter", "no such case"],
        &["--tests", "policies/tests/fixtures.toml"],
        &["--with", "nowhere.cedar"],
        &["--junit", "/nowhere/x.xml"],
        &["--filter", "x", "--mutate"],
    ] {
        let output = policy_test(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    assert_eq!(policy_test(&["--filter", "SEATS"]).status.code(), Some(0));
}

#[test]
fn a_report_that_cannot_be_written_hides_no_result() {
    let output = policy_test(&["--junit", "/nowhere/x.xml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stdout).unwrap().contains("passed in"));
    assert!(String::from_utf8(output.stderr).unwrap().contains("error: cannot write /nowhere/x.xml: "));
}

/// A case says to what the policies shorten the token's life; what they leave to the setting is no such life.
#[test]
fn cases_expect_lifetimes() {
    let rule = "@id(\"short\")\n@otherwise(\"x\")\n@lifetime(\"15m\")\n\
        permit (principal, action == Action::\"GrantScope\", resource == Scope::\"docs.write\");\n";
    let policies = crate::files::with_shipped(&[("short.cedar", rule)]);
    let schema = std::path::Path::new("schema/countersign.cedarschema");
    let policies =
        countersign::policy::PolicySource::read(policies.path(), schema).unwrap().compile(0).unwrap();
    let run = |scope: &str, expect: &str| {
        let case = format!(
            "[[test]]\nname = \"a\"\nteamspace = \"acme\"\nclaims = {{ use = \"dana\", scope = \"{scope}\" }}\nexpect = {{ {expect} }}\n"
        );
        let fixtures = std::fs::read_to_string("policies/tests/fixtures.toml").unwrap();
        let dir = crate::files::with(&[("a.toml", case.as_str()), ("fixtures.toml", fixtures.as_str())]);
        countersign::policy::authoring::cases::run_directory(&policies.compiled, dir.path())
    };
    assert_eq!(run("docs.write", "lifetime = \"15m\"").unwrap(), 1);
    assert_eq!(run("docs.read docs.write", "lifetime = 900").unwrap(), 1);
    let failed = run("docs.write", "lifetime = \"5m\"").unwrap_err();
    assert!(failed.contains("expected a lifetime of 300 s, got 900 s"), "{failed}");
    let failed = run("docs.read", "lifetime = \"15m\"").unwrap_err();
    assert!(failed.contains("got the setting's"), "{failed}");
    let failed = run("docs.read", "lifetime = \"15m\", error = \"invalid_scope\"").unwrap_err();
    assert!(failed.contains("a token or a change, and a refusal"), "{failed}");
}
