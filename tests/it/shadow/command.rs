//! `policy shadow`, and the process.

use std::path::Path;
use std::process::{Command, Output};

use countersign::store::shadow;
use serde_json::{Value, json};

use super::{NO_WRITE, flush, start};
use crate::commands::text;
use crate::harness::TestApp;
use crate::process::Process;
use crate::reload::{CLOSED, Rules, operator};

fn countersign(app: &TestApp, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["policy", "shadow"]).args(args).current_dir(app.dir.path());
    command.env("COUNTERSIGN_DATABASE_URL", &app.app.config.database_url).output().unwrap()
}

#[tokio::test]
async fn the_command_line_sums_up() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(NO_WRITE)).await;
    let out = countersign(&app, &[]);
    assert_eq!(out.status.code(), Some(2), "nothing is known yet");
    assert!(text(&out.stderr).contains("policy.shadow_dir"));
    app.granted(json!({})).await;
    flush(&app).await;
    let out = countersign(&app, &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("1 decisions, 0 differ (0.00%)"), "{}", text(&out.stdout));
    app.granted(json!({ "scope": "docs.read docs.write" })).await;
    let id = app.last_sign_in().await.request_id;
    flush(&app).await;
    let out = countersign(&app, &["--teamspace", "acme"]);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{shown}");
    for part in [
        "since 2026-11-22T12:00:00Z: 2 decisions, 1 differ (50.00%)",
        "1  scopes lost: docs.write",
        "shadow: no-write",
        &id,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn the_command_line_chooses_and_clears() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(NO_WRITE)).await;
    app.granted(json!({ "scope": "docs.read docs.write" })).await;
    flush(&app).await;
    let hash = app.app.shadow.as_ref().unwrap().policies().unwrap().hash.clone();
    let out = countersign(&app, &["--format", "json", "--set", &hash[..8], "--limit", "0"]);
    let told: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&told["shadow_set"], &told["latest"]), (&json!(hash), &json!([])));
    app.put_teamspace("globex").await;
    assert_eq!(countersign(&app, &["--teamspace", "globex"]).status.code(), Some(0), "none of theirs");
    assert_eq!(countersign(&app, &["--teamspace", "nobody"]).status.code(), Some(2));
    assert_eq!(countersign(&app, &["--set", "-none"]).status.code(), Some(2));
    assert_eq!(countersign(&app, &["--clear", "--set", "-none"]).status.code(), Some(2));
    let out = countersign(&app, &["--clear"]);
    assert_eq!(
        (out.status.code(), text(&out.stdout)),
        (Some(0), format!("forgot 1 differences of the shadow set {hash}\n"))
    );
    assert_eq!(countersign(&app, &[]).status.code(), Some(2));
    assert_eq!(operator(&app, "/audit").await.json["items"][0]["action"], "policy_shadow.clear");
}

/// Results from just before a stop are not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_down_what_was_found() {
    let other = Rules::shipped_and(CLOSED);
    let app = TestApp::start().await;
    let variable = format!("COUNTERSIGN_POLICY__SHADOW_DIR={}", other.policies().display());
    let mut process = Process::serve(&app, &variable);
    for _ in 0..5 {
        let answer =
            process.exchange(&app.assertion(json!({ "iat": now(), "exp": now() + 60 }))).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let status = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
    assert!(status.unwrap().success() && process.child.wait().unwrap().success());
    let run = app.app.store.read(shadow::runs).await.unwrap().remove(0);
    assert_eq!((run.evaluated, run.different), (5, 5));
}

fn now() -> i64 {
    use countersign::clock::{Clock as _, SystemClock};
    SystemClock.now()
}

#[test]
fn a_shadow_directory_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("c.toml"), "[policy]\nshadow_dir = \"policies\"").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_countersign"));
    let args = ["config", "check", "--config", "c.toml"];
    let out = Command::new(program).args(args).current_dir(dir.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("policy.shadow_dir"), "{}", text(&out.stderr));
}
