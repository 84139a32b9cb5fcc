//! Sessions of the console in the API.

use axum::http::Method;
use countersign::store::console_sessions::SessionKind;
use serde_json::json;

use super::harness::Harness;
use crate::console::visitor::Visitor;

const PATH: &str = "/console-sessions";

#[tokio::test]
async fn an_operator_ends_one_session_or_all_of_a_person_or_everybodys() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let olive = Visitor::operator_named(&h.app, "olive@example.com").await;
    let again = Visitor::operator_named(&h.app, "olive@example.com").await;
    let link = Visitor::by_link(&h.app, "acme").await;
    let listed = h.operator.get(PATH).await.expect(200);
    let of = |id: &str| {
        let items = listed["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == id).unwrap_or_else(|| panic!("{listed}")).clone()
    };
    assert_eq!(of(olive.session_id())["email"], "olive@example.com");
    let by_link = of(link.session_id());
    assert_eq!((&by_link["kind"], &by_link["teamspace"]), (&json!(SessionKind::SetupLink), &json!("acme")));
    assert!(!listed.to_string().contains("digest"), "{listed}");

    let one = format!("{PATH}/{}", link.session_id());
    h.refuses(&acme, (Method::GET, PATH), None, (403, "operator_only")).await;
    h.refuses(&acme, (Method::DELETE, &one), None, (403, "operator_only")).await;
    h.operator.delete(&one).await.expect(204);
    h.operator.delete(&one).await.problem(404, "not_found");

    let end = format!("{PATH}/end");
    for body in [
        json!({}),
        json!({ "everybody": false }),
        json!({ "email": "a@b.example", "everybody": true }),
        json!({ "email": "a@b.example", "person_of": "x" }),
    ] {
        h.operator.post(&end, body).await.problem(422, "body_invalid");
    }
    h.refuses(&acme, (Method::POST, &end), Some(json!({ "everybody": true })), (403, "operator_only")).await;
    h.operator.post(&end, json!({ "person_of": "nobody" })).await.problem(404, "not_found");
    let ended = h.operator.post(&end, json!({ "person_of": again.session_id() })).await.expect(200);
    assert_eq!(ended["ended"], 2);
    assert!(olive.get("").await.location.contains("/sign-in"));
    let _back = Visitor::operator_named(&h.app, "olive@example.com").await;
    let ended = h.operator.post(&end, json!({ "email": "Olive@example.com " })).await.expect(200);
    assert_eq!(ended["ended"], 1);
    let (_one, _other) = (Visitor::operator(&h.app).await, Visitor::by_link(&h.app, "acme").await);
    assert_eq!(h.operator.post(&end, json!({ "everybody": true })).await.expect(200)["ended"], 2);
    assert_eq!(h.operator.get(PATH).await.expect(200)["items"], json!([]));
    h.operator.get(&format!("{PATH}?cursor=eA")).await.problem(400, "cursor_invalid");
}
