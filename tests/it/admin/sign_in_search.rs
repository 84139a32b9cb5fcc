//! Searching the decision log through the admin API.

use std::sync::Arc;

use countersign::store::sign_ins::NewSignIn;
use serde_json::Value;

use super::harness::{Harness, NOW};

fn row(number: i64) -> NewSignIn {
    NewSignIn {
        at: NOW + number * 3600,
        outcome: if number % 2 == 0 { "granted" } else { "refused" }.to_owned(),
        reason: if number % 2 == 0 { "" } else { "replayed" }.to_owned(),
        request_id: format!("r-{number}"),
        client_id: if number < 3 { "one" } else { "two" }.to_owned(),
        issuer: "https://acme.okta.com".to_owned(),
        subject: format!("00U{number}"),
        email: format!("p{number}@acme.com"),
        member_id: format!("m-{number}"),
        identity_provider_id: if number < 2 { "first" } else { "second" }.to_owned(),
        ..NewSignIn::default()
    }
}

async fn found(h: &Harness, query: &str) -> Vec<String> {
    let page = h.operator.get(&format!("/sign-ins?{query}")).await.expect(200);
    assert_eq!(page["next_cursor"], Value::Null, "{query}");
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["request_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn sign_ins_are_found_by_person_client_provider_and_time() {
    let h = Harness::start().await;
    for number in 0..5 {
        h.app.store.record(Arc::new(row(number))).await.unwrap();
    }
    // NOW is 2026-09-21T14:13:20Z.
    let searches: [(&str, &[&str]); 12] = [
        ("person=P1%40acme.com", &["r-1"]),
        ("person=00U3", &["r-3"]),
        ("person=m-4", &["r-4"]),
        ("person=nobody", &[]),
        ("client_id=one&outcome=refused", &["r-1"]),
        ("identity_provider=first", &["r-1", "r-0"]),
        ("issuer=https%3A%2F%2Facme.okta.com&reason=replayed", &["r-3", "r-1"]),
        ("from=2026-09-21T16:00:00Z", &["r-4", "r-3", "r-2"]),
        ("to=2026-09-21T15:13:20Z", &["r-0"]),
        ("from=2026-09-21T15:13&to=2026-09-21T16:00", &["r-1"]),
        ("from=2026-09-21&to=2026-09-21", &["r-4", "r-3", "r-2", "r-1", "r-0"]),
        ("from=2026-09-22", &[]),
    ];
    for (query, expected) in searches {
        assert_eq!(found(&h, query).await, expected, "{query}");
    }
    assert_eq!(found(&h, "person=&from=").await.len(), 5, "what is blank is not searched for");
}

#[tokio::test]
async fn a_search_that_makes_no_sense_is_refused() {
    let h = Harness::start().await;
    let wrong =
        ["outcome=maybe", "from=yesterday", "to=2026-13-01", "from=2026-09-22&to=2026-09-21", "who=x"];
    for query in wrong {
        h.operator.get(&format!("/sign-ins?{query}")).await.problem(400, "query_invalid");
    }
}
