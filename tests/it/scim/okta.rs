//! What Okta sends: it looks a user up by name, and adds, replaces and deactivates them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Scim, USER};

/// The body of Okta's first request about a person.
pub fn user(email: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": email,
        "name": { "givenName": "Dana", "familyName": "Scott" },
        "emails": [{ "primary": true, "value": email, "type": "work" }],
        "displayName": "Dana Scott",
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true,
    })
}

const DANA: &str = "dana@acme.com";
const BY_NAME: &str = "/Users?filter=userName%20eq%20%22Dana%40acme.com%22&startIndex=1&count=100";

#[tokio::test]
async fn a_person_is_found_added_changed_deactivated_and_brought_back() {
    let scim = Scim::start().await;
    let none = scim.get(BY_NAME).await;
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(0), &json!([])));
    assert_eq!(none["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));

    let answer = scim.send(Method::POST, "/Users", Some(user("Dana@acme.com"))).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (made, id) = (&answer.json, answer.json["id"].as_str().unwrap().to_owned());
    let location = scim.url(&format!("/Users/{id}"));
    assert_eq!((answer.header("location"), &made["meta"]["location"]), (&*location, &json!(location)));
    assert_eq!(
        (answer.header("etag"), &made["meta"]["version"]),
        (made["meta"]["version"].as_str().unwrap(), &json!(answer.header("etag")))
    );
    for (name, value) in [
        ("userName", json!("Dana@acme.com")),
        ("active", json!(true)),
        ("externalId", json!("00ujl29u0le5T6Aj10h7")),
        ("displayName", json!("Dana Scott")),
        ("locale", json!("en-US")),
        ("password", Value::Null),
        ("groups", Value::Null),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(scim.app.member(DANA).await.unwrap().id, id);
    assert_eq!(scim.status(DANA).await, "invited");
    assert_eq!(scim.get(BY_NAME).await["Resources"], json!([made]));

    let token = scim.sign_in().await;
    assert_eq!(scim.status(DANA).await, "active");
    let put = json!({
        "schemas": [USER],
        "id": id,
        "userName": DANA,
        "name": { "givenName": "Dana", "middleName": "", "familyName": "Miller" },
        "emails": [{ "primary": true, "value": DANA, "type": "work", "display": DANA }],
        "active": true,
        "groups": [],
        "meta": { "resourceType": "User" },
    });
    let path = format!("/Users/{id}");
    let changed = scim.ok(Method::PUT, &path, Some(put.clone())).await;
    assert_eq!((&changed["name"]["familyName"], &changed["externalId"]), (&json!("Miller"), &Value::Null));
    assert_eq!(scim.app.member(DANA).await.unwrap().id, id);

    let mut out = put.clone();
    out["active"] = json!(false);
    let out = scim.ok(Method::PUT, &path, Some(out)).await;
    assert_eq!((&out["active"], scim.status(DANA).await), (&json!(false), "suspended"));
    scim.is_revoked(&token);
    scim.is_kept_out().await;
    scim.app.clock.advance(60);
    let back = scim.ok(Method::PUT, &path, Some(put)).await;
    assert_eq!((&back["active"], scim.status(DANA).await), (&json!(true), "active"));
    scim.is_revoked(&token);
    scim.sign_in().await;
}

/// A patch without a path, and the same once more.
#[tokio::test]
async fn a_patch_without_a_path_deactivates_and_may_be_repeated() {
    let scim = Scim::start().await;
    let id = scim.add(DANA).await;
    let token = scim.sign_in().await;
    scim.app.clock.advance(5);
    let first = scim.set_active(&id, false).await;
    assert_eq!(first["active"], false);
    scim.is_revoked(&token);
    let revocations = scim.app.count("revocations").await;
    scim.app.clock.advance(5);
    // It changes nothing, not even the time of the last change.
    assert_eq!(scim.set_active(&id, false).await, first);
    assert_eq!(scim.app.count("revocations").await, revocations);
    scim.is_kept_out().await;
}

/// Each change is in the audit log with the token's name, and its revocation has the cause `scim`.
#[tokio::test]
async fn changes_are_audited_as_the_tokens() {
    let scim = Scim::start().await;
    let id = scim.add(DANA).await;
    scim.sign_in().await;
    scim.set_active(&id, false).await;
    scim.ok(Method::DELETE, &format!("/Users/{id}"), None).await;
    let rows = scim.audited().await;
    let seen: Vec<_> = rows.iter().filter(|row| row["actor_kind"] == "scim_token").collect();
    let actions: Vec<_> = seen.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["scim_user.delete", "scim_user.update", "scim_user.create"]);
    for row in seen {
        assert_eq!(
            (&row["actor"], &row["object"], &row["teamspace"]),
            (&json!("Okta"), &json!(id), &json!("acme")),
            "{row}"
        );
    }
    let causes = scim.app.texts("SELECT cause FROM revocations WHERE kind = 'member'").await;
    assert_eq!(causes, ["scim", "scim"]);
}

/// Okta keeps the names as they were sent, and the profile has a bound.
#[tokio::test]
async fn what_does_not_fit_is_left_out() {
    let scim = Scim::start().await;
    let mut body = user(DANA);
    body["nickName"] = "n".repeat(5000).into();
    body["costCenter"] = "4130".into();
    let made = scim.ok(Method::POST, "/Users", Some(body)).await;
    assert_eq!((&made["nickName"], &made["costCenter"]), (&Value::Null, &json!("4130")));
    let stored = scim.app.texts("SELECT profile FROM scim_users").await.remove(0);
    assert!(stored.len() <= 4096 && !stored.contains("1mz050nq"), "{stored}");
}
