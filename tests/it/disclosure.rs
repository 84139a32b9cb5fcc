//! How much a teamspace learns about policies: on the wire, in its decision log and in explanations. Policies that
//! name others are for operators only.

use std::sync::Arc;

use countersign::disclosure::{Disclosure, Known};
use countersign::model::member::Status;
use countersign::oauth::reason::Reason;
use countersign::policy::{AnnotatedSet, PolicySource};
use countersign::store::snapshot::{Snapshot, TeamspaceConfig};
use serde_json::{Value, json};

use crate::explain::admin;
use crate::harness::{Answer, CLIENT, RESOURCE, TestApp, http};
use crate::idp::{FakeIdp, Key};
use crate::reload::{CLOSED, Rules, settle};

const CONSTANT: &str = "No policy permits this.";

/// The answer to an administrator who holds the token.
async fn ask(app: &TestApp, token: &str, path: &str) -> Value {
    let url = format!("{}/api/v1{path}", app.issuer());
    let answer = Answer::of(http().get(url).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

async fn explained(app: &TestApp, token: &str, slug: &str, assertion: &str) -> Value {
    let url = format!("{}/api/v1/teamspaces/{slug}/explain", app.issuer());
    let body = json!({ "assertion": assertion, "client_id": CLIENT });
    let answer = Answer::of(http().post(url).bearer_auth(token).json(&body).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

/// Two teamspaces, `acme` and `zeta`, under the shipped policies and some more.
pub async fn two_teamspaces(rules: &Rules) -> (TestApp, FakeIdp) {
    let zeta = FakeIdp::start(Key::rsa("idp-2", 1)).await;
    let (policies, schema, origin) = (rules.policies(), rules.schema(), zeta.issuer.clone());
    let app = TestApp::start_with(|config| {
        (config.policy_dir, config.schema_file) = (Some(policies), Some(schema));
        config.fetch.private_origins.push(origin.into());
    })
    .await;
    app.put_teamspace("zeta").await;
    app.put_provider("zeta", &zeta).await;
    (app, zeta)
}

pub fn assertion_of(app: &TestApp, idp: &FakeIdp, changes: Value) -> String {
    let mut claims = app.claims_with(changes);
    claims.insert("iss".into(), idp.issuer.clone().into());
    idp.key.assertion(&claims)
}

/// A forbid about zeta refuses acme as well: acme's client, rows and explanations do not say by what.
#[tokio::test]
async fn a_policy_that_names_another_teamspace_is_not_told() {
    let rules = Rules::shipped_and(
        r#"@id("zeta.staff") @reason("zeta_staff_only") @error("invalid_target") @message("For zeta's staff.")
        forbid (principal is User, action == Action::"GrantResource", resource)
        unless { principal in Group::"zeta/staff" };"#,
    );
    let (app, zeta) = two_teamspaces(&rules).await;
    let operator = admin(&app, None).await;
    let (acme, zetas) = (admin(&app, Some("id-of-acme")).await, admin(&app, Some("id-of-zeta")).await);
    let refused = app.refused(json!({}), "access_denied", "zeta_staff_only").await;
    assert_eq!(refused.json["error_description"], CONSTANT);
    let assertion = app.assertion(json!({}));
    let told = explained(&app, &acme, "acme", &assertion).await;
    assert_eq!(
        told["error"],
        json!({
            "error": "access_denied", "description": CONSTANT,
            "reason": "policy_denied", "detail": "policy_denied",
            "who": ["policy_author"], "what_to_do": Reason::POLICY_DENIED.about().what_to_do,
        })
    );
    let rows = ask(&app, &acme, "/teamspaces/acme/sign-ins").await;
    for text in [told.to_string(), rows.to_string()] {
        assert!(!text.contains("zeta"), "{text}");
    }
    let row = &rows["items"][0];
    assert_eq!((&row["reason"], &row["detail"]), (&json!("policy_denied"), &json!("policy_denied")));
    assert_eq!(row["decisions"][2]["reasons"], json!(["policy_denied"]));
    // Nor does asking for it tell that it is there.
    let guessed = ask(&app, &acme, "/teamspaces/acme/sign-ins?reason=zeta_staff_only").await;
    assert_eq!(guessed["items"], json!([]));
    for path in ["/teamspaces/acme/sign-ins", "/sign-ins?reason=zeta_staff_only"] {
        let row = ask(&app, &operator, path).await["items"][0].clone();
        assert_eq!((&row["reason"], &row["detail"]), (&json!("zeta_staff_only"), &json!("zeta_staff_only")));
        assert_eq!(row["decisions"][2]["policies"], json!(["zeta.staff"]));
    }
    let told = explained(&app, &operator, "acme", &assertion).await;
    assert_eq!(told["decisions"][2]["findings"][0]["policy"], "zeta.staff");
    assert_eq!(told["error"]["description"], CONSTANT, "it is what the client gets");
    // To zeta it is its own.
    let refused = app.exchange(&assertion_of(&app, &zeta, json!({}))).await;
    assert_eq!(refused.json["error_description"], "For zeta's staff.");
    assert_eq!(refused.json["error"], "invalid_target");
    let row = ask(&app, &zetas, "/teamspaces/zeta/sign-ins?reason=zeta_staff_only").await["items"][0].clone();
    assert_eq!(row["decisions"][2]["policies"], json!(["zeta.staff"]));
    let told = explained(&app, &zetas, "zeta", &assertion_of(&app, &zeta, json!({}))).await;
    assert_eq!(told["decisions"][2]["findings"][0]["policy"], "zeta.staff");
}

/// Permits that were not met are named first. Where one is about others, the next one speaks.
#[tokio::test]
async fn a_permit_for_another_teamspace_gives_way_to_the_next() {
    let rules = Rules::shipped_and(
        r#"@id("a.zeta") @otherwise("zeta_only") @error("invalid_grant") @message("Zeta's people may.")
        permit (principal is User, action == Action::"AdmitMember", resource is Teamspace)
        when { resource == Teamspace::"zeta" };"#,
    );
    let (app, _) = two_teamspaces(&rules).await;
    app.put_member("dana@acme.com", Status::Suspended).await;
    let refused = app.refused(json!({}), "access_denied", "zeta_only").await;
    assert_eq!(refused.json["error_description"], "This member is suspended or was removed.");
    let token = admin(&app, Some("id-of-acme")).await;
    let row = ask(&app, &token, "/teamspaces/acme/sign-ins").await["items"][0].clone();
    assert_eq!((&row["reason"], &row["detail"]), (&json!("member_inactive"), &json!("member_inactive")));
    assert_eq!(row["policy_ids"], json!(["issuer.own", "member.admit"]));
    let told = explained(&app, &token, "acme", &app.assertion(json!({}))).await;
    assert_eq!(told["error"]["reason"], "member_inactive");
    assert!(!told.to_string().contains("zeta"), "{told}");
}

/// A scope that is refused by a rule about somebody else is refused without a name.
#[tokio::test]
async fn people_are_not_told() {
    let rules = Rules::shipped_and(
        r#"@id("carol.writes") @reason("only_carol") @error("invalid_scope") @message("Only Carol writes.")
        forbid (principal is User, action == Action::"GrantScope", resource == Scope::"docs.write")
        unless { context.claims has email && context.claims.email == "carol@zeta.example" };"#,
    );
    let (app, zeta) = two_teamspaces(&rules).await;
    let granted = app.granted(json!({ "scope": "docs.read docs.write" })).await;
    assert_eq!(granted.json["scope"], "docs.read");
    let token = admin(&app, Some("id-of-acme")).await;
    let rows = ask(&app, &token, "/teamspaces/acme/sign-ins").await;
    assert!(!rows.to_string().contains("carol"), "{rows}");
    assert_eq!(rows["items"][0]["decisions"][4]["reasons"], json!(["policy_denied"]));
    let refused = app.refused(json!({ "scope": "docs.write" }), "invalid_scope", "only_carol").await;
    assert_eq!(refused.json["error_description"], "None of the requested scopes can be granted.");
    let carol = json!({ "sub": "c", "email": "carol@zeta.example", "scope": "docs.write" });
    assert_eq!(app.exchange(&assertion_of(&app, &zeta, carol)).await.status, 200);
    let operator = admin(&app, None).await;
    let rows = ask(&app, &operator, "/teamspaces/acme/sign-ins").await;
    assert_eq!(rows["items"][1]["decisions"][4]["policies"], json!(["carol.writes"]));
}

/// A row is read under the policies that decided it; what they were is in the database.
#[tokio::test]
async fn rows_are_told_by_the_policies_of_their_time() {
    let rule = |names: &str| {
        format!(
            "@id(\"one\") @reason(\"a_reason\") @error(\"access_denied\") @message(\"No.\")
            forbid (principal, action == Action::\"TrustIssuer\", resource) unless {{ {names} }};"
        )
    };
    let rules = Rules::shipped_and(&rule("resource == Teamspace::\"zeta\""));
    let (app, _) = two_teamspaces(&rules).await;
    app.refused(json!({}), "access_denied", "a_reason").await;
    rules.put("rule.cedar", rule("resource.plan == Plan::\"free\""));
    settle(&app).await;
    app.refused(json!({}), "access_denied", "a_reason").await;
    let token = admin(&app, Some("id-of-acme")).await;
    let rows = ask(&app, &token, "/teamspaces/acme/sign-ins").await;
    let reasons = [&rows["items"][0]["reason"], &rows["items"][1]["reason"]];
    assert_eq!(reasons, [&json!("a_reason"), &json!("policy_denied")]);
}

/// Where the set is not in the database any more, nothing tells whom its policies named.
#[tokio::test]
async fn of_a_forgotten_set_no_policy_is_told() {
    use diesel::connection::SimpleConnection as _;
    let rules = Rules::shipped_and(CLOSED);
    let (app, _) = two_teamspaces(&rules).await;
    app.refused(json!({}), "access_denied", "closed").await;
    rules.remove("rule.cedar");
    settle(&app).await;
    app.database.connect().batch_execute("DELETE FROM policy_sets").unwrap();
    let token = admin(&app, Some("id-of-acme")).await;
    let row = ask(&app, &token, "/teamspaces/acme/sign-ins").await["items"][0].clone();
    assert_eq!((&row["reason"], &row["policy_ids"]), (&json!("policy_denied"), &json!([])));
}

/// An administrator may not learn by trying which issuers are kept for whom.
#[tokio::test]
async fn a_refused_issuer_is_told_in_constant_words() {
    let rules = Rules::shipped_and(
        r#"@id("zeta.issuer") @reason("kept_for_zeta") @error("access_denied") @message("It is zeta's.")
        forbid (principal, action == Action::"ConfigureIssuer", resource)
        when { principal.url like "https://zeta.*" } unless { resource == Teamspace::"zeta" };"#,
    );
    let (app, _) = two_teamspaces(&rules).await;
    let body = json!({ "provider": "okta", "issuer": "https://zeta.example" });
    for (token, code, message) in [
        (admin(&app, Some("id-of-acme")).await, "policy_denied", CONSTANT),
        (admin(&app, None).await, "kept_for_zeta", "It is zeta's."),
    ] {
        let url = format!("{}/api/v1/teamspaces/acme/identity-provider", app.issuer());
        let answer = Answer::of(http().put(url).bearer_auth(token).json(&body).send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.json["code"]), (422, &json!(code)), "{answer:?}");
        assert!(answer.body.contains(message), "{answer:?}");
    }
}

/// A set of one policy for each condition, under the number of the condition.
fn policies(conditions: &[(&str, bool)]) -> AnnotatedSet {
    let policy = |(number, (condition, _)): (usize, &(&str, bool))| {
        format!("@id(\"{number}\") forbid (principal, action, {condition};\n")
    };
    let text: String = conditions.iter().enumerate().map(policy).collect();
    PolicySource::of(String::new(), vec![("all.cedar".to_owned(), text)]).annotations()
}

/// Each kind of thing that a policy can name, as acme's own and as another's.
#[tokio::test]
async fn whatever_a_policy_names_is_looked_at() {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.issuer = "https://acme.okta.com".to_owned()).await;
    app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.com".to_owned()]).await;
    let mut hidden = crate::harness::resource("https://zeta.example/mcp", &["zeta.secret"]);
    hidden.teamspaces = Some(vec!["zeta".to_owned()]);
    app.put_resource(hidden).await;
    let cases = [
        ("resource)", true),
        ("resource == Teamspace::\"acme\")", true),
        ("resource == Teamspace::\"zeta\")", false),
        ("resource) when { resource == Teamspace::\"zeta\" }", false),
        ("resource) unless { resource in [Teamspace::\"acme\", Teamspace::\"zeta\"] }", false),
        ("resource) when { context.claims.aud_tenant == \"zeta\" }", false),
        ("resource) when { principal in Group::\"acme/staff\" }", true),
        ("resource) when { principal in Group::\"acmezeta/staff\" }", false),
        ("resource) when { principal in Group::\"staff\" }", false),
        ("resource) when { principal == User::\"https://acme.okta.com||dana\" }", true),
        ("resource) when { principal == User::\"https://acme.okta.community||dana\" }", false),
        ("resource) when { principal == Issuer::\"https://acme.okta.com\" }", true),
        ("resource) when { principal == Issuer::\"https://zeta.okta.com\" }", false),
        ("resource in McpServer::\"https://mcp.example.com/mcp\")", true),
        ("resource in McpServer::\"https://zeta.example/mcp\")", false),
        ("resource == Scope::\"docs.write\")", true),
        ("resource) when { resource.name == \"zeta.secret\" }", false),
        ("resource == Scope::\"zeta.secret\")", false),
        ("resource) when { resource.name like \"*.write\" }", true),
        ("resource) when { context.client == Client::\"mine\" }", true),
        ("resource) when { context.client == Client::\"another\" }", false),
        ("resource) when { context.client in ClientGroup::\"reviewed\" }", true),
        ("resource) when { context.claims.sub == \"dana\" }", true),
        ("resource) when { [\"dana\", \"carol\"].contains(context.claims.sub) }", false),
        ("resource in Teamspace::\"acme\") when { context.claims.sub == \"carol\" }", true),
        ("resource in Teamspace::\"acme\") when { principal in Group::\"zeta/x\" }", false),
        ("resource) when { context.claims.email == \"dana@acme.com\" }", true),
        ("resource) when { context.claims.email == \"carol@zeta.example\" }", false),
        ("resource) when { context.claims.email like \"*@acme.com\" }", true),
        ("resource) when { context.claims.email like \"*@zeta.example\" }", false),
        ("resource) when { context.claims.email_domain == \"acme.com\" }", true),
        ("resource) when { context.claims.email_domain like \"*.acme.com\" }", true),
        ("resource) when { context.claims.email_domain == \"zeta.example\" }", false),
        ("resource) when { context.member_domain == \"zeta.example\" }", false),
        ("resource) when { resource.email_domains.contains(\"zeta.example\") }", false),
        ("resource) when { context.claims == { \"sub\": \"carol\" } }", false),
        ("resource) when { if context.key_bound then context.claims.sub == \"carol\" else true }", false),
        ("resource) when { context.claims.tenant == \"of-zeta\" }", false),
        ("resource) when { principal.url like \"*/oauth2/*\" }", true),
        ("resource) when { principal.url like \"https://*.okta.com\" }", true),
        ("resource) when { principal.url like \"https://zeta.*\" }", false),
        ("resource) when { context.claims.acr == \"phr\" && context.claims.amr.contains(\"mfa\") }", true),
        ("resource) when { resource.plan == Plan::\"free\" }", true),
    ];
    let (snapshot, set): (Arc<Snapshot>, AnnotatedSet) = (app.app.snapshot(), policies(&cases));
    let teamspace_config: &TeamspaceConfig = snapshot.teamspace_config("acme").unwrap();
    assert_eq!(
        teamspace_config.identity_providers.first().map(|provider| provider.scope_setting()),
        Some(None)
    );
    let known = Known {
        client_id: "mine",
        issuer: "https://acme.okta.com",
        subject: "dana",
        email: "dana@acme.com",
        ..Known::default()
    };
    let disclosure = Disclosure { snapshot: &snapshot, teamspace_config, known, policies: &set };
    for (number, (condition, told)) in cases.iter().enumerate() {
        assert_eq!(disclosure.tells(&number.to_string()), *told, "{condition}");
    }
    assert!(!disclosure.tells("unknown"));
    assert_eq!(snapshot.resource_named(RESOURCE).map(|r| r.is_published_to("acme")), Some(true));
}
