//! Every way of ending sessions: the next sign-in is refused in both processes, tokens are inactive within a second, and
//! stay so when people may sign in again.

use std::sync::Arc;
use std::time::Duration;

use countersign::app::App;
use countersign::model::identity_provider::IdentityProvider;
use reqwest::Method;
use serde_json::{Value, json};

use super::pair::{Pair, is_active};
use crate::admin::effect::{change, with_operator};
use crate::harness::{CLIENT, RESOURCE, SECRET, TestApp, client};
use crate::idp::{FakeIdp, Key};

/// A way to end sessions.
struct Way {
    request: (Method, String, Value),
    /// The status, the code and the reason of the next sign-in.
    refused: (u16, &'static str, &'static str),
    /// How people may sign in again.
    undo: Undo,
}

/// Makes a way from the processes and the path of the member.
type MakeWay = fn(&Pair, &str) -> Way;

enum Undo {
    Call(Method, String, Value),
    /// Lifts the kill switch that was thrown.
    Lift,
    /// Only signing in again at the identity provider helps.
    SignInAgain,
    PutClient,
    PutProvider(Box<IdentityProvider>),
    PutTeamspace,
}

fn patch(path: &str, body: Value, refused: (u16, &'static str, &'static str), undo: Value) -> Way {
    let undo = Undo::Call(Method::PATCH, path.to_owned(), undo);
    Way { request: (Method::PATCH, path.to_owned(), body), refused, undo }
}

fn delete(path: &str, refused: (u16, &'static str, &'static str), undo: Undo) -> Way {
    Way { request: (Method::DELETE, path.to_owned(), json!({})), refused, undo }
}

impl Way {
    async fn undo(self, app: &TestApp, answer: &Value) {
        match self.undo {
            Undo::Call(method, path, body) => drop(change(app, method, &path, body).await),
            Undo::Lift => {
                let path = format!("/kill-switch/{}", answer["id"].as_str().unwrap());
                change(app, Method::DELETE, &path, json!({})).await;
            }
            Undo::SignInAgain => app.clock.advance(30),
            Undo::PutClient => app.put_client(client(CLIENT, &[SECRET])).await,
            Undo::PutProvider(provider) => app.save_provider(*provider).await,
            Undo::PutTeamspace => {
                app.put_teamspace("acme").await;
                app.put_provider("acme", &app.idp).await;
            }
        }
    }
}

/// Takes a way in one process. Returns how long the other one took, and the token that ended.
async fn take(pair: &Pair, way: Way) -> (Duration, String) {
    let app = &pair.app;
    let token = pair.active_token().await;
    let (method, path, body) = way.request.clone();
    let answer = change(app, method, &path, body).await;
    let took = pair.seconds_until_inactive(&token).await;
    let (status, code, reason) = way.refused;
    for is_other in [false, true] {
        let before = app.written().await;
        let refused = match is_other {
            true => pair.exchange_at_other().await,
            false => app.exchange(&app.assertion(json!({}))).await,
        };
        app.assert_refused(&refused, before, status, code, reason).await;
    }
    // A token of the same second would be taken for an older one.
    app.clock.advance(2);
    way.undo(app, &answer.json).await;
    app.app.reload().await.unwrap();
    pair.wait_for_other().await;
    pair.other.reload().await.unwrap();
    let new = pair.active_token().await;
    for process in [&app.app, &pair.other] {
        assert!(!is_active(process, &token) && is_active(process, &new), "{path}");
    }
    assert_ne!(pair.introspect_at_other(&token).await, Some(true));
    assert_ne!(pair.introspect_at_other(&new).await, Some(false));
    (took, token)
}

/// Takes one way after the other. Another process that starts then knows all of it.
async fn take_all(pair: &Pair, ways: impl IntoIterator<Item = MakeWay>) {
    let (mut times, mut ended) = (Vec::new(), Vec::new());
    for way in ways {
        pair.active_token().await;
        let dana = pair.app.member("dana@acme.com").await.unwrap().id;
        let (took, token) = take(pair, way(pair, &format!("/teamspaces/acme/members/{dana}"))).await;
        times.push(took);
        ended.push(token);
    }
    times.sort();
    println!("inactive in the other process after {times:?}");
    // A machine that does not get on may be late once, not usually.
    assert!(times[times.len() / 2] < Duration::from_secs(1), "{times:?}");
    let new = pair.active_token().await;
    let config = pair.app.app.config.clone();
    let restarted = App::start(config, Arc::new(pair.app.clock.clone())).await.unwrap();
    assert!(is_active(&restarted, &new));
    assert!(ended.iter().all(|token| !is_active(&restarted, token)));
}

fn resource(pair: &Pair) -> String {
    format!("/resources/{}", pair.app.app.snapshot().resource_named(RESOURCE).unwrap().id)
}

const PROVIDER: &str = "/teamspaces/acme/identity-provider";

/// REV-02, REV-08
#[tokio::test(flavor = "multi_thread")]
async fn members() {
    let pair = Pair::start().await;
    let ways: [MakeWay; 3] = [
        |_, member| {
            let refused = (400, "access_denied", "member_inactive");
            patch(member, json!({ "status": "suspended" }), refused, json!({ "status": "active" }))
        },
        |_, member| {
            let again = json!({ "email": "dana@acme.com" });
            let undo = Undo::Call(Method::POST, "/teamspaces/acme/members".to_owned(), again);
            delete(member, (400, "access_denied", "member_inactive"), undo)
        },
        |_, member| Way {
            request: (Method::POST, format!("{}/end-sessions", member), json!({})),
            refused: (400, "invalid_grant", "session_revoked"),
            undo: Undo::SignInAgain,
        },
    ];
    take_all(&pair, ways).await;
}

/// REV-02, REV-08, ADM-09
#[tokio::test(flavor = "multi_thread")]
async fn providers_and_clients() {
    let second = FakeIdp::start(Key::rsa("idp-2", 1)).await;
    let origin = second.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    let pair = Pair::beside(with_operator(app).await).await;
    let (on, off) = (json!({ "enabled": true }), json!({ "enabled": false }));
    take(&pair, patch(PROVIDER, off.clone(), (400, "invalid_grant", "issuer_disabled"), on.clone())).await;
    let moved = Way {
        request: (Method::PUT, PROVIDER.to_owned(), json!({ "provider": "oidc", "issuer": second.issuer })),
        refused: (400, "invalid_grant", "issuer_unknown"),
        undo: Undo::PutProvider(Box::new(pair.app.provider("acme"))),
    };
    take(&pair, moved).await;
    let ways: [MakeWay; 3] = [
        |pair, _| {
            let undo = Undo::PutProvider(Box::new(pair.app.provider("acme")));
            delete(PROVIDER, (400, "invalid_grant", "issuer_unknown"), undo)
        },
        |_, _| {
            let refused = (401, "invalid_client", "client_blocked");
            let path = format!("/clients/{CLIENT}");
            patch(&path, json!({ "enabled": false }), refused, json!({ "enabled": true }))
        },
        |_, _| {
            let refused = (401, "invalid_client", "client_unknown");
            delete(&format!("/clients/{CLIENT}"), refused, Undo::PutClient)
        },
    ];
    take_all(&pair, ways).await;
}

/// REV-08
#[tokio::test(flavor = "multi_thread")]
async fn resources_and_teamspaces() {
    let pair = Pair::start().await;
    let ways: [MakeWay; 3] = [
        |pair, _| {
            let refused = (400, "invalid_grant", "resource_not_allowed");
            patch(&resource(pair), json!({ "teamspaces": [] }), refused, json!({ "teamspaces": null }))
        },
        // The same identifier again is another resource.
        |pair, _| {
            let again = json!({ "identifier": RESOURCE, "name": "Docs",
                "scopes": [{ "name": "docs.read" }, { "name": "docs.write" }] });
            let undo = Undo::Call(Method::POST, "/resources".to_owned(), again);
            delete(&resource(pair), (400, "invalid_grant", "resource_not_allowed"), undo)
        },
        |_, _| delete("/teamspaces/acme", (400, "invalid_grant", "issuer_unknown"), Undo::PutTeamspace),
    ];
    take_all(&pair, ways).await;
}

fn killed(scope: &str, id: Option<&str>) -> Way {
    let mut body = json!({ "scope": scope, "reason": "a test" });
    if let Some(id) = id {
        body["id"] = json!(id);
    }
    Way {
        request: (Method::POST, "/kill-switch".to_owned(), body),
        refused: (400, "access_denied", "kill_switch"),
        undo: Undo::Lift,
    }
}

/// REV-08
#[tokio::test(flavor = "multi_thread")]
async fn kill_switches() {
    let pair = Pair::start().await;
    let ways: [MakeWay; 5] = [
        |_, _| killed("all", None),
        |_, _| killed("teamspace", Some("acme")),
        |pair, _| killed("issuer", Some(&pair.app.idp.issuer)),
        |_, _| killed("client", Some(CLIENT)),
        |_, _| killed("resource", Some(RESOURCE)),
    ];
    take_all(&pair, ways).await;
}
