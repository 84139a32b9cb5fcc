//! The rules for members hold by SCIM as they do for invitations, and the console's decisions stay.

use countersign::model::member::{Role, Status};
use reqwest::Method;
use serde_json::json;

use super::{PATCH_OP, Scim, okta};
use crate::admin::effect::change;
use crate::subject::futures_all;

const DANA: &str = "dana@acme.com";

/// An assertion lets nobody in whom the identity provider has deactivated, signed in before or not.
#[tokio::test]
async fn somebody_inactive_is_not_provisioned_by_a_sign_in() {
    let scim = Scim::start().await;
    scim.app.change_teamspace(|teamspace| teamspace.member_limit = Some(0)).await;
    let mut body = okta::user(DANA);
    body["active"] = json!(false);
    // No seat is needed.
    let made = scim.ok(Method::POST, "/Users", Some(body)).await;
    assert_eq!((&made["active"], scim.status(DANA).await), (&json!(false), "suspended"));
    scim.is_kept_out().await;
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    let on =
        json!({ "schemas": [PATCH_OP], "Operations": [{ "op": "replace", "value": { "active": true } }] });
    scim.refused((Method::PATCH, &path), Some(on.clone()), (403, "")).await;
    scim.app.change_teamspace(|teamspace| teamspace.member_limit = Some(1)).await;
    scim.ok(Method::PATCH, &path, Some(on)).await;
    assert_eq!(scim.status(DANA).await, "invited");
    scim.sign_in().await;
}

#[tokio::test]
async fn seats_and_email_domains_are_those_of_an_invitation() {
    let scim = Scim::start().await;
    scim.app
        .change_teamspace(|teamspace| {
            teamspace.member_limit = Some(1);
            teamspace.email_domains = vec!["acme.com".into()];
        })
        .await;
    let post = |email: &str| Some(okta::user(email));
    scim.refused((Method::POST, "/Users"), post("dana@evil.example"), (400, "invalidValue")).await;
    let id = scim.add(DANA).await;
    scim.refused((Method::POST, "/Users"), post("eli@acme.com"), (403, "")).await;
    // The seat is free, and taken again.
    scim.set_active(&id, false).await;
    let eli = scim.add("eli@acme.com").await;
    let on = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "True" }] });
    scim.refused((Method::PATCH, &format!("/Users/{id}")), Some(on), (403, "")).await;
    let moved = json!({ "Operations": [{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "e@evil.example" }] });
    scim.refused((Method::PATCH, &format!("/Users/{eli}")), Some(moved), (400, "invalidValue")).await;
}

/// A member who is there already becomes the user, whatever their status, and keeps their role.
#[tokio::test]
async fn members_who_are_there_are_taken_over() {
    let scim = Scim::start().await;
    let token = scim.sign_in().await;
    scim.app.change_member(DANA, |member| member.role = Role::Owner).await;
    let id = scim.add(DANA).await;
    let member = scim.app.member(DANA).await.unwrap();
    assert_eq!((member.id, member.role, member.status), (id.clone(), Role::Owner, Status::Active));
    // The name is taken now, and so is the address under another name.
    scim.refused((Method::POST, "/Users"), Some(okta::user(DANA)), (409, "uniqueness")).await;
    let mut other = okta::user(DANA);
    other["userName"] = "other".into();
    scim.refused((Method::POST, "/Users"), Some(other), (409, "uniqueness")).await;
    // An owner's address is the console's to change: it opens the console.
    let moved = json!({ "Operations": [{ "op": "replace", "value": { "emails": [{ "value": "mallory@acme.com", "primary": true }] } }] });
    scim.ok(Method::PATCH, &format!("/Users/{id}"), Some(moved)).await;
    assert_eq!(scim.status("mallory@acme.com").await, "unknown");
    scim.set_active(&id, false).await;
    scim.is_revoked(&token);
    // Removed and added once more, by way of an invitation.
    scim.ok(Method::DELETE, &format!("/Users/{id}"), None).await;
    assert_eq!(scim.add(DANA).await, id);
    let member = scim.app.member(DANA).await.unwrap();
    assert_eq!((member.role, member.status), (Role::Developer, Status::Invited));
}

/// Identity providers repeat `active: true` with every update.
#[tokio::test]
async fn a_suspension_by_an_administrator_stays() {
    let scim = Scim::start().await;
    let id = scim.add(DANA).await;
    scim.sign_in().await;
    let member = format!("/teamspaces/acme/members/{id}");
    change(&scim.app, Method::PATCH, &member, json!({ "status": "suspended" })).await;
    for active in [true, false, true] {
        assert_eq!(scim.set_active(&id, active).await["active"], false);
        assert_eq!(scim.status(DANA).await, "suspended");
    }
    let put = scim.ok(Method::PUT, &format!("/Users/{id}"), Some(okta::user(DANA))).await;
    assert_eq!(put["active"], false);
    scim.app.clock.advance(60);
    change(&scim.app, Method::PATCH, &member, json!({ "status": "active" })).await;
    assert_eq!(scim.get(&format!("/Users/{id}")).await["active"], true);
    // Whoever never signed in is invited, not active, when an administrator lifts what SCIM imposed.
    let eli = scim.add("eli@acme.com").await;
    scim.set_active(&eli, false).await;
    let path = format!("/teamspaces/acme/members/{eli}");
    let lifted = change(&scim.app, Method::PATCH, &path, json!({ "status": "active" })).await;
    assert_eq!(lifted.json["status"], "invited");
}

/// A member whom an administrator removes is gone for the identity provider, and the name is free.
#[tokio::test]
async fn a_removal_in_the_console_is_one_for_scim() {
    let scim = Scim::start().await;
    let id = scim.add(DANA).await;
    change(&scim.app, Method::DELETE, &format!("/teamspaces/acme/members/{id}"), json!({})).await;
    scim.refused((Method::GET, &format!("/Users/{id}")), None, (404, "")).await;
    assert_eq!(scim.get("/Users").await["totalResults"], 0);
    assert_eq!(scim.add(DANA).await, id);
    assert_eq!(scim.status(DANA).await, "invited");
}

/// Of concurrent requests to add one name, one succeeds, and the others hear of a conflict.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creates_of_a_name_succeeds() {
    let scim = Scim::start().await;
    let sent = (0..12).map(|_| scim.send(Method::POST, "/Users", Some(okta::user(DANA))));
    let answers = futures_all(sent).await;
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(201), of(409)), (1, 11), "{answers:?}");
    assert_eq!(scim.app.count("members").await, 1);
}

/// A name or address of somebody else is refused in changes too, and an old version is.
#[tokio::test]
async fn changes_keep_names_apart_and_heed_versions() {
    let scim = Scim::start().await;
    let (dana, eli) = (scim.add(DANA).await, scim.add("eli@acme.com").await);
    let path = format!("/Users/{eli}");
    let set = |name: &str, value: &str| {
        Some(json!({ "Operations": [{ "op": "replace", "path": name, "value": value }] }))
    };
    scim.refused((Method::PATCH, &path), set("userName", "DANA@acme.com"), (409, "uniqueness")).await;
    let work = "emails[type eq \"work\"].value";
    scim.refused((Method::PATCH, &path), set(work, DANA), (409, "uniqueness")).await;
    scim.refused((Method::PUT, &path), Some(okta::user(DANA)), (409, "uniqueness")).await;

    let path = scim.url(&format!("/Users/{dana}"));
    let with = async |method: Method, name: &str, version: &str| {
        let request = scim.app.http.request(method, &path).bearer_auth(&scim.token).header(name, version);
        request.send().await.unwrap().status().as_u16()
    };
    let old = scim.get(&format!("/Users/{dana}")).await["meta"]["version"].as_str().unwrap().to_owned();
    assert_eq!(with(Method::GET, "if-none-match", &old).await, 304);
    scim.set_active(&dana, false).await;
    assert_eq!(with(Method::GET, "if-none-match", &old).await, 200);
    assert_eq!(with(Method::DELETE, "if-match", &old).await, 412);
    assert_eq!(with(Method::DELETE, "if-match", "W/\"x\", *").await, 204);
}

/// Pages of a list, by name.
#[tokio::test]
async fn users_are_listed_page_by_page() {
    let scim = Scim::start().await;
    for name in ["a", "b", "c"] {
        scim.add(&format!("{name}@acme.com")).await;
    }
    for (query, names, start) in [
        ("", vec!["a", "b", "c"], 1),
        ("?startIndex=2&count=1", vec!["b"], 2),
        ("?startIndex=-5&count=2", vec!["a", "b"], 1),
        ("?startIndex=9", vec![], 9),
        ("?count=0", vec![], 1),
        ("?count=-1", vec![], 1),
        ("?count=100000&sortBy=userName&attributes=userName", vec!["a", "b", "c"], 1),
    ] {
        let list = scim.get(&format!("/Users{query}")).await;
        let resources = list["Resources"].as_array().unwrap();
        let found: Vec<_> = resources.iter().map(|user| user["userName"].as_str().unwrap()).collect();
        let expected: Vec<_> = names.iter().map(|name| format!("{name}@acme.com")).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(
            (&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]),
            (&json!(3), &json!(start), &json!(names.len()))
        );
    }
}
