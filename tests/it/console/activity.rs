//! The console's pages about sign-ins: Activity, the page of one sign-in, Explain.

use std::sync::Arc;

use countersign::clock::Clock as _;
use countersign::decision_log::counter::SignInCounter;
use countersign::request_id;
use countersign::store::sign_ins::NewSignIn;
use serde_json::{Value, json};

use super::visitor::{Visitor, has};
use crate::harness::{CLIENT, RESOURCE, START, TestApp};

#[track_caller]
fn lacks(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(!page.contains(text), "{text} in {page}");
    }
}

pub fn row(app: &TestApp, reason: &str) -> NewSignIn {
    NewSignIn {
        at: app.clock.now(),
        teamspace_id: Some("id-of-acme".to_owned()),
        identity_provider_id: "id-of-acme".to_owned(),
        outcome: if reason.is_empty() { "granted" } else { "refused" }.to_owned(),
        reason: reason.to_owned(),
        request_id: request_id::new(app.clock.now()),
        client_id: CLIENT.to_owned(),
        email: "dana@acme.com".to_owned(),
        subject: "00u1dana".to_owned(),
        ..NewSignIn::default()
    }
}

pub async fn record(app: &TestApp, row: NewSignIn) -> String {
    let id = row.request_id.clone();
    app.app.store.record(Arc::new(row)).await.unwrap();
    id
}

pub async fn count(app: &TestApp) {
    let mut counter = SignInCounter::new(&app.app);
    counter.catch_up().await.unwrap();
    counter.catch_up().await.unwrap();
    counter.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_that_is_easily_overlooked_is_marked() {
    let app = TestApp::start().await;
    let slash = format!("{}/", app.issuer());
    app.refused(json!({ "aud": slash }), "invalid_grant", "aud_mismatch").await;
    let id = app.last_sign_in().await.request_id;
    let page =
        Visitor::by_link(&app.app, "acme").await.get(&format!("/t/acme/activity/{id}")).await.page(200);
    has(
        &page,
        &["The assertion is for another server.", "<mark>/</mark>", "They differ only by a trailing slash."],
    );
    has(&page, &["Not reached: ", "Passed: ", "<b>It is for this server</b>"]);
}

/// The clause that decided, the facts that it saw, and today's answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_refused_is_shown_with_its_clause_and_facts() {
    let app = TestApp::start().await;
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(1)).await;
    app.granted(json!({})).await;
    let granted = app.last_sign_in().await.request_id;
    let lee = json!({ "sub": "00u2", "email": "lee@acme.com" });
    app.refused(lee, "access_denied", "member_limit_reached").await;
    let refused = app.last_sign_in().await.request_id;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let page = visitor.get(&format!("/t/acme/activity/{refused}")).await.page(200);
    has(&page, &["All seats of the teamspace are taken.", "/t/acme/members", "seats_used", "<mark>1</mark>"]);
    has(
        &page,
        &["Let the person become a member", "Under today's policies", "The policies are the same as then."],
    );
    let page = visitor.get(&format!("/t/acme/activity/{granted}")).await.page(200);
    has(&page, &["The client got a token.", "The same facts would be granted now."]);
    lacks(&page, &["<li class=\"failed\">", "Who can fix it:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_lists_counts_and_filters() {
    let app = TestApp::start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let empty = visitor.get("/t/acme/activity").await.page(200);
    has(&empty, &["never", "is not assigned to the app", "data-refresh=\"5\""]);
    app.granted(json!({})).await;
    record(&app, NewSignIn { repeated: 4, ..row(&app, "replayed") }).await;
    record(&app, NewSignIn { teamspace_id: None, ..row(&app, "issuer_unknown") }).await;
    count(&app).await;
    let page = visitor.get("/t/acme/activity").await.page(200);
    has(
        &page,
        &[
            "<svg class=\"chart\"",
            "22 Nov 2026: 5 refused",
            "replayed",
            "dana@acme.com",
            "And 4 more like it.",
        ],
    );
    lacks(&page, &["issuer_unknown</span>", "style=", "onclick"]);
    let granted = visitor.get("/t/acme/activity?outcome=granted").await.page(200);
    has(&granted, &["Granted</span>", "Show all"]);
    lacks(&granted, &["Refused</span>"]);
    let nobody = visitor.get("/t/acme/activity?person=nobody%40acme.com").await.page(200);
    has(&nobody, &["No sign-in matches."]);
    let wrong = visitor.get("/t/acme/activity?from=yesterday").await.page(422);
    has(&wrong, &["from must be a day", "value=\"yesterday\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teamspace_sees_no_other_and_operators_see_what_led_to_none() {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    let unknown = record(&app, NewSignIn { teamspace_id: None, ..row(&app, "issuer_unknown") }).await;
    let theirs = NewSignIn { teamspace_id: Some("id-of-globex".to_owned()), ..row(&app, "replayed") };
    let theirs = record(&app, theirs).await;
    count(&app).await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    for path in ["/t/globex/activity", "/t/globex/activity/export", "/t/globex/explain"] {
        visitor.get(path).await.page(404);
    }
    visitor.get(&format!("/t/acme/activity/{theirs}")).await.page(404);
    visitor.get(&format!("/t/acme/activity/{unknown}")).await.page(404);
    visitor.get("/t/acme/activity/no-such-request").await.page(404);
    for path in ["/activity", "/activity/export", &format!("/activity/{unknown}")] {
        visitor.get(path).await.page(403);
    }
    let operator = Visitor::operator(&app.app).await;
    let page = operator.get("/activity").await.page(200);
    has(&page, &["Activity of all teamspaces", "issuer_unknown", "replayed", "/t/globex/activity"]);
    has(
        &operator.get(&format!("/activity/{unknown}")).await.page(200),
        &["No teamspace has saved this issuer."],
    );
}

/// Callers' texts stay text, in pages and in spreadsheets.
#[tokio::test(flavor = "multi_thread")]
async fn texts_of_others_are_no_markup_and_no_formulas() {
    let app = TestApp::start().await;
    let markup = "<script>alert(1)</script>";
    let evil = NewSignIn {
        email: "=HYPERLINK(\"http://evil\")".to_owned(),
        subject: markup.to_owned(),
        client_id: markup.to_owned(),
        issuer: markup.to_owned(),
        detail: markup.to_owned(),
        resource: markup.to_owned(),
        ..row(&app, "replayed")
    };
    let id = record(&app, evil).await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    for path in ["/t/acme/activity".to_owned(), format!("/t/acme/activity/{id}")] {
        lacks(&visitor.get(&path).await.page(200), &[markup]);
    }
    let file = visitor.get("/t/acme/activity/export?reason=replayed").await;
    let mut lines = csv::Reader::from_reader(file.body.as_bytes());
    let line = lines.records().next().unwrap().unwrap();
    assert_eq!((&line[1], &line[5], &line[6]), ("acme", "'=HYPERLINK(\"http://evil\")", markup));
    let file = visitor.get("/t/acme/activity/export?format=json").await;
    let told: Value = serde_json::from_str(&file.body).unwrap();
    assert_eq!((&told["items"][0]["request_id"], &told["truncated"]), (&json!(id), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_explained_and_kept_nowhere() {
    let app = TestApp::start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let good = app.assertion(json!({}));
    let before = app.written().await;
    let fields = [("assertion", good.as_str()), ("client_id", CLIENT), ("resource", ""), ("scope", "")];
    let page = visitor.post("/t/acme/explain", &fields).await.page(200);
    has(&page, &["It would be granted", "The token that would be issued", "docs.read", CLIENT]);
    lacks(&page, &[&good, "<li class=\"failed\">"]);
    let late = app.assertion(json!({ "exp": START - 600, "iat": START - 900 }));
    let fields = [("assertion", late.as_str()), ("client_id", CLIENT)];
    let page = visitor.post("/t/acme/explain", &fields).await.page(200);
    has(
        &page,
        &["It would be refused", "The assertion is too old.", "<b>It is valid now, and not for too long</b>"],
    );
    let fields = [("assertion", good.as_str()), ("client_id", " "), ("scope", "a\"b")];
    let page = visitor.post("/t/acme/explain", &fields).await.page(422);
    has(&page, &["Enter the id of the client", "Scopes are words", "href=\"#client_id\""]);
    lacks(&page, &[&good]);
    assert_eq!(app.written().await, before, "nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_can_be_thought_up() {
    let app = TestApp::start().await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let before = app.written().await;
    let asked =
        [("email", "New@acme.com"), ("client", CLIENT), ("server", RESOURCE), ("scopes", "docs.read")];
    let page = visitor.post("/t/acme/explain/what-if", &asked).await.page(200);
    has(&page, &["It would be granted", "it would be a first sign-in", "Let the person become a member"]);
    app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.example".to_owned()]).await;
    let page = visitor.post("/t/acme/explain/what-if", &asked).await.page(200);
    has(&page, &["It would be refused", "email_domain_not_allowed", "not one of the teamspace"]);
    let nobody = [("email", "new@acme.com"), ("client", "no-such-client"), ("server", RESOURCE)];
    visitor.post("/t/acme/explain/what-if", &nobody).await.page(200);
    let operator = Visitor::operator(&app.app).await;
    has(&operator.post("/t/acme/explain/what-if", &nobody).await.page(422), &["No client has this id."]);
    let elsewhere = [("email", "x@acme.com"), ("client", CLIENT), ("server", "https://other.example")];
    has(&visitor.post("/t/acme/explain/what-if", &elsewhere).await.page(422), &["href=\"#server\""]);
    app.change_resource(|resource| resource.dpop_bound_access_tokens = true).await;
    let page = visitor.post("/t/acme/explain/what-if", &asked).await.page(422);
    has(&page, &["href=\"#key_bound\"", "send a DPoP proof"]);
    let bound = [&asked[..], &[("key_bound", "true")]].concat();
    has(&visitor.post("/t/acme/explain/what-if", &bound).await.page(200), &["email_domain_not_allowed"]);
    assert_eq!(app.written().await, before, "nothing is written");
}
