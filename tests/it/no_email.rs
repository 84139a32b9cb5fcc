//! Members without an email, whom a policy lets in: they are known by issuer, tenant and subject alone.

use countersign::model::member::{Member, Status};
use countersign::store::members::{self, Identity};
use serde_json::{Value, json};

use crate::console::visitor::{Visitor, has};
use crate::explain::{admin, explain};
use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, RESOURCE, TestApp, http};
use crate::subject::futures_all;

const EXAMPLE: &str = include_str!("../../policies/examples/members-without-email.cedar");

/// `acme` takes newcomers without an email.
async fn app() -> TestApp {
    with(&EXAMPLE.replace("globex", "acme")).await
}

async fn with(rule: &str) -> TestApp {
    let dir = with_shipped(&[("team.cedar", rule)]);
    let policies = dir.path().to_owned();
    TestApp::start_with(move |config| config.policy_dir = Some(policies)).await
}

fn person(subject: &str) -> Value {
    json!({ "sub": subject, "email": null })
}

/// The member that a subject is bound to.
async fn bound(app: &TestApp, subject: &str) -> (Member, Vec<Identity>) {
    let (issuer, subject) = (app.idp.issuer.clone(), subject.to_owned());
    let found = app.app.store.read(move |c| {
        let member = members::find_bound(c, "id-of-acme", [&issuer, "", &subject])?.unwrap();
        let identities = members::identities_of(c, std::slice::from_ref(&member.id))?;
        Ok::<_, countersign::store::StoreError>((member, identities))
    });
    found.await.unwrap()
}

async fn api(app: &TestApp, token: &str, method: reqwest::Method, path: &str, body: Value) -> Answer {
    let url = format!("{}/api/v1/teamspaces/acme/members{path}", app.issuer());
    let request = http().request(method, url).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(&body) };
    Answer::of(request.send().await.unwrap()).await
}

/// SUB-02, SUB-05, SUB-06: the subject makes the member and finds them again; several have no email.
#[tokio::test]
async fn a_subject_alone_becomes_a_member_where_a_policy_says_so() {
    let app = app().await;
    let first = app.granted(person("00u1")).await.claims();
    let other = app.granted(person("00u2")).await.claims();
    assert_ne!(first["sub"], other["sub"]);
    assert_eq!(app.granted(person("00u1")).await.claims()["sub"], first["sub"]);
    let written = app.written().await;
    assert_eq!((written.members, written.identities), (2, 2));
    let (member, identities) = bound(&app, "00u1").await;
    assert_eq!((member.address(), member.status, &json!(member.id)), (None, Status::Active, &first["sub"]));
    assert_eq!(identities.len(), 1);
    let row = app.last_sign_in().await;
    assert_eq!((row.email.as_str(), row.subject.as_str(), row.member_id.as_str()), ("", "00u1", &*member.id));
    // An email that comes later changes nothing, unless it is somebody else's.
    app.granted(json!({ "sub": "00u1", "email": "dana@acme.com" })).await;
    assert_eq!(app.written().await.members, 2);
    app.granted(json!({ "sub": "00u3", "email": "lee@acme.com" })).await;
    app.refused(json!({ "sub": "00u1", "email": "lee@acme.com" }), "invalid_grant", "subject_conflict").await;
    // Another tenant's subject of that name is another person.
    app.granted(json!({ "sub": "00u1", "tenant": "t", "email": null })).await;
    assert_eq!(app.written().await.members, 4);
}

/// JAG-25: an email that cannot be read, or that is not verified, is not the same as none.
#[tokio::test]
async fn an_email_that_is_no_good_does_not_count_as_absent() {
    let app = app().await;
    app.refused(json!({ "email": 7 }), "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "email": "Dana <dana@acme.com>" }), "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "email_verified": false }), "invalid_grant", "email_unverified").await;
    app.refused(json!({ "email": null, "email_verified": false }), "invalid_grant", "email_unverified").await;
}

/// SUB-05: a permit that merely does not ask for an email lets nobody in without one; nor does one for another
/// teamspace. That an email cannot be read shows even where no policy reads it.
#[tokio::test]
async fn nobody_comes_in_without_an_email_by_accident() {
    let wide = r#"@id("wide") @otherwise("no") @message("No.")
        permit (principal is User, action == Action::"ProvisionMember", resource is Teamspace);"#;
    let app = with(wide).await;
    app.refused(person("00u1"), "invalid_grant", "email_missing").await;
    let app = with(EXAMPLE).await;
    app.refused(person("00u1"), "invalid_grant", "email_missing").await;
    let app = app_with_domains().await;
    app.refused(person("00u1"), "access_denied", "email_domain_not_allowed").await;
}

async fn app_with_domains() -> TestApp {
    let app = app().await;
    app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.com".to_owned()]).await;
    app
}

/// SUB-07: the member limit holds for them as for all others, and one person is one member.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_without_an_email_hold_the_limit() {
    let app = app().await;
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(3)).await;
    let assertions: Vec<String> = (0..24).map(|i| app.assertion(person(&format!("00u{}", i / 2)))).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    let granted: Vec<usize> = (0..24).filter(|i| answers[*i].status == 200).map(|i| i / 2).collect();
    let people: std::collections::BTreeSet<_> = granted.iter().collect();
    let written = app.written().await;
    assert_eq!((people.len(), written.members, written.identities), (3, 3, 3));
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.json["error"] == "access_denied"));
    assert_eq!(written.used_assertions, granted.len() as i64, "a refusal uses nothing up");
}

/// SUB-08: suspended and removed ones stay out, and keep nobody's seat.
#[tokio::test]
async fn members_without_an_email_are_suspended_and_removed() {
    let app = app().await;
    let token = admin(&app, Some("id-of-acme")).await;
    let id = app.granted(person("00u1")).await.claims()["sub"].as_str().unwrap().to_owned();
    let path = format!("/{id}");
    let listed = api(&app, &token, reqwest::Method::GET, "", Value::Null).await;
    let shown = &listed.json["items"][0];
    assert_eq!((&shown["id"], &shown["email"]), (&json!(id), &Value::Null));
    assert_eq!(shown["identities"][0]["subject"], "00u1");
    let changed = api(&app, &token, reqwest::Method::PATCH, &path, json!({ "status": "suspended" })).await;
    assert_eq!((changed.status, &changed.json["email"]), (200, &Value::Null), "{changed:?}");
    app.refused(person("00u1"), "access_denied", "member_inactive").await;
    api(&app, &token, reqwest::Method::PATCH, &path, json!({ "status": "active" })).await;
    app.granted(person("00u1")).await;
    // Unlinked, nobody could be bound to them again, and their next sign-in would make another member.
    for (method, path, body) in [
        (reqwest::Method::PATCH, path.clone(), json!({ "identities": [] })),
        (reqwest::Method::DELETE, format!("{path}/identities"), Value::Null),
    ] {
        let refused = api(&app, &token, method, &path, body).await;
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("member_without_email")));
    }
    assert_eq!(app.written().await.identities, 1);
    assert_eq!(api(&app, &token, reqwest::Method::DELETE, &path, Value::Null).await.status, 204);
    app.refused(person("00u1"), "access_denied", "member_inactive").await;
}

/// Lists have them behind everybody who has an email, page by page.
#[tokio::test]
async fn lists_have_members_without_an_email_last() {
    let app = app().await;
    let token = admin(&app, Some("id-of-acme")).await;
    for subject in ["00u1", "00u2", "00u3"] {
        app.granted(person(subject)).await;
    }
    app.granted(json!({ "sub": "00u4", "email": "zoe@acme.com" })).await;
    let (mut cursor, mut emails) = (String::new(), Vec::new());
    loop {
        let page = api(&app, &token, reqwest::Method::GET, &format!("?limit=1{cursor}"), Value::Null).await;
        assert_eq!(page.status, 200, "{page:?}");
        emails.extend(page.json["items"].as_array().unwrap().iter().map(|item| item["email"].clone()));
        let Some(next) = page.json["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(emails, [json!("zoe@acme.com"), Value::Null, Value::Null, Value::Null]);
    let found = api(&app, &token, reqwest::Method::GET, "?email_prefix=z", Value::Null).await;
    assert_eq!(found.json["items"].as_array().unwrap().len(), 1);
}

/// The console names them by their subject.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_the_subject() {
    let app = app().await;
    let id = app.granted(person("00u1")).await.claims()["sub"].as_str().unwrap().to_owned();
    let visitor = Visitor::operator(&app.app).await;
    let list = visitor.get("/t/acme/members").await.page(200);
    has(&list, &["00u1</a>", "no email"]);
    let page = visitor.get(&format!("/t/acme/members/{id}")).await.page(200);
    has(&page, &["<h2 id=\"person\">00u1</h2>", "None: known by the subject alone"]);
    assert!(
        !page.contains("Unlink") && !page.contains(&format!("~{id}")) && !list.contains(&format!("~{id}"))
    );
    let remove = visitor.get(&format!("/t/acme/members/{id}/remove")).await.page(200);
    has(&remove, &["Remove 00u1?", "they cannot be invited again"]);
    visitor
        .post(&format!("/t/acme/members/{id}/suspend"), &[])
        .await
        .leads_to(&format!("/t/acme/members/{id}"), "00u1 is suspended");
}

/// Forward-auth has no address to tell, and no stand-in for one.
#[tokio::test]
async fn forward_auth_tells_no_email() {
    let app = app().await;
    let answer = app.granted(person("00u1")).await;
    let id = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let request =
        app.http.get(format!("{}/forward-auth/{id}", app.issuer())).bearer_auth(answer.access_token());
    let allowed = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((allowed.status, allowed.header("x-auth-email")), (200, ""));
    assert_eq!(json!(allowed.header("x-auth-subject")), answer.claims()["sub"]);
}

/// Explain tells what an exchange would do.
#[tokio::test]
async fn explain_knows_newcomers_without_an_email() {
    let app = app().await;
    let token = admin(&app, Some("id-of-acme")).await;
    let body = json!({ "assertion": app.assertion(person("00u1")), "client_id": CLIENT });
    let told = explain(&app, &token, "acme", body).await;
    assert_eq!(told.json["error"], Value::Null, "{told:?}");
    assert_eq!(app.written().await.members, 0);
}
