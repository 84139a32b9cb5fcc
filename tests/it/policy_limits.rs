//! Limits on what policies may do to the service, and on who may see them.

use std::path::Path;
use std::process::Command;

use countersign::model::member::Status;
use countersign::policy::PolicySource;
use countersign::policy::authoring::example;
use countersign::policy::facts::{ConfigurationFacts, TeamspaceFacts};
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, TestApp};

const SCHEMA: &str = "schema/countersign.cedarschema";

fn forbid(head: &str, condition: &str) -> String {
    format!(
        "@id(\"extra\") @reason(\"extra\") @error(\"access_denied\") @message(\"m\")
         forbid ({head}) when {{ {condition} }};"
    )
}

/// A directory with the shipped policies and one more file.
fn with(extra: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer.cedar", "members.cedar", "grants.cedar"] {
        std::fs::copy(Path::new("policies").join(name), dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("extra.cedar"), extra).unwrap();
    dir
}

/// A chain of indexes is as deep as one of dots: beyond the limit Cedar's validator would take it unchecked.
#[test]
fn chains_of_indexes_are_counted() {
    for (links, refused) in [(150, "type"), (250, "levels"), (100_000, "levels")] {
        for link in ["[\"a\"]", ".a"] {
            let dir =
                with(&forbid("principal, action, resource", &format!("context{} == 1", link.repeat(links))));
            let problems = PolicySource::read(dir.path(), Path::new(SCHEMA)).unwrap().validate().unwrap_err();
            let told = problems.0[0].to_string();
            assert!(told.contains(refused), "{links}{link}: {told}");
        }
    }
}

/// An excerpt of a line that is too long for one is left out; the place is told.
#[test]
fn a_problem_in_a_very_long_line_is_told() {
    let rule = forbid("principal, action, resource", "true").replace('\n', " ");
    let dir = with(&rule.repeat(3000));
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command.args(["policy", "test"]).arg(dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("line 1, column") && told.len() < 3_000_000, "{}", told.len());
}

/// A policy reaches the issuer that is configured as well as the one that comes: neither fails.
#[test]
fn the_other_issuer_can_be_looked_at() {
    let teamspace =
        TeamspaceFacts { issuer: Some("https://old.example".into()), ..example::maximal().teamspace };
    let facts = ConfigurationFacts { now: 0, issuer: "https://new.example".into(), teamspace };
    let ids = |entities: Vec<cedar_policy::Entity>| {
        entities.iter().map(|entity| entity.uid().to_string()).collect::<Vec<_>>()
    };
    for issuer in ["Issuer::\"https://old.example\"", "Issuer::\"https://new.example\""] {
        assert!(ids(facts.entities().unwrap()).contains(&issuer.to_owned()), "{issuer}");
    }
    let mut exchange = example::maximal();
    exchange.claims.iss = "https://new.example".into();
    let configured = format!("Issuer::\"{}\"", exchange.teamspace.issuer.clone().unwrap());
    let all = ids(exchange.entities().unwrap());
    assert!(
        all.contains(&configured) && all.contains(&"Issuer::\"https://new.example\"".to_owned()),
        "{all:?}"
    );
}

async fn ask(app: &TestApp, teamspace_id: Option<&str>) -> Answer {
    let token = crate::explain::admin(app, teamspace_id).await;
    let url = format!("{}/api/v1/teamspaces/acme/explain", app.issuer());
    let body = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    Answer::of(crate::harness::http().post(url).bearer_auth(token).json(&body).send().await.unwrap()).await
}

/// A teamspace's administrator sees its own rules and those for everybody; an operator sees all.
#[tokio::test]
async fn a_teamspace_is_not_shown_the_rules_of_another() {
    let dir = with(
        "@id(\"globex.secret\") @otherwise(\"member_inactive\") @message(\"Globex only, ticket 77.\")
         permit (principal, action == Action::\"AdmitMember\", resource)
         when { principal in Group::\"globex/project-nightfall\" };
         @id(\"globex.other\") @otherwise(\"member_inactive\")
         permit (principal, action == Action::\"AdmitMember\", resource)
         when { [Teamspace::\"globex\"].contains(resource) };
         @id(\"acme.own\") @otherwise(\"member_inactive\")
         permit (principal, action == Action::\"AdmitMember\", resource)
         when { principal in Group::\"acme/staff\" };",
    );
    let app = TestApp::start_with(|config| config.policy_dir = Some(dir.path().to_owned())).await;
    app.put_member("dana@acme.com", Status::Suspended).await;
    let named = |answer: &Answer| -> Vec<String> {
        let decision = &answer.json["decisions"][1];
        let ids = |key: &str| -> Vec<Value> { decision[key].as_array().unwrap().clone() };
        let findings: Vec<Value> = ids("findings").iter().map(|finding| finding["policy"].clone()).collect();
        assert_eq!(findings, ids("policies"), "{answer:?}");
        findings.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let operator = ask(&app, None).await;
    assert_eq!(named(&operator), ["acme.own", "globex.other", "globex.secret", "member.admit"]);
    let confined = ask(&app, Some("id-of-acme")).await;
    assert_eq!(named(&confined), ["acme.own", "member.admit"]);
    for secret in ["globex", "nightfall", "ticket"] {
        assert!(!confined.body.contains(secret), "{secret}: {}", confined.body);
    }
}

/// Explanations are bounded, whatever the policies are.
#[tokio::test]
async fn explanations_are_bounded() {
    let literals: Vec<String> = (0..5000).map(|n| format!("\"{n}\"")).collect();
    let mut rules = String::new();
    for n in 0..200 {
        rules.push_str(&format!(
            "@id(\"p{n}\") @otherwise(\"x\") permit (principal, action == Action::\"AdmitMember\", resource)
             when {{ context.claims.sub == \"{n}\" }};\n"
        ));
    }
    let long = format!(
        "@id(\"a\") @otherwise(\"x\") permit (principal, action == Action::\"AdmitMember\", resource)
         when {{ [{}].contains(context.claims.sub) }};",
        literals.join(", ")
    );
    let dir = with(&(rules + &long));
    let app = TestApp::start_with(|config| config.policy_dir = Some(dir.path().to_owned())).await;
    app.put_member("dana@acme.com", Status::Suspended).await;
    let answer = ask(&app, None).await;
    assert_eq!(answer.json["decisions"][1]["findings"].as_array().unwrap().len(), 50);
    assert!(answer.body.len() < 100_000, "{}", answer.body.len());
}
