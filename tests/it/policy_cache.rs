//! Remembered decisions in the running service: some are made again, and a wrong one shows.

use std::path::Path;

use countersign::config::PolicyCache;
use countersign::policy::{CacheControl, PolicySource, RecordedFacts, decide_recorded};
use serde_json::json;

use crate::files::with_shipped;
use crate::harness::TestApp;

const FORBID: &str = "@id(\"never\") @reason(\"never\") @error(\"access_denied\") @message(\"Never.\")\n\
    forbid (principal, action, resource);\n";

fn differences(app: &TestApp) -> u64 {
    let metrics = app.app.render_metrics().unwrap();
    let line = metrics.lines().find(|line| line.starts_with("countersign_policy_cache_differences_total "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// A cache that holds a refusal for somebody who may come in. The sign-in that looks again is granted.
#[tokio::test]
async fn a_wrong_decision_is_found_out_and_does_not_take_effect() {
    let recheck = |config: &mut countersign::config::Config| config.policy_cache.recheck_one_in = 2;
    let app = TestApp::start_with(recheck).await;
    app.granted(json!({})).await;
    app.granted(json!({})).await;
    assert_eq!(differences(&app), 0);

    let policies = app.app.policies();
    let recorded: RecordedFacts = serde_json::from_str(&app.last_sign_in().await.facts).unwrap();
    let facts = recorded.recall(&policies.compiled);
    let dir = with_shipped(&[("never.cedar", FORBID)]);
    let schema = Path::new("schema/countersign.cedarschema");
    let others = PolicySource::read(dir.path(), schema).unwrap().compile(0).unwrap();
    let wrong = decide_recorded(&others.compiled, &facts, &CacheControl::new(PolicyCache::default()));
    policies.compiled.remember(&facts, &wrong);

    app.refused(json!({}), "access_denied", "never").await;
    assert_eq!(differences(&app), 0);
    app.granted(json!({})).await;
    assert_eq!(differences(&app), 1);
    for _ in 0..4 {
        app.granted(json!({})).await;
    }
    assert_eq!(differences(&app), 1);
}
