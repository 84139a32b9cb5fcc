//! A second policy set that is asked and decides nothing.

mod command;
mod decisions;
mod failures;
mod record;
mod report;
mod tools;

use countersign::shadow::ShadowCounts;
use countersign::store::shadow::{self, ShadowDifference};
use serde_json::Value;

use crate::harness::TestApp;
use crate::reload::{Rules, operator};

/// docs.write is granted to nobody.
const NO_WRITE: &str = r#"@id("no-write") @reason("read_only") @error("invalid_scope") @message("Read only.")
    forbid (principal, action == Action::"GrantScope", resource == Scope::"docs.write");"#;

/// `rules` decide, `shadow` is tried.
async fn start(rules: &Rules, shadow: &Rules) -> TestApp {
    let (policy_dir, schema_file, shadow_dir) = (rules.policies(), rules.schema(), shadow.policies());
    TestApp::start_with(|config| {
        (config.policy_dir, config.schema_file) = (Some(policy_dir), Some(schema_file));
        config.policy.shadow_dir = Some(shadow_dir);
    })
    .await
}

fn counts(app: &TestApp) -> (u64, u64, u64) {
    let ShadowCounts { evaluated, different, dropped } = app.app.shadow.as_ref().unwrap().counts();
    (evaluated, different, dropped)
}

async fn flush(app: &TestApp) {
    app.app.shadow.as_ref().unwrap().flush(&app.app.store).await.unwrap();
}

async fn differences(app: &TestApp) -> Vec<ShadowDifference> {
    flush(app).await;
    let set = app.app.shadow.as_ref().unwrap().policies().unwrap().hash.clone();
    app.app.store.read(move |c| shadow::differences(c, &set, None)).await.unwrap()
}

/// The report's only group, as change and policies.
async fn only_group(app: &TestApp) -> (String, Value) {
    flush(app).await;
    let report = operator(app, "/policies/shadow").await.json;
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{report}");
    (groups[0]["change"].as_str().unwrap().to_owned(), groups[0]["policies"].clone())
}
