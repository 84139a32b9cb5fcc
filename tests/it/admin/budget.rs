//! How much of the admin API one token may use.

use std::time::{Duration, Instant};

use countersign::config;
use countersign::model::identity_provider::IdentityProvider;
use countersign::store::changes::{self, Changed};
use countersign::store::identity_providers;
use countersign::store::{AnyConnection, StoreError};
use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Api, Harness, NOW};

const CHECK: &str = "/teamspaces/acme/identity-provider/check";

/// One token's flood is refused in time, and concerns nobody else.
#[tokio::test]
async fn requests_of_one_token_are_limited() {
    let h = Harness::start_with(|config| config.admin.requests_per_minute = 5).await;
    let (acme, globex) = (h.teamspace("acme").await, h.teamspace("globex").await);
    for _ in 0..5 {
        acme.get("/teamspaces").await.expect(200);
    }
    for _ in 0..3 {
        let answer = acme.get("/audit").await;
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=13).contains(&seconds), "{seconds}");
        answer.problem(429, "rate_limited");
    }
    globex.get("/teamspaces").await.expect(200);
    for _ in 0..20 {
        h.operator.get("/audit").await.expect(200);
    }
}

#[tokio::test]
async fn changes_of_one_token_are_limited_more() {
    let h = Harness::start_with(|config| config.admin.changes_per_minute = 3).await;
    let acme = h.teamspace("acme").await;
    for number in 0..3 {
        acme.patch("/teamspaces/acme", json!({ "name": format!("n{number}") })).await.expect(200);
    }
    let path = "/teamspaces/acme";
    h.refuses(&acme, (axum::http::Method::PATCH, path), Some(json!({ "name": "x" })), (429, "rate_limited"))
        .await;
    acme.get(path).await.expect(200);
    for number in 0..10 {
        h.operator.patch(path, json!({ "name": format!("o{number}") })).await.expect(200);
    }
}

#[tokio::test]
async fn an_operator_has_a_budget_of_its_own_and_0_is_none() {
    let h = Harness::start_with(|config| {
        config.admin = config::AdminSettings {
            requests_per_minute: 0,
            changes_per_minute: 0,
            operator_requests_per_minute: 4,
            ..config::AdminSettings::default()
        };
    })
    .await;
    let acme = h.teamspace("acme").await;
    for _ in 0..3 {
        h.operator.get("/clients").await.expect(200);
    }
    h.operator.get("/clients").await.problem(429, "rate_limited");
    for number in 0..20 {
        acme.patch("/teamspaces/acme", json!({ "name": format!("n{number}") })).await.expect(200);
    }
}

/// A teamspace whose issuer does not answer in time: a check takes five seconds.
async fn slow(h: &Harness, slug: &str) -> Api {
    let api = h.teamspace(slug).await;
    let body = json!({ "provider": "oidc", "issuer": h.idp.issuer(slug) });
    api.put(&format!("/teamspaces/{slug}/identity-provider"), body).await.expect(200);
    let snapshot = h.app.snapshot();
    let provider = IdentityProvider::clone(&snapshot.teamspace_config(slug).unwrap().identity_providers[0]);
    let changed = Changed::Teamspace(provider.teamspace_id.clone());
    let slow = IdentityProvider { issuer: format!("{}/{slug}", h.idp.dripping), ..provider };
    let write = move |c: &mut AnyConnection| {
        identity_providers::put(c, &slow)?;
        changes::note(c, &changed, NOW)
    };
    h.app.store.configure::<_, StoreError, _>(write).await.unwrap();
    h.app.reload().await.unwrap();
    api
}

async fn slow_harness(requests_at_once: usize) -> Harness {
    Harness::start_with(|config| {
        config.admin.requests_at_once = requests_at_once;
        config.fetch.timeout = config::Duration::from_secs(5);
    })
    .await
}

/// Many checks of one teamspace take two places, with whatever token they come; the rest is told while these are under
/// way, and nobody else waits for a place.
#[tokio::test]
async fn checks_of_one_teamspace_are_few_at_once() {
    let h = slow_harness(8).await;
    let (acme, globex) = (slow(&h, "acme").await, slow(&h, "globex").await);
    let second = h.token("acme-2", Some("acme"), None).await;
    let mut checks = JoinSet::new();
    for api in [&acme, &second].into_iter().cycle().take(12) {
        let api = api.clone();
        checks.spawn(async move { api.post(CHECK, json!({})).await });
    }
    for _ in 0..10 {
        let answer = checks.join_next().await.unwrap().unwrap();
        assert!(answer.headers.contains_key("retry-after"));
        answer.problem(429, "rate_limited");
    }
    let explained = json!({ "assertion": "a.b.c", "client_id": "c" });
    acme.post("/teamspaces/acme/explain", explained.clone()).await.problem(429, "rate_limited");
    acme.get("/teamspaces/acme").await.expect(200);
    globex.post("/teamspaces/globex/explain", explained.clone()).await.expect(200);
    h.operator.post("/teamspaces/acme/explain", explained.clone()).await.expect(200);
    while let Some(check) = checks.join_next().await {
        assert_eq!(check.unwrap().expect(200)["ok"], false);
    }
    acme.post("/teamspaces/acme/explain", explained).await.expect(200);
}

/// Requests that are under way are few as well: a token cannot take the places of others.
#[tokio::test]
async fn requests_of_one_token_are_few_at_once() {
    let h = slow_harness(1).await;
    let acme = slow(&h, "acme").await;
    let checking = acme.clone();
    let check = tokio::spawn(async move { checking.post(CHECK, json!({})).await });
    let deadline = Instant::now() + Duration::from_secs(4);
    while acme.get("/teamspaces/acme").await.status != 429 {
        assert!(Instant::now() < deadline, "the check is not under way");
    }
    h.operator.get("/teamspaces/acme").await.expect(200);
    check.await.unwrap().expect(200);
    acme.get("/teamspaces/acme").await.expect(200);
}
