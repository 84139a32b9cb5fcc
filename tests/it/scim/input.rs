//! Bad input: SCIM's own errors, never a defect, and nothing is written.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATCH_OP, Scim, okta};
use crate::harness::Answer;

const DANA: &str = "dana@acme.com";

async fn raw(scim: &Scim, method: Method, path: &str, (media_type, body): (&str, String)) -> Answer {
    let request = scim.app.http.request(method, scim.url(path)).bearer_auth(&scim.token);
    let request = if media_type.is_empty() { request } else { request.header("content-type", media_type) };
    Answer::of(request.body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn bodies_that_cannot_be_are_refused() {
    let scim = Scim::start().await;
    let id = scim.add("eli@acme.com").await;
    let (one, good) = (format!("/Users/{id}"), okta::user(DANA).to_string());
    let json_type = "application/json";
    let deep = format!(r#"{{"userName":"x","a":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    let twice = r#"{"userName":"x@acme.com","userName":"y@acme.com"}"#.to_owned();
    let in_two_cases = r#"{"userName":"x@acme.com","active":true,"Active":false}"#.to_owned();
    let long = format!(r#"{{"userName":"{}"}}"#, "x".repeat(70_000));
    let changes = (0..51).map(|_| json!({ "op": "replace", "path": "active", "value": true }));
    let many = json!({ "Operations": changes.collect::<Vec<_>>() }).to_string();
    let before = (scim.app.count("members").await, scim.app.count("admin_events").await);
    for (method, path, media_type, body, status) in [
        (Method::POST, "/Users", "", good.clone(), 415),
        (Method::POST, "/Users", "text/plain", good.clone(), 415),
        (Method::POST, "/Users", "application/x-www-form-urlencoded", good, 415),
        (Method::POST, "/Users", json_type, String::new(), 400),
        (Method::POST, "/Users", json_type, "[]".into(), 400),
        (Method::POST, "/Users", json_type, "{".into(), 400),
        (Method::POST, "/Users", json_type, r#"{"userName":"x\u0000@acme.com"}"#.into(), 400),
        (Method::POST, "/Users", json_type, deep.clone(), 400),
        (Method::POST, "/Users", json_type, twice, 400),
        (Method::POST, "/Users", json_type, in_two_cases, 400),
        (Method::POST, "/Users", json_type, long, 413),
        (Method::PUT, &one, json_type, deep.clone(), 400),
        (Method::PATCH, &one, json_type, deep, 400),
        (Method::PATCH, &one, json_type, many, 400),
        (Method::PATCH, &one, json_type, r#"{"Operations":[]}"#.into(), 400),
        (Method::PATCH, &one, json_type, r#"{"Operations":{"op":"add"}}"#.into(), 400),
        (Method::PATCH, &one, json_type, r#"{"Operations":["add"]}"#.into(), 400),
        (
            Method::PATCH,
            &one,
            json_type,
            r#"{"operations":[{"op":"move","path":"a","value":1}]}"#.into(),
            400,
        ),
        (
            Method::PATCH,
            &one,
            json_type,
            r#"{"Operations":[{"op":"add","path":"a[","value":1}]}"#.into(),
            400,
        ),
        (Method::PATCH, &one, json_type, r#"{"Operations":[{"op":"remove"}]}"#.into(), 400),
        (Method::PATCH, "/Users", json_type, "{}".into(), 405),
        (Method::DELETE, "/Users", "", String::new(), 405),
        (Method::POST, &one, json_type, "{}".into(), 405),
        (Method::POST, "/ServiceProviderConfig", json_type, "{}".into(), 405),
        (Method::GET, "/Nothing", "", String::new(), 404),
        (Method::GET, "/Users/%00", "", String::new(), 404),
        (Method::GET, "/Users/nobody", "", String::new(), 404),
    ] {
        let shown = format!("{method} {path} {media_type} {}", &body[..body.len().min(80)]);
        let answer = raw(&scim, method, path, (media_type, body)).await;
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
        assert_eq!(answer.json["status"], status.to_string(), "{shown}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/scim+json");
    }
    assert_eq!((scim.app.count("members").await, scim.app.count("admin_events").await), before);
}

#[tokio::test]
async fn users_without_a_name_or_an_address_are_refused() {
    let scim = Scim::start().await;
    let post = (Method::POST, "/Users");
    for (body, scim_type) in [
        (json!({}), "invalidValue"),
        (json!({ "userName": "" }), "invalidValue"),
        (json!({ "userName": 7 }), "invalidValue"),
        (json!({ "userName": "x".repeat(255) }), "invalidValue"),
        (json!({ "userName": "a\nb" }), "invalidValue"),
        (json!({ "userName": "dana" }), "invalidValue"),
        (json!({ "userName": "dana", "emails": "dana@acme.com" }), "invalidValue"),
        (json!({ "userName": "dana", "emails": [{ "value": "\"d\"@acme.com" }] }), "invalidValue"),
        (json!({ "userName": DANA, "externalId": 7 }), "invalidValue"),
        (json!({ "userName": DANA, "active": "yes" }), "invalidValue"),
        (
            json!({ "userName": DANA, "emails": [{ "value": DANA, "display": "d".repeat(5000) }] }),
            "invalidValue",
        ),
    ] {
        scim.refused((post.0.clone(), post.1), Some(body), (400, scim_type)).await;
    }
    assert_eq!(scim.app.count("members").await, 0);
    // The address of work comes before others, and a name that is one will do.
    let emails = json!([{ "value": "home@acme.com", "type": "home" }, { "value": DANA, "type": "Work" }]);
    scim.ok(Method::POST, "/Users", Some(json!({ "username": "dana", "Emails": emails }))).await;
    assert_eq!(scim.status(DANA).await, "invited");
    scim.ok(Method::POST, "/Users", Some(json!({ "userName": "eli@acme.com" }))).await;
    assert_eq!(scim.status("eli@acme.com").await, "invited");
}

#[tokio::test]
async fn filters_that_are_not_understood_are_refused() {
    let scim = Scim::start().await;
    scim.add(DANA).await;
    let long = format!("userName eq \"{}\"", "x".repeat(2000));
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName eq dana",
        "userName co \"d\"",
        "title eq \"x\"",
        "userName eq 7",
        "userName eq \"a\" or userName eq \"b\"",
        "(userName eq \"a\")",
        "emails.type eq \"work\"",
        &long,
    ] {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        scim.refused((Method::GET, &format!("/Users?filter={query}")), None, (400, "invalidFilter")).await;
    }
    for query in ["startIndex=x", "count=1.5", "count=99999999999999999999"] {
        scim.refused((Method::GET, &format!("/Users?{query}")), None, (400, "")).await;
    }
    let found = scim.get("/Users?filter=EMAILS.value%20Eq%20%22DANA@acme.com%22&unknown=1").await;
    assert_eq!(found["totalResults"], 1);
}

/// Attributes that are not known stop nothing.
#[tokio::test]
async fn unknown_attributes_are_kept_or_left_out() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.add(DANA).await);
    let operations = json!([
        { "op": "Add", "path": "urn:example:2.0:User:shoeSize", "value": 43 },
        { "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "admin" },
        { "op": "Replace", "value": { "no path at all": 1, "nickName": "D", "id": "other", "groups": [{ "value": "g" }] } },
        { "op": "Remove", "path": "emails[type eq \"home\"]" },
        { "op": "Remove", "path": "photos.value" },
    ]);
    let body = json!({ "schemas": [PATCH_OP], "Operations": operations });
    let changed = scim.ok(Method::PATCH, &path, Some(body)).await;
    assert_eq!(changed["urn:example:2.0:User"]["shoeSize"], 43);
    assert_eq!((&changed["nickName"], &changed["groups"]), (&json!("D"), &Value::Null));
    assert_eq!(changed["meta"]["location"], scim.url(&path));
    assert_eq!(changed["emails"].as_array().unwrap().len(), 1);
    assert_eq!(scim.app.texts("SELECT role FROM members").await, ["developer"]);
}
