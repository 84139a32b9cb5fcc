//! Types from the configuration.

use countersign::app::{App, read_detail_types};
use countersign::config::DetailSettings;
use serde_json::{Value, json};

use super::{PAYMENT, granted, payment, refused, start};

/// What is wrong with a schema, in the words of the start.
fn fault(text: Option<&str>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payment.json");
    if let Some(text) = text {
        std::fs::write(&file, text).unwrap();
    }
    let types = [("payment".to_owned(), file)].into();
    read_detail_types(&DetailSettings { types }).unwrap_err().to_string()
}

/// A type that cannot be used is an error that names it and its file.
#[test]
fn unusable_schemas_stop_the_start() {
    let big = format!("{{\"description\":\"{}\"}}", "x".repeat(300_000));
    for (text, told) in [
        (None, "cannot be read"),
        (Some("{"), "is no JSON object"),
        (Some("[]"), "is no JSON object"),
        (Some(r#"{"type":"object","type":"array"}"#), "is no JSON object"),
        (Some(big.as_str()), "has more than"),
        (Some(r#"{"type":"thing"}"#), "is no usable JSON Schema"),
        (Some(r#"{"$schema":"http://json-schema.org/draft-07/schema#"}"#), "$schema must be"),
        (Some(r#"{"$ref":"https://example.com/other.json"}"#), "leads outside"),
        (Some(r#"{"properties":{"a":{"allOf":[{"$ref":"other.json#/a"}]}}}"#), "leads outside"),
        (Some(r#"{"$ref":"https://json-schema.org/draft/2020-12/schema"}"#), "leads outside"),
        (Some(r##"{"$ref":"#/$defs/missing"}"##), "is no usable JSON Schema"),
        (Some(r#"{"properties":{"a":{"pattern":"(?=x)y"}}}"#), "is no usable JSON Schema"),
        (Some(r#"{"properties":{"a":{"pattern":"(a{1000}){1000}"}}}"#), "is no usable JSON Schema"),
        (Some(r#"{"properties":{"a":{"format":"no-such-format"}}}"#), "is no usable JSON Schema"),
    ] {
        let error = fault(text);
        assert!(error.contains("`authorization_details.types`: payment: "), "{error}");
        assert!(error.contains("payment.json") && error.contains(told), "{text:?}: {error}");
    }
}

/// Changed schemas are taken over; a broken one leaves the last good ones.
#[tokio::test]
async fn a_changed_schema_takes_effect() {
    let app = start().await;
    let file = app.dir.path().join("payment.json");
    assert_eq!(granted(&app, json!([payment(900)]), Value::Null).await, json!([payment(900)]));
    let unfit = ("invalid_grant", "authorization_details_unfit");
    std::fs::write(&file, PAYMENT.replace("1000", "10")).unwrap();
    app.app.follow_detail_types().await;
    refused(&app, (json!([payment(900)]), Value::Null), unfit).await;
    for broken in ["{", r#"{"$ref":"https://example.com/x"}"#] {
        std::fs::write(&file, broken).unwrap();
        app.app.follow_detail_types().await;
        refused(&app, (json!([payment(900)]), Value::Null), unfit).await;
        assert_eq!(granted(&app, json!([payment(9)]), Value::Null).await, json!([payment(9)]));
    }
    std::fs::write(&file, PAYMENT).unwrap();
    app.app.follow_detail_types().await;
    assert_eq!(granted(&app, json!([payment(900)]), Value::Null).await, json!([payment(900)]));
}

/// The service does not start with a type that it could not check.
#[tokio::test]
async fn a_missing_schema_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::database::TestDatabase::make(dir.path());
    let mut config = countersign::config::Config { database_url: database.url.clone(), ..Default::default() };
    config.authorization_details.types.insert("payment".to_owned(), dir.path().join("none.json"));
    let started = App::start(config, std::sync::Arc::new(crate::harness::TestClock::at(1))).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("none.json cannot be read"), "{error}");
}
