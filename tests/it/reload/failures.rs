//! Files that are no valid set.

use std::path::Path;

use countersign::policy::reload::ReloadTrigger;
use serde_json::{Value, json};

use super::{Rules, hash, operator, private, settle};
use crate::harness::TestApp;

async fn assert_counted<const N: usize>(app: &TestApp, lines: [&str; N]) {
    let metrics = private(app, "/metrics").await.body;
    for line in lines {
        assert!(metrics.contains(&format!("countersign_policy_{line}\n")), "{line}: {metrics}");
    }
}

/// Whatever happens to the files, the last good set goes on deciding, and everybody can see why. What else
/// the loader refuses is its own matter.
#[tokio::test]
async fn a_set_that_cannot_be_read_leaves_the_last_good_one() {
    type Break = fn(&Rules);
    let cases: [(Break, &str, &str); 5] = [
        (|r| r.put("x.cedar", "permit (principal,\n action resource);"), "x.cedar", "line 2: unexpected"),
        (|r| std::fs::create_dir(r.policies().join("x.cedar")).unwrap(), "x.cedar", "is a directory"),
        (|r| std::fs::rename(r.policies(), r.dir.path().join("old")).unwrap(), "policies", "directory"),
        (|r| std::fs::write(r.schema(), "entity;").unwrap(), "schema", "expected"),
        (|r| r.put("x.cedar", b"\xff"), "x.cedar", "not UTF-8 at byte 0"),
    ];
    for (spoil, file, message) in cases {
        let rules = Rules::shipped();
        let app = rules.start().await;
        let before = hash(&app);
        spoil(&rules);
        settle(&app).await;
        app.granted(json!({})).await;
        assert_eq!(app.last_sign_in().await.policy_set, before, "{message}");
        let told = operator(&app, "/policies").await.json;
        let error = &told["last_error"];
        assert_eq!((&told["hash"], &error["at"]), (&json!(before), &json!("2026-11-22T12:00:00Z")));
        assert!(error["file"].as_str().unwrap().ends_with(file), "{message}: {error}");
        assert!(error["message"].as_str().unwrap().contains(message), "{message}: {error}");
        let ready = private(&app, "/readyz").await;
        assert_eq!((ready.status, &ready.json["policy_set"]), (200, &json!(before)), "{message}");
        assert_eq!(&ready.json["policy_error"], error);
        assert_counted(&app, ["reload_ok 0", "reloads_total{result=\"failed\"} 1"]).await;
    }
}

const SHIPPED: [&str; 3] = ["issuer.cedar", "members.cedar", "grants.cedar"];

async fn last_error(app: &TestApp) -> Value {
    operator(app, "/policies").await.json["last_error"].clone()
}

#[tokio::test]
async fn a_failure_is_told_until_the_files_are_good_again() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let before = hash(&app);
    SHIPPED.iter().for_each(|name| rules.remove(name));
    settle(&app).await;
    let error = last_error(&app).await;
    assert!(error["message"].as_str().unwrap().contains("no *.cedar file"), "{error}");
    // The same failure is no news; another one is.
    app.clock.advance(60);
    app.app.follow_policies(ReloadTrigger::Now).await;
    assert_eq!(last_error(&app).await, error);
    rules.put("x.cedar", "permit");
    settle(&app).await;
    let other = last_error(&app).await;
    assert_eq!(other["at"], "2026-11-22T12:01:00Z");
    rules.remove("x.cedar");
    for name in SHIPPED {
        std::fs::copy(Path::new("policies").join(name), rules.policies().join(name)).unwrap();
    }
    settle(&app).await;
    let told = operator(&app, "/policies").await.json;
    assert_eq!(
        (&told["last_error"], &told["hash"]),
        (&Value::Null, &json!(before)),
        "the old set, and no error"
    );
    assert_eq!(told["loaded_at"], "2026-11-22T12:00:00Z", "it was in force all the time");
    assert_eq!(private(&app, "/readyz").await.json["policy_error"], Value::Null);
    assert_counted(
        &app,
        ["reload_ok 1", "reloads_total{result=\"failed\"} 3", "reloads_total{result=\"unchanged\"} 1"],
    )
    .await;
}
