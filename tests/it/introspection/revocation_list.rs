//! `GET /oauth2/revocations`.

use std::time::{Duration, Instant};

use countersign::model::member::Status;
use countersign::model::revocation::{Revocation, RevocationCause};
use countersign::store::changes::Changed;
use countersign::store::resources;
use reqwest::Method;
use serde_json::{Value, json};

use super::{SERVER, SERVER_SECRET, assert_unauthorized, by_server, put_credentials, send, start, url};
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, START, TestApp, http, resource};
use crate::process::{Process, real_time};

const CAUSE: RevocationCause = RevocationCause::KillSwitch;

/// The list with a query.
async fn list(app: &TestApp, query: &str) -> Answer {
    send(by_server(app, Method::GET, &format!("revocations?{query}"))).await
}

/// The list after a cursor, which must be there.
async fn after(app: &TestApp, cursor: &str) -> Value {
    let answer = list(app, &format!("since={cursor}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    answer.json
}

fn cursor(list: &Value) -> String {
    list["cursor"].as_str().unwrap_or_else(|| panic!("no cursor: {list}")).to_owned()
}

fn id_of(app: &TestApp, identifier: &str) -> String {
    app.app.snapshot().resource_named(identifier).unwrap().id.clone()
}

async fn revoke(app: &TestApp, revocation: Revocation) {
    app.app.revoke(vec![revocation]).await.unwrap();
}

async fn revoke_client(app: &TestApp, client_id: &str) {
    revoke(app, Revocation::of_client(client_id, CAUSE, app.app.clock.now())).await;
}

/// Each kind of revocation in the words of the tokens' claims: a token with this claim that was issued before the time
/// is over.
#[tokio::test]
async fn every_kind_of_revocation_is_listed() {
    let app = start().await;
    let member = app.put_member("dana@acme.com", Status::Active).await;
    let snapshot = app.app.snapshot();
    let own = snapshot.resource_named(RESOURCE).unwrap();
    let acme = &snapshot.teamspace_config("acme").unwrap().teamspace;
    let begin = cursor(&after(&app, "").await);
    app.app
        .revoke(vec![
            Revocation::of_token(("jti-1", START), "id-of-acme", Some(&own.id), CAUSE, START),
            Revocation::of_member(&member, CAUSE, START),
            Revocation::of_teamspace(acme, CAUSE, START),
            Revocation::of_provider(&app.provider("acme"), CAUSE, START),
            Revocation::of_client(CLIENT, CAUSE, START),
            Revocation::of_publication(own, ("id-of-acme", "acme"), CAUSE, START),
            Revocation::of_resource(own, CAUSE, START),
            Revocation::of_everything(CAUSE, START),
        ])
        .await
        .unwrap();
    let not_before = START + 1;
    let teamspace = json!({ "teamspace": "acme", "teamspace_id": "id-of-acme", "not_before": not_before });
    let all = json!({ "all": true, "not_before": not_before });
    let expected = json!([
        { "jti": "jti-1" },
        { "sub": member.id, "not_before": not_before },
        teamspace,
        { "identity_provider_id": "id-of-acme", "not_before": not_before },
        { "client_id": CLIENT, "not_before": not_before },
        teamspace,
        all,
        all,
    ]);
    let listed = after(&app, &begin).await;
    assert_eq!((&listed["items"], listed.get("reset")), (&expected, None));
    let nothing = after(&app, &cursor(&listed)).await;
    assert_eq!((&nothing["items"], &nothing["cursor"]), (&json!([]), &listed["cursor"]));
}

/// A resource learns nothing about tokens that cannot be for it.
#[tokio::test]
async fn a_resource_sees_only_what_can_concern_its_tokens() {
    let app = start().await;
    app.put_teamspace("globex").await;
    app.put_resource(resource("https://other.example.com/mcp", &[])).await;
    app.change_resource(|resource| resource.teamspaces = Some(vec!["acme".to_owned()])).await;
    let snapshot = app.app.snapshot();
    let other = snapshot.resource_named("https://other.example.com/mcp").unwrap();
    let [acme, globex] =
        ["acme", "globex"].map(|slug| snapshot.teamspace_config(slug).unwrap().teamspace.clone());
    let gone = countersign::model::teamspace::Teamspace {
        id: "gone".into(),
        slug: "initech".into(),
        ..acme.clone()
    };
    let begin = cursor(&after(&app, "").await);
    app.app
        .revoke(vec![
            Revocation::of_token(("foreign", START), "id-of-acme", Some(&other.id), CAUSE, START),
            Revocation::of_resource(other, CAUSE, START),
            Revocation::of_publication(other, ("id-of-acme", "acme"), CAUSE, START),
            Revocation::of_teamspace(&globex, CAUSE, START),
            Revocation::of_teamspace(&gone, CAUSE, START),
            Revocation::of_teamspace(&acme, CAUSE, START),
        ])
        .await
        .unwrap();
    // The resource may have been offered to the teamspace that is gone; its name stays a secret.
    let expected = json!([
        { "teamspace_id": "gone", "not_before": START + 1 },
        { "teamspace": "acme", "teamspace_id": "id-of-acme", "not_before": START + 1 },
    ]);
    assert_eq!(after(&app, &begin).await["items"], expected);
    // No longer offered: what is recorded about that is for the resource, and nothing more of the teamspace is.
    app.change_resource(|resource| resource.teamspaces = Some(vec![])).await;
    let own = app.app.snapshot().resource_named(RESOURCE).unwrap().clone();
    revoke(&app, Revocation::of_publication(&own, ("id-of-acme", "acme"), CAUSE, START)).await;
    revoke(&app, Revocation::of_teamspace(&acme, CAUSE, START)).await;
    let items = after(&app, &begin).await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2, "{items}");
    assert_eq!((&items[0]["teamspace_id"], &items[1]["teamspace"]), (&json!("gone"), &json!("acme")));
}

/// The list begins anew for whoever has no cursor or one that the database does not know, with what can still matter.
#[tokio::test]
async fn unknown_cursors_get_everything_of_the_last_hour() {
    let app = start().await;
    revoke_client(&app, "long-ago").await;
    app.clock.advance(3 * 3600);
    app.app.reload().await.unwrap();
    let none = after(&app, "").await;
    assert_eq!((&none["reset"], &none["items"]), (&json!(true), &json!([])), "{none}");
    revoke_client(&app, "lately").await;
    app.clock.advance(1800);
    app.app.reload().await.unwrap();
    for unknown in
        ["", "0", "x", "1", "1.5", "999.5", "-1.0", "1.5.5", "9223372036854775808.1", "%F0%9F%98%80"]
    {
        let listed = after(&app, unknown).await;
        assert_eq!(listed["reset"], true, "{unknown}");
        assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{unknown}: {listed}");
        assert_eq!(listed["items"][0]["client_id"], "lately");
    }
    let unspoken = list(&app, "").await.json;
    assert_eq!(unspoken["reset"], true);
    let known = after(&app, &cursor(&unspoken)).await;
    assert_eq!((known.get("reset"), &known["items"]), (None, &json!([])));
}

/// However many there are, each comes once, in portions.
#[tokio::test]
async fn many_revocations_come_in_portions() {
    let app = start().await;
    let begin = cursor(&after(&app, "").await);
    let many = (0..2100).map(|i| Revocation::of_client(&format!("c{i}"), CAUSE, START));
    app.app.revoke(many.collect()).await.unwrap();
    let (mut from, mut found) = (begin, Vec::new());
    loop {
        let listed = after(&app, &from).await;
        let items = listed["items"].as_array().unwrap();
        assert!(items.len() <= 2000 && listed.get("reset").is_none());
        found.extend(items.iter().map(|item| item["client_id"].as_str().unwrap().to_owned()));
        from = cursor(&listed);
        if listed.get("more").is_none() {
            break;
        }
    }
    assert_eq!(found, (0..2100).map(|i| format!("c{i}")).collect::<Vec<_>>());
}

/// Whoever has the newest list is told so.
#[tokio::test]
async fn an_unchanged_list_is_not_sent_again() {
    let app = start().await;
    let begin = cursor(&after(&app, "").await);
    let query = format!("revocations?since={begin}");
    let first = send(by_server(&app, Method::GET, &query)).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{first:?}");
    let conditional =
        || by_server(&app, Method::GET, &query).header("if-none-match", format!("\"x\", {tag}"));
    let same = send(conditional()).await;
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", &*tag));
    revoke_client(&app, "c").await;
    let new = send(conditional()).await;
    assert_eq!(new.status, 200);
    assert_ne!(new.header("etag"), tag);
}

#[tokio::test]
async fn only_a_resource_reads_the_list() {
    let app = start().await;
    let get = || app.http.get(url(&app, "revocations"));
    for refused in [
        get(),
        get().basic_auth(CLIENT, Some(SECRET)),
        get().basic_auth(SERVER, Some("wrong")),
        get().bearer_auth(app.granted(json!({})).await.access_token()),
        get().basic_auth(SERVER, Some(SERVER_SECRET)).header("authorization", "Basic x"),
        app.http.get(url(&app, &format!("revocations?client_id={SERVER}&client_secret={SERVER_SECRET}"))),
        // Nobody without credentials learns what a query may be.
        app.http.get(url(&app, "revocations?wait=x")),
    ] {
        assert_unauthorized(&send(refused).await);
    }
    for method in [Method::PATCH, Method::PUT, Method::DELETE] {
        let answer = send(by_server(&app, method, "revocations")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, POST"), "{answer:?}");
    }
    for query in ["wait=x", "wait=-1", "wait=31", "wait=1.5", "wait=1&wait=1", "since=a&since=b", "since=%zz"]
    {
        let answer = list(&app, query).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("invalid_request")), "{query}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

/// A request that waits is answered as soon as something concerns the resource.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_request_hears_of_what_concerns_it() {
    let app = start().await;
    app.put_resource(resource("https://other.example.com/mcp", &[])).await;
    let begin = cursor(&after(&app, "").await);
    let waiting = list(&app, "wait=30&since=0.0");
    let revoking = async {
        let foreign = id_of(&app, "https://other.example.com/mcp");
        let token = Revocation::of_token(("foreign", START), "id-of-acme", Some(&foreign), CAUSE, START);
        revoke(&app, token).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        revoke_client(&app, "c").await;
    };
    let started = Instant::now();
    let (answer, ()) = tokio::join!(waiting, revoking);
    assert!(started.elapsed() < Duration::from_secs(15), "it waited to the end");
    assert_eq!((answer.status, answer.json["items"].as_array().unwrap().len()), (200, 1), "{answer:?}");
    assert_ne!(answer.json["cursor"], begin.as_str());
    assert_eq!(answer.json["items"][0]["client_id"], "c");
    // Without news it ends when the caller wants, with a cursor that goes on.
    let started = Instant::now();
    let quiet = list(&app, &format!("wait=1&since={}", cursor(&answer.json))).await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!((&quiet.json["items"], &quiet.json["cursor"]), (&json!([]), &answer.json["cursor"]));
}

/// Whoever deletes credentials also ends the request that waits with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_request_learns_nothing_after_its_credentials_are_deleted() {
    let app = start().await;
    let waiting = list(&app, "wait=30&since=0.0");
    let deleting = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let id = id_of(&app, RESOURCE);
        app.configure(Changed::Resource(id.clone()), move |c| {
            resources::delete_credential(c, &id, SERVER)?;
            Ok(())
        })
        .await;
        revoke_client(&app, "c").await;
    };
    let (answer, ()) = tokio::join!(waiting, deleting);
    assert_unauthorized(&answer);
}

/// One resource's requests have a bound, and keep nobody else out.
#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_a_resource_have_a_bound() {
    let app = start().await;
    app.put_resource(resource("https://other.example.com/mcp", &[])).await;
    put_credentials(&app, "https://other.example.com/mcp", "resource-other").await;
    let id = id_of(&app, RESOURCE);
    let taken: Vec<_> = std::iter::from_fn(|| app.app.revocation_pages.enter(&id).ok()).take(1000).collect();
    assert!(taken.len() < 1000, "there is a bound");
    let metrics = send(app.http.get(format!("{}/metrics", app.management))).await.body;
    assert!(metrics.contains(&format!("countersign_revocation_followers {}\n", taken.len())), "{metrics}");
    for query in ["wait=1&since=0.0", "since=0.0", ""] {
        let refused = list(&app, query).await;
        assert_eq!((refused.status, refused.json["error"].as_str()), (429, Some("temporarily_unavailable")));
        assert!(!refused.header("retry-after").is_empty());
    }
    let other = app.http.get(url(&app, "revocations?wait=1&since=0.0"));
    assert_eq!(send(other.basic_auth("resource-other", Some(SERVER_SECRET))).await.status, 200);
    drop(taken);
    assert_eq!(list(&app, "wait=1&since=0.0").await.status, 200);
}

/// An empty list would say that nothing was revoked, which nobody knows while the database does not answer.
#[tokio::test]
async fn the_list_is_not_given_when_nobody_knows() {
    let app = start().await;
    app.clock.advance(app.app.config.revocation.max_staleness.as_secs() + 1);
    for query in ["", "since=0.0", "since=0.0&wait=1"] {
        let answer = list(&app, query).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{query}");
    }
}

/// Asks a process, as the resource server.
async fn ask(process: &Process, query: &str) -> Answer {
    let url = format!("http://{}/oauth2/revocations?{query}", process.address());
    send(http().get(url).basic_auth(SERVER, Some(SERVER_SECRET))).await
}

/// A request that waits at one process hears within a second of what another one writes, and does not keep its process
/// from ending.
#[tokio::test(flavor = "multi_thread")]
async fn other_processes_are_heard_within_a_second_and_a_stop_ends_the_wait() {
    let app = start().await;
    real_time(&app);
    let mut process = Process::serve(&app, "");
    let begin = cursor(&ask(&process, "").await.json);
    let waiting = async {
        let answer = ask(&process, &format!("wait=30&since={begin}")).await;
        (answer, Instant::now())
    };
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        revoke_client(&app, "c").await;
        Instant::now()
    };
    let ((answer, heard), revoked) = tokio::join!(waiting, revoking);
    assert_eq!(answer.json["items"][0]["client_id"], "c", "{answer:?}");
    let took = heard.saturating_duration_since(revoked);
    assert!(took < Duration::from_secs(1), "{took:?}");

    let query = format!("wait=30&since={}", cursor(&answer.json));
    let (process_url, started) = (process.address(), Instant::now());
    let last = tokio::spawn(async move {
        let url = format!("http://{process_url}/oauth2/revocations?{query}");
        send(http().get(url).basic_auth(SERVER, Some(SERVER_SECRET))).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("TERM");
    let answer = last.await.unwrap();
    assert_eq!((answer.status, &answer.json["items"]), (200, &json!([])), "{answer:?}");
    assert!(process.ended().await.success(), "{}", process.log());
    assert!(started.elapsed() < Duration::from_secs(20), "the stop waited for the request");
}

/// Everybody who waits hears of the same revocation at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_all_hear() {
    let app = start().await;
    let waiting = crate::subject::futures_all((0..60).map(|_| list(&app, "wait=30&since=0.0")));
    let revoking = async {
        let all_wait = async || app.app.revocation_pages.followers() == 60;
        crate::process::until("everybody waits", all_wait).await;
        revoke_client(&app, "c").await;
    };
    let (answers, ()) = tokio::join!(waiting, revoking);
    let first = &answers[0].json;
    assert_eq!(first["items"][0]["client_id"], "c");
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json == *first));
    assert_eq!(app.app.revocation_pages.followers(), 0);
}
