//! Shadow sets that cannot be read, or err.

use countersign::policy::reload::ReloadTrigger;
use countersign::store::shadow;
use serde_json::{Value, json};

use super::{counts, flush, only_group, start};
use crate::reload::{CLOSED, Rules, operator, private, settle};

#[tokio::test]
async fn a_shadow_set_that_cannot_be_read_stops_nothing() {
    let (rules, other) = (Rules::shipped(), Rules::shipped_and("forbid"));
    let app = start(&rules, &other).await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (0, 0, 0));
    let told = operator(&app, "/policies").await.json;
    assert_eq!((&told["shadow"]["hash"], &told["last_error"]), (&Value::Null, &Value::Null), "{told}");
    assert!(told["shadow"]["last_error"]["file"].as_str().unwrap().ends_with("rule.cedar"), "{told}");
    let metrics = private(&app, "/metrics").await.body;
    assert!(metrics.contains("countersign_shadow_reload_ok 0\n"), "{metrics}");
    assert!(!metrics.contains("countersign_shadow_set_info"), "{metrics}");
    let follow = async || {
        app.app.follow_shadow(ReloadTrigger::IfChanged).await;
        app.app.follow_shadow(ReloadTrigger::IfChanged).await;
    };
    other.put("rule.cedar", CLOSED);
    follow().await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (1, 1, 0));
    std::fs::remove_dir_all(other.policies()).unwrap();
    follow().await;
    app.granted(json!({})).await;
    assert_eq!(counts(&app), (2, 2, 0), "the last good one is asked");
    let error = operator(&app, "/policies").await.json["shadow"]["last_error"].clone();
    assert!(error["message"].as_str().unwrap().contains("directory"), "{error}");
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    app.refused(json!({}), "access_denied", "closed").await;
    assert_eq!(counts(&app), (3, 2, 0), "now they agree");
    flush(&app).await;
    let runs = app.app.store.read(shadow::runs).await.unwrap();
    let counted: Vec<_> = runs.iter().map(|run| (run.evaluated, run.different)).collect();
    assert_eq!(counted.len(), 2, "one for each set in force: {runs:?}");
    assert_eq!(counted.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1)), (3, 2));
}

#[tokio::test]
async fn a_shadow_policy_that_errs_is_a_difference() {
    let rule = r#"@id("overflows") @reason("never_said") @error("access_denied") @message("x")
        forbid (principal, action == Action::"GrantResource", resource)
        when { context.now.toTime().toMilliseconds() * 9223372036854775807 > 0 };"#;
    let app = start(&Rules::shipped(), &Rules::shipped_and(rule)).await;
    assert!(app.app.shadow.as_ref().unwrap().files.last_error().is_none());
    app.granted(json!({})).await;
    let (change, policies) = only_group(&app).await;
    assert_eq!(
        (change.as_str(), &policies["shadow"]),
        ("granted → refused: policy_error", &json!(["overflows"]))
    );
}
