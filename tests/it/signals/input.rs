//! Bad input at the endpoints for signals: an answer each time, and nothing written.

use reqwest::Method;
use serde_json::json;

use super::{DANA, Signals, by_email};
use crate::harness::Answer;

const ENDPOINTS: [(&str, &str, &str); 3] = [
    ("global-token-revocation", "application/json", "error"),
    ("security-events", "application/secevent+jwt", "err"),
    ("backchannel-logout", "application/x-www-form-urlencoded", "error"),
];

#[tokio::test]
async fn other_methods_are_refused() {
    let s = Signals::start().await;
    let before = s.footprint().await;
    for (endpoint, _, error) in ENDPOINTS {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let request = s.app.http.request(method.clone(), s.url("acme", endpoint));
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{endpoint} {method}");
            assert_eq!(
                (&answer.json[error], answer.header("cache-control")),
                (&json!("invalid_request"), "no-store")
            );
        }
    }
    assert_eq!(s.footprint().await, before);
}

/// REV-04: the body is read only for an authentic sender, and strictly.
#[tokio::test]
async fn bodies_of_revocations_are_read_strictly() {
    let s = Signals::start().await;
    let one = "{\"format\":\"email\",\"email\":\"dana@acme.com\"}";
    let deep = format!("{{\"sub_id\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let before = s.footprint().await;
    for (body, media_type) in [
        (String::new(), "application/json"),
        ("null".to_owned(), "application/json"),
        ("[]".to_owned(), "application/json"),
        ("{}".to_owned(), "application/json"),
        (format!("{{\"sub_id\":{one},\"subject\":{one}}}"), "application/json"),
        (format!("{{\"sub_id\":{one},\"sub_id\":{one}}}"), "application/json"),
        (
            "{\"sub_id\":{\"format\":\"email\",\"email\":\"a@b.c\",\"email\":\"dana@acme.com\"}}".to_owned(),
            "application/json",
        ),
        (format!("{{\"sub_id\":{one}}}x"), "application/json"),
        ("{\"sub_id\":{\"format\":\"phone_number\",\"phone_number\":\"+1\"}}".to_owned(), "application/json"),
        ("{\"sub_id\":\"dana@acme.com\"}".to_owned(), "application/json"),
        (deep, "application/json"),
        (format!("{{\"sub_id\":{one},\"x\":\"{}\"}}", "x".repeat(70_000)), "application/json"),
        (by_email().to_string(), "text/plain"),
        (by_email().to_string(), "application/x-www-form-urlencoded"),
    ] {
        let token = s.signed("global-token-revocation+jwt", &s.okta_claims());
        let request = s.app.http.post(s.url("acme", "global-token-revocation")).bearer_auth(&token);
        let request = request.header("content-type", media_type).body(body.clone());
        let answer = Answer::of(request.send().await.unwrap()).await;
        let start = &body[..body.len().min(80)];
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("invalid_request")), "{start}");
        assert_eq!(s.footprint().await, before, "{start}");
    }
    let token = s.signed("global-token-revocation+jwt", &s.okta_claims());
    let request = s.app.http.post(s.url("acme", "global-token-revocation")).bearer_auth(&token);
    let request = request.header("content-encoding", "gzip").json(&by_email());
    assert_eq!(request.send().await.unwrap().status(), 400);
    s.is_active();
}

/// Bodies of the other two: wrong media types, compressed, too large, no token, or the parameter twice.
#[tokio::test]
async fn other_bodies_are_read_strictly() {
    let s = Signals::start().await;
    s.app.change_provider(|provider| provider.logout_client_id = Some("kc".to_owned())).await;
    let before = s.footprint().await;
    let large = "x".repeat(70_000);
    for (endpoint, media_type, error) in &ENDPOINTS[1..] {
        for (body, sent_as) in [
            ("", *media_type),
            ("x", "application/json"),
            ("logout_token=x&logout_token=y", *media_type),
            ("logout_token=%", *media_type),
            ("logout_token=", *media_type),
            (&*large, *media_type),
            ("\u{0}", *media_type),
        ] {
            let request = s.app.http.post(s.url("acme", endpoint)).header("content-type", sent_as);
            let answer = Answer::of(request.body(body.to_owned()).send().await.unwrap()).await;
            assert_eq!(answer.status, 400, "{endpoint} {answer:?}");
            assert!(answer.json[error].is_string(), "{endpoint} {answer:?}");
            assert_eq!(s.footprint().await, before);
        }
    }
    s.is_active();
}

/// Tokens of each kind where another kind is expected; a logout token at the token endpoint too.
#[tokio::test]
async fn each_kind_of_token_is_taken_at_its_own_endpoint_only() {
    let s = Signals::start().await;
    s.app.change_provider(|provider| provider.logout_client_id = Some("kc".to_owned())).await;
    let now = s.now();
    let all = json!({ "jti": "one", "iss": s.app.idp.issuer, "sub": "00u1dana", "email": DANA,
        "aud": s.app.issuer(), "client_id": crate::harness::CLIENT, "iat": now, "exp": now + 300,
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    for typ in ["logout+jwt", "secevent+jwt", "global-token-revocation+jwt", "JWT"] {
        s.app.refused_assertion(&s.signed(typ, &all), "invalid_grant", "typ_wrong").await;
    }
    let before = s.footprint().await;
    for typ in ["oauth-id-jag+jwt", "JWT", "at+jwt", "logout+jwt", ""] {
        let answer = s.push("acme", &s.signed(typ, &all)).await;
        assert_eq!(
            (answer.status, answer.json["err"].as_str()),
            (400, Some("authentication_failed")),
            "{typ}"
        );
    }
    for typ in ["oauth-id-jag+jwt", "secevent+jwt", "global-token-revocation+jwt", "at+jwt"] {
        assert_eq!(s.log_out("acme", &s.signed(typ, &all)).await.status, 400, "{typ}");
    }
    assert_eq!(s.footprint().await, before);
    s.is_active();
}
