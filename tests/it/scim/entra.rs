//! What Microsoft Entra sends: patches with paths, verbs with a capital, and truth as text.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATCH_OP, Scim, USER};

const DANA: &str = "dana@acme.com";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn user() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "dana@acme.onmicrosoft.com",
        "active": true,
        "displayName": "Dana Scott",
        "emails": [{ "primary": true, "type": "work", "value": "Dana@acme.com" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "Dana Scott", "familyName": "Scott", "givenName": "Dana" },
        "roles": [],
        ENTERPRISE: { "department": "Research" },
    })
}

fn patch(operations: Value) -> Option<Value> {
    Some(json!({ "schemas": [PATCH_OP], "Operations": operations }))
}

#[tokio::test]
async fn a_person_is_added_changed_disabled_enabled_and_deleted() {
    let scim = Scim::start().await;
    let by_id = "/Users?filter=externalId+eq+%220a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef%22";
    assert_eq!(scim.get(by_id).await["totalResults"], 0);
    let made = scim.ok(Method::POST, "/Users", Some(user())).await;
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(made["schemas"], json!([USER, ENTERPRISE]));
    assert_eq!(made[ENTERPRISE]["department"], "Research");
    assert_eq!(scim.get(by_id).await["Resources"][0], made);
    let by_email = "/Users?filter=emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22dana@acme.com%22";
    assert_eq!(scim.get(by_email).await["Resources"][0], made);
    let token = scim.sign_in().await;

    let changed = scim
        .ok(
            Method::PATCH,
            &path,
            patch(json!([
                { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "dana.scott@acme.com" },
                { "op": "Replace", "path": "name.familyName", "value": "Miller" },
                { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+49 30 1234" },
                { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Sales" },
                { "op": "Remove", "path": "displayName" },
            ])),
        )
        .await;
    assert_eq!(changed["emails"][0]["value"], "dana.scott@acme.com");
    assert_eq!(
        changed["name"],
        json!({ "formatted": "Dana Scott", "familyName": "Miller", "givenName": "Dana" })
    );
    assert_eq!(changed["phoneNumbers"], json!([{ "type": "mobile", "value": "+49 30 1234" }]));
    assert_eq!(
        (&changed[ENTERPRISE]["department"], &changed["displayName"]),
        (&json!("Sales"), &Value::Null)
    );
    assert_eq!(scim.status("dana.scott@acme.com").await, "active");

    let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    assert_eq!(scim.ok(Method::PATCH, &path, patch(off)).await["active"], false);
    scim.is_revoked(&token);
    scim.is_kept_out().await;
    scim.app.clock.advance(60);
    let on = json!([{ "op": "Replace", "path": "active", "value": "True" }]);
    assert_eq!(scim.ok(Method::PATCH, &path, patch(on)).await["active"], true);
    let token = scim.sign_in().await;

    assert_eq!(scim.send(Method::DELETE, &path, None).await.status, 204);
    scim.is_revoked(&token);
    scim.is_kept_out().await;
    scim.refused((Method::GET, &path), None, (404, "")).await;
    scim.refused((Method::DELETE, &path), None, (404, "")).await;
    assert_eq!(scim.status("dana.scott@acme.com").await, "removed");
}

/// The forms in which `active` comes.
#[tokio::test]
async fn every_form_of_active_is_understood() {
    let scim = Scim::start().await;
    let id = scim.add(DANA).await;
    let path = format!("/Users/{id}");
    for off in [
        json!([{ "op": "Replace", "path": "active", "value": false }]),
        json!([{ "op": "Replace", "path": "active", "value": "false" }]),
        json!([{ "op": "Replace", "path": "active", "value": [{ "$ref": null, "value": "False" }] }]),
        json!([{ "op": "replace", "path": "Active", "value": "False" }]),
        json!([{ "op": "add", "path": format!("{USER}:active"), "value": "False" }]),
        json!([{ "op": "Replace", "value": { "active": "False", "name.givenName": "D" } }]),
    ] {
        assert_eq!(scim.ok(Method::PATCH, &path, patch(off.clone())).await["active"], false, "{off}");
        assert_eq!(scim.status(DANA).await, "suspended", "{off}");
        scim.set_active(&id, true).await;
        assert_eq!(scim.status(DANA).await, "invited", "as before the first sign-in");
    }
    assert_eq!(scim.get(&path).await["name"]["givenName"], "D");
    let other = json!([{ "op": "Replace", "path": "active", "value": "perhaps" }]);
    scim.refused((Method::PATCH, &path), patch(other), (400, "invalidValue")).await;
}

/// What Entra reads first, and groups, which are not kept.
#[tokio::test]
async fn the_endpoint_describes_itself() {
    let scim = Scim::start().await;
    let config = scim.get("/ServiceProviderConfig").await;
    let supported = ["patch", "filter", "etag", "bulk", "sort", "changePassword"]
        .map(|name| config[name]["supported"] == true);
    assert_eq!(supported, [true, true, true, false, false, false]);
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert_eq!(scim.get("/ResourceTypes").await["Resources"][0]["schema"], USER);
    assert_eq!(scim.get("/ResourceTypes/User").await["endpoint"], "/Users");
    assert_eq!(scim.get("/Schemas").await["Resources"][0]["id"], USER);
    assert_eq!(scim.get(&format!("/Schemas/{USER}")).await["attributes"][0]["name"], "userName");
    let groups = scim.get("/Groups?excludedAttributes=members&filter=displayName%20eq%20%22x%22").await;
    assert_eq!((&groups["totalResults"], &groups["Resources"]), (&json!(0), &json!([])));
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "x" });
    scim.refused((Method::POST, "/Groups"), Some(group.clone()), (501, "")).await;
    scim.refused((Method::PATCH, "/Groups/x"), Some(group), (501, "")).await;
    scim.refused((Method::GET, "/Groups/x"), None, (404, "")).await;
}
