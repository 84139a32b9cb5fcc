//! Lists of logs and tables of any length: a page costs what it may cost, whatever it finds.

use countersign::request_id;
use countersign::store::sign_ins::{self, NewSignIn};
use serde_json::Value;

use super::harness::{Api, Harness, NOW};

/// More than two pages look at.
const ROWS: i64 = 21_000;

/// Rows of the decision log: one a second, the last one now.
fn fill(h: &Harness, teamspace_id: &str) {
    let columns = "subject, email, member_id, resource, scopes_asked, scopes_granted, decisions, policy_set, \
        assertion, token_id, detail, client_id, issuer";
    h.database.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
         INSERT INTO sign_ins (at, teamspace_id, outcome, reason, request_id, {columns}) \
         SELECT {NOW} - {ROWS} + i, '{teamspace_id}', 'granted', '', 'r-' || i, \
         '', '', '', '', '', '', '', '', '', '', '', '', '' FROM n"
    ));
}

async fn record(h: &Harness, at: i64, row: NewSignIn) {
    h.app.store.record(NewSignIn { at, ..row }.into()).await.unwrap();
}

/// Follows the pages; tells what was found and in how many pages.
async fn follow(api: &Api, path: &str) -> (Vec<Value>, usize) {
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = api.get(&format!("{path}{cursor}")).await.expect(200);
        found.extend(page["items"].as_array().unwrap().clone());
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (found, pages),
        }
    }
}

#[tokio::test]
async fn a_page_looks_at_a_bounded_number_of_rows() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let refused =
        NewSignIn { teamspace_id: Some(id.clone()), outcome: "refused".into(), ..NewSignIn::default() };
    record(&h, NOW - ROWS, NewSignIn { reason: "expired".into(), ..refused }).await;
    fill(&h, &id);
    for (api, path) in [(&acme, "/teamspaces/acme/sign-ins"), (&h.operator, "/sign-ins")] {
        let first = api.get(&format!("{path}?reason=expired")).await.expect(200);
        assert_eq!(first["items"], serde_json::json!([]), "{path}: it is further back than a page looks");
        let (found, pages) = follow(api, &format!("{path}?reason=expired")).await;
        assert_eq!((found.len(), pages), (1, 3), "{path}");
        let (found, pages) = follow(api, &format!("{path}?outcome=refused&reason=none")).await;
        assert_eq!((found.len(), pages), (0, 3), "{path}");
        let (found, _) = follow(api, &format!("{path}?outcome=granted&limit=200")).await;
        assert_eq!(found.len(), ROWS as usize, "{path}: nothing is left out, nothing comes twice");
    }
}

/// A request's id tells when it began: its row is found at once, among any number of others.
#[tokio::test]
async fn a_request_is_found_by_its_time() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    let id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    fill(&h, &id);
    let wanted = request_id::new(NOW - 15_000);
    assert_eq!(request_id::began_at(&wanted), Some(NOW - 15_000));
    let statement = format!("UPDATE sign_ins SET request_id = '{wanted}' WHERE at = {}", NOW - 15_000);
    h.database.execute(&statement);
    for (api, path) in [(&acme, "/teamspaces/acme/sign-ins"), (&h.operator, "/sign-ins")] {
        let page = api.get(&format!("{path}?request_id={wanted}")).await.expect(200);
        assert_eq!(page["items"][0]["request_id"], wanted, "{path}");
        assert!(page["next_cursor"].is_null());
        for absent in [request_id::new(NOW - 15_000), request_id::new(NOW + 50), request_id::new(1)] {
            let page = api.get(&format!("{path}?request_id={absent}")).await.expect(200);
            assert_eq!((page["items"].as_array().unwrap().len(), &page["next_cursor"]), (0, &Value::Null));
        }
    }
    let elsewhere = h.operator.get(&format!("/teamspaces/globex/sign-ins?request_id={wanted}")).await;
    assert_eq!(elsewhere.expect(200)["items"], serde_json::json!([]));
    let found = h.app.store.read({
        let wanted = wanted.clone();
        move |c| sign_ins::find(c, &wanted)
    });
    assert_eq!(found.await.unwrap().unwrap().request_id, wanted);
    // Ids of older versions do not tell: they are looked for in all rows.
    let (found, pages) = follow(&h.operator, "/sign-ins?request_id=r-1").await;
    assert_eq!((found.len(), pages), (1, 3));
}

/// Requests write their rows when they end, and a count of refusals is written later: neither hides a row.
#[tokio::test]
async fn a_request_is_found_among_rows_that_are_out_of_order() {
    let h = Harness::start().await;
    let times = [0, 30, 5, 2, 31, 3, 60, 33, 61, 40];
    let mut ids = Vec::new();
    for time in times {
        let id = request_id::new(NOW + time);
        record(&h, NOW + time, NewSignIn { request_id: id.clone(), ..NewSignIn::default() }).await;
        ids.push(id);
    }
    for id in ids {
        let page = h.operator.get(&format!("/sign-ins?request_id={id}")).await.expect(200);
        assert_eq!(page["items"][0]["request_id"], id);
    }
    let counted = request_id::new(NOW + 10);
    record(&h, NOW + 70, NewSignIn { request_id: counted.clone(), ..NewSignIn::default() }).await;
    let page = h.operator.get(&format!("/sign-ins?request_id={counted}")).await.expect(200);
    assert_eq!(page["items"][0]["request_id"], counted);
}

#[tokio::test]
async fn members_are_listed_past_many_removed_ones() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    acme.post("/teamspaces/acme/members", serde_json::json!({ "email": "z@acme.com" })).await.expect(201);
    h.database.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500) \
         INSERT INTO members (id, teamspace_id, email, role, status, provisioned_by, created_at) \
         SELECT 'm-' || i, '{id}', 'm-' || i || '@acme.com', 'developer', 'removed', 'invitation', {NOW} FROM n"
    ));
    let first = acme.get("/teamspaces/acme/members").await.expect(200);
    assert_eq!(first["items"], serde_json::json!([]));
    let (found, pages) = follow(&acme, "/teamspaces/acme/members?limit=10").await;
    assert_eq!((found.len(), pages), (1, 2));
    assert_eq!(found[0]["email"], "z@acme.com");
}
