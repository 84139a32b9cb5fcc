//! Rich authorization requests (RFC 9396): in assertions, in token requests, on tokens and at forward-auth.

mod forward_auth;
mod granted;
mod parser;
mod policies;
mod refused;
mod types;

use std::path::Path;

use countersign::config::Config;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::harness::{Answer, RESOURCE, TestApp};
use crate::reload::operator;

/// Payments of at most 1000 in a currency that is written as three letters.
pub const PAYMENT: &str = r##"{
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "type": true,
        "locations": true,
        "privileges": true,
        "actions": { "items": { "enum": ["initiate", "cancel"] } },
        "amount": { "$ref": "#/$defs/amount" }
    },
    "required": ["amount"],
    "additionalProperties": false,
    "$defs": {
        "amount": {
            "type": "object",
            "properties": {
                "value": { "type": "number", "maximum": 1000 },
                "currency": { "type": "string", "pattern": "^[A-Z]{3}$" }
            },
            "required": ["value", "currency"]
        }
    }
}"##;

/// The name of the other type of the configuration.
pub const REPORT: &str = "https://example.com/types/report";

/// Writes the schemas of two types, and names them in the configuration.
pub fn with_types(config: &mut Config, dir: &Path) {
    let types = [("payment", "payment.json", PAYMENT), (REPORT, "report.json", r#"{ "type": "object" }"#)];
    for (name, file, text) in types {
        std::fs::write(dir.join(file), text).unwrap();
        config.authorization_details.types.insert(name.to_owned(), dir.join(file));
    }
}

/// A service with two types beside the built-in one.
pub async fn start() -> TestApp {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::make(dir.path());
    let place = dir.path().to_owned();
    TestApp::start_on(dir, database, |config| with_types(config, &place)).await
}

pub fn payment(value: u32) -> Value {
    json!({ "type": "payment", "actions": ["initiate"], "amount": { "value": value, "currency": "EUR" } })
}

pub fn tools(names: &[&str]) -> Value {
    json!({ "type": "mcp_tool", "tools": names })
}

/// Exchanges an assertion with these details, in a request with those; null means none.
pub async fn exchange(app: &TestApp, claimed: &Value, requested: &Value) -> Answer {
    let assertion = app.assertion(json!({ "authorization_details": claimed, "scope": "docs.read" }));
    match requested {
        Value::Null => app.exchange(&assertion).await,
        details => app.exchange_with(&assertion, &[("authorization_details", &details.to_string())]).await,
    }
}

/// The details of the token, which the answer has as well.
pub async fn granted(app: &TestApp, claimed: Value, requested: Value) -> Value {
    let answer = exchange(app, &claimed, &requested).await;
    assert_eq!(answer.status, 200, "{claimed} {requested} {answer:?}");
    let of_token = answer.claims()["authorization_details"].clone();
    assert_eq!(answer.json["authorization_details"], of_token, "{answer:?}");
    assert_eq!(
        (answer.json["scope"].as_str(), &answer.json["resource"]),
        (Some("docs.read"), &json!(RESOURCE))
    );
    of_token
}

/// The latest row of the decision log, as administrators see it.
pub async fn last_row(app: &TestApp) -> Value {
    operator(app, "/teamspaces/acme/sign-ins").await.json["items"][0].clone()
}

/// The exchange is refused with this code and reason, and nothing is written but the row.
pub async fn refused(app: &TestApp, (claimed, requested): (Value, Value), (error, reason): (&str, &str)) {
    let before = app.written().await;
    let answer = exchange(app, &claimed, &requested).await;
    app.assert_refused(&answer, before, 400, error, reason).await;
}
