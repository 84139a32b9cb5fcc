//! Global Token Revocation.

use serde_json::{Value, json};

use super::{DANA, Signals, by_email, changed, signed_by, with_globex};
use crate::harness::TestApp;
use crate::idp::{Key, b64};
use crate::metrics::sample;
use crate::reload::private;

const TYP: &str = "global-token-revocation+jwt";

/// REV-04, REV-06: the request as Okta sends it. Only a later sign-in at the provider counts afterwards.
#[tokio::test]
async fn oktas_universal_logout_ends_the_sessions_of_a_member() {
    let s = Signals::start().await;
    let (before, ended) = (s.footprint().await, s.now());
    let answer = s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &by_email()).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    s.assert_ended(&before, &answer, ("global_token_revocation", ended)).await;
    s.app.clock.advance(120);
    s.app.app.reload().await.unwrap();
    s.app.refused(json!({ "auth_time": ended }), "invalid_grant", "session_revoked").await;
    let new = s.app.granted(json!({ "auth_time": ended + 60 })).await.access_token().to_owned();
    assert!(crate::active_token::look(&s.app, &new).is_ok());
    s.is_revoked();
}

/// REV-04: each format, in the words of this draft and of those before 03, which Auth0 still uses.
#[tokio::test]
async fn each_format_of_a_subject_and_both_dialects_are_taken() {
    let s = Signals::start().await;
    let id = s.app.member(DANA).await.unwrap().id;
    for subject in [
        json!({ "format": "email", "email": "Dana@ACME.com" }),
        json!({ "format": "iss_sub", "iss": s.app.idp.issuer, "sub": "00u1dana" }),
        json!({ "format": "iss_sub", "iss": s.app.issuer(), "sub": id }),
        json!({ "format": "opaque", "id": "00u1dana" }),
        json!({ "format": "opaque", "id": id }),
    ] {
        for dialect in ["sub_id", "subject"] {
            s.app.clock.advance(1);
            let (before, body) = (s.footprint().await, json!({ dialect: subject }));
            let answer = s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &body).await;
            assert_eq!(answer.status, 204, "{body} {answer:?}");
            s.assert_ended(&before, &answer, ("global_token_revocation", s.now())).await;
        }
    }
}

/// REV-05: whoever is not authenticated gets one answer, whatever is wrong, and nothing is written.
#[tokio::test]
async fn strangers_get_one_answer_and_learn_nothing() {
    let (s, globex) = with_globex().await;
    let (claims, own) = (s.okta_claims(), &s.app.idp.key);
    let with = |changes: Value| s.signed(TYP, &changed(claims.clone(), &changes));
    let none =
        format!("{}.{}.", b64(json!({ "alg": "none", "typ": TYP }).to_string()), b64(claims.to_string()));
    let hmac =
        own.sign(&json!({ "alg": "HS256", "kid": own.kid, "typ": TYP }).to_string(), &claims.to_string());
    let crit = json!({ "alg": own.alg(), "kid": own.kid, "typ": TYP, "crit": ["x"] });
    let sub_id = s.app.assertion(json!({ "aud": claims["aud"] }));
    let now = s.now();
    let cases: Vec<(&str, String)> = vec![
        ("nowhere", s.signed(TYP, &claims)),
        ("globex", s.signed(TYP, &claims)),
        ("globex", with(json!({ "aud": s.url("globex", "global-token-revocation") }))),
        ("acme", signed_by(&globex.key, TYP, &changed(claims.clone(), &json!({ "iss": globex.issuer })))),
        ("acme", signed_by(&Key::rsa("idp-1", 1), TYP, &claims)),
        ("acme", signed_by(&Key::es256("idp-1"), TYP, &claims)),
        ("acme", signed_by(&Key::rsa("another", 1), TYP, &claims)),
        ("acme", with(json!({ "iss": "https://nobody.example.com" }))),
        ("acme", none),
        ("acme", hmac),
        ("acme", own.sign(&crit.to_string(), &claims.to_string())),
        ("acme", s.signed("JWT", &claims)),
        ("acme", s.signed("", &claims)),
        ("acme", s.signed("logout+jwt", &claims)),
        ("acme", sub_id),
        ("acme", s.token.clone()),
        ("acme", "x".to_owned()),
        ("acme", "a.b.c".to_owned()),
        ("acme", with(json!({ "aud": s.app.issuer() }))),
        ("acme", with(json!({ "aud": [claims["aud"], "https://other.example.com"] }))),
        ("acme", with(json!({ "aud": null }))),
        ("acme", with(json!({ "jti": null }))),
        ("acme", with(json!({ "jti": "" }))),
        ("acme", with(json!({ "jti": 7 }))),
        ("acme", with(json!({ "exp": null }))),
        ("acme", with(json!({ "exp": "soon" }))),
        ("acme", with(json!({ "iat": null }))),
        ("acme", with(json!({ "exp": now - 30, "iat": now - 300 }))),
        ("acme", with(json!({ "exp": now + 331, "iat": now + 31 }))),
        ("acme", with(json!({ "nbf": now + 31 }))),
        ("acme", with(json!({ "exp": now + 601 }))),
        ("acme", with(json!({ "exp": now + 100, "iat": now - 631 }))),
        ("acme", with(json!({ "tenant": 7 }))),
        (
            "acme",
            own.sign(
                &json!({ "alg": own.alg(), "kid": own.kid, "typ": TYP }).to_string(),
                &claims.to_string().replacen('{', "{\"jti\":\"two\",", 1),
            ),
        ),
    ];
    let before = s.footprint().await;
    for (n, (slug, token)) in cases.iter().enumerate() {
        let answer = s.revoke(slug, token, &by_email()).await;
        assert_eq!(answer.status, 401, "case {n}: {answer:?}");
        assert_eq!(
            answer.json,
            json!({ "error": "invalid_token", "error_description": "The token was not accepted." })
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        assert_eq!(s.footprint().await, before, "case {n}");
    }
    let url = s.url("acme", "global-token-revocation");
    for request in [
        s.app.http.post(&url).json(&by_email()),
        s.app.http.post(&url).basic_auth("a", Some("b")).json(&by_email()),
        s.app.http.post(&url).bearer_auth("a").bearer_auth("b").json(&by_email()),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    s.is_active();
}

/// REV-05: the clocks at their limits.
#[tokio::test]
async fn the_clocks_may_differ_by_the_skew() {
    let s = Signals::start().await;
    let now = s.now();
    for times in [
        json!({ "exp": now - 29, "iat": now - 329 }),
        json!({ "exp": now + 330, "iat": now + 30, "nbf": now + 30 }),
        json!({ "exp": now + 600, "nbf": null }),
        json!({ "exp": now as f64 + 300.5, "iat": now as f64 + 0.5 }),
    ] {
        let token = s.signed(TYP, &changed(s.okta_claims(), &times));
        assert_eq!(s.revoke("acme", &token, &by_email()).await.status, 204, "{times}");
    }
}

/// REV-05: each algorithm that assertions may have.
#[tokio::test]
async fn a_key_of_any_allowed_kind_authenticates() {
    let s = Signals::start().await;
    let keys = [Key::es256("e2"), Key::es384("e3"), Key::ed25519("ed")];
    s.app.idp.publish(&keys.iter().collect::<Vec<_>>());
    s.app.clock.advance(3600);
    for key in &keys {
        let answer = s.revoke("acme", &signed_by(key, TYP, &s.okta_claims()), &by_email()).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// REV-05: the people of another teamspace are nobody's here, however they are named.
#[tokio::test]
async fn a_provider_reaches_only_the_members_of_its_teamspace() {
    let (s, globex) = with_globex().await;
    let dana = s.app.member(DANA).await.unwrap();
    let before = s.footprint().await;
    let aud = s.url("globex", "global-token-revocation");
    for (subject, status, error) in [
        (json!({ "format": "email", "email": DANA }), 404, "unknown_user"),
        (json!({ "format": "opaque", "id": dana.id }), 404, "unknown_user"),
        (json!({ "format": "opaque", "id": "00u1dana" }), 404, "unknown_user"),
        (json!({ "format": "iss_sub", "iss": globex.issuer, "sub": "00u1dana" }), 404, "unknown_user"),
        (json!({ "format": "iss_sub", "iss": s.app.issuer(), "sub": dana.id }), 404, "unknown_user"),
        (json!({ "format": "iss_sub", "iss": s.app.idp.issuer, "sub": "00u1dana" }), 403, "access_denied"),
    ] {
        let claims = changed(s.okta_claims(), &json!({ "iss": globex.issuer, "aud": aud }));
        let token = signed_by(&globex.key, TYP, &claims);
        let answer = s.revoke("globex", &token, &json!({ "sub_id": subject })).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (status, Some(error)), "{subject}");
        assert_eq!(s.footprint().await, before, "{subject}");
    }
    s.is_active();
}

/// REV-05: where an issuer has several tenants, only the tenant's own signals count.
#[tokio::test]
async fn a_foreign_tenant_of_the_issuer_is_a_stranger() {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.tenant = Some("t1".to_owned())).await;
    let token = app.granted(json!({ "tenant": "t1" })).await.access_token().to_owned();
    let s = Signals { app, token };
    let body = json!({ "sub_id": { "format": "iss_sub", "iss": s.app.idp.issuer, "sub": "00u1dana" } });
    let before = s.footprint().await;
    for tenant in [json!(null), json!("t2")] {
        let token = s.signed(TYP, &changed(s.okta_claims(), &json!({ "tenant": tenant })));
        assert_eq!(s.revoke("acme", &token, &body).await.status, 401, "{tenant}");
        assert_eq!(s.footprint().await, before);
    }
    let token = s.signed(TYP, &changed(s.okta_claims(), &json!({ "tenant": "t1" })));
    assert_eq!(s.revoke("acme", &token, &body).await.status, 204);
    s.is_revoked();
}

/// REV-05: a token is taken once. One that was refused for its body or its subject was not used.
#[tokio::test]
async fn a_token_authenticates_one_revocation() {
    let s = Signals::start().await;
    let token = s.signed(TYP, &s.okta_claims());
    let unknown = json!({ "sub_id": { "format": "email", "email": "nobody@acme.com" } });
    assert_eq!(s.revoke("acme", &token, &json!({})).await.status, 400);
    assert_eq!(s.revoke("acme", &token, &unknown).await.status, 404);
    assert_eq!(s.revoke("acme", &token, &by_email()).await.status, 204);
    let before = s.footprint().await;
    for _ in 0..2 {
        assert_eq!(s.revoke("acme", &token, &by_email()).await.status, 401);
        assert_eq!(s.footprint().await, before);
    }
    let counts = private(&s.app, "/metrics").await.body;
    for (result, number) in [("accepted", 1.0), ("refused", 2.0), ("repeated", 2.0), ("unavailable", 0.0)] {
        let labels = format!("{{endpoint=\"global-token-revocation\",result=\"{result}\"}}");
        assert_eq!(sample(&counts, &format!("countersign_signals_total{labels}")), number, "{result}");
    }
    // The ids of assertions are others.
    let jti = changed(s.okta_claims(), &json!({ "jti": "one-id" }));
    assert_eq!(s.revoke("acme", &s.signed(TYP, &jti), &by_email()).await.status, 204);
    s.app.clock.advance(60);
    s.app.granted(json!({ "jti": "one-id" })).await;
}

/// Of many that arrive at once with one token, one is taken.
#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_uses_one_succeeds() {
    let s = Signals::start().await;
    let token = s.signed(TYP, &s.okta_claims());
    let body = by_email();
    let answers = crate::subject::futures_all((0..16).map(|_| s.revoke("acme", &token, &body))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(204), count(401)), (1, 15), "{answers:?}");
}

/// A provider that is switched off, and one that is removed, are strangers.
#[tokio::test]
async fn a_disabled_provider_is_a_stranger() {
    let s = Signals::start().await;
    s.app.change_provider(|provider| provider.enabled = false).await;
    let before = s.footprint().await;
    assert_eq!(s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &by_email()).await.status, 401);
    assert_eq!(s.footprint().await, before);
}

/// A subject that is one member's at the provider, and another member's id here, ends nobody's sessions.
#[tokio::test]
async fn an_identifier_of_two_members_is_refused() {
    let s = Signals::start().await;
    let dana = s.app.member(DANA).await.unwrap().id;
    s.app.granted(json!({ "sub": dana, "email": "eve@acme.com" })).await;
    let before = s.footprint().await;
    let body = json!({ "sub_id": { "format": "opaque", "id": dana } });
    let answer = s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &body).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (422, Some("ambiguous_user")));
    assert_eq!(s.footprint().await, before);
    s.is_active();
}

/// The signed requests of a teamspace are limited. Others' do not count, so that nobody uses up the number.
#[tokio::test]
async fn a_teamspace_has_so_many_a_minute() {
    let app = TestApp::start_with(|config| config.rate_limit.signals_per_teamspace_per_minute = 2).await;
    let s = Signals::of(app).await;
    for _ in 0..5 {
        let forged = signed_by(&Key::rsa("idp-1", 1), TYP, &s.okta_claims());
        assert_eq!(s.revoke("acme", &forged, &by_email()).await.status, 401);
    }
    for _ in 0..2 {
        assert_eq!(s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &by_email()).await.status, 204);
    }
    let before = s.footprint().await;
    let answer = s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &by_email()).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (429, Some("temporarily_unavailable")));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(s.footprint().await, before);
}

/// While the keys cannot be had, the sender is told to come again.
#[tokio::test]
async fn without_keys_the_sender_comes_again() {
    let s = Signals::start().await;
    s.app.idp.change(|idp| idp.status = axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    // Saving the provider forgets its stored keys.
    s.app.change_provider(|_| {}).await;
    s.app.app.issuer_keys.forget(&s.app.idp.issuer);
    let before = s.footprint().await;
    let answer = s.revoke("acme", &s.signed(TYP, &s.okta_claims()), &by_email()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{answer:?}");
    assert_eq!(s.footprint().await, before);
}
