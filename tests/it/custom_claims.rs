//! Claims that a deployment declares itself: in the schema, and on the identity provider that states them.

use std::path::Path;

use countersign::model::identity_provider::{ClaimType, CustomClaim};
use countersign::policy::Rule;
use countersign::policy::authoring::cases;
use countersign::policy::authoring::check::check;
use countersign::policy::validate::vocabulary::SHIPPED;
use serde_json::{Value, json};

use crate::files::{with, with_shipped};
use crate::harness::TestApp;

const ALL: &str = "department?: String, level?: Long, contractor?: Bool, teams?: Set<String>, \
    \"https://acme.com/site\"?: String";

/// The shipped schema with these custom claims.
fn schema(claims: &str) -> String {
    let declared = SHIPPED.replace("department?: String,", claims);
    assert_ne!(declared, SHIPPED);
    declared
}

fn claim(name: &str, claim_type: ClaimType) -> CustomClaim {
    CustomClaim { name: name.to_owned(), claim_type }
}

/// A service whose acme declares all of them, with a forbid of the grant unless a condition holds.
async fn app(unless: &str) -> TestApp {
    let rule = format!(
        "@id(\"wanted\") @reason(\"unwanted\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action in Action::\"grant\", resource) unless {{ {unless} }};\n"
    );
    // Read at the start; nothing looks at them afterwards.
    let (dir, schema_dir) =
        (with_shipped(&[("wanted.cedar", &rule)]), with(&[("s.cedarschema", schema(ALL))]));
    let (policies, schema_file) = (dir.path().to_owned(), schema_dir.path().join("s.cedarschema"));
    let app = TestApp::start_with(move |config| {
        config.policy_dir = Some(policies);
        config.schema_file = Some(schema_file);
    })
    .await;
    app.change_provider(|provider| {
        provider.custom_claims = vec![
            claim("department", ClaimType::Text),
            claim("level", ClaimType::Long),
            claim("contractor", ClaimType::Boolean),
            claim("teams", ClaimType::Texts),
            claim("https://acme.com/site", ClaimType::Text),
        ];
    })
    .await;
    app
}

async fn refused(app: &TestApp, claims: Value) {
    app.refused(claims, "access_denied", "unwanted").await;
}

/// The refusal's row about an unusable claim.
async fn malformed(app: &TestApp, claims: Value) -> String {
    app.refused(claims, "invalid_grant", "claim_malformed").await;
    app.last_sign_in().await.detail
}

#[tokio::test]
async fn policies_read_claims_of_each_type() {
    let app =
        app("context.claims.custom has department && context.claims.custom.department == \"research\" || \
        context.claims.custom has level && context.claims.custom.level >= 3 || \
        context.claims.custom has contractor && !context.claims.custom.contractor || \
        context.claims.custom has teams && context.claims.custom.teams.contains(\"red\") || \
        context.claims.custom has \"https://acme.com/site\" && \
        context.claims.custom[\"https://acme.com/site\"] like \"berlin*\"")
        .await;
    for granted in [
        json!({ "department": "research" }),
        json!({ "level": 3 }),
        json!({ "contractor": false }),
        json!({ "teams": ["blue", "red"] }),
        json!({ "teams": "red" }),
        json!({ "https://acme.com/site": "berlin-2" }),
    ] {
        app.granted(granted).await;
    }
    for other in [
        json!({}),
        json!({ "department": "sales", "level": 2, "contractor": true, "teams": ["blue"] }),
        json!({ "department": null, "teams": [] }),
        json!({ "https://acme.com/site": "paris" }),
    ] {
        refused(&app, other).await;
    }
    // Each decision is remembered, and told apart from the others.
    app.granted(json!({ "department": "research" })).await;
    refused(&app, json!({ "department": "sales" })).await;
}

#[tokio::test]
async fn a_claim_that_cannot_be_taken_whole_is_refused_where_a_policy_reads_it() {
    let app = app("context.claims.custom has department || context.claims.custom has level || \
        context.claims.custom has contractor || context.claims.custom has teams")
    .await;
    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    for (claims, told) in [
        (
            json!({ "department": 7 }),
            "department must be a string of 1 to 512 bytes without NUL; got a number",
        ),
        (json!({ "department": "" }), "got an empty string"),
        (json!({ "department": "x".repeat(513) }), "got a string of 513 bytes"),
        (json!({ "department": ["secret"] }), "got an array of 1"),
        (json!({ "level": "3" }), "level must be a whole number; got a string of 1 bytes"),
        (json!({ "level": 2.5 }), "got a number"),
        (json!({ "level": u64::MAX }), "got a number"),
        (json!({ "contractor": "false" }), "contractor must be true or false without quotes"),
        (json!({ "teams": [1] }), "got an array with a number in it"),
        (json!({ "teams": [""] }), "teams must be at most 100 strings"),
        (json!({ "teams": many }), "got an array of 101"),
        (json!({ "teams": ["x".repeat(513)] }), "teams must be at most 100 strings"),
        (json!({ "_claim_names": { "level": "src1" } }), "got a reference in _claim_names"),
    ] {
        let detail = malformed(&app, claims.clone()).await;
        assert!(detail.contains(told) && !detail.contains("secret"), "{claims} {detail}");
    }
    app.granted(json!({ "department": "x".repeat(512) })).await;
    app.granted(json!({ "teams": ["x".repeat(512)], "level": i64::MIN })).await;
}

/// A provider's word for a claim that it does not declare is not taken; one that is declared for another type is not
/// known, which never counts as absent.
#[tokio::test]
async fn provider_and_schema_must_declare_the_same() {
    let app =
        app("context.claims.custom has department && context.claims.custom.department == \"research\"").await;
    app.granted(json!({ "department": "research" })).await;
    app.change_provider(|provider| provider.custom_claims = vec![claim("department", ClaimType::Texts)])
        .await;
    let detail = malformed(&app, json!({ "department": "research" })).await;
    assert_eq!(
        detail,
        "\"department\": the identity provider declares it as texts, the schema of the policies as text"
    );
    refused(&app, json!({})).await;
    app.change_provider(|provider| provider.custom_claims.clear()).await;
    refused(&app, json!({ "department": "research" })).await;
    let facts: Value = serde_json::from_str(&app.last_sign_in().await.facts).unwrap();
    assert_eq!(facts["claims"].get("custom"), None, "{facts}");
}

/// They are one person's: they stay in the row of the sign-in, and only while a policy reads them.
#[tokio::test]
async fn the_log_keeps_what_policies_read_and_nothing_else() {
    let app = app("context.claims.custom has level && context.claims.custom.level > 1").await;
    app.granted(json!({ "level": 4_711, "department": "research", "contractor": "not a flag" })).await;
    let row = app.last_sign_in().await;
    let facts: Value = serde_json::from_str(&row.facts).unwrap();
    assert_eq!(facts["claims"]["custom"], json!({ "level": 4_711 }));
    assert_eq!(row.detail, "", "what is not read is nobody's business");
    assert!(!row.decisions.contains("4711"), "{}", row.decisions);
}

/// Policies whose head cannot match the question do not make a claim needed.
#[tokio::test]
async fn a_claim_counts_as_read_only_where_it_can_be() {
    let app = app("!(resource in Teamspace::\"acme\") || context.claims.custom has department").await;
    malformed(&app, json!({ "department": 7 })).await;
    app.granted(json!({ "department": "sales", "level": "none" })).await;
}

#[test]
fn the_schema_declares_optional_claims_of_four_types() {
    let problem = |claims: &str| -> Vec<String> {
        let dir = with_shipped(&[]);
        let file = dir.path().join("s.cedarschema");
        std::fs::write(&file, schema(claims)).unwrap();
        let problems = check(dir.path(), &file).problems;
        assert!(problems.iter().all(|problem| problem.rule == Rule::CustomClaim), "{problems:?}");
        problems.iter().map(|problem| problem.message.clone()).collect()
    };
    for good in ["", ALL, "groups2?: Set<String>"] {
        assert_eq!(problem(good), Vec::<String>::new(), "{good}");
    }
    for (claims, told) in [
        ("level: Long", "`level` of CustomClaims must be optional; write `level?: Long`"),
        ("when?: datetime", "`when` of CustomClaims is `datetime`; it can be"),
        ("levels?: Set<Long>", "is `Set<Long>`"),
        ("team?: { name: String }", "is `{name: String}`"),
        ("who?: User", "is `User`"),
        ("email?: String", "policies have it as `context.claims.email`"),
    ] {
        let problems = problem(claims);
        assert!(problems.len() == 1 && problems[0].contains(told), "{claims} {problems:?}");
    }
    let many = (0..33).map(|number| format!("c{number}?: Bool")).collect::<Vec<_>>().join(", ");
    assert_eq!(problem(&many), ["CustomClaims declares 33 claims; the limit is 32"]);
}

/// An absent claim may not open what a forbid keeps shut.
#[test]
fn a_forbid_that_an_absent_custom_claim_escapes_is_told() {
    let rule = |more: &str| {
        format!(
            "@id(\"f\")\n@reason(\"r\")\n@error(\"access_denied\")\n@message(\"m\"){more}\nforbid (\n  principal,\n  \
             action == Action::\"AdmitMember\",\n  resource\n)\nwhen\n{{\n  context.claims.custom has department \
             &&\n  context.claims.custom.department == \"sales\"\n}};\n"
        )
    };
    let found = |rule: &str| -> Vec<String> {
        let dir = with_shipped(&[("f.cedar", rule)]);
        let problems = check(dir.path(), Path::new("schema/countersign.cedarschema")).problems;
        problems.iter().map(ToString::to_string).collect()
    };
    let told = found(&rule(""));
    assert!(told.len() == 1 && told[0].contains("without `custom.department` escapes"), "{told:?}");
    assert_eq!(found(&rule("\n@allow_absent(\"custom.department\")")), Vec::<String>::new());
}

#[test]
fn cases_state_claims_as_the_schema_declares_them() {
    let dir = with_shipped(&[]);
    let policies =
        countersign::policy::PolicySource::read(dir.path(), Path::new("schema/countersign.cedarschema"))
            .unwrap()
            .compile(0)
            .unwrap();
    let failures = |custom: &str| -> Vec<String> {
        let text = format!(
            "[[test]]\nname = \"a\"\nteamspace = {{ slug = \"acme\", issuer = \"https://i.example\", \
             servers = [\"https://m.example\"] }}\nclaims = {{ email = \"a@b.example\", scope = \"s\", \
             custom = {{ {custom} }} }}\nexpect = {{ granted = [\"s\"] }}\n"
        );
        let dir = with(&[("a.toml", text)]);
        let all = cases::read(dir.path()).unwrap();
        cases::run(&policies.compiled, &all[0]).failures
    };
    assert_eq!(failures("department = \"research\""), Vec::<String>::new());
    assert_eq!(failures("departement = \"research\""), ["the schema's CustomClaims has no `departement`"]);
    let told = failures("department = [\"research\"]");
    assert_eq!(told, ["`department` is texts here, and text in the schema's CustomClaims"]);
}
