//! The metrics for monitoring.

use std::collections::BTreeMap;

use countersign::policy::reload::ReloadTrigger;
use serde_json::json;

use crate::harness::TestApp;
use crate::reload::{CLOSED, Rules, private, settle};

/// One sample of the text form, by its name and labels.
pub fn sample(text: &str, name: &str) -> f64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// Samples by name and labels, from the text form.
async fn samples(app: &TestApp) -> BTreeMap<String, f64> {
    let answer = private(app, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.body.ends_with("# EOF\n"));
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<_> = lines.map(|line| line.rsplit_once(' ').unwrap()).collect();
    let named: BTreeMap<String, f64> =
        samples.iter().map(|(name, value)| ((*name).to_owned(), value.parse().unwrap())).collect();
    assert_eq!(named.len(), samples.len(), "each sample once: {}", answer.body);
    for line in answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, _) = line.split_once(' ').unwrap();
        let described = answer.body.contains(&format!("# HELP {family} "));
        let ours = family.starts_with("countersign_") || family.starts_with("process_");
        assert!(described && ours, "{line}");
    }
    named
}

#[tokio::test]
async fn exchanges_are_counted_by_outcome_and_reason() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.granted(json!({})).await;
    app.refused(json!({ "aud": "https://else.example.com" }), "invalid_grant", "aud_mismatch").await;
    app.change_teamspace(|teamspace| teamspace.plan = countersign::model::teamspace::Plan::Pro).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
    let samples = samples(&app).await;
    let count = |outcome: &str, reason: &str| {
        let name = format!("countersign_exchanges_total{{outcome=\"{outcome}\",reason=\"{reason}\"}}");
        samples.get(&name).copied().unwrap_or_default() as i64
    };
    assert_eq!(count("granted", ""), 2);
    assert_eq!(count("refused", "aud_mismatch"), 1);
    assert_eq!(count("refused", "plan_not_enterprise"), 1, "a policy's reason: {samples:?}");
    assert_eq!(samples["countersign_exchange_duration_seconds_count"], 4.0);
    assert!(samples["countersign_exchange_duration_seconds_sum"] > 0.0);
    assert!(samples.keys().any(|name| name.starts_with("countersign_exchange_duration_seconds_bucket{le=")));
    assert!(!samples.keys().any(|name| name.contains("shadow")), "it is off");
}

/// A count that appears with its first event looks like no rise.
#[tokio::test]
async fn exchanges_are_counted_from_zero() {
    let samples = samples(&TestApp::start().await).await;
    let count = |outcome: &str, reason: &str| {
        samples[&format!("countersign_exchanges_total{{outcome=\"{outcome}\",reason=\"{reason}\"}}")]
    };
    assert_eq!(count("granted", ""), 0.0);
    for reason in countersign::oauth::error::Reason::ALL {
        assert_eq!(count("refused", reason), 0.0, "{reason}");
    }
}

/// By the names that dashboards know.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_measured() {
    let app = TestApp::start().await;
    let before = samples(&app).await;
    let started = before["process_start_time_seconds"];
    let now = std::fs::metadata("/proc/self").unwrap().modified().unwrap();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - started).abs() < 24.0 * 3600.0, "{started} {now}");
    assert!(before["process_resident_memory_bytes"] > 1e6);
    assert!(before["process_virtual_memory_bytes"] > before["process_resident_memory_bytes"]);
    assert!(before["process_threads"] >= 1.0);
    assert!(before["process_open_fds"] >= 3.0 && before["process_open_fds"] <= before["process_max_fds"]);
    // Work that takes CPU time, at least a hundredth of a second of it.
    while samples(&app).await["process_cpu_seconds_total"] <= before["process_cpu_seconds_total"] {}
}

/// Whoever calls can make up any number of reasons in no way, and policies only those that they name.
#[tokio::test]
async fn reasons_of_no_policy_are_counted_together() {
    let app = TestApp::start().await;
    let policies = app.app.policies();
    for reason in ["made_up", "made_up_2"] {
        let reason = countersign::oauth::error::Reason::of_policy(reason);
        let error = countersign::oauth::error::TokenError::invalid_grant(reason, "x");
        app.app.metrics.count_exchange(Some(&error), std::time::Duration::ZERO, &policies);
    }
    let samples = samples(&app).await;
    assert_eq!(samples["countersign_exchanges_total{outcome=\"refused\",reason=\"other\"}"], 2.0);
    assert!(!samples.keys().any(|name| name.contains("made_up")));
}

#[tokio::test]
async fn the_policies_in_force_are_shown() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let (first, before) = (app.app.policies().hash.clone(), samples(&app).await);
    for result in ["loaded", "unchanged", "failed"] {
        assert_eq!(before[&format!("countersign_policy_reloads_total{{result=\"{result}\"}}")], 0.0);
    }
    assert_eq!(before["countersign_policy_reload_ok"], 1.0);
    assert_eq!(before["countersign_policy_loaded_timestamp_seconds"], crate::harness::START as f64);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(before[&format!("countersign_build_info{{version=\"{version}\"}}")], 1.0);
    app.clock.advance(5);
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    app.app.follow_policies(ReloadTrigger::Now).await;
    let after = samples(&app).await;
    let info: Vec<_> = after.keys().filter(|name| name.starts_with("countersign_policy_set_info")).collect();
    assert_eq!(info, [&format!("countersign_policy_set_info{{hash=\"{}\"}}", app.app.policies().hash)]);
    assert!(!info[0].contains(&first));
    assert_eq!(after["countersign_policy_reloads_total{result=\"loaded\"}"], 1.0);
    assert_eq!(after["countersign_policy_reloads_total{result=\"unchanged\"}"], 1.0);
    assert_eq!(after["countersign_policy_loaded_timestamp_seconds"], crate::harness::START as f64 + 5.0);
}
