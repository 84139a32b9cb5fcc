//! The records of differences, and the reports about them.

use countersign::store::policy_sets;
use serde_json::{Value, json};

use super::{NO_WRITE, differences, flush, only_group, start};
use crate::harness::START;
use crate::reload::{CLOSED, Rules, operator, private};

#[tokio::test]
async fn what_would_be_refused_is_recorded() {
    let (rules, other) = (Rules::shipped(), Rules::shipped_and(CLOSED));
    let app = start(&rules, &other).await;
    let answer = app.granted(json!({ "groups": ["staff"] })).await;
    let found = differences(&app).await;
    let (row, sign_in) = (&found[0], app.last_sign_in().await);
    assert_eq!((found.len(), row.at, &row.request_id), (1, START, &sign_in.request_id));
    assert_eq!(row.request_id, answer.header("x-request-id"));
    assert_eq!((&row.teamspace_id, &row.policy_set), (&sign_in.teamspace_id, &sign_in.policy_set));
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parsed(&row.facts), parsed(&sign_in.facts));
    let outcome: Value = serde_json::from_str(&row.actual).unwrap();
    assert_eq!(outcome, json!({ "outcome": "granted", "scopes": ["docs.read"] }));
    let outcome: Value = serde_json::from_str(&row.shadow).unwrap();
    assert_eq!(outcome, json!({ "outcome": "refused", "error": "access_denied", "reasons": ["closed"] }));
    let (change, policies) = only_group(&app).await;
    assert_eq!(change, "granted → refused: closed");
    assert_eq!(policies, json!({ "actual": ["issuer.own"], "shadow": ["closed"] }));
    let told = operator(&app, "/policies/shadow?teamspace=acme&limit=1").await.json;
    assert_eq!(told["latest"][0]["request_id"], row.request_id);
    assert_eq!((&told["latest"][0]["teamspace"], &told["recorded"]), (&json!("acme"), &json!(1)));
    assert_eq!(operator(&app, "/policies/shadow?teamspace=nobody").await.status, 404);
    assert_eq!(operator(&app, "/policies/shadow?set=nothing").await.status, 404);
}

#[tokio::test]
async fn the_set_is_shown_counted_and_kept() {
    let app = start(&Rules::shipped(), &Rules::shipped_and(CLOSED)).await;
    app.granted(json!({})).await;
    flush(&app).await;
    let set = app.app.shadow.as_ref().unwrap().policies().unwrap();
    let told = operator(&app, "/policies").await.json["shadow"].clone();
    assert_eq!(
        (&told["hash"], &told["evaluated"], &told["different"]),
        (&json!(set.hash), &json!(1), &json!(1))
    );
    assert_eq!((&told["last_error"], &told["loaded_at"]), (&Value::Null, &json!("2026-11-22T12:00:00Z")));
    assert_eq!(told["files"].as_array().unwrap().len(), 4);
    let metrics = private(&app, "/metrics").await.body;
    for line in ["reload_ok 1", "evaluated_total 1", "different_total 1", "dropped_total 0"] {
        assert!(metrics.contains(&format!("countersign_shadow_{line}\n")), "{line}: {metrics}");
    }
    assert!(
        metrics.contains(&format!("countersign_shadow_set_info{{hash=\"{}\"}} 1\n", set.hash)),
        "{metrics}"
    );
    let hash = set.hash.clone();
    let kept = app.app.store.read(move |c| policy_sets::find(c, &hash)).await.unwrap();
    assert!(kept.is_some(), "it can be looked up as the others");
}

#[tokio::test]
async fn changes_are_told_in_a_few_words() {
    let both = json!({ "scope": "docs.read docs.write" });
    let other_reason = CLOSED.replace("\"closed\"", "\"shut\"");
    let other_code = CLOSED.replace("access_denied", "invalid_grant");
    for (rule, shadow, changes, change, policies) in [
        (CLOSED, "", json!({}), "refused: closed → granted", json!([["closed"], ["issuer.own"]])),
        (
            "",
            NO_WRITE,
            both.clone(),
            "scopes lost: docs.write",
            json!([["scope.pass-through"], ["no-write"]]),
        ),
        (NO_WRITE, "", both, "scopes gained: docs.write", json!([["no-write"], ["scope.pass-through"]])),
        (CLOSED, &other_reason, json!({}), "refused: closed → refused: shut", json!([["closed"], ["shut"]])),
        (
            CLOSED,
            &other_code,
            json!({}),
            "refused: closed (access_denied) → refused: closed (invalid_grant)",
            json!([[], []]),
        ),
    ] {
        let app = start(&Rules::shipped_and(rule), &Rules::shipped_and(shadow)).await;
        app.exchange(&app.assertion(changes)).await;
        let (told, named) = only_group(&app).await;
        assert_eq!(told, change);
        assert_eq!(json!([named["actual"], named["shadow"]]), policies, "{change}");
    }
}
