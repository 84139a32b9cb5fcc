//! The part of a change that the audit log keeps, and for how long.

use countersign::admin::tokens::{self, NewToken};
use countersign::config::{ClientIpSource, Duration};
use countersign::model::actor_kind::ActorKind;
use countersign::store::admin_events::{self, AuditFilter, NewAdminEvent};
use countersign::store::{AnyConnection, Store, StoreError};
use serde_json::{Value, json};

use super::harness::{Api, Harness, NOW};
use crate::harness::{START, TestApp};

fn event(at: i64, action: &str, object: &str) -> NewAdminEvent {
    NewAdminEvent {
        at,
        actor: "command line".to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        teamspace_id: None,
        request_id: String::new(),
        old_value: None,
        new_value: None,
        actor_kind: ActorKind::Command,
        actor_id: String::new(),
        address: String::new(),
    }
}

async fn append(h: &Harness, row: NewAdminEvent) {
    append_to(&h.app.store, row).await;
}

async fn append_to(store: &Store, row: NewAdminEvent) {
    let append = move |c: &mut AnyConnection| Ok::<_, StoreError>(admin_events::append(c, &row)?);
    store.write(append).await.unwrap();
}

/// Adds a row of a time.
pub async fn append_at(store: &Store, at: i64) {
    append_to(store, event(at, "test", "test")).await;
}

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
        append(&h, event(NOW, "test", &number.to_string())).await;
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

/// The objects that a query leads to, newest first, over all pages.
async fn objects(api: &Api, query: &str) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/audit?limit=3&{query}{cursor}")).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        found.extend(items.map(|item| item["object"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn rows_are_found_by_actor_action_object_teamspace_and_time() {
    let h = Harness::start().await;
    for (number, action) in ["key.make", "key.drop", "keys.other", "key", "kex.z"].iter().enumerate() {
        append(&h, event(NOW - 1000 + 100 * number as i64, action, action)).await;
    }
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    acme.patch("/teamspaces/acme", json!({ "name": "Acme" })).await.expect(200);
    assert_eq!(objects(&h.operator, "action=key").await, ["key", "key.drop", "key.make"], "a kind of object");
    assert_eq!(objects(&h.operator, "action=key.drop").await, ["key.drop"]);
    assert_eq!(objects(&h.operator, "actor=ops").await, ["globex", "acme"]);
    assert_eq!(objects(&h.operator, "actor=acme&teamspace=acme").await, ["acme"]);
    assert_eq!(objects(&h.operator, "object=key.make").await, ["key.make"]);
    assert_eq!(objects(&h.operator, "teamspace=globex").await, ["globex"]);
    let time = |seconds: i64| countersign::clock::rfc3339(NOW - seconds);
    let query = format!("from={}&to={}", time(900), time(700));
    assert_eq!(objects(&h.operator, &query).await, ["keys.other", "key.drop"]);
    assert_eq!(objects(&h.operator, &format!("from={}&actor=ops", time(900))).await, ["globex", "acme"]);
    assert!(objects(&h.operator, &format!("to={}", time(1001))).await.is_empty());
    assert_eq!(objects(&acme, "").await, ["acme", "acme"], "what concerns the teamspace");
}

#[tokio::test]
async fn a_teamspace_finds_no_row_of_another_one_and_bad_filters_are_refused() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    assert!(objects(&acme, "object=globex").await.is_empty());
    acme.get("/audit?teamspace=globex").await.problem(404, "not_found");
    h.operator.get("/audit?teamspace=nobody").await.problem(404, "not_found");
    h.operator.get("/audit?from=yesterday").await.problem(400, "query_invalid");
    h.operator.get("/audit?reason=x").await.expect(400);
}

/// A page of a filter that fits nothing looks at a bounded number of rows.
#[tokio::test]
async fn a_page_looks_at_so_many_rows_and_no_more() {
    let h = Harness::start().await;
    append(&h, event(NOW, "first", "first")).await;
    h.database.execute(
        "INSERT INTO admin_events (at, actor, action, object, request_id) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500) \
         SELECT 1790000000, 'x', 'x', 'x', '' FROM n",
    );
    let page = h.operator.get("/audit?object=first").await.expect(200);
    assert_eq!(page["items"], json!([]));
    assert!(page["next_cursor"].is_string(), "there is more to look at");
    assert_eq!(objects(&h.operator, "object=first").await, ["first"]);
}

/// Who it was, by what id, from where: the address is the one that the operator's proxy tells.
/// Whoever belongs to several teamspaces reads their rows in one list, page by page, each once.
#[tokio::test]
async fn rows_of_several_teamspaces_are_one_list() {
    let h = Harness::start().await;
    for (number, teamspace) in ["a", "b", "c", "b", "a", "a", "a", "b"].into_iter().enumerate() {
        let row = event(START, "test", &number.to_string());
        append(&h, NewAdminEvent { teamspace_id: Some(teamspace.to_owned()), ..row }).await;
    }
    let of_two = Some(vec!["a".to_owned(), "b".to_owned()]);
    for filter in [
        AuditFilter::default(),
        AuditFilter { actor: Some("command line".to_owned()), ..AuditFilter::default() },
    ] {
        let mut filter = AuditFilter { teamspaces: of_two.clone(), ..filter };
        let mut found = String::new();
        loop {
            let asked = filter.clone();
            let page = h.app.store.list(move |c| admin_events::list(c, &asked, 2)).await.unwrap();
            found.extend(page.items.iter().map(|row| row.object.clone()));
            let Some(next) = page.next_cursor else { break };
            filter.cursor = Some(next.parse().unwrap());
        }
        assert_eq!(found, "7654310");
    }
}

#[tokio::test]
async fn a_row_says_by_which_token_and_from_which_address() {
    let app = TestApp::start_with(|config| {
        config.client_ip_source = ClientIpSource::RightmostXForwardedFor;
    })
    .await;
    let new = NewToken { name: "ci".to_owned(), teamspace: None, lifetime: None };
    let (token, made) = tokens::create(&app.app.store, new, START).await.unwrap();
    let url = format!("{}/api/v1/teamspaces", app.issuer());
    let body = json!({ "slug": "globex", "name": "Globex", "plan": "pro" });
    let request = app.http.post(url).bearer_auth(&token).header("x-forwarded-for", "192.0.2.1, 198.51.100.7");
    assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
    let audit = app.http.get(format!("{}/api/v1/audit?limit=2", app.issuer())).bearer_auth(&token);
    let found: Value = audit.send().await.unwrap().json().await.unwrap();
    let (change, command) = (&found["items"][0], &found["items"][1]);
    assert_eq!(change["actor"], "ci");
    assert_eq!((&change["actor_kind"], &change["actor_id"]), (&json!("token"), &json!(made.id)));
    assert_eq!(change["address"], "198.51.100.7");
    assert_eq!((&command["actor_kind"], &command["actor_id"]), (&json!("command"), &json!("")));
    assert_eq!((&command["address"], &command["request_id"]), (&json!(""), &json!("")));
}
