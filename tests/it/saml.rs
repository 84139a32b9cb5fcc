//! People whom the identity provider names by SAML NameIDs as well (`sub_id`).

use countersign::model::member::Status;
use serde_json::{Value, json};

use crate::admin::harness::Harness;
use crate::console::visitor::{Visitor, has};
use crate::explain::{admin, explain};
use crate::harness::{CLIENT, TestApp};
use crate::subject::futures_all;

const SAML: &str = "http://www.okta.com/exk1";
const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.saml_issuer = Some(SAML.to_owned())).await;
    app
}

fn name_id(name: &str) -> Value {
    json!({ "format": "saml-nameid", "issuer": SAML, "nameid": name, "nameid_format": PERSISTENT })
}

fn person(subject: &str, name: &str) -> Value {
    json!({ "sub": subject, "sub_id": name_id(name), "email": format!("{subject}-{name}@acme.com") })
}

/// JAG-23, SUB-02: a newcomer is bound to `sub` and NameID, and known again by either.
#[tokio::test]
async fn a_name_id_is_bound_beside_the_subject() {
    let app = app().await;
    let id = app.granted(person("s1", "n1")).await.claims()["sub"].clone();
    assert_eq!(app.written().await.identities, 2);
    let identities = app.identities(&app.member("s1-n1@acme.com").await.unwrap()).await;
    let named = identities.iter().find(|identity| identity.issuer == SAML).unwrap();
    assert_eq!(named.subject, format!("saml-nameid:[\"n1\",\"{PERSISTENT}\",null,null,null]"));
    for again in [person("s1", "n1"), person("s1", "n9"), person("s9", "n1")] {
        assert_eq!(app.granted(again).await.claims()["sub"], id);
    }
    let written = app.written().await;
    assert_eq!((written.members, written.identities), (1, 2));
    app.change_member("s1-n1@acme.com", |member| member.status = Status::Suspended).await;
    app.refused(person("s8", "n1"), "access_denied", "member_inactive").await;
}

/// SUB-03: `sub` of one person with the NameID of another.
#[tokio::test]
async fn a_name_id_of_another_member_is_a_conflict() {
    let app = app().await;
    app.granted(person("s1", "n1")).await;
    app.granted(person("s2", "n2")).await;
    app.refused(person("s1", "n2"), "invalid_grant", "subject_conflict").await;
    app.refused(person("s2", "n1"), "invalid_grant", "subject_conflict").await;
    let with_others_email = json!({ "sub": "s3", "sub_id": name_id("n1"), "email": "s2-n2@acme.com" });
    app.refused(with_others_email, "invalid_grant", "subject_conflict").await;
    // The member of the first sign-in is in the cache of those who come without a NameID: not of these.
    app.granted(person("s1", "n1")).await;
    app.refused(person("s1", "n2"), "invalid_grant", "subject_conflict").await;
}

/// JAG-23: what is needed and no good refuses; nothing is taken for absent.
#[tokio::test]
async fn a_name_id_that_is_no_good_refuses() {
    let app = app().await;
    let with = |change: Value| {
        let mut sub_id = name_id("n1");
        sub_id.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        sub_id.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        sub_id
    };
    for (sub_id, reason, detail) in [
        (Value::Null, "claim_missing", "sub_id is missing"),
        (json!("n1"), "claim_malformed", "sub_id must be an object"),
        (json!([name_id("n1")]), "claim_malformed", "sub_id must be an object"),
        (with(json!({ "format": null })), "claim_missing", "sub_id.format is missing"),
        (with(json!({ "issuer": null })), "claim_missing", "sub_id.issuer is missing"),
        (with(json!({ "nameid": null })), "claim_missing", "sub_id.nameid is missing"),
        (with(json!({ "format": "saml_nameid" })), "claim_malformed", "sub_id.format: expected"),
        (
            with(json!({ "format": "email", "email": "a@acme.com" })),
            "claim_malformed",
            "sub_id.format: expected",
        ),
        (with(json!({ "issuer": "http://www.okta.com/exk2" })), "claim_malformed", "sub_id.issuer: expected"),
        (with(json!({ "issuer": format!("{SAML}/") })), "claim_malformed", "by a trailing slash"),
        (with(json!({ "nameid": "" })), "claim_malformed", "got an empty string"),
        (with(json!({ "nameid": 7 })), "claim_malformed", "got a number"),
        (with(json!({ "nameid": "x".repeat(513) })), "claim_malformed", "got a string of 513 bytes"),
        (with(json!({ "nameid": "a\u{0}" })), "claim_malformed", "without NUL"),
        (with(json!({ "name_qualifier": ["q"] })), "claim_malformed", "got an array of 1"),
        (
            with(json!({ "nameid_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" })),
            "claim_malformed",
            "names a session and no person",
        ),
    ] {
        app.refused(json!({ "sub_id": sub_id }), "invalid_grant", reason).await;
        let told = app.last_sign_in().await.detail;
        assert!(told.contains(detail) && !told.contains("n1"), "{detail}: {told}");
    }
    let token = admin(&app, Some("id-of-acme")).await;
    let body = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    let told = explain(&app, &token, "acme", body).await;
    assert_eq!(told.json["error"]["reason"], "claim_missing");
    let failed = told.json["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "failed");
    assert_eq!(failed.unwrap()["check"], "member");
}

/// JAG-23: the NameID is never compared alone.
#[tokio::test]
async fn qualifiers_tell_people_apart() {
    let app = app().await;
    for (n, more) in [
        json!({}),
        json!({ "nameid_format": null }),
        json!({ "nameid_format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress" }),
        json!({ "name_qualifier": "q" }),
        json!({ "sp_name_qualifier": "q" }),
        json!({ "sp_provided_id": "q" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sub_id = name_id("n1");
        sub_id.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sub_id.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let claims = json!({ "sub": format!("s{n}"), "email": format!("p{n}@acme.com"), "sub_id": sub_id });
        app.granted(claims).await;
        assert_eq!(app.written().await.members, n as i64 + 1);
    }
    // A text that looks like one is a subject all the same.
    let like = format!("saml-nameid:[\"n1\",\"{PERSISTENT}\",null,null,null]");
    app.granted(json!({ "sub": like, "sub_id": name_id("n7"), "email": "like@acme.com" })).await;
    assert_eq!(app.written().await.members, 7);
}

/// JAG-28: without the setting, whatever `sub_id` is means nothing.
#[tokio::test]
async fn without_the_setting_sub_id_is_ignored() {
    let app = TestApp::start().await;
    let id = app.granted(json!({ "sub_id": name_id("n1") })).await.claims()["sub"].clone();
    for sub_id in [json!("x"), json!(7), name_id("n2"), json!({ "format": "opaque", "id": "x" })] {
        assert_eq!(app.granted(json!({ "sub_id": sub_id })).await.claims()["sub"], id);
    }
    assert_eq!(app.written().await.identities, 1);
    // Switched on later: those who are here stay who they are.
    app.change_provider(|provider| provider.saml_issuer = Some(SAML.to_owned())).await;
    assert_eq!(app.granted(json!({ "sub_id": name_id("n1") })).await.claims()["sub"], id);
    app.refused(json!({}), "invalid_grant", "claim_missing").await;
    // Whoever was invited is bound to both.
    app.put_member("lee@acme.com", Status::Invited).await;
    app.granted(json!({ "sub": "s2", "sub_id": name_id("n2"), "email": "lee@acme.com" })).await;
    let lee = app.member("lee@acme.com").await.unwrap();
    assert_eq!((lee.status, app.identities(&lee).await.len()), (Status::Active, 2));
}

/// SUB-07: one NameID under several subjects at once makes one member, and leaves nothing half bound.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_of_one_name_id_make_one_member() {
    let app = app().await;
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(2)).await;
    let assertions: Vec<String> =
        (0..12).map(|i| app.assertion(person(&format!("s{i}"), &format!("n{}", i % 2)))).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let written = app.written().await;
    assert_eq!((written.members, written.identities, written.used_assertions), (2, 4, 12));
}

#[tokio::test]
async fn administrators_set_and_unset_the_saml_issuer() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let path = "/teamspaces/acme/identity-providers";
    let new = json!({ "provider": "oidc", "issuer": h.idp.base, "saml_issuer": SAML });
    let made = acme.post(path, new).await.expect(201);
    assert_eq!(made["saml_issuer"], SAML);
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    for bad in [json!(""), json!("x".repeat(256)), json!("a\u{1}")] {
        let patch = json!({ "saml_issuer": bad });
        acme.patch(&path, patch).await.problem(422, "saml_issuer_invalid");
    }
    let changed = acme.patch(&path, json!({ "scope": "" })).await.expect(200);
    assert_eq!(changed["saml_issuer"], SAML, "other changes leave it as it is");
    let unset = acme.patch(&path, json!({ "saml_issuer": null })).await.expect(200);
    assert!(unset["saml_issuer"].is_null(), "{unset}");
}

#[tokio::test]
async fn the_console_takes_and_shows_the_saml_issuer() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    let form = [("kind", "oidc"), ("issuer", h.idp.base.as_str()), ("saml_issuer", SAML)];
    operator.post("/t/acme/enterprise", &form).await.leads_to("/t/acme/enterprise?kind=oidc", "is saved");
    has(
        &operator.get("/t/acme/enterprise?kind=oidc").await.page(200),
        &["SAML issuer", &format!(">{SAML}<")],
    );
}
