//! `countersign key reencrypt`: another encryption key without a gap.

use std::sync::Arc;

use countersign::app::App;
use countersign::config::Config;
use serde_json::json;

use crate::commands::{countersign, text};
use crate::harness::TestApp;

const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const NEW: &str = "_wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Whether a process with an encryption key can use the database's signing keys.
async fn starts_with(app: &TestApp, key: Option<&str>) -> bool {
    let mut config = Config::clone(&app.app.config);
    config.keys.encryption_key = key.map(|key| key.to_owned().into());
    match App::start(config, Arc::new(app.clock.clone())).await {
        Ok(other) => {
            assert_eq!(other.signer().jwks(), app.app.signer().jwks(), "they are the same keys");
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("encrypted"), "{error}");
            false
        }
    }
}

/// Runs the command with the new key in the configuration.
fn reencrypt(app: &TestApp, args: &[&str], code: i32) -> String {
    let env =
        [("COUNTERSIGN_DATABASE_URL", app.database.url.as_str()), ("COUNTERSIGN_KEYS__ENCRYPTION_KEY", NEW)];
    let out = countersign(app.dir.path(), &[&["key", "reencrypt"], args].concat(), &env);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{said}");
    assert!(!said.contains(OLD) && !said.contains(NEW), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_are_encrypted_with_another_key_while_the_service_runs() {
    let app = TestApp::start_with(|config| config.keys.encryption_key = Some(OLD.to_owned().into())).await;
    let file = |name: &str, content: &str| {
        let path = app.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (old, wrong, half) =
        (file("old", &format!("{OLD}\n")), file("wrong", &OLD.replace('A', "B")), file("half", "AAEC"));
    assert!(starts_with(&app, Some(OLD)).await && !starts_with(&app, Some(NEW)).await);
    let stored = app.texts("SELECT private_key FROM signing_keys").await;
    for (args, words) in [
        (&[][..], "--old-key-file FILE"),
        (&["--old-key-file", &wrong], "--old-key-file FILE"),
        (&["--old-key-file", &half], "expected 32 bytes, base64url without padding"),
        (&["--old-key-file", "nowhere"], "nowhere"),
    ] {
        let said = reencrypt(&app, args, 2);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(app.texts("SELECT private_key FROM signing_keys").await, stored, "nothing has changed");
    let said = reencrypt(&app, &["--old-key-file", &old], 0);
    assert!(said.contains("Encrypted 1 keys anew"), "{said}");
    assert!(starts_with(&app, Some(NEW)).await && !starts_with(&app, Some(OLD)).await);
    // The process that runs does not notice.
    app.app.reload().await.unwrap();
    app.granted(json!({})).await;
    assert!(reencrypt(&app, &["--old-key-file", &old], 0).contains("Nothing to do"));
    let audited = app.texts("SELECT action FROM admin_events WHERE action = 'signing_key.reencrypt'").await;
    assert_eq!(audited.len(), 1, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_signing_keys_are_encrypted() {
    let app = TestApp::start().await;
    assert!(starts_with(&app, None).await);
    reencrypt(&app, &[], 0);
    assert!(starts_with(&app, Some(NEW)).await && !starts_with(&app, None).await);
}
