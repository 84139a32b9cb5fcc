//! The decision log, the audit log, and the policies in force.

use countersign::store::sign_ins::NewSignIn;
use serde_json::json;

use super::harness::{Harness, NOW};
use crate::decision_bodies::body;

/// Writes a row to the decision log.
pub async fn record(h: &Harness, slug: Option<&str>, row: NewSignIn) {
    let snapshot = h.app.snapshot();
    let teamspace_id = slug.map(|slug| snapshot.teamspace_config(slug).unwrap().teamspace.id.clone());
    let row = NewSignIn { at: NOW, teamspace_id, ..row };
    h.app.store.record(row.into()).await.unwrap();
}

/// A sign-in that was granted.
pub fn granted() -> NewSignIn {
    let decisions = json!([
        { "action": "TrustIssuer", "resource": "acme", "allowed": true, "policies": ["issuer.own"] },
        { "action": "AdmitMember", "resource": "acme", "allowed": true, "policies": ["member.admit"] },
        { "action": "GrantScope", "resource": "a", "allowed": true, "policies": ["scope.setting"] },
        { "action": "GrantScope", "resource": "b", "allowed": true, "policies": ["scope.setting"] },
    ]);
    NewSignIn {
        outcome: "granted".into(),
        request_id: "r-granted".into(),
        token_id: "t-granted".into(),
        scopes_asked: "a b".into(),
        scopes_granted: "a b".into(),
        body: body(&decisions),
        facts: "{}".into(),
        policy_set: "hash".into(),
        ..NewSignIn::default()
    }
}

fn refused(reason: &str) -> NewSignIn {
    NewSignIn { outcome: "refused".into(), reason: reason.into(), ..NewSignIn::default() }
}

#[tokio::test]
async fn sign_ins_are_listed_newest_first_and_by_filter() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    record(&h, Some("acme"), granted()).await;
    record(&h, Some("acme"), refused("replayed")).await;
    record(&h, Some("acme"), refused("expired")).await;
    record(&h, Some("globex"), refused("expired")).await;
    record(&h, None, refused("client_unknown")).await;

    let reasons = async |query: &str| {
        let listed = acme.get(&format!("/teamspaces/acme/sign-ins{query}")).await.expect(200);
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["reason"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(reasons("").await, ["expired", "replayed", "-"]);
    assert_eq!(reasons("?outcome=refused").await, ["expired", "replayed"]);
    assert_eq!(reasons("?outcome=refused&reason=replayed").await, ["replayed"]);
    assert_eq!(reasons("?request_id=r-granted").await, ["-"]);
    acme.get("/teamspaces/acme/sign-ins?outcome=denied").await.problem(400, "query_invalid");
    acme.get("/teamspaces/acme/sign-ins?email=x").await.problem(400, "query_invalid");

    let page = acme.get("/teamspaces/acme/sign-ins?limit=2").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(reasons(&format!("?limit=2&cursor={cursor}")).await, ["-"]);

    let all = h.operator.get("/sign-ins").await.expect(200);
    let teamspaces: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|i| i["teamspace"].as_str()).collect();
    assert_eq!(teamspaces, [None, Some("globex"), Some("acme"), Some("acme"), Some("acme")]);
}

#[tokio::test]
async fn a_sign_in_tells_what_was_decided_and_by_which_policies() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    record(&h, Some("acme"), granted()).await;
    let listed = acme.get("/teamspaces/acme/sign-ins").await.expect(200);
    let item = &listed["items"][0];
    for (name, value) in [
        ("time", json!("2026-09-21T14:13:20Z")),
        ("outcome", json!("granted")),
        ("reason", json!(null)),
        ("scopes_asked", json!(["a", "b"])),
        ("scopes_granted", json!(["a", "b"])),
        ("policy_ids", json!(["issuer.own", "member.admit", "scope.setting"])),
        ("policy_set", json!("hash")),
    ] {
        assert_eq!(item[name], value, "{name}");
    }
    assert_eq!(item["decisions"].as_array().unwrap().len(), 4);
    for name in
        ["id", "detail", "request_id", "client_id", "issuer", "subject", "email", "member_id", "resource"]
    {
        assert!(!item[name].is_null(), "{name}");
    }
}

/// ADM-09: who, old, new.
#[tokio::test]
async fn every_change_is_audited() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    let path = "/teamspaces/acme/identity-provider";
    let body = |name: &str| json!({ "provider": "oidc", "issuer": h.idp.issuer(name) });
    acme.put(path, body("good")).await.expect(200);
    acme.put(path, body("other")).await.expect(200);
    acme.delete(path).await.expect(204);
    h.operator.post("/clients", json!({ "client_id": "c" })).await.expect(201);

    let own = acme.get("/audit").await.expect(200);
    let own = own["items"].as_array().unwrap();
    let actions: Vec<_> = own.iter().map(|event| event["action"].as_str().unwrap()).collect();
    let put = "identity_provider.put";
    assert_eq!(actions, ["identity_provider.delete", put, put, "teamspace.create"]);
    let replaced = &own[1];
    for (name, value) in [
        ("actor", json!("acme")),
        ("object", json!("acme")),
        ("teamspace", json!("acme")),
        ("request_id", json!("req-1")),
        ("time", json!("2026-09-21T14:13:20Z")),
    ] {
        assert_eq!(replaced[name], value, "{name}");
    }
    assert_eq!(replaced["old"]["issuer"], h.idp.issuer("good"));
    assert_eq!(replaced["new"]["issuer"], h.idp.issuer("other"));
    assert!(own[0]["new"].is_null() && own[2]["old"].is_null());

    let all = h.operator.get("/audit?limit=1").await.expect(200);
    let event = &all["items"][0];
    assert_eq!((&event["actor"], &event["action"]), (&json!("ops"), &json!("client.create")));
    assert!(event["teamspace"].is_null() && all["next_cursor"].is_string());
}

#[tokio::test]
async fn the_policies_in_force_are_told() {
    let h = Harness::start().await;
    let told = h.operator.get("/policies").await.expect(200);
    assert_eq!(told["hash"], h.app.policies().hash);
    assert_eq!(told["loaded_at"], "2026-09-21T14:13:20Z");
    assert!(told["last_error"].is_null());
    let grants = &told["files"][1];
    assert_eq!(grants["name"], "grants.cedar");
    assert!(grants["policies"].as_array().unwrap().contains(&json!("scope.setting")));
}
