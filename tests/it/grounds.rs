//! What sign-ins have in common is kept once, and whoever reads the log does not notice.

use std::time::Duration;

use countersign::store::sign_ins::{self, SignIn};
use countersign::store::{Store, StoreError, log_streams};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::{Value, json};

use crate::harness::TestApp;

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

/// Waits for grounds to be written down, which no sign-in does; and for the process to know that they are, which it
/// does a moment after their commit.
async fn until(app: &TestApp, what: impl Fn() -> bool) {
    crate::process::until("the grounds are written down", async || what()).await;
    app.app.store.write(|_| Ok::<_, StoreError>(())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
}

async fn sign_in(app: &TestApp, name: &str) -> SignIn {
    app.granted(json!({ "sub": name, "email": format!("{name}@acme.com") })).await;
    app.last_sign_in().await
}

/// Dana is a member already, and what members have in common is in the database.
async fn prepared() -> TestApp {
    let app = TestApp::start().await;
    sign_in(&app, "dana").await;
    for _ in 0..2 {
        sign_in(&app, "dana").await;
    }
    until(&app, || kept(&app).len() == 1).await;
    app
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A decision that is made again is named from the third time on, and its rows read like those that hold all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_names_its_grounds_reads_like_another() {
    let app = TestApp::start().await;
    sign_in(&app, "dana").await;
    let whole = sign_in(&app, "erin").await;
    until(&app, || kept(&app).len() == 1).await;
    let named = sign_in(&app, "finn").await;

    let stored = stored(&app);
    assert!(stored[..2].iter().all(|row| row.grounds.is_empty() && !row.decisions.is_empty()), "{stored:?}");
    let last = &stored[2];
    assert!(!last.grounds.is_empty() && last.decisions.is_empty());
    let own: Vec<String> = parsed(&last.facts).as_object().unwrap().keys().cloned().collect();
    assert_eq!(own, ["now", "claims", "member"]);
    let common = &kept(&app)[0].facts;
    assert!(!["finn", "erin", "dana", "@"].iter().any(|person| common.contains(person)), "{common}");

    assert_eq!(named.decisions, whole.decisions);
    let mut expected = parsed(&whole.facts);
    expected["claims"]["sub"] = "finn".into();
    expected["claims"]["email"] = "finn@acme.com".into();
    expected["member"]["absent"]["seats_used"] = 2.into();
    assert_eq!(parsed(&named.facts), expected);

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

/// Refusals by policy have grounds as well.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_their_grounds() {
    let app = prepared().await;
    let asked = json!({ "sub": "erin", "email": "erin@acme.com", "email_verified": false });
    for _ in 0..2 {
        app.refused(asked.clone(), "invalid_grant", "email_unverified").await;
    }
    let whole = app.last_sign_in().await;
    until(&app, || kept(&app).len() == 2).await;
    app.refused(asked, "invalid_grant", "email_unverified").await;
    assert!(stored(&app).last().is_some_and(|row| !row.grounds.is_empty() && row.decisions.is_empty()));
    let named = app.last_sign_in().await;
    assert_eq!(named.decisions, whole.decisions);
    assert_eq!(parsed(&named.facts), parsed(&whole.facts));
}

/// Grounds are noted again each half day while they are used; rows that name them may be a day younger than that.
#[tokio::test(flavor = "multi_thread")]
async fn grounds_are_noted_again_while_they_are_used() {
    let app = prepared().await;
    let first = kept(&app)[0].used_at;
    let last_is_named = || !stored(&app).last().unwrap().grounds.is_empty();
    app.clock.advance(12 * HOUR - 1);
    sign_in(&app, "dana").await;
    assert!(last_is_named());
    app.clock.advance(1);
    sign_in(&app, "dana").await;
    assert!(last_is_named());
    until(&app, || kept(&app)[0].used_at == first + 12 * HOUR).await;
    // Nobody has used them for a day: somebody may have deleted them.
    app.clock.advance(DAY);
    let whole = sign_in(&app, "dana").await;
    assert!(!last_is_named() && !whole.decisions.is_empty());
    until(&app, || kept(&app)[0].used_at == first + 12 * HOUR + DAY).await;
    sign_in(&app, "dana").await;
    assert!(last_is_named());
}

/// They go after the last rows that may name them.
#[tokio::test(flavor = "multi_thread")]
async fn grounds_go_after_their_sign_ins() {
    let app = prepared().await;
    sign_in(&app, "dana").await;
    app.clock.advance(90 * DAY + 1);
    app.app.prune().await.unwrap();
    assert_eq!((app.written().await.sign_ins, kept(&app).len()), (0, 1));
    app.clock.advance(2 * DAY - 1);
    app.app.prune().await.unwrap();
    assert_eq!(kept(&app).len(), 1);
    app.clock.advance(1);
    app.app.prune().await.unwrap();
    assert_eq!(kept(&app).len(), 0);
}

/// An older version finds all of it in the rows again.
#[tokio::test(flavor = "multi_thread")]
async fn grounds_go_back_into_their_rows() {
    let app = prepared().await;
    let named = sign_in(&app, "dana").await;
    let before = stored(&app);
    assert!(!before.last().unwrap().grounds.is_empty());
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
    let after = stored(&app);
    assert_eq!(after[..before.len() - 1], before[..before.len() - 1], "the others are as they were");
    let last = after.last().unwrap();
    assert_eq!((last.decisions.as_str(), last.grounds.as_str()), (named.decisions.as_str(), ""));
    assert_eq!(parsed(&last.facts), parsed(&named.facts));
}
