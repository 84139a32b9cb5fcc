//! Why a policy did not apply: `policy explain --all`, and `all` of `POST /teamspaces/{slug}/explain`.

use countersign::config::Duration;
use countersign::policy::authoring::cases;
use countersign::policy::{Missed, NotApplied, PolicySource};
use serde_json::{Value, json};

use crate::disclosure::{assertion_of, two_teamspaces};
use crate::explain::{admin, database, explain, policy_explain};
use crate::files;
use crate::harness::{CLIENT, TestApp};
use crate::reload::Rules;

/// A forbid of the action, with this head and these conditions.
fn rule(id: &str, head: &str, conditions: &str) -> String {
    format!(
        "@id(\"{id}\") @reason(\"t\") @error(\"access_denied\") @message(\"m\")\nforbid ({head}) {conditions};\n"
    )
}

const CASE: &str = r#"
[teamspace.acme]
plan = "enterprise"
issuer = "https://acme.okta.com"
seats_used = 10
servers = ["https://mcp.example.com/mcp"]

[server.docs]
identifier = "https://mcp.example.com/mcp"
scopes = ["docs.read", "docs.write"]
default_scopes = ["docs.read"]

[[test]]
name = "dana signs in"
teamspace = "acme"
claims = { email = "dana@acme.com", scope = "docs.read", groups = ["staff", "editors"], amr = ["pwd"] }
expect.granted = ["docs.read"]
"#;

/// The report on the case under the shipped policies and one more file.
fn told(rules: &str) -> NotApplied {
    let (policies, tests) = (files::with_shipped(&[("t.cedar", rules)]), files::with(&[("t.toml", CASE)]));
    let schema = std::path::Path::new("schema/countersign.cedarschema");
    let policies = PolicySource::read(policies.path(), schema).unwrap().compile(0).unwrap();
    let case = &cases::read(tests.path()).unwrap()[0];
    let decisions = cases::explain_case(&policies.compiled, case);
    cases::not_applied_to(&policies.compiled, case, &decisions).unwrap()
}

fn missed<'a>(told: &'a NotApplied, id: &str) -> &'a Missed {
    let mut found = told.policies.iter().filter(|missed| missed.finding.policy == id);
    let first = found.next().unwrap_or_else(|| panic!("{id} is not told: {told:?}"));
    assert!(found.next().is_none(), "{id} is told once");
    first
}

/// The part that was false is named, whether of the head or of a condition, and nothing after it.
#[test]
fn the_part_that_was_false_is_named() {
    let scope = r#"principal is User, action == Action::"GrantScope", resource"#;
    let rules = [
        (
            "t.group",
            r#"principal in Group::"acme/admins", action == Action::"GrantScope", resource"#.to_owned(),
            "",
            ("principal", r#"principal in Group::"acme/admins""#),
        ),
        (
            "t.resource",
            format!("{scope} == Scope::\"docs.write\""),
            "",
            ("resource", r#"resource == Scope::"docs.write""#),
        ),
        (
            "t.action",
            r#"principal, action in [Action::"AdmitMember", Action::"ConfigureIssuer"], resource"#.to_owned(),
            "",
            ("action", r#"action in [Action::"AdmitMember", Action::"ConfigureIssuer"]"#),
        ),
        (
            "t.conjunct",
            scope.to_owned(),
            r#"when { context.weekday < 9 && (context.claims.amr.contains("hwk") && context.weekday > 9) }"#,
            ("when", r#"context.claims.amr.contains("hwk")"#),
        ),
        (
            "t.unless",
            scope.to_owned(),
            r#"when { context.weekday < 9 } unless { principal in Group::"acme/staff" && context.weekday < 9 }"#,
            ("unless", "context.weekday < 9"),
        ),
        (
            "t.second",
            scope.to_owned(),
            r#"unless { principal in Group::"acme/admins" } when { context.claims.amr.contains("hwk") }"#,
            ("when", r#"context.claims.amr.contains("hwk")"#),
        ),
    ];
    let text: String = rules.iter().map(|(id, head, conditions, _)| rule(id, head, conditions)).collect();
    let told = told(&text);
    for (id, _, conditions, (kind, part)) in &rules {
        let missed = missed(&told, id);
        let clause = missed.finding.telling().unwrap();
        assert_eq!((clause.kind, clause.text.as_str()), (*kind, *part), "{missed:?}");
        assert_eq!(clause.holds, Some(*kind == "unless"), "{missed:?}");
        assert_eq!(missed.action.is_none(), *kind == "action", "{missed:?}");
        assert!(!conditions.is_empty() || missed.finding.clauses.len() == 1, "{missed:?}");
    }
    let resource = missed(&told, "t.conjunct").resource.as_deref();
    assert_eq!(resource, Some("docs.read"));
    let groups = told.groups.as_deref().unwrap();
    assert_eq!(groups, ["acme/staff", "acme/editors"]);
    // Those that applied, and those that were explained already, are not told again.
    for id in ["issuer.own", "scope.pass-through"] {
        assert!(told.policies.iter().all(|missed| missed.finding.policy != id), "{id}");
    }
    assert!(!told.truncated);
}

/// A policy that cannot be evaluated says why.
#[test]
fn a_clause_that_cannot_be_evaluated_says_why() {
    let overflow = rule(
        "t.overflow",
        r#"principal, action == Action::"ProvisionMember", resource"#,
        "when { context.seats_used * 9223372036854775807 > 0 }",
    );
    let (policies, tests) = (files::with(&[("t.cedar", overflow)]), files::with(&[("t.toml", CASE)]));
    let output = policy_explain(&[
        "dana",
        "--all",
        "--with",
        policies.path().join("t.cedar").to_str().unwrap(),
        "--tests",
        tests.path().to_str().unwrap(),
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("forbid t.overflow cannot be evaluated"), "{text}");
    assert!(text.contains("> 0: ERROR, ") && text.contains("overflow"), "{text}");
    // A question that was never asked is reported as such.
    let unasked = text.split("no question was about these actions").nth(1).unwrap_or_default();
    assert!(unasked.contains("permit scope.default does not apply"), "{text}");
    assert!(unasked.contains("→ action action == Action::\"GrantScope\": FALSE"), "{text}");
}

/// Those whose head fits come first when there are too many to tell.
#[test]
fn very_many_policies_are_cut_off_and_that_is_said() {
    let far = r#"principal in Group::"acme/admins", action == Action::"GrantScope", resource"#;
    let near = r#"principal is User, action == Action::"GrantScope", resource"#;
    let mut text: String = (0..250).map(|n| rule(&format!("a.{n}"), far, "")).collect();
    text += &rule("z.near", near, "when { context.weekday == 9 }");
    let told = told(&text);
    assert!(told.truncated);
    assert_eq!(told.policies.len(), 200);
    assert_eq!(missed(&told, "z.near").finding.clauses[0].kind, "when");
}

#[test]
fn the_command_tells_all_only_when_asked() {
    let with = files::with(&[(
        "t.cedar",
        rule("t.write", r#"principal in Group::"acme/admins", action == Action::"GrantScope", resource"#, ""),
    )]);
    let (with, tests) = (with.path().join("t.cedar"), files::with(&[("t.toml", CASE)]));
    let arguments = ["dana", "--with", with.to_str().unwrap(), "--tests", tests.path().to_str().unwrap()];
    let ask = |more: &[&str]| {
        let output = policy_explain(&[&arguments[..], more].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{error}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = ask(&["--all"]);
    for line in [
        "Policies that did not apply\nThe person's groups: acme/staff, acme/editors\n",
        "· GrantScope docs.read\n",
        "    forbid t.write does not apply\n      → principal principal in Group::\"acme/admins\": FALSE\n",
        "    forbid member.seat-limit does not apply\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!ask(&[]).contains("t.write"));
    let json: Value = serde_json::from_str(&ask(&["--all", "--format", "json"])).unwrap();
    let policies = json["not_applied"]["policies"].as_array().unwrap();
    let write = policies.iter().find(|policy| policy["policy"] == "t.write").unwrap();
    assert_eq!((&write["action"], &write["resource"]), (&json!("GrantScope"), &json!("docs.read")));
    assert_eq!(write["clauses"][0]["text"], "principal in Group::\"acme/admins\"");
    assert_eq!(json["not_applied"]["groups"], json!(["acme/staff", "acme/editors"]));
    let json: Value = serde_json::from_str(&ask(&["--format", "json"])).unwrap();
    assert_eq!(json.get("not_applied"), None);
}

/// Whether an issuer may be saved is asked without a person.
#[test]
fn a_case_about_saving_an_issuer_has_no_person() {
    let output =
        policy_explain(&["an administrator saves an issuer: org issuer", "--all", "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let policies = told["not_applied"]["policies"].as_array().unwrap();
    let plan = policies.iter().find(|policy| policy["policy"] == "issuer.enterprise-plan").unwrap();
    assert_eq!((&plan["action"], &plan["clauses"][0]["holds"]), (&json!("ConfigureIssuer"), &json!(true)));
    assert_eq!(told["not_applied"]["groups"], Value::Null);
}

/// A past sign-in and an assertion are told of alike; of a past one only groups that policies name are known.
#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_and_assertions_are_told_of() {
    let (app, config) = database(|config| config.assertion.max_lifetime = Duration::from_secs(3600)).await;
    app.granted(json!({ "groups": ["writers", "readers"] })).await;
    let with = app.dir.path().join("with.cedar");
    let text = rule(
        "t.writers",
        r#"principal in Group::"acme/writers", action == Action::"GrantScope", resource == Scope::"docs.write""#,
        "",
    );
    std::fs::write(&with, text).unwrap();
    let id = app.last_sign_in().await.id.to_string();
    let output = policy_explain(&["--config", &config, "--with", with.to_str().unwrap(), "--all", &id]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("The person's groups: acme/writers\n"), "{text}");
    assert!(text.contains("forbid t.writers does not apply"), "{text}");
    assert!(text.contains("→ resource resource == Scope::\"docs.write\": FALSE"), "{text}");
    let file = app.dir.path().join("id-jag.txt");
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let changes = json!({ "groups": ["readers"], "iat": now, "exp": now + 300 });
    std::fs::write(&file, app.assertion(changes)).unwrap();
    let file = file.to_str().unwrap();
    let arguments =
        ["--config", &config, "--assertion", file, "--client-id", CLIENT, "--all", "--format", "json"];
    let told: Value = serde_json::from_slice(&policy_explain(&arguments).stdout).unwrap();
    assert_eq!(told["not_applied"]["groups"], json!(["acme/readers"]));
    let policies = told["not_applied"]["policies"].as_array().unwrap();
    assert!(policies.iter().any(|policy| policy["policy"] == "member.seat-limit"), "{told}");
}

/// Policies that name others are not told to a teamspace's administrator, nor counted; an operator sees all.
#[tokio::test]
async fn a_teamspace_does_not_learn_of_policies_about_others() {
    let zeta_rules: String = (0..250)
        .map(|n| {
            rule(
                &format!("a.{n}"),
                r#"principal is User, action == Action::"GrantScope", resource"#,
                &format!("when {{ principal in Group::\"zeta/g{n}\" }}"),
            )
        })
        .collect();
    let text = [
        rule("z.own", r#"principal in Group::"acme/admins", action == Action::"GrantScope", resource"#, ""),
        rule(
            "z.carol",
            r#"principal is User, action == Action::"GrantScope", resource"#,
            r#"when { context.claims has email && context.claims.email == "carol@zeta.example" }"#,
        ),
        zeta_rules,
    ];
    let (app, zeta) = two_teamspaces(&Rules::shipped_and(&text.concat())).await;
    let operator = admin(&app, None).await;
    let (acme, zetas) = (admin(&app, Some("id-of-acme")).await, admin(&app, Some("id-of-zeta")).await);
    let body = |assertion: String| json!({ "assertion": assertion, "client_id": CLIENT, "all": true });
    let ids = |told: &Value| -> Vec<String> {
        let policies = told["not_applied"]["policies"].as_array().unwrap();
        policies.iter().map(|policy| policy["policy"].as_str().unwrap().to_owned()).collect()
    };
    let own = app.assertion(json!({ "groups": ["writers"] }));
    let told = explain(&app, &acme, "acme", body(own.clone())).await.json;
    assert!(!told.to_string().contains("zeta") && !told.to_string().contains("carol"));
    assert!(ids(&told).contains(&"z.own".to_owned()), "{:?}", ids(&told));
    assert_eq!(told["not_applied"]["truncated"], false, "others are not counted");
    assert_eq!(told["not_applied"]["groups"], json!(["acme/writers"]));
    let told = explain(&app, &operator, "acme", body(own.clone())).await.json;
    assert!(ids(&told).contains(&"a.0".to_owned()), "{:?}", ids(&told));
    assert_eq!(told["not_applied"]["truncated"], true);
    let told = explain(&app, &zetas, "zeta", body(assertion_of(&app, &zeta, json!({})))).await.json;
    assert!(ids(&told).contains(&"a.0".to_owned()) && !ids(&told).contains(&"z.own".to_owned()));
    let without = json!({ "assertion": own, "client_id": CLIENT });
    assert_eq!(explain(&app, &operator, "acme", without).await.json.get("not_applied"), None);
    let refused =
        explain(&app, &operator, "acme", json!({ "assertion": "x", "client_id": CLIENT, "all": 1 }));
    assert_eq!(refused.await.status, 422);
}

/// A refusal ends the questions: what was not asked any more is told as that.
#[tokio::test]
async fn a_refused_assertion_is_told_of() {
    let app = TestApp::start().await;
    let token = admin(&app, None).await;
    let body = json!({
        "assertion": app.assertion(json!({ "email": null })), "client_id": CLIENT, "all": true,
    });
    let told = explain(&app, &token, "acme", body).await.json;
    assert_eq!(told["error"]["reason"], "email_missing");
    let policies = told["not_applied"]["policies"].as_array().unwrap();
    let of = |id: &str| policies.iter().find(|policy| policy["policy"] == id).unwrap();
    assert_eq!(of("member.seat-limit")["action"], "ProvisionMember");
    assert_eq!(of("scope.default").get("action"), None);
    assert_eq!(told["not_applied"]["groups"], Value::Null);
}
