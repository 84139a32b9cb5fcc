//! What the audit log keeps of a change, and for how long.

use countersign::config::Duration;
use countersign::store::admin_events::{self, NewAdminEvent};
use countersign::store::{AnyConnection, StoreError};
use serde_json::{Value, json};

use super::harness::{Harness, NOW};

async fn events(h: &Harness) -> Vec<Value> {
    h.operator.get("/audit").await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn only_what_differs_is_kept() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.operator.patch("/teamspaces/acme", json!({ "name": "Acme", "plan": "pro" })).await.expect(200);
    let last = &events(&h).await[0];
    assert_eq!(last["old"], json!({ "name": "acme", "plan": "enterprise" }));
    assert_eq!(last["new"], json!({ "name": "Acme", "plan": "pro" }));
}

#[tokio::test]
async fn a_change_that_changes_nothing_leaves_no_row() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let before = events(&h).await.len();
    for _ in 0..5 {
        acme.patch("/teamspaces/acme", json!({ "name": "acme" })).await.expect(200);
    }
    assert_eq!(events(&h).await.len(), before);
}

/// A thousand scopes, of which one is new: the row names that one, and is short.
#[tokio::test]
async fn of_long_lists_the_entries_that_differ_are_kept() {
    let h = Harness::start().await;
    let scope = |number: usize| json!({ "name": format!("scope-{number}"), "description": "x".repeat(20) });
    let scopes = |numbers: std::ops::Range<usize>| numbers.map(scope).collect::<Vec<_>>();
    let body = json!({ "identifier": "https://m.example/mcp", "name": "M", "scopes": scopes(0..800),
        "default_scopes": [] });
    let made = h.operator.post("/resources", body).await.expect(201);
    let created = &events(&h).await[0]["new"]["scopes"];
    assert!(created["begins"].as_str().unwrap().starts_with("[{"), "{created}");
    assert!(created["bytes"].as_u64().unwrap() > 40_000);

    let path = format!("/resources/{}", made["id"].as_str().unwrap());
    h.operator.patch(&path, json!({ "scopes": scopes(1..801) })).await.expect(200);
    let last = &events(&h).await[0];
    assert_eq!(last["old"], json!({ "scopes": [scope(0)] }));
    assert_eq!(last["new"], json!({ "scopes": [scope(800)] }));
}

/// Whatever is sent, a row is a few KiB at the most.
#[tokio::test]
async fn rows_are_bounded() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let scope: Vec<String> = (0..600).map(|number| format!("scope-of-some-length-{number:04}")).collect();
    let body = json!({ "provider": "oidc", "issuer": h.idp.issuer("good"), "groups_claim": "é".repeat(200) });
    acme.put("/teamspaces/acme/identity-provider", body).await.expect(200);
    let groups: Vec<String> = (0..900).map(|number| format!("group-{number:04}")).collect();
    let client = json!({ "client_id": "c", "client_name": "é".repeat(200), "groups": groups });
    h.operator.post("/clients", client).await.expect(201);
    let body = json!({ "identifier": "https://m.example/mcp", "name": "M", "default_scopes": scope,
        "scopes": scope.iter().map(|name| json!({ "name": name, "description": "" })).collect::<Vec<_>>() });
    h.operator.post("/resources", body).await.expect(201);
    for event in events(&h).await {
        assert!(event.to_string().len() < 4096, "{} bytes", event.to_string().len());
    }
}

#[tokio::test]
async fn rows_are_deleted_after_their_time() {
    const DAY: i64 = 24 * 3600;
    let h = Harness::start_with(|config| {
        config.retention.audit = Duration::from_secs(10 * DAY);
        config.retention.sign_ins = Duration::from_secs(DAY);
    })
    .await;
    for number in 0..600 {
        let row = NewAdminEvent {
            at: NOW,
            actor: "command line".to_owned(),
            action: "test".to_owned(),
            object: number.to_string(),
            teamspace_id: None,
            request_id: String::new(),
            old_value: None,
            new_value: None,
        };
        let append = move |c: &mut AnyConnection| Ok::<_, StoreError>(admin_events::append(c, &row)?);
        h.app.store.write(append).await.unwrap();
    }
    h.clock.advance(10 * DAY);
    h.teamspace("acme").await;
    h.app.prune().await.unwrap();
    assert_eq!(events(&h).await.len(), 50, "a page of what is there");
    h.clock.advance(1);
    h.app.prune().await.unwrap();
    let left = events(&h).await;
    assert_eq!((left.len(), &left[0]["action"]), (1, &json!("teamspace.create")));
}

#[tokio::test]
async fn rows_are_kept_for_ever_where_that_is_said() {
    let h = Harness::start_with(|config| config.retention.audit = Duration::from_secs(0)).await;
    h.teamspace("acme").await;
    h.clock.advance(36_500 * 24 * 3600);
    h.app.prune().await.unwrap();
    assert_eq!(events(&h).await.len(), 1);
}
