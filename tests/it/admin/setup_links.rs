//! Set-up links by the API.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Api, Harness, NOW};

const LINKS: &str = "/teamspaces/acme/setup-links";

async fn make(api: &Api) -> Value {
    api.call(Method::POST, LINKS, None).await.expect(201)
}

async fn states(api: &Api) -> Vec<String> {
    let listed = api.get(LINKS).await.expect(200);
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|link| link["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_link_is_made_listed_and_revoked() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let made = make(&acme).await;
    assert_eq!(made["expires_at"], countersign::clock::rfc3339(NOW + 72 * 3600));
    let url = made["url"].as_str().unwrap();
    let (place, token) = url.split_once("/console/set-up/csl_").unwrap();
    assert_eq!((place, token.len()), (&*h.app.config.issuer, 43));
    let listed = acme.get(LINKS).await.expect(200);
    let link = &listed["items"][0];
    assert_eq!(
        (&link["id"], &link["created_by"], &link["state"]),
        (&made["id"], &json!("acme"), &json!("open"))
    );
    assert!(link["used_at"].is_null() && link["revoked_at"].is_null() && listed["next_cursor"].is_null());
    assert!(!listed.to_string().contains(token), "the token is shown once: {listed}");
    let one = format!("{LINKS}/{}", made["id"].as_str().unwrap());
    acme.delete(&one).await.expect(204);
    assert_eq!(states(&acme).await, ["revoked"]);
    acme.delete(&one).await.expect(204);
    let audit = h.operator.get("/audit?action=setup_link").await.expect(200);
    let of = |index: usize, member: &str| audit["items"][index][member].clone();
    assert_eq!((of(0, "action"), of(0, "object")), (json!("setup_link.revoke"), made["id"].clone()));
    assert_eq!(
        (of(1, "action"), of(1, "actor"), of(1, "teamspace")),
        (json!("setup_link.create"), json!("acme"), json!("acme"))
    );
    assert_eq!(audit["items"].as_array().unwrap().len(), 2, "revoking it twice changes nothing: {audit}");
    assert!(!audit.to_string().contains(token), "{audit}");
}

#[tokio::test]
async fn a_link_can_be_used_for_a_minute_to_thirty_days() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for (valid_for, seconds) in [("1m", 60), ("12h", 43_200), ("30d", 30 * 86_400)] {
        let made = acme.post(LINKS, json!({ "valid_for": valid_for })).await.expect(201);
        assert_eq!(made["expires_at"], countersign::clock::rfc3339(NOW + seconds));
    }
    for valid_for in ["59s", "31d", "0s", "720h1s", "9999999999s"] {
        let body = Some(json!({ "valid_for": valid_for }));
        h.refuses(&acme, (Method::POST, LINKS), body, (422, "valid_for_invalid")).await;
    }
    for body in [json!({ "valid_for": "soon" }), json!({ "valid_for": 72 }), json!({ "for": "1h" })] {
        h.refuses(&acme, (Method::POST, LINKS), Some(body), (422, "body_invalid")).await;
    }
    assert_eq!(states(&acme).await.len(), 3);
}

/// Twenty are open at the most. Those that let nobody in any more do not count, and the newest hundred of them stay.
#[tokio::test]
async fn the_number_of_links_is_bounded() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    for _ in 0..20 {
        make(&h.operator).await;
    }
    h.refuses(&acme, (Method::POST, LINKS), None, (409, "too_many_setup_links")).await;
    h.clock.advance(72 * 3600);
    assert_eq!(states(&acme).await, ["expired"; 20]);
    let mut ids = Vec::new();
    for _ in 0..101 {
        let id = make(&h.operator).await["id"].as_str().unwrap().to_owned();
        h.operator.delete(&format!("{LINKS}/{id}")).await.expect(204);
        ids.push(id);
    }
    make(&h.operator).await;
    let listed = h.operator.get(LINKS).await.expect(200);
    let kept = listed["items"].as_array().unwrap();
    assert_eq!((kept.len(), &kept[0]["id"]), (101, &json!(ids[1])));
}

#[tokio::test]
async fn a_link_is_of_its_teamspace() {
    let h = Harness::start().await;
    let (acme, globex) = (h.teamspace("acme").await, h.teamspace("globex").await);
    let made = make(&acme).await;
    let id = made["id"].as_str().unwrap();
    for path in [format!("/teamspaces/globex/setup-links/{id}"), format!("{LINKS}/absent")] {
        h.refuses(&h.operator, (Method::DELETE, &path), None, (404, "not_found")).await;
    }
    h.refuses(&globex, (Method::DELETE, &format!("{LINKS}/{id}")), None, (404, "not_found")).await;
    h.refuses(&globex, (Method::POST, LINKS), None, (404, "not_found")).await;
    globex.get(LINKS).await.problem(404, "not_found");
    assert_eq!(states(&acme).await, ["open"]);
}
