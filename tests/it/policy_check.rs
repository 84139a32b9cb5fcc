//! `policy check`: every problem at once, each with its rule and its place, for people and for programs.

use std::path::Path;
use std::process::Output;

use countersign::policy::authoring::check::{Findings, check};
use countersign::policy::validate::vocabulary::SHIPPED;
use countersign::policy::{PolicyProblem, PolicySource, Rule, Severity};
use serde_json::{Value, json};

use crate::commands::{countersign, text, write};
use crate::files::with;

const HEAD: &str = "permit (principal, action == Action::\"GrantScope\", resource)";

fn findings(files: &[(&str, &str)]) -> Findings {
    check(with(files).path(), Path::new("schema/countersign.cedarschema"))
}

/// The text that a problem spans.
fn spanned(problem: &PolicyProblem, content: &str) -> String {
    content[problem.place.as_ref().unwrap().span.clone()].to_owned()
}

/// The problems of a file but for its layout, as `rule: text that it spans`.
fn told(content: &str) -> Vec<String> {
    let problems = findings(&[("x.cedar", content)]).problems;
    let told = problems.iter().filter(|problem| problem.rule != Rule::Format);
    told.map(|problem| format!("{}: {}", problem.rule.name(), spanned(problem, content))).collect()
}

#[test]
fn the_shipped_policies_and_examples_are_clean() {
    for dir in ["policies", "policies/examples"] {
        let findings = check(Path::new(dir), Path::new("schema/countersign.cedarschema"));
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        assert!(findings.policy_set.is_some() && findings.files > 2 && findings.policies > 5);
    }
}

#[test]
fn every_lint_has_its_rule_and_spans_its_policy() {
    let good = format!("@id(\"a\") @otherwise(\"x\") {HEAD}");
    let forbid = "forbid (principal, action == Action::\"GrantScope\", resource);";
    for (rule, policy) in [
        ("lint/id-missing", format!("@otherwise(\"x\") {HEAD};")),
        ("lint/id-missing", format!("@id(\" \") @otherwise(\"x\") {HEAD};")),
        ("lint/annotation-missing", format!("@id(\"a\") {HEAD};")),
        ("lint/annotation-missing", format!("@message(\"\") {good};")),
        ("lint/annotation-missing", format!("@error {good};")),
        ("lint/annotation-missing", format!("@id(\"f\") @reason(\"r\") @error(\"access_denied\") {forbid}")),
        ("lint/annotation-missing", format!("@id(\"f\") @reason(\"r\") @message(\"m\") {forbid}")),
        ("lint/annotation-missing", format!("@id(\"f\") @error(\"access_denied\") @message(\"m\") {forbid}")),
        ("lint/error-unknown", format!("@error(\"invalid_client\") {good};")),
        ("lint/reason-case", format!("@id(\"a\") @otherwise(\"Not snake\") {HEAD};")),
        ("lint/reason-case", format!("@reason(\"kebab-case\") {good};")),
        ("lint/annotation-unknown", format!("@mesage(\"m\") {good};")),
        ("lint/annotation-unknown", format!("@Error(\"m\") {good};")),
        ("lint/annotation-unknown", format!("@otherwsie(\"m\") {good};")),
        ("lint/annotation-unknown", format!("@idd(\"m\") {good};")),
        ("lint/cannot-match", format!("{good} when {{ false }};")),
        ("lint/cannot-match", good.replace("(principal", "(principal is Issuer") + ";"),
        ("lint/cannot-match", good.replace("resource)", "resource is McpServer);")),
        ("lint/template", format!("@id(\"t\") {};", HEAD.replace("(principal", "(principal == ?principal"))),
    ] {
        // Comments that look like policies, also like this one, are none.
        let content = format!("// {policy}\n\n  // é\n{policy} // after\n");
        assert_eq!(told(&content), [format!("{rule}: {policy}")], "{content}");
    }
    assert_eq!(told(&format!("@note(\"n\") @owner(\"o\") @since(\"s\") {good};")), [""; 0]);
}

#[test]
fn what_cedar_finds_has_its_place_and_its_advice() {
    let good = format!("@id(\"a\") @otherwise(\"x\") {HEAD}");
    for (policy, rule, span, help) in [
        (good.replace("GrantScope", "GrantScop") + ";", "type", "Action::\"GrantScop\"", "GrantScope"),
        (format!("{good} when {{ resource.nme == \"x\" }};"), "type", "resource.nme", "`name`"),
        (format!("{good} when {{ context.claims.email == \"x\" }};"), "type", "context.claims.email", "has"),
        (format!("{good} when {{ resource.name == 7 }};"), "type", "resource.name == 7", ""),
        (
            format!("{good} when {{ resource.teamspace.plan == Plan::\"enterprize\" }};"),
            "type",
            "Plan::\"enterprize\"",
            "enterprise",
        ),
        (format!("{good} when {{ principal in Gruop::\"a\" }};"), "type", "Gruop", "Group"),
        (good.replace("permit", "permitt") + ";", "parse", "permitt", ""),
        (format!("{good} when {{ resource.name == \"аdmin\" }};"), "lint/confusable-text", "\"аdmin\"", ""),
    ] {
        let content = format!("// é\n{policy}");
        let problems = findings(&[("x.cedar", &content)]).problems;
        let found = problems.iter().find(|problem| problem.rule != Rule::Format).unwrap();
        assert_eq!((found.rule.name(), spanned(found, &content).as_str()), (rule, span), "{found}");
        assert!(found.help.clone().unwrap_or_default().contains(help), "{found}");
        let column = policy[..policy.find(span).unwrap()].chars().count() + 1;
        let place = found.place.as_ref().unwrap();
        assert_eq!((place.line, place.column), (2, column), "{found}");
        assert_eq!((place.end_line, place.end_column), (2, column + span.chars().count()), "{found}");
    }
}

#[test]
fn nothing_hides_anything_else() {
    let b = format!("@id(\"a\") @otherwise(\"X\") {HEAD} when {{ resource.nme == \"x\" }};");
    let c = format!(
        "{HEAD} when {{ resource.naem == \"x\" }};\n@id(\"a\") @otherwise(\"x\") {HEAD} when {{ resource.namme == \"x\" }};"
    );
    let files = [("a.cedar", "permit (\n"), ("b.cedar", &b), ("c.cedar", &c), ("d.cedar", "forbid (\u{0}")];
    let findings = findings(&files);
    let found: Vec<(String, &str)> = findings
        .problems
        .iter()
        .filter(|problem| problem.rule != Rule::Format)
        .map(|problem| {
            (problem.file.file_name().unwrap().to_string_lossy().into_owned(), problem.rule.name())
        })
        .collect();
    let expected = [
        ("a.cedar", "parse"),
        ("b.cedar", "lint/reason-case"),
        ("b.cedar", "type"),
        ("c.cedar", "lint/annotation-missing"),
        ("c.cedar", "lint/id-missing"),
        ("c.cedar", "type"),
        ("c.cedar", "lint/id-duplicate"),
        ("c.cedar", "type"),
        ("d.cedar", "parse"),
    ];
    let mut sorted: Vec<(&str, &str)> = found.iter().map(|(file, rule)| (file.as_str(), *rule)).collect();
    let (mut all, by_file) = (expected.to_vec(), sorted.is_sorted_by_key(|(file, _)| *file));
    sorted.sort();
    all.sort();
    assert!(by_file);
    assert_eq!(sorted, all);
    assert_eq!((findings.files, findings.policies, findings.policy_set), (4, 3, None));
}

#[test]
fn a_duplicate_points_at_both_places() {
    let policy = format!("@id(\"a\") @otherwise(\"x\") {HEAD};");
    let dir = with(&[("a.cedar", &format!("\n{policy}")), ("b.cedar", &format!("\n\n {policy}"))]);
    let out = run(dir.path(), &["policy", "check", "."]);
    let error = text(&out.stderr);
    assert!(error.contains("./b.cedar:3:2") && error.contains("./a.cedar:2:1"), "{error}");
    assert!(
        error.contains("used twice, here and at ./a.cedar:2:1") && error.contains("used first here"),
        "{error}"
    );
    let problems = sarif(&run(dir.path(), &["policy", "check", ".", "--format", "sarif"]));
    let duplicate = problems.iter().find(|result| result["ruleId"] == "lint/id-duplicate").unwrap();
    assert_eq!(duplicate["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 2);
}

#[test]
fn many_policies_without_a_resource_are_one_warning() {
    let policies = |count: usize, resource: &str| -> String {
        let policy = |number| {
            format!("@id(\"p{number}\")\n@otherwise(\"x\")\n{};", HEAD.replace("resource)", resource))
        };
        (0..count).map(policy).collect::<Vec<_>>().join("\n\n") + "\n"
    };
    let unscoped = |content: String| {
        told(&content).iter().filter(|problem| problem.starts_with("lint/unscoped-policies")).count()
    };
    assert_eq!(unscoped(policies(100, "resource)")), 0);
    assert_eq!(unscoped(policies(150, "resource is Scope)")), 1);
    assert_eq!(unscoped(policies(150, "resource in Teamspace::\"acme\")")), 0);
}

/// The meaning of a schema counts, not its wording.
#[test]
fn another_schema_is_a_warning_and_the_same_in_other_words_is_not() {
    let policy = format!("@id(\"a\")\n@otherwise(\"x\")\n{HEAD};\n");
    let found = |schema: &str| {
        let dir = with(&[("x.cedar", policy.as_str()), ("schema", schema)]);
        let problems = check(dir.path(), dir.path().join("schema")).problems;
        let told = problems.into_iter().filter(|problem| problem.rule != Rule::Format);
        told.map(|problem| (problem.rule, problem.message)).collect::<Vec<_>>()
    };
    let changed = |from: &str, to: &str| {
        assert!(SHIPPED.contains(from));
        found(&SHIPPED.replacen(from, to, 1))
    };
    assert_eq!(changed("@doc(\"Lower case.\")", "// Other words.\n"), []);
    assert_eq!(changed("type Claims = {", "type Claims = Others;\n type Others = {"), []);
    assert_eq!(changed("[\"free\", \"pro\", \"enterprise\"]", "[\"pro\", \"enterprise\", \"free\"]"), []);
    assert_eq!(changed("in [McpServer, Teamspace]", "in [Teamspace, McpServer]"), []);
    for (from, to, name) in [
        ("seats_limit?: Long", "seats_limit: Long", "ProvisionMember"),
        ("public: Bool", "public: String", "Client"),
        ("entity Group;", "entity Group; entity More;", "More"),
        ("  tenant?: String,", "", "GrantScope"),
        ("\"pro\", ", "", "Plan"),
        ("principal: [User]", "principal: [User, Issuer]", "ProvisionMember"),
    ] {
        let problems = changed(from, to);
        assert_eq!(problems[0].0, Rule::SchemaDiffers, "{problems:?}");
        assert!(problems[0].1.contains(name), "{problems:?}");
    }
    assert_eq!(found("entity A in [Nobody];")[0].0, Rule::SchemaInvalid);
}

/// Errors keep a set from being used; warnings are told; the layout is nobody's business at run time.
#[test]
fn the_service_refuses_errors_and_logs_warnings() {
    let load =
        |content: String| PolicySource::of(SHIPPED.to_owned(), vec![("x.cedar".into(), content)]).validate();
    let untidy = load(format!("@id(\"a\")   @otherwise(\"x\") {HEAD};")).unwrap();
    assert_eq!(untidy.warnings, [""; 0]);
    let warned = load(format!("@id(\"a\") @otherwise(\"x\") @mesage(\"m\") {HEAD};")).unwrap().warnings;
    assert_eq!(
        warned,
        ["x.cedar:1:1: a: @mesage has no meaning [lint/annotation-unknown]; did you mean @message?"]
    );
    let refused = load(format!("@id(\"a\") @mesage(\"m\") {HEAD};")).unwrap_err().0;
    assert!(refused.iter().all(|problem| problem.rule.severity() == Severity::Error), "{refused:?}");
    assert_eq!(refused.len(), 1);
}

fn run(dir: &Path, args: &[&str]) -> Output {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/countersign.cedarschema");
    countersign(dir, args, &[("COUNTERSIGN_SCHEMA_FILE", schema.to_str().unwrap())])
}

#[test]
fn the_exit_code_tells_clean_found_and_unread() {
    let clean = format!(
        "@id(\"a\")\n@otherwise(\"x\")\n{};\n",
        HEAD.replace(", ", ",\n  ").replace("(p", "(\n  p").replace(")", "\n)")
    );
    for (content, code) in [(clean.as_str(), 0), (&clean.replace('\n', " "), 1), ("permit (", 1)] {
        let dir = with(&[("x.cedar", content)]);
        for format in ["human", "json", "sarif"] {
            let out = run(dir.path(), &["policy", "check", ".", "--format", format]);
            assert_eq!(out.status.code(), Some(code), "{content}: {}", text(&out.stderr));
        }
    }
    // The readable files are checked nevertheless.
    let dir = with(&[("x.cedar", "permit (")]);
    std::fs::create_dir(dir.path().join("y.cedar")).unwrap();
    let out = run(dir.path(), &["policy", "check", ".", "--format", "json"]);
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    let rules: Vec<&Value> =
        json["problems"].as_array().unwrap().iter().map(|problem| &problem["rule"]).collect();
    assert_eq!((out.status.code(), rules), (Some(2), vec![&json!("parse"), &json!("read")]));
    assert_eq!(json["files"], 1);
}

#[test]
fn people_get_excerpts_without_colours_when_nobody_looks() {
    let dir = with(&[("x.cedar", format!("@id(\"a\") {};", HEAD.replace("Scope", "Scop")))]);
    let out = run(dir.path(), &["policy", "check", "."]);
    let error = text(&out.stderr);
    assert!(error.contains("did you mean") && error.contains("GrantScope"), "{error}");
    assert!(error.contains("error[lint/annotation-missing]") && error.contains("./x.cedar:1:1"), "{error}");
    assert!(!error.contains('\u{1b}'), "{error}");
    assert_eq!(text(&out.stdout), "1 policy in 1 file: 2 errors, 1 warning.\n");
}

#[test]
fn the_document_is_stable() {
    let dir = with(&[("x.cedar", &format!("@id(\"a\")\n@mesage(\"é\") @otherwise(\"x\") {HEAD};"))]);
    let out = run(dir.path(), &["policy", "check", ".", "--format", "json"]);
    let mut json: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(json["policy_set"].take().as_str().unwrap().len(), 43);
    let problem = json!({
        "rule": "lint/annotation-unknown", "severity": "warning", "file": "./x.cedar",
        "line": 1, "column": 1, "end_line": 2, "end_column": 91,
        "message": "a: @mesage has no meaning", "help": "did you mean @message?",
    });
    let problems = json["problems"].as_array_mut().unwrap();
    assert_eq!((problems.len(), problems.remove(1)["rule"].clone()), (2, json!("format")));
    assert_eq!(
        json,
        json!({ "policy_set": null, "files": 1, "policies": 1, "decides_console": false, "decides_tools": false, "permits_details": false, "problems": [problem] })
    );
}

/// The results of a log, after what SARIF 2.1.0 and GitHub's code scanning require of one.
fn sarif(out: &Output) -> Vec<Value> {
    let log: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("one run: {log}") };
    assert_eq!(run["tool"]["driver"]["name"], "countersign");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert!(run["invocations"][0]["executionSuccessful"].is_boolean());
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|rule| assert!(!rule["shortDescription"]["text"].as_str().unwrap().is_empty()))
        .inspect(|rule| {
            assert!(["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()))
        })
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let unique: std::collections::BTreeSet<&&str> = rules.iter().collect();
    assert_eq!(unique.len(), rules.len(), "rule ids are unique");
    let results = run["results"].as_array().unwrap();
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()), "{result}");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty(), "{result}");
        let [location] = result["locations"].as_array().unwrap().as_slice() else { panic!("{result}") };
        let place = &location["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string(), "{result}");
        let number = |name: &str| place["region"][name].as_u64().unwrap_or(1);
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1, "{result}");
        assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
    }
    results.clone()
}

#[test]
fn code_scanning_gets_a_log() {
    let policy = format!("@id(\"a\") @otherwise(\"x\") {};", HEAD.replace("Scope", "Scop"));
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("my rules")).unwrap();
    write(dir.path(), "my rules/é.cedar", &policy);
    let results = sarif(&run(dir.path(), &["policy", "check", "my rules", "--format", "sarif"]));
    let place = &results.iter().find(|result| result["ruleId"] == "type").unwrap()["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20rules/%C3%A9.cedar", "relative, and a URI");
    let span = "Action::\"GrantScop\"";
    let column = policy.find(span).unwrap() + 1;
    let expected = json!({
        "startLine": 1, "startColumn": column, "endLine": 1, "endColumn": column + span.len(),
        "byteOffset": column - 1, "byteLength": span.len(),
    });
    assert_eq!(place["region"], expected);
    let elsewhere = dir.path().join("my rules");
    let other = tempfile::tempdir().unwrap();
    let results =
        sarif(&run(other.path(), &["policy", "check", elsewhere.to_str().unwrap(), "--format", "sarif"]));
    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(uri.as_str().unwrap().starts_with("file:///"), "{uri}");
    let out = run(dir.path(), &["policy", "check", "nowhere", "--format", "sarif"]);
    assert_eq!((out.status.code(), sarif(&out)[0]["ruleId"].clone()), (Some(2), json!("read")));
    let clean = run(Path::new(env!("CARGO_MANIFEST_DIR")), &["policy", "check", "--format", "sarif"]);
    assert_eq!((clean.status.code(), sarif(&clean).len()), (Some(0), 0));
}

/// A file from elsewhere, such as a pull request's, does not reach the terminal as it is.
#[test]
fn control_characters_of_files_are_not_printed() {
    let content = "// \u{1b}[2J\u{202e}\r\npermit (principal, action, resource) when { \u{1b}[31m };\n";
    let dir = with(&[("x.cedar", content)]);
    for arguments in [["check"], ["test"]] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        let output = command.arg("policy").args(arguments).arg(dir.path()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("x.cedar"), "{told:?}");
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
    }
}
