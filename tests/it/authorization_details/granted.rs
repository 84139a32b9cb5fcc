//! Which details a token gets, and where they are told.

use serde_json::{Value, json};

use super::{REPORT, exchange, granted, last_row, payment, refused, start, tools};
use crate::explain::{admin, explain};
use crate::harness::{CLIENT, RESOURCE};
use crate::introspection::{SERVER, introspect, put_credentials};

/// AT-04, RSP-03, INT-03: the token, the answer, introspection and the decision log have what was granted.
#[tokio::test]
async fn granted_details_are_told() {
    let app = start().await;
    put_credentials(&app, RESOURCE, SERVER).await;
    let within =
        json!({ "type": "mcp_tool", "server": RESOURCE, "tools": ["a", "b"], "locations": [RESOURCE] });
    let details = json!([within, payment(5), { "type": REPORT, "identifier": "r-7" }]);
    let answer = exchange(&app, &details, &Value::Null).await;
    assert_eq!(answer.json["authorization_details"], details, "{answer:?}");
    assert_eq!(answer.claims()["authorization_details"], details);
    let told = introspect(&app, answer.access_token()).await;
    assert_eq!(told.json["authorization_details"], details, "{told:?}");
    let row = last_row(&app).await;
    assert_eq!(row["authorization_details"], details, "{row}");
    let decisions = row["decisions"].as_array().unwrap();
    let asked: Vec<&Value> =
        decisions.iter().filter(|decision| decision["action"] == "GrantDetail").collect();
    assert_eq!(asked.len(), 3, "{row}");
    assert_eq!(asked[1]["policies"], json!(["detail.pass-through"]));
    let text = r#"{"actions":["initiate"],"amount":{"currency":"EUR","value":5},"type":"payment"}"#;
    assert_eq!(asked[1]["resource"], text, "the text of a detail has sorted members");

    let plain = app.granted(json!({})).await;
    assert!(
        plain.json.get("authorization_details").is_none()
            && plain.claims().get("authorization_details").is_none()
    );
    let told = introspect(&app, plain.access_token()).await;
    assert!(told.json.get("authorization_details").is_none(), "{told:?}");
    assert_eq!(last_row(&app).await["authorization_details"], json!([]));
}

/// META-10: RFC 9396 §10.
#[tokio::test]
async fn the_metadata_lists_the_types() {
    let app = start().await;
    let metadata = app.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(
        metadata.json["authorization_details_types_supported"],
        json!([REPORT, "mcp_tool", "payment"])
    );
}

/// GRT-10: an explanation takes the details of a request, and says what is wrong with them.
#[tokio::test]
async fn an_explanation_takes_the_details_of_a_request() {
    let app = start().await;
    let token = admin(&app, None).await;
    let ask = async |details: Value| {
        let assertion = app.assertion(json!({ "authorization_details": [payment(5), payment(7)] }));
        let body = json!({ "assertion": assertion, "client_id": CLIENT, "authorization_details": details });
        explain(&app, &token, "acme", body).await
    };
    let narrowed = ask(json!([payment(7)])).await;
    assert_eq!(narrowed.json["token"]["authorization_details"], json!([payment(7)]), "{narrowed:?}");
    for (details, reason) in [
        (json!([payment(9)]), "detail_not_authorized"),
        (json!([payment(2000)]), "authorization_details_unfit"),
        (json!([{ "type": "other" }]), "authorization_details_type_unknown"),
        (
            json!([{ "type": "mcp_tool", "server": "https://other.example.com", "tools": ["a"] }]),
            "authorization_details_elsewhere",
        ),
    ] {
        let answer = ask(details).await;
        assert_eq!(answer.json["error"]["error"], "invalid_authorization_details", "{answer:?}");
        assert_eq!(answer.json["error"]["reason"], reason, "{answer:?}");
    }
    let malformed = ask(json!([])).await;
    assert_eq!((malformed.status, &malformed.json["code"]), (422, &json!("authorization_details_malformed")));
    assert_eq!(app.written().await.sign_ins, 0, "nothing is stored");
}

/// GRT-10: RFC 9396 §6: a request narrows what the assertion authorizes, and never widens it.
#[tokio::test]
async fn a_request_narrows() {
    let app = start().await;
    let both = || json!([payment(5), payment(7)]);
    // Members in another order, and one twice: still the same detail.
    let same = json!([{ "amount": { "currency": "EUR", "value": 5 }, "type": "payment", "actions": ["initiate"] }, payment(5)]);
    assert_eq!(granted(&app, both(), same).await, json!([payment(5)]));
    assert_eq!(granted(&app, both(), json!([payment(7), payment(8)])).await, json!([payment(7)]));
    let row = app.last_sign_in().await;
    assert!(row.decisions.contains("detail_not_authorized"), "{row:?}");
    let code = "invalid_authorization_details";
    refused(&app, (both(), json!([payment(6)])), (code, "detail_not_authorized")).await;
    refused(&app, (Value::Null, json!([payment(5)])), (code, "detail_not_authorized")).await;
}

/// A limit to tools in the assertion is a restriction, which no request drops.
#[tokio::test]
async fn a_limit_to_tools_stays() {
    let app = start().await;
    let limit = || json!([tools(&["a"]), tools(&["b", "c"])]);
    assert_eq!(granted(&app, limit(), Value::Null).await, limit());
    // Across both limits.
    assert_eq!(granted(&app, limit(), json!([tools(&["c", "a"])])).await, json!([tools(&["c", "a"])]));
    assert_eq!(
        granted(&app, limit(), json!([tools(&["a"]), tools(&["a", "d"])])).await,
        json!([tools(&["a"])])
    );
    let with_payment = || json!([payment(5), tools(&["a"])]);
    assert_eq!(granted(&app, with_payment(), json!([payment(5)])).await, with_payment());
    let code = "invalid_authorization_details";
    let beyond = json!([tools(&["a", "d"])]);
    refused(&app, (limit(), beyond.clone()), (code, "detail_not_authorized")).await;
    let row = app.last_sign_in().await;
    let answers: Value = serde_json::from_str(&row.decisions).unwrap();
    let last = answers.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["allowed"], &last["policies"]),
        (&json!(false), &json!([])),
        "no policy was asked: {last}"
    );
    // The payment alone would be a token without a limit.
    let both = json!([payment(5), tools(&["d"])]);
    refused(&app, (with_payment(), both), (code, "detail_not_authorized")).await;
}

/// Without a limit in the assertion, a client may limit itself.
#[tokio::test]
async fn a_client_limits_itself() {
    let app = start().await;
    assert_eq!(granted(&app, Value::Null, json!([tools(&["a"])])).await, json!([tools(&["a"])]));
    assert_eq!(granted(&app, json!([payment(5)]), json!([tools(&["a"])])).await, json!([tools(&["a"])]));
}

/// No decision with details is remembered.
#[tokio::test]
async fn other_details_are_decided_anew() {
    let app = start().await;
    for value in [5, 6, 5, 7] {
        assert_eq!(granted(&app, json!([payment(value)]), Value::Null).await, json!([payment(value)]));
        assert_eq!(
            granted(&app, json!([payment(value)]), json!([payment(value)])).await,
            json!([payment(value)])
        );
        app.granted(json!({})).await;
        let code = "invalid_authorization_details";
        refused(&app, (json!([payment(value)]), json!([payment(9)])), (code, "detail_not_authorized")).await;
    }
    let metrics = app.app.render_metrics().unwrap();
    assert!(metrics.contains("countersign_policy_cache_differences_total 0"), "{metrics}");
}
