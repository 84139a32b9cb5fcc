//! What policies say about details.

use std::path::Path;

use countersign::policy::PolicySource;
use countersign::policy::authoring::cases::{self, run};
use serde_json::{Value, json};

use super::{exchange, granted, last_row, payment, refused, tools, with_types};
use crate::explain::{admin, explain};
use crate::harness::{CLIENT, START, TestApp};
use crate::reload::{Rules, operator};

/// Rules about details of either type.
const SMALL: &str = r#"
@id("test.cancel") @reason("no_cancellation") @error("invalid_authorization_details") @message("Nobody cancels.")
forbid (principal is User, action == Action::"GrantDetail", resource is AuthorizationDetail in Teamspace::"acme")
when { resource.type == "payment" && resource.actions.contains("cancel") };
@id("test.delete") @reason("no_deletion") @error("access_denied") @message("Nobody deletes.")
forbid (principal is User, action == Action::"GrantDetail", resource is AuthorizationDetail)
when { resource.tools.contains("delete") };
@id("test.step-up") @reason("step_up_required") @error("insufficient_user_authentication") @message("Sign in again.")
@max_age("15m")
forbid (principal is User, action == Action::"GrantDetail", resource is AuthorizationDetail)
when { resource.privileges.contains("large") }
unless { context.claims has auth_age && context.claims.auth_age <= duration("15m") };
@id("test.short") @otherwise("x") @lifetime("5m")
permit (principal is User, action == Action::"GrantDetail", resource is AuthorizationDetail)
when { resource.authorized && resource.actions == ["initiate"] };"#;

async fn start_with(rules: &Rules) -> TestApp {
    let (policy_dir, schema_file) = (rules.policies(), rules.schema());
    TestApp::start_with(|config| {
        (config.policy_dir, config.schema_file) = (Some(policy_dir), Some(schema_file));
        with_types(config, rules.dir.path());
    })
    .await
}

fn cancellation() -> Value {
    let mut detail = payment(5);
    detail["actions"] = json!(["cancel"]);
    detail
}

/// GRT-10: the denied ones are left out, and the log says why; if none is left, or no limit to tools, the exchange is
/// refused as the policy says.
#[tokio::test]
async fn policies_filter_and_refuse() {
    let rules = Rules::shipped_and(SMALL);
    let app = start_with(&rules).await;
    let claimed = || json!([cancellation(), payment(5)]);
    assert_eq!(granted(&app, claimed(), Value::Null).await, json!([payment(5)]));
    let row = last_row(&app).await;
    assert_eq!(row["authorization_details"], json!([payment(5)]), "{row}");
    let denied = row["decisions"].as_array().unwrap().iter().find(|d| d["allowed"] == false).unwrap();
    assert_eq!((&denied["action"], &denied["reasons"]), (&json!("GrantDetail"), &json!(["no_cancellation"])));

    let cancel = || json!([cancellation()]);
    let told = ("invalid_authorization_details", "no_cancellation");
    refused(&app, (cancel(), Value::Null), told).await;
    refused(&app, (claimed(), cancel()), told).await;
    // The payment is allowed, and a token without the limit would be wider.
    let limited = json!([payment(5), tools(&["read", "delete"])]);
    refused(&app, (limited.clone(), Value::Null), ("access_denied", "no_deletion")).await;
    let answer = exchange(&app, &limited, &Value::Null).await;
    assert_eq!(answer.json["error_description"], "Nobody deletes.");
    let two = json!([tools(&["delete"]), tools(&["read"])]);
    assert_eq!(granted(&app, two, Value::Null).await, json!([tools(&["read"])]));
}

/// STP-02: annotations of policies about details count as they do for scopes.
#[tokio::test]
async fn annotations_count() {
    let rules = Rules::shipped_and(SMALL);
    let app = start_with(&rules).await;
    let answer = exchange(&app, &json!([payment(5)]), &Value::Null).await;
    assert_eq!((answer.status, &answer.json["expires_in"]), (200, &json!(300)), "{answer:?}");
    // Only the forbid that another sign-in lifts is in the way.
    let mut detail = payment(5);
    detail["privileges"] = json!(["large"]);
    let (claimed, error) = (json!([detail]), "insufficient_user_authentication");
    refused(&app, (claimed.clone(), Value::Null), (error, "step_up_required")).await;
    let answer = exchange(&app, &claimed, &Value::Null).await;
    assert_eq!(answer.json["max_age"], 900, "{answer:?}");
    let claims = json!({ "authorization_details": claimed, "auth_time": START });
    assert_eq!(app.granted(claims).await.json["authorization_details"], claimed);
}

/// By default nothing is granted: a set without a permit of its own refuses, and the shipped one does not stand in for it.
#[tokio::test]
async fn without_a_permit_none_is_granted() {
    let rules = Rules::shipped();
    let grants = std::fs::read_to_string(rules.policies().join("grants.cedar")).unwrap();
    let (scopes, _) = grants.split_once("// Authorization details").unwrap();
    rules.put("grants.cedar", scopes);
    let app = start_with(&rules).await;
    app.granted(json!({})).await;
    refused(&app, (json!([tools(&["a"])]), Value::Null), ("access_denied", "policy_denied")).await;
    let code = "invalid_authorization_details";
    refused(&app, (Value::Null, json!([tools(&["a"])])), (code, "policy_denied")).await;
}

/// Explained as a sign-in would be decided.
#[tokio::test]
async fn explain_shows_the_details() {
    let rules = Rules::shipped_and(SMALL);
    let app = start_with(&rules).await;
    let before = app.written().await;
    let assertion = app.assertion(json!({ "authorization_details": [cancellation(), tools(&["a"])] }));
    let token = admin(&app, None).await;
    let question = json!({ "assertion": assertion, "client_id": CLIENT });
    let explained = explain(&app, &token, "acme", question).await.json;
    assert_eq!(explained["token"]["authorization_details"], json!([tools(&["a"])]), "{explained}");
    let decisions = explained["decisions"].as_array().unwrap();
    let denied = decisions.iter().find(|decision| decision["allowed"] == false).unwrap();
    assert_eq!((&denied["action"], &denied["policies"][0]), (&json!("GrantDetail"), &json!("test.cancel")));
    assert_eq!(denied["findings"][0]["matched"], true, "{denied}");
    assert_eq!(app.written().await, before);
}

/// A set on trial that grants less is noticed.
#[tokio::test]
async fn the_shadow_set_is_compared() {
    let (rules, shadow) = (Rules::shipped(), Rules::shipped_and(SMALL));
    let (policy_dir, schema_file) = (rules.policies(), rules.schema());
    let app = TestApp::start_with(|config| {
        (config.policy_dir, config.schema_file) = (Some(policy_dir), Some(schema_file));
        config.policy.shadow_dir = Some(shadow.policies());
        with_types(config, rules.dir.path());
    })
    .await;
    let claimed = json!([cancellation(), tools(&["a"])]);
    assert_eq!(granted(&app, claimed.clone(), Value::Null).await, claimed);
    app.app.shadow.as_ref().unwrap().flush(&app.app.store).await.unwrap();
    let report = operator(&app, "/policies/shadow").await;
    let change = report.json["groups"][0]["change"].as_str().unwrap_or_default();
    assert!(change.starts_with("details lost: {") && change.contains("cancel"), "{report:?}");
}

/// Cases state details, and expect them.
#[test]
fn cases_are_about_details() {
    let dir = tempfile::tempdir().unwrap();
    let case = |line: &str| {
        let text = format!(
            "[[test]]\nname = \"x\"\nteamspace = {{ slug = \"acme\", issuer = \"https://i.example.com\", servers = [\"https://s.example.com\"] }}\n\
             member = \"active\"\n{line}\n"
        );
        std::fs::write(dir.path().join("cases.toml"), text).unwrap();
        let source = PolicySource::read(Path::new("policies"), Path::new("schema/countersign.cedarschema"));
        let policies = source.unwrap().compile(0).unwrap();
        run(&policies.compiled, &cases::read(dir.path()).unwrap()[0]).failures
    };
    let claims =
        "claims = { email = \"a@acme.com\", authorization_details = [{ type = \"payment\", value = 5 }] }";
    assert_eq!(
        case(&format!("{claims}\nexpect = {{ details = [{{ value = 5, type = \"payment\" }}] }}")),
        Vec::<String>::new()
    );
    let other = case(&format!("{claims}\nexpect = {{ details = [] }}"));
    assert!(other[0].contains("expected the details []") && other[0].contains("payment"), "{other:?}");
    // One that no policy grants, and one that goes beyond the limit to tools.
    let asked = "claims = { email = \"a@acme.com\", authorization_details = [{ type = \"mcp_tool\", tools = [\"a\"] }] }\n\
        request = { authorization_details = [{ type = \"payment\" }, { type = \"mcp_tool\", tools = [\"a\"] }, { type = \"mcp_tool\", tools = [\"b\"] }] }";
    let denied = |detail: &str, reason: &str| {
        case(&format!(
            "{asked}\nexpect = {{ denied_details = [{{ detail = {detail}, reason = {reason} }}] }}"
        ))
    };
    let (payment, beyond) = ("{ type = \"payment\" }", "{ tools = [\"b\"], type = \"mcp_tool\" }");
    assert_eq!(denied(payment, "\"detail_not_authorized\""), Vec::<String>::new());
    assert_eq!(denied(beyond, "[\"detail_not_authorized\"]"), Vec::<String>::new());
    let told = r#"expected `{"tools":["b"],"type":"mcp_tool"}` refused for `x`, got `detail_not_authorized`"#;
    assert_eq!(denied(beyond, "\"x\""), [told]);
    let granted = denied("{ type = \"mcp_tool\", tools = [\"a\"] }", "\"x\"");
    assert_eq!(granted, [r#"expected `{"tools":["a"],"type":"mcp_tool"}` to be refused; it was not"#]);
    let never_asked = denied("{ type = \"other\" }", "\"x\"");
    assert_eq!(never_asked, [r#"expected `{"type":"other"}` to be refused; it was not"#]);
}
