//! A sign-in that is too weak or too old is refused with what would do (RFC 9470).

use serde_json::{Value, json};

use crate::harness::{START, TestApp};

const FRESH: &str = r#"
@id("test.fresh")
@reason("step_up_required")
@error("insufficient_user_authentication")
@message("Sign in again.")
@acr_values("phr phrh")
@max_age("15m")
forbid (principal is User, action == Action::"AdmitMember", resource)
unless { context.claims has auth_age && context.claims.auth_age <= duration("15m") };
"#;

const BLOCKED: &str = r#"
@id("test.zzz-blocked")
@reason("blocked")
@error("access_denied")
@message("Blocked.")
forbid (principal is User, action == Action::"AdmitMember", resource)
when { context.claims has acr && context.claims.acr == "blocked" };
"#;

async fn start() -> (tempfile::TempDir, TestApp) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants"] {
        std::fs::copy(format!("policies/{name}.cedar"), dir.path().join(format!("{name}.cedar"))).unwrap();
    }
    std::fs::write(dir.path().join("test.cedar"), format!("{FRESH}{BLOCKED}")).unwrap();
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    // The first sign-in makes the member.
    app.granted(json!({ "auth_time": START - 1 })).await;
    (dir, app)
}

/// STP-01
#[tokio::test]
async fn the_answer_says_which_sign_in_will_do() {
    let (_dir, app) = start().await;
    let error = "insufficient_user_authentication";
    for claims in [json!({ "auth_time": START - 901 }), json!({})] {
        let refused = app.refused(claims, error, "step_up_required").await;
        assert_eq!(refused.status, 400);
        assert_eq!(
            (&refused.json["acr_values"], &refused.json["max_age"]),
            (&json!("phr phrh"), &json!(900))
        );
    }
    app.granted(json!({ "auth_time": START - 900 })).await;
}

/// STP-01: another sign-in would not help, so it is not asked for.
#[tokio::test]
async fn nothing_is_asked_for_where_something_else_refuses_too() {
    let (_dir, app) = start().await;
    let refused = app.refused(json!({ "acr": "blocked" }), "access_denied", "blocked").await;
    assert_eq!((&refused.json["acr_values"], &refused.json["max_age"]), (&Value::Null, &Value::Null));
}
