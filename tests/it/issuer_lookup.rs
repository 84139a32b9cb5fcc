//! A client's question whether an assertion of an issuer would be accepted from it, and what it does not learn.

use countersign::model::kill_switch::{KillScope, KillSwitch};
use countersign::store::changes::Changed;
use countersign::store::kill_switches;
use serde_json::{Value, json};

use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, START, TestApp, client, resource};

const OTHER: &str = "another-client";
const OTHER_SECRET: &str = "another-secret-of-a-client-0123456";

async fn start() -> TestApp {
    let app = TestApp::start_with(|config| config.issuer_lookup.enabled = true).await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    app
}

async fn ask_as(app: &TestApp, (id, secret): (&str, &str), form: &[(&str, &str)]) -> Answer {
    let url = format!("{}/oauth2/issuer-lookup", app.issuer());
    Answer::of(app.http.post(url).basic_auth(id, Some(secret)).form(form).send().await.unwrap()).await
}

async fn ask(app: &TestApp, form: &[(&str, &str)]) -> Answer {
    ask_as(app, (CLIENT, SECRET), form).await
}

/// The answer to a good question, in which nothing but one word differs from any other.
async fn answered(app: &TestApp, form: &[(&str, &str)]) -> bool {
    let before = app.written().await;
    let answer = ask(app, form).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
    let accepted = answer.json["accepted"].as_bool().unwrap();
    assert_eq!(answer.body, json!({ "accepted": accepted }).to_string());
    assert_eq!(app.written().await, before, "a question writes nothing");
    accepted
}

/// META-04: off by default, and then there is nothing: no endpoint, and not a byte in the metadata.
#[tokio::test]
async fn it_is_off_by_default() {
    let app = TestApp::start().await;
    let nothing = app.get("/oauth2/nothing-of-this-name").await;
    for answer in [ask(&app, &[("issuer", &app.idp.issuer)]).await, app.get("/oauth2/issuer-lookup").await] {
        assert_eq!((answer.status, &answer.body), (404, &nothing.body));
    }
    let path = "/.well-known/oauth-authorization-server";
    assert!(app.get(path).await.json.get("issuer_lookup_endpoint").is_none());
    let app = start().await;
    let named = format!("{}/oauth2/issuer-lookup", app.issuer());
    assert_eq!(app.get(path).await.json["issuer_lookup_endpoint"], json!(named));
}

/// META-04, IDJ §9.4
#[tokio::test]
async fn an_issuer_that_is_trusted_is_accepted() {
    let app = start().await;
    let issuer = app.idp.issuer.clone();
    assert!(answered(&app, &[("issuer", &issuer)]).await);
    assert!(answered(&app, &[("issuer", &issuer), ("resource", RESOURCE)]).await);
    assert!(!answered(&app, &[("issuer", &format!("{issuer}/"))]).await, "byte for byte");
    assert!(!answered(&app, &[("issuer", "https://unknown.example")]).await);
    assert!(!answered(&app, &[("issuer", &issuer), ("resource", "https://other.example/mcp")]).await);
    // One that is offered to others only is as unknown as one that does not exist.
    let mut theirs = resource("https://theirs.example/mcp", &["docs.read"]);
    theirs.teamspaces = Some(vec!["globex".to_owned()]);
    app.put_resource(theirs).await;
    assert!(!answered(&app, &[("issuer", &issuer), ("resource", "https://theirs.example/mcp")]).await);
    assert_eq!(app.idp.metadata_requests(), 0, "nobody is asked");
    app.change_provider(|provider| provider.enabled = false).await;
    assert!(!answered(&app, &[("issuer", &issuer)]).await);
}

/// What stops sign-ins stops the answer too.
#[tokio::test]
async fn a_kill_switch_counts() {
    let app = start().await;
    let issuer = app.idp.issuer.clone();
    for (scope, object) in [
        (KillScope::All, ""),
        (KillScope::Teamspace, "id-of-acme"),
        (KillScope::Issuer, issuer.as_str()),
        (KillScope::Client, CLIENT),
    ] {
        let switch = KillSwitch {
            id: "switch".into(),
            scope,
            object: object.into(),
            reason: "a test".into(),
            created_by: "t".into(),
            created_at: START,
        };
        app.configure(Changed::KillSwitches, move |c| Ok(kill_switches::insert(c, &switch).map(drop)?)).await;
        assert!(!answered(&app, &[("issuer", &issuer)]).await, "{scope:?}");
        app.configure(Changed::KillSwitches, |c| Ok(kill_switches::delete(c, "switch").map(drop)?)).await;
        assert!(answered(&app, &[("issuer", &issuer)]).await, "{scope:?}");
    }
}

/// IDJ §9.4: each client is told about itself. One that the policies do not trust with an issuer hears what it would
/// hear of an issuer that nobody has.
#[tokio::test]
async fn the_answer_is_for_the_client_that_asks() {
    let forbid = format!(
        "@id(\"acme.one-client\")\n@reason(\"policy_denied\")\n@error(\"access_denied\")\n@message(\"Not this client.\")\nforbid (\n  \
         principal,\n  action == Action::\"TrustIssuer\",\n  resource in Teamspace::\"acme\"\n)\n\
         when {{ context.client == Client::\"{OTHER}\" }};\n"
    );
    let dir = with_shipped(&[("one-client.cedar", &forbid)]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(|config| {
        config.issuer_lookup.enabled = true;
        config.policy_dir = Some(policies);
    })
    .await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    let issuer = app.idp.issuer.clone();
    assert!(answered(&app, &[("issuer", &issuer)]).await);
    let theirs = ask_as(&app, (OTHER, OTHER_SECRET), &[("issuer", &issuer)]).await;
    let unknown = ask_as(&app, (OTHER, OTHER_SECRET), &[("issuer", "https://unknown.example")]).await;
    assert_eq!((theirs.status, &theirs.body), (200, &unknown.body));
    assert_eq!(theirs.body, "{\"accepted\":false}");
    // And that is what happens.
    assert_eq!(app.exchange(&app.assertion(json!({}))).await.status, 200);
    let assertion = app.assertion(json!({ "client_id": OTHER }));
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", &assertion)];
    let request = app.http.post(app.token_url()).basic_auth(OTHER, Some(OTHER_SECRET)).form(&form);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.json["error"], "access_denied");
}

/// META-04: whoever is no client learns nothing, whatever they ask about.
#[tokio::test]
async fn strangers_learn_nothing() {
    let app = start().await;
    let mut bodies = Vec::new();
    for (id, secret) in [(CLIENT, "wrong"), ("nobody", SECRET), (OTHER, SECRET)] {
        for issuer in [app.idp.issuer.as_str(), "https://unknown.example"] {
            let answer = ask_as(&app, (id, secret), &[("issuer", issuer)]).await;
            assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")), "{answer:?}");
            bodies.push(answer.body);
        }
    }
    let url = format!("{}/oauth2/issuer-lookup", app.issuer());
    let bare = app.http.post(&url).form(&[("issuer", &app.idp.issuer)]).send().await.unwrap();
    bodies.push(Answer::of(bare).await.body);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    app.change_client(|client| client.enabled = false).await;
    let blocked = ask(&app, &[("issuer", &app.idp.issuer)]).await;
    assert_eq!((blocked.status, &blocked.body), (401, &bodies[0]));
}

/// Malformed questions of a client.
#[tokio::test]
async fn malformed_questions_are_refused() {
    let app = start().await;
    let issuer = app.idp.issuer.clone();
    for form in [
        vec![],
        vec![("issuer", "")],
        vec![("issuer", issuer.as_str()), ("issuer", issuer.as_str())],
        vec![("issuer", &issuer), ("resource", RESOURCE), ("resource", "https://other.example/mcp")],
    ] {
        let answer = ask(&app, &form).await;
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_request")), "{form:?}");
    }
    let get = app.get("/oauth2/issuer-lookup").await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    let url = format!("{}/oauth2/issuer-lookup?issuer={issuer}", app.issuer());
    let request = app.http.post(url).basic_auth(CLIENT, Some(SECRET)).form(&[("issuer", &issuer)]);
    assert_eq!(request.send().await.unwrap().status(), 400);
    let long = "x".repeat(60_000);
    assert!(!answered(&app, &[("issuer", &long)]).await);
}

/// However many questions are under way, exchanges have their own places.
#[tokio::test]
async fn questions_take_no_places_of_exchanges() {
    let app = start().await;
    let request = axum::http::Request::post("/oauth2/issuer-lookup").body(axum::body::Body::empty()).unwrap();
    let places: Vec<_> = std::iter::from_fn(|| app.app.gate.enter(&request).ok()).take(1000).collect();
    assert_eq!(places.len(), 32);
    assert_eq!(ask(&app, &[("issuer", &app.idp.issuer)]).await.status, 503);
    app.granted(json!({})).await;
    drop(places);
    assert!(answered(&app, &[("issuer", &app.idp.issuer)]).await);
}

/// A client asks so often in a minute; others are not affected, and neither are exchanges.
#[tokio::test]
async fn questions_of_a_client_are_limited() {
    let app = TestApp::start_with(|config| {
        config.issuer_lookup.enabled = true;
        config.issuer_lookup.requests_per_client_per_minute = 3;
    })
    .await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    for i in 0..3 {
        assert!(!answered(&app, &[("issuer", &format!("https://guess-{i}.example"))]).await);
    }
    let limited = ask(&app, &[("issuer", &app.idp.issuer)]).await;
    assert_eq!(limited.status, 429, "{limited:?}");
    assert!(limited.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(limited.json.get("accepted"), None::<&Value>);
    let other = ask_as(&app, (OTHER, OTHER_SECRET), &[("issuer", &app.idp.issuer)]).await;
    assert_eq!(other.json["accepted"], true);
    app.granted(json!({})).await;
}
