//! How many rows refusals write: a few of each kind a minute, and one that says how many more there were.

use countersign::config::ClientIpSource;
use countersign::model::member::Status;
use countersign::store::sign_ins::{self, Filter, SignIn};
use serde_json::json;

use crate::harness::{Answer, CLIENT, SECRET, START, TestApp, client};

async fn app() -> TestApp {
    TestApp::start_with(|config| {
        config.rate_limit.recorded_refusals_per_minute = 3;
        config.client_ip_source = ClientIpSource::RightmostXForwardedFor;
    })
    .await
}

async fn stranger(app: &TestApp, address: &str) {
    let request = app.http.post(app.token_url()).header("x-forwarded-for", address).body("x");
    assert_eq!(request.send().await.unwrap().status(), 400);
}

/// The rows, oldest first.
async fn rows(app: &TestApp) -> Vec<SignIn> {
    let page = app.app.store.list(|c| sign_ins::list(c, &Filter::default(), 200)).await.unwrap();
    page.items.into_iter().rev().collect()
}

/// For each row its reason and how many more it stands for.
async fn told(app: &TestApp) -> Vec<(String, i64)> {
    rows(app).await.into_iter().map(|row| (row.reason, row.repeated)).collect()
}

fn of(reason: &str, repeated: i64) -> (String, i64) {
    (reason.to_owned(), repeated)
}

#[tokio::test]
async fn one_expired_assertion_again_and_again_writes_a_few_rows_and_a_count() {
    let app = app().await;
    let expired = app.assertion(json!({ "exp": START - 100, "iat": START - 200 }));
    for _ in 0..50 {
        let answer = app.exchange(&expired).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("invalid_grant")));
    }
    assert_eq!(told(&app).await, vec![of("expired", 0); 3]);

    app.clock.advance(20);
    app.app.flush_refusals().await.unwrap();
    let all = rows(&app).await;
    let (counted, first) = (all.last().unwrap(), &all[0]);
    assert_eq!((all.len(), counted.repeated, counted.at), (4, 46, START + 20));
    assert_eq!(
        (&counted.client_id, &counted.teamspace_id, &counted.issuer, &counted.reason),
        (&first.client_id, &first.teamspace_id, &first.issuer, &first.reason)
    );
    assert!(all[..3].iter().all(|row| row.request_id != counted.request_id), "it tells repeats");

    // Nothing is left to count, and a new minute begins.
    app.app.flush_refusals().await.unwrap();
    app.exchange(&expired).await;
    assert_eq!(told(&app).await.last(), Some(&of("expired", 0)));
    assert_eq!(rows(&app).await.len(), 5);
}

#[tokio::test]
async fn refusals_of_verified_people_are_counted_as_well() {
    let app = app().await;
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |member| member.status = Status::Suspended).await;
    for _ in 0..10 {
        let answer = app.exchange(&app.assertion(json!({}))).await;
        assert_eq!(answer.json["error"], "access_denied");
    }
    app.app.flush_refusals().await.unwrap();
    let mut expected = vec![of("", 0)];
    expected.extend(vec![of("member_inactive", 0); 3]);
    expected.push(of("member_inactive", 6));
    assert_eq!(told(&app).await, expected);
}

/// A client, an issuer or a reason of its own is a budget of its own: one flood hides nothing else.
#[tokio::test]
async fn a_flood_hides_no_refusal_of_another_kind() {
    let app = app().await;
    app.put_client(client("other", &[SECRET])).await;
    for _ in 0..10 {
        app.exchange("a.b.c").await;
    }
    app.exchange(&app.assertion(json!({ "aud": "https://elsewhere.example" }))).await;
    let request = app.http.post(app.token_url()).basic_auth("other", Some(SECRET));
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", "a.b.c")];
    Answer::of(request.form(&form).send().await.unwrap()).await;

    let mut expected = vec![of("assertion_malformed", 0); 3];
    expected.extend([of("aud_mismatch", 0), of("assertion_malformed", 0)]);
    assert_eq!(told(&app).await, expected);
    let clients: Vec<String> = rows(&app).await.into_iter().map(|row| row.client_id).collect();
    assert_eq!(clients, [CLIENT, CLIENT, CLIENT, CLIENT, "other"]);
}

/// One address does not keep another's refusals out of the log, and an address of IPv6 is a /64.
#[tokio::test]
async fn strangers_have_a_budget_for_each_address() {
    let app = app().await;
    for number in 0..10 {
        stranger(&app, &format!("2001:db8::{number}")).await;
    }
    stranger(&app, "2001:db8:0:1::1").await;
    assert_eq!(told(&app).await, vec![of("request_malformed", 0); 4]);
    app.app.flush_refusals().await.unwrap();
    assert_eq!(told(&app).await.last(), Some(&of("request_malformed", 6)));
}

/// A /48 of IPv6 has 65,536 budgets, so there is one for all strangers besides; also without any limit on failed
/// authentications, which is off here.
#[tokio::test]
async fn strangers_of_many_addresses_share_one_budget() {
    let app = app().await;
    for number in 0..100 {
        stranger(&app, &format!("2001:db8:0:{number:x}::1")).await;
    }
    assert_eq!(rows(&app).await.len(), 30);
    app.app.flush_refusals().await.unwrap();
    assert_eq!((rows(&app).await.len(), told(&app).await.last()), (31, Some(&of("request_malformed", 69))));
}

/// Whoever is told to come later gets no row, and is counted all the same. The row names no client: the callers did.
#[tokio::test]
async fn limited_strangers_are_counted_only() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 2).await;
    for _ in 0..6 {
        app.http.post(app.token_url()).basic_auth(CLIENT, Some("wrong")).body("x").send().await.unwrap();
    }
    let wrong = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", "a.b.c")];
    for _ in 0..6 {
        app.http.post(app.token_url()).basic_auth(CLIENT, Some("wrong")).form(&wrong).send().await.unwrap();
    }
    let before = rows(&app).await.len();
    app.app.flush_refusals().await.unwrap();
    let all = rows(&app).await;
    let counted = all.last().unwrap();
    assert_eq!((all.len(), counted.reason.as_str(), counted.repeated), (before + 1, "rate_limited", 3));
    assert_eq!(counted.client_id, "");
}

/// Every answer is in the metrics, whether it has a row or not.
#[tokio::test]
async fn metrics_count_every_refusal() {
    let app = app().await;
    for _ in 0..20 {
        app.exchange("a.b.c").await;
    }
    let text = app.app.render_metrics().unwrap();
    let line = "countersign_exchanges_total{outcome=\"refused\",reason=\"assertion_malformed\"} 20";
    assert!(text.contains(line), "{text}");
}

/// A count that could not be written goes on.
#[tokio::test]
async fn a_count_that_could_not_be_written_is_kept() {
    let app = app().await;
    for _ in 0..10 {
        app.exchange("a.b.c").await;
    }
    for row in app.app.refusals.take(START) {
        app.app.refusals.give_back(&row);
    }
    for _ in 0..10 {
        app.exchange("a.b.c").await;
    }
    app.app.flush_refusals().await.unwrap();
    let written: i64 = rows(&app).await.iter().map(|row| 1 + row.repeated).sum();
    assert_eq!(written, 20);
}

/// Kinds are the callers' choice in part: beyond a number of them they are told apart by reason alone.
#[tokio::test]
async fn many_kinds_cost_bounded_memory() {
    use countersign::limits::refusals::Refusals;
    use countersign::store::sign_ins::NewSignIn;
    let refusals = Refusals::new(1);
    for number in 0..5000 {
        let row = NewSignIn {
            client_id: format!("client-{number}"),
            reason: "expired".into(),
            ..NewSignIn::default()
        };
        refusals.is_due(&row);
        refusals.is_due(&row);
    }
    let rows = refusals.take(START);
    assert!(rows.len() <= 1025, "{}", rows.len());
    let pooled = rows.iter().find(|row| row.client_id.is_empty()).unwrap();
    assert_eq!(rows.iter().map(|row| 1 + row.repeated).sum::<i64>() + 1024 + 1, 10_000, "{pooled:?}");
}
