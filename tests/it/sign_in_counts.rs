//! The counts of the decision log: kept by a reader of the log, each row once, whoever reads and whoever is killed.

use std::sync::Arc;

use countersign::clock::month_of;
use countersign::decision_log::counter::SignInCounter;
use countersign::store::sign_in_counts::{self, DayCount, EVERYWHERE};
use countersign::store::sign_ins::NewSignIn;
use countersign::store::{StoreError, identity_providers, teamspaces};
use serde_json::json;

use crate::decision_bodies::body;
use crate::harness::{CLIENT, START, TestApp};

const DAY: i64 = 24 * 3600;

pub async fn count(app: &TestApp) {
    let mut counter = SignInCounter::new(&app.app);
    // On PostgreSQL the end of the log is known after two looks.
    counter.catch_up().await.unwrap();
    counter.catch_up().await.unwrap();
    counter.release().await.unwrap();
}

/// The counts by days since the first, and by reason.
async fn days(app: &TestApp, teamspace_id: &str) -> Vec<(i64, String, i64)> {
    let id = teamspace_id.to_owned();
    let rows = app.app.store.list(move |c| sign_in_counts::by_day(c, &id, 0)).await.unwrap();
    let first = START.div_euclid(DAY);
    rows.into_iter().map(|DayCount { day, reason, number, .. }| (day / DAY - first, reason, number)).collect()
}

fn row(at: i64, member: &str) -> NewSignIn {
    NewSignIn {
        at,
        teamspace_id: Some("id-of-acme".to_owned()),
        identity_provider_id: "id-of-acme".to_owned(),
        outcome: "granted".to_owned(),
        request_id: format!("r-{member}-{at}"),
        client_id: CLIENT.to_owned(),
        member_id: member.to_owned(),
        body: body(&json!([
            { "action": "TrustIssuer", "resource": "acme", "allowed": true, "policies": ["issuer.own"] },
            { "action": "GrantScope", "resource": "x", "allowed": false, "policies": ["scope.never"] },
        ])),
        ..NewSignIn::default()
    }
}

async fn record(app: &TestApp, row: NewSignIn) {
    app.app.store.record(Arc::new(row)).await.unwrap();
}

fn refused(at: i64, reason: &str, repeated: i64) -> NewSignIn {
    let (outcome, reason) = ("refused".to_owned(), reason.to_owned());
    NewSignIn {
        outcome,
        reason,
        repeated,
        member_id: String::new(),
        body: None,
        ..row(at, reason_of(repeated))
    }
}

fn reason_of(repeated: i64) -> &'static str {
    if repeated == 0 { "one" } else { "many" }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_sign_ins_are_counted_by_teamspace_day_and_reason() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.clock.advance(DAY);
    app.granted(json!({ "sub": "00u2", "email": "lee@acme.com" })).await;
    app.refused(json!({ "aud": "https://elsewhere.example" }), "invalid_grant", "aud_mismatch").await;
    app.refused(json!({ "iss": "https://unknown.example" }), "invalid_grant", "issuer_unknown").await;
    count(&app).await;
    let own = [(0, ""), (1, ""), (1, "aud_mismatch")].map(|(day, reason)| (day, reason.to_owned(), 1));
    assert_eq!(days(&app, "id-of-acme").await, own);
    assert_eq!(days(&app, "").await, [(1, "issuer_unknown".to_owned(), 1)]);
    assert_eq!(days(&app, EVERYWHERE).await.len(), 4);
    let dana = app.member("dana@acme.com").await.unwrap().id;
    let wanted = vec![dana.clone()];
    let month = month_of(START);
    let of_members = move |c: &mut _| sign_in_counts::of_members(c, month, &wanted);
    let exchanges = app.app.store.list(of_members).await.unwrap();
    assert_eq!(exchanges.len(), 1);
    assert_eq!((exchanges[0].client_id.as_str(), exchanges[0].number), (CLIENT, 1));
    let policies = app.app.store.list(|c| sign_in_counts::of_policies(c, 0)).await.unwrap();
    let trusted = policies.iter().filter(|count| count.policy == "issuer.own");
    assert_eq!(trusted.map(|count| (count.allowed, count.refused)).collect::<Vec<_>>(), [(1, 0), (1, 0)]);
}

/// A row that stands for others counts as all of them; the last assertion is the last, and the last grant stays.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_stand_for_many_count_as_many_and_the_last_assertion_is_known() {
    let app = TestApp::start().await;
    record(&app, row(START + 5, "dana")).await;
    record(&app, refused(START + 9, "replayed", 41)).await;
    count(&app).await;
    record(&app, refused(START + 30, "expired", 0)).await;
    count(&app).await;
    let expected = [("", 1), ("expired", 1), ("replayed", 42)].map(|(reason, n)| (0, reason.to_owned(), n));
    assert_eq!(days(&app, "id-of-acme").await, expected);
    let last = |app: &TestApp| {
        let store = app.app.store.clone();
        async move { store.list(|c| sign_in_counts::of_providers(c, &["id-of-acme".to_owned()])).await.unwrap() }
    };
    let known = last(&app).await.pop().unwrap();
    assert_eq!((known.at, known.reason.as_str(), known.granted_at), (START + 30, "expired", Some(START + 5)));
    let policies = app.app.store.list(|c| sign_in_counts::of_policies(c, 0)).await.unwrap();
    let found: Vec<_> = policies.iter().map(|p| (p.policy.as_str(), p.allowed, p.refused)).collect();
    assert_eq!(found, [("issuer.own", 1, 0), ("scope.never", 0, 1)]);
    // Whatever is removed leaves nothing.
    let gone = |c: &mut _| Ok::<_, StoreError>(identity_providers::delete(c, "id-of-acme")?);
    app.app.store.configure(gone).await.unwrap();
    assert!(last(&app).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_teamspace_leaves_no_last_assertion() {
    let app = TestApp::start().await;
    record(&app, row(START, "dana")).await;
    count(&app).await;
    let gone = |c: &mut _| Ok::<_, StoreError>(teamspaces::delete(c, "id-of-acme")?);
    app.app.store.configure(gone).await.unwrap();
    let last = app.app.store.list(|c| sign_in_counts::of_providers(c, &["id-of-acme".to_owned()])).await;
    assert!(last.unwrap().is_empty());
}

/// Several processes count, some are killed in between, and rows keep coming.
#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_counted_once_whoever_counts() {
    let app = TestApp::start().await;
    let writer = async {
        for number in 0..300 {
            record(&app, row(START + number % 7, &format!("m{}", number % 40))).await;
        }
    };
    let counters = async {
        for round in 0..12 {
            let mut one = SignInCounter::new(&app.app);
            let mut other = SignInCounter::new(&app.app);
            let (first, second) = tokio::join!(one.catch_up(), other.catch_up());
            first.unwrap();
            second.unwrap();
            if round % 2 == 0 {
                // Otherwise they are killed, and their leases run out.
                one.release().await.unwrap();
                other.release().await.unwrap();
            }
            app.clock.advance(30);
        }
    };
    tokio::join!(writer, counters);
    count(&app).await;
    assert_eq!(days(&app, EVERYWHERE).await, [(0, String::new(), 300)]);
    let members: Vec<String> = (0..40).map(|number| format!("m{number}")).collect();
    let month = month_of(START);
    let exchanges = move |c: &mut _| sign_in_counts::of_members(c, month, &members);
    let exchanges = app.app.store.list(exchanges).await.unwrap();
    assert_eq!((exchanges.len(), exchanges.iter().map(|count| count.number).sum::<i64>()), (40, 300));
}

/// A process holds the lease and hangs: another one waits until it runs out, and what the first one writes late is not
/// counted twice.
#[tokio::test]
async fn a_lease_keeps_others_away_until_it_runs_out() {
    let app = TestApp::start().await;
    record(&app, row(START, "dana")).await;
    let mut one = SignInCounter::new(&app.app);
    one.catch_up().await.unwrap();
    one.catch_up().await.unwrap();
    record(&app, row(START, "lee")).await;
    let mut other = SignInCounter::new(&app.app);
    other.catch_up().await.unwrap();
    other.catch_up().await.unwrap();
    assert_eq!(days(&app, EVERYWHERE).await, [(0, String::new(), 1)]);
    app.clock.advance(60);
    other.catch_up().await.unwrap();
    one.catch_up().await.unwrap();
    assert_eq!(days(&app, EVERYWHERE).await, [(0, String::new(), 2)]);
}

/// Counts are kept as long as the rows that they are made of.
#[tokio::test]
async fn old_counts_are_deleted() {
    let app = TestApp::start().await;
    record(&app, row(START, "dana")).await;
    count(&app).await;
    app.app.prune().await.unwrap();
    assert_eq!(days(&app, EVERYWHERE).await.len(), 1);
    // They began at noon.
    app.clock.advance(90 * DAY + DAY / 2 - 1);
    app.app.prune().await.unwrap();
    assert_eq!(days(&app, EVERYWHERE).await.len(), 1, "rows of that day are still there");
    app.clock.advance(1);
    app.app.prune().await.unwrap();
    assert!(days(&app, EVERYWHERE).await.is_empty());
    app.clock.advance(40 * DAY);
    app.app.prune().await.unwrap();
    let month = month_of(START);
    let members =
        app.app.store.list(move |c| sign_in_counts::of_members(c, month, &["dana".to_owned()])).await;
    assert!(members.unwrap().is_empty());
    assert!(app.app.store.list(|c| sign_in_counts::of_policies(c, 0)).await.unwrap().is_empty());
}
