//! The System page.

use countersign::clock::Clock as _;
use countersign::config::LogStream;

use super::visitor::{Visitor, has};
use crate::admin::harness::Harness;

#[tokio::test]
async fn health_processes_keys_and_streams_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let to = format!("file://{}/log", dir.path().display());
    let stream: LogStream =
        serde_json::from_value(serde_json::json!({ "name": "archive <1>", "to": to })).unwrap();
    let h = Harness::start_with(move |config| config.log_stream = vec![stream]).await;
    let operator = Visitor::operator(&h.app).await;
    let page = operator.get("/system").await.page(200);
    let hash = h.app.policies().hash.clone();
    has(
        &page,
        &[
            "Ready",
            "The database can be read",
            "There is a signing key",
            "Same policies",
            "(this one)",
            &hash,
            "Signs",
            env!("CARGO_PKG_VERSION"),
            "archive &#60;1&#62;",
            "Up to date",
        ],
    );
}

/// A new key is published before it signs, unless it is to sign at once; the audit log says who made it.
#[tokio::test]
async fn the_signing_key_is_rotated() {
    let h = Harness::start().await;
    let operator = Visitor::operator(&h.app).await;
    let signs = || h.app.signer().active(h.clock.now()).unwrap().kid().to_owned();
    let first = signs();
    operator.post("/system/keys", &[]).await.leads_to("/system", "It signs in 10 minutes");
    assert_eq!(signs(), first);
    has(&operator.get("/system").await.page(200), &["Next", "in 11 minutes"]);
    // Of two that sign from the same second on, either may.
    h.clock.advance(1);
    operator.post("/system/keys", &[("at_once", "true")]).await.leads_to("/system", "It signs from now on.");
    let second = signs();
    assert_ne!(second, first);
    has(&operator.get("/system").await.page(200), &["Verifies older tokens"]);
    let audit = h.operator.get("/audit").await.expect(200);
    let last = &audit["items"][0];
    assert_eq!(
        (last["action"].as_str(), last["object"].as_str()),
        (Some("signing_key.rotate"), Some(second.as_str()))
    );
}

/// The form says what will happen, a switch shows on every page while it is on, and others than operators learn only
/// what concerns them.
#[tokio::test]
async fn a_kill_switch_is_thrown_and_lifted() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    has(
        &operator.get("/system").await.page(200),
        &["Kill switches", "None is on.", "the old ones stay inactive"],
    );
    let fields = [("scope", "teamspace"), ("object", "nobody"), ("reason", "strangers signed in")];
    let again = operator.post("/system/kill-switches", &fields).await.page(422);
    has(&again, &["Nothing was saved.", "There is no teamspace", "strangers signed in"]);
    let fields = [("scope", "teamspace"), ("object", "acme"), ("reason", "strangers <1> signed in")];
    let thrown = operator.post("/system/kill-switches", &fields).await;
    thrown.leads_to("/system", "The teamspace acme is stopped.");
    operator.post("/system/kill-switches", &fields).await.leads_to("/system", "Nothing was changed.");
    let banner = "The teamspace acme is stopped: strangers &#60;1&#62; signed in";
    for page in ["/teamspaces", "/clients", "/t/acme", "/system"] {
        has(&operator.get(page).await.page(200), &["A kill switch is on.", banner]);
    }
    let link = Visitor::by_link(&h.app, "acme").await;
    let theirs = link.get("/t/acme/enterprise").await.page(200);
    has(&theirs, &["A kill switch is on.", "The teamspace acme is stopped."]);
    assert!(!theirs.contains("strangers") && !theirs.contains("See and lift"), "{theirs}");
    h.teamspace("globex").await;
    let others = Visitor::by_link(&h.app, "globex").await.get("/t/globex/enterprise").await.page(200);
    assert!(!others.contains("kill switch"), "{others}");
    let listed = h.operator.get("/kill-switch").await.expect(200);
    let lift = format!("/system/kill-switches/{}/lift", listed["items"][0]["id"].as_str().unwrap());
    operator.post(&lift, &[]).await.leads_to("/system", "Tokens issued before stay inactive.");
    assert!(!operator.get("/teamspaces").await.page(200).contains("kill switch"));
}
