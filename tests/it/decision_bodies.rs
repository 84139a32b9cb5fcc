//! The shared parts of sign-ins that are decided alike are stored once, and readers of the log do not notice.

use std::sync::Arc;

use countersign::clock::Clock as _;
use countersign::model::decision_body::DecisionBody;
use countersign::store::sign_ins::{self, SignIn};
use countersign::store::{Store, log_streams};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::subject::futures_all;

/// The body of a decision on no facts.
pub fn body(decisions: &Value) -> Option<Arc<DecisionBody>> {
    Some(Arc::new(DecisionBody::new(decisions.to_string(), "{}".to_owned())))
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A row of the log as it lies there.
#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct Stored {
    #[diesel(sql_type = Text)]
    decisions: String,
    #[diesel(sql_type = Text)]
    facts: String,
    #[diesel(sql_type = Text)]
    grounds: String,
}

#[derive(Debug, QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    facts: String,
    #[diesel(sql_type = BigInt)]
    used_at: i64,
}

fn stored(app: &TestApp) -> Vec<Stored> {
    let query = "SELECT decisions, facts, grounds FROM sign_ins ORDER BY id";
    diesel::sql_query(query).load(&mut app.database.connect()).unwrap()
}

fn kept(app: &TestApp) -> Vec<Kept> {
    let query = "SELECT facts, used_at FROM sign_in_grounds ORDER BY digest";
    diesel::sql_query(query).load(&mut app.database.connect()).unwrap()
}

async fn sign_in(app: &TestApp, name: &str) -> SignIn {
    app.granted(json!({ "sub": name, "email": format!("{name}@acme.com") })).await;
    app.last_sign_in().await
}

/// Dana is a member already.
async fn prepared() -> TestApp {
    let app = TestApp::start().await;
    sign_in(&app, "dana").await;
    sign_in(&app, "dana").await;
    app
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Has the rows of the log hold all by themselves, as an older version wrote them.
fn write_out(app: &TestApp) {
    let (kind, version) = match app.database.url.starts_with("sqlite") {
        true => ("sqlite", "0007"),
        false => ("postgres", "0004"),
    };
    let path = format!("migrations/{kind}/{version}_sign_in_grounds/down.sql");
    let back = std::fs::read_to_string(path).unwrap();
    let c = &mut app.database.connect();
    c.batch_execute(&format!("BEGIN; {back}; COMMIT")).unwrap();
    c.batch_execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'")).unwrap();
    assert_eq!(Store::migrate(&app.database.url).unwrap(), [version]);
}

/// The first row names its decision as every later one does, and each reads as if it held all of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_row_names_the_body_of_its_decision() {
    let app = TestApp::start().await;
    for name in ["dana", "erin"] {
        sign_in(&app, name).await;
    }
    let named = sign_in(&app, "finn").await;

    let stored = stored(&app);
    assert!(
        stored.iter().all(|row| row.grounds == stored[0].grounds && row.decisions.is_empty()),
        "{stored:?}"
    );
    assert!(!stored[0].grounds.is_empty());
    let own: Vec<String> = parsed(&stored[2].facts).as_object().unwrap().keys().cloned().collect();
    assert_eq!(own, ["now", "claims", "member"]);
    assert_eq!(kept(&app).len(), 1);
    let common = &kept(&app)[0].facts;
    assert!(!["finn", "erin", "dana", "@"].iter().any(|person| common.contains(person)), "{common}");

    let actions: Vec<Value> =
        parsed(&named.decisions).as_array().unwrap().iter().map(|d| d["action"].clone()).collect();
    assert_eq!(actions, ["TrustIssuer", "ProvisionMember", "GrantResource", "GrantScope"]);
    let mut expected = parsed(common);
    expected["now"] = named.at.into();
    expected["claims"]["sub"] = "finn".into();
    expected["claims"]["email"] = "finn@acme.com".into();
    let facts = parsed(&named.facts);
    assert_eq!(facts["member"]["absent"]["seats_used"], 2);
    expected["member"] = facts["member"].clone();
    assert_eq!(facts, expected);

    let (id, request) = (named.id.to_string(), named.request_id.clone());
    for key in [id, request] {
        let found = app.app.store.read(move |c| sign_ins::find(c, &key)).await.unwrap();
        assert_eq!(found.as_ref(), Some(&named));
    }
    let unsent = app.app.store.read(|c| log_streams::unsent(c, "any", i64::MAX, 10)).await.unwrap();
    assert_eq!(unsent.rows.last(), Some(&named));
    // A member is decided on otherwise than a newcomer.
    let member = sign_in(&app, "finn").await;
    assert_ne!(member.decisions, named.decisions);
}

/// Refusals by policies refer to a body as well; earlier refusals have none.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_bodies_once_policies_decided() {
    let app = TestApp::start().await;
    app.refused(json!({ "aud": "https://other" }), "invalid_grant", "aud_mismatch").await;
    assert_eq!(kept(&app).len(), 0);
    let asked = json!({ "sub": "erin", "email": "erin@acme.com", "email_verified": false });
    app.refused(asked, "invalid_grant", "email_unverified").await;
    let named = app.last_sign_in().await;
    assert!(named.decisions.contains("email_unverified"));
    let stored = stored(&app);
    assert_eq!((stored[0].grounds.as_str(), stored[0].facts.as_str()), ("", ""));
    assert!(!stored[1].grounds.is_empty() && stored[1].decisions.is_empty());
    write_out(&app);
    assert_eq!(app.last_sign_in().await.decisions, named.decisions);
}

/// Many who come at once write a body once, and none of their rows lacks it.
#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_at_once_share_a_body() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..32).map(|n| format!("p{n}")).collect();
    let all = names.iter().map(|name| json!({ "sub": name, "email": format!("{name}@acme.com") }));
    let assertions: Vec<String> = all.map(|claims| app.assertion(claims)).collect();
    for answer in futures_all(assertions.iter().map(|one| app.exchange(one))).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(kept(&app).len(), 1);
    assert!(app.sign_ins().await.iter().all(|row| !row.decisions.is_empty()));
}

/// A body whose transaction was undone is not taken for written.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_known_once_it_is_committed() {
    let app = TestApp::start().await;
    let rename = |from: &str, to: &str| {
        app.database.connect().batch_execute(&format!("ALTER TABLE {from} RENAME TO {to}")).unwrap();
    };
    rename("sign_ins", "away");
    let answer = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(kept(&app).len(), 0, "nothing of it was written");
    rename("away", "sign_ins");
    let row = sign_in(&app, "dana").await;
    assert!(!row.decisions.is_empty() && kept(&app).len() == 1);
}

/// The use of a body is noted each half day, with the row that is due.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_noted_again_while_they_are_used() {
    let app = prepared().await;
    let last_used = |app: &TestApp| kept(app).iter().map(|body| body.used_at).max().unwrap();
    let first = last_used(&app);
    app.clock.advance(12 * HOUR - 1);
    sign_in(&app, "dana").await;
    assert_eq!(last_used(&app), first);
    app.clock.advance(1);
    sign_in(&app, "dana").await;
    assert_eq!(last_used(&app), first + 12 * HOUR);
    // A clock that was set back says nothing about when it was used last.
    app.clock.set(app.clock.now() - 6 * HOUR);
    sign_in(&app, "dana").await;
    assert_eq!(last_used(&app), first + 12 * HOUR);
}

/// They go after the last rows that may name them.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_after_their_sign_ins() {
    let app = prepared().await;
    app.clock.advance(90 * DAY + 1);
    app.app.prune().await.unwrap();
    assert_eq!((app.written().await.sign_ins, kept(&app).len()), (0, 2));
    app.clock.advance(2 * DAY - 1);
    app.app.prune().await.unwrap();
    assert_eq!(kept(&app).len(), 2);
    app.clock.advance(1);
    app.app.prune().await.unwrap();
    assert_eq!(kept(&app).len(), 0);
    assert!(!sign_in(&app, "dana").await.decisions.is_empty(), "it is written again");
}

/// A clock that was ahead deletes what the process takes for written once the clock is right again.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_was_deleted_is_not_known_any_more() {
    let app = prepared().await;
    let now = app.clock.now();
    app.clock.advance(100 * DAY);
    app.app.prune().await.unwrap();
    assert_eq!(kept(&app).len(), 0);
    app.clock.set(now);
    // Assertions of now may have been used and forgotten.
    let dana = json!({ "sub": "dana", "email": "dana@acme.com" });
    app.refused(dana, "invalid_grant", "expired").await;
    assert!(!app.last_sign_in().await.decisions.is_empty());
}

/// An older version finds all of it in the rows again, and this one reads such rows.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_back_into_their_rows() {
    let app = prepared().await;
    let named = app.last_sign_in().await;
    write_out(&app);
    let stored = stored(&app);
    let last = stored.last().unwrap();
    assert_eq!((last.decisions.as_str(), last.grounds.as_str()), (named.decisions.as_str(), ""));
    assert_eq!(parsed(&last.facts), parsed(&named.facts));
    let whole = app.last_sign_in().await;
    assert_eq!((whole.decisions, parsed(&whole.facts)), (named.decisions, parsed(&named.facts)));
}
