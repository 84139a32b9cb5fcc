//! The client id of logout tokens as administrators set it, and the URLs as they see them.

use serde_json::json;

use crate::admin::harness::Harness;
use crate::console::visitor::{Visitor, has};
use crate::signals::{Signals, by_email};

#[tokio::test]
async fn administrators_set_and_unset_the_client_id_of_logout_tokens() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let path = "/teamspaces/acme/identity-providers";
    let new = json!({ "provider": "oidc", "issuer": h.idp.base, "logout_client_id": "kc" });
    let made = acme.post(path, new).await.expect(201);
    assert_eq!(made["logout_client_id"], "kc");
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    for bad in [json!(""), json!("x".repeat(256)), json!("a\u{1}")] {
        let patch = json!({ "logout_client_id": bad });
        acme.patch(&path, patch).await.problem(422, "logout_client_id_invalid");
    }
    // Other changes leave it as it is.
    let changed = acme.patch(&path, json!({ "scope": "" })).await.expect(200);
    assert_eq!(changed["logout_client_id"], "kc");
    let unset = acme.patch(&path, json!({ "logout_client_id": null })).await.expect(200);
    assert!(unset["logout_client_id"].is_null(), "{unset}");
}

#[tokio::test]
async fn the_console_shows_the_urls_and_takes_the_client_id() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    let form = [("kind", "oidc"), ("issuer", h.idp.base.as_str()), ("logout_client_id", "kc")];
    operator.post("/t/acme/enterprise", &form).await.leads_to("/t/acme/enterprise?kind=oidc", "is saved");
    let page = operator.get("/t/acme/enterprise?kind=oidc").await.page(200);
    has(&page, &["Client ID of logout tokens", ">kc<"]);
    for endpoint in ["global-token-revocation", "security-events", "backchannel-logout"] {
        has(&page, &[&format!("data-copy=\"{}/t/acme/{endpoint}\"", h.app.config.issuer)]);
    }
}

/// A member's page tells when and why tokens were ended, and the audit log by whom.
#[tokio::test]
async fn the_console_tells_what_ended_a_members_tokens() {
    let s = Signals::start().await;
    let id = s.app.member("dana@acme.com").await.unwrap().id;
    let operator = Visitor::operator(&s.app.app).await;
    let path = format!("/t/acme/members/{id}");
    assert!(!operator.get(&path).await.page(200).contains("Tokens ended"));
    let token = s.signed("global-token-revocation+jwt", &s.okta_claims());
    assert_eq!(s.revoke("acme", &token, &by_email()).await.status, 204);
    has(&operator.get(&path).await.page(200), &["Tokens ended", "the identity provider revoked the tokens"]);
    let audit = operator.get("/audit").await.page(200);
    has(&audit, &["Identity provider", "member.end_sessions", "global_token_revocation"]);
}
