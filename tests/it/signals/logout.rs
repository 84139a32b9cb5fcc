//! OpenID Connect Back-Channel Logout.

use serde_json::{Value, json};

use super::{Signals, changed, jti, signed_by};
use crate::idp::Key;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const CLIENT_ID: &str = "countersign-at-keycloak";

async fn start() -> Signals {
    let s = Signals::start().await;
    s.app.change_provider(|provider| provider.logout_client_id = Some(CLIENT_ID.to_owned())).await;
    s
}

/// A logout token as Keycloak sends it.
fn keycloaks(s: &Signals) -> Value {
    let now = s.now();
    json!({ "iat": now, "exp": now + 120, "jti": jti(), "iss": s.app.idp.issuer, "aud": CLIENT_ID, "sub": "00u1dana",
        "typ": "Logout", "sid": "5b6b2b5a-6c1a-4e0c-bd8d-6c6c1d9f9a35",
        "events": { EVENT: {}, "revoke_offline_access": true } })
}

/// REV-04: with the type of logout tokens, or that of any other as older providers.
#[tokio::test]
async fn a_logout_token_ends_the_sessions_of_a_member() {
    let s = start().await;
    for typ in ["logout+jwt", "JWT", ""] {
        s.app.clock.advance(1);
        let (before, claims) = (s.footprint().await, keycloaks(&s));
        let claims = changed(claims, &json!({ "iat": s.now() - 1 }));
        let answer = s.log_out("acme", &s.signed(typ, &claims)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        s.assert_ended(&before, &answer, ("back_channel_logout", s.now() - 1)).await;
    }
    // Without exp, as the first version allowed.
    let claims = changed(keycloaks(&s), &json!({ "exp": null, "sid": null }));
    assert_eq!(s.log_out("acme", &s.signed("logout+jwt", &claims)).await.status, 200);
}

/// A person without a member here is signed out already.
#[tokio::test]
async fn somebody_who_is_nobody_here_is_signed_out_already() {
    let s = start().await;
    let before = s.footprint().await;
    let claims = changed(keycloaks(&s), &json!({ "sub": "00unobody" }));
    assert_eq!(s.log_out("acme", &s.signed("logout+jwt", &claims)).await.status, 200);
    assert_eq!(s.footprint().await, before);
}

/// Each refusal is a 400 that nobody stores, and writes nothing.
#[tokio::test]
async fn refusals_write_nothing() {
    let s = start().await;
    let (good, now) = (keycloaks(&s), s.now());
    let with = |changes: Value| s.signed("logout+jwt", &changed(good.clone(), &changes));
    let silent = "The token was not accepted.";
    let cases: Vec<(&str, String, &str)> = vec![
        ("nowhere", s.signed("logout+jwt", &good), silent),
        ("acme", signed_by(&Key::rsa("idp-1", 1), "logout+jwt", &good), silent),
        ("acme", s.signed("oauth-id-jag+jwt", &good), silent),
        ("acme", with(json!({ "aud": "another-client" })), silent),
        ("acme", with(json!({ "aud": [CLIENT_ID, "another"] })), silent),
        ("acme", with(json!({ "aud": s.app.issuer() })), silent),
        ("acme", with(json!({ "jti": null })), "jti is missing"),
        ("acme", with(json!({ "iat": null })), "iat is missing"),
        ("acme", with(json!({ "iat": now + 31 })), "in the future"),
        ("acme", with(json!({ "iat": now - 631, "exp": now + 10 })), "too long ago"),
        ("acme", with(json!({ "iat": now - 200, "exp": now - 30 })), "has expired"),
        ("acme", with(json!({ "exp": now + 601 })), "lives too long"),
        ("acme", with(json!({ "events": null })), "logout event"),
        ("acme", with(json!({ "events": {} })), "logout event"),
        ("acme", with(json!({ "events": { EVENT: true } })), "logout event"),
        ("acme", with(json!({ "nonce": "n" })), "no nonce"),
        ("acme", with(json!({ "sub": null })), "sid alone is not supported"),
        ("acme", with(json!({ "sub": 7 })), "sub is missing or malformed"),
    ];
    let before = s.footprint().await;
    for (n, (slug, token, text)) in cases.iter().enumerate() {
        let answer = s.log_out(slug, token).await;
        assert_eq!(
            (answer.status, answer.json["error"].as_str()),
            (400, Some("invalid_request")),
            "case {n}"
        );
        assert!(answer.json["error_description"].as_str().unwrap().contains(text), "case {n}: {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(s.footprint().await, before, "case {n}");
    }
    s.is_active();
    let token = s.signed("logout+jwt", &good);
    assert_eq!(s.log_out("acme", &token).await.status, 200);
    let after = s.footprint().await;
    let again = s.log_out("acme", &token).await;
    assert_eq!(again.json["error_description"], "The logout token was used before.");
    assert_eq!(s.footprint().await, after);
}

/// Without the client id, the endpoint is off.
#[tokio::test]
async fn without_a_client_id_no_logout_token_is_taken() {
    let s = Signals::start().await;
    let before = s.footprint().await;
    let answer = s.log_out("acme", &s.signed("logout+jwt", &keycloaks(&s))).await;
    assert_eq!(
        (answer.status, &answer.json["error_description"]),
        (400, &json!("The token was not accepted."))
    );
    assert_eq!(s.footprint().await, before);
    s.is_active();
}
