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
