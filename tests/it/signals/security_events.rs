//! Security events of the Shared Signals Framework, pushed as RFC 8935 says.

use serde_json::{Value, json};

use super::{DANA, Signals, changed, jti, signed_by, with_globex};
use crate::idp::Key;

const TYP: &str = "secevent+jwt";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const CHANGED: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";

/// A token with one event.
fn token_of(s: &Signals, event: &str, content: Value) -> Value {
    json!({ "iss": s.app.idp.issuer, "jti": jti(), "iat": s.now(),
        "aud": s.url("acme", "security-events"), "events": { event: content } })
}

fn iss_sub(s: &Signals) -> Value {
    json!({ "format": "iss_sub", "iss": s.app.idp.issuer, "sub": "00u1dana" })
}

/// REV-07: the tokens in Okta's documentation, word for word but for the addresses and the times.
#[tokio::test]
async fn oktas_events_end_the_sessions_of_a_member() {
    let s = Signals::start().await;
    let at = s.now() - 40;
    let milliseconds = at * 1000 + 643;
    let revoked = json!({ "subject": { "user": iss_sub(&s) }, "reason_admin": { "en": "Policy Violation: C076E822" },
        "reason_user": { "en": "This device is no longer compliant." }, "event_timestamp": milliseconds });
    let activated = json!({ "subject": iss_sub(&s), "credential_type": "fido2-roaming", "change_type": "create",
        "fido2_aaguid": "accced6a-63f5-490a-9eea-e59bc1896cfc", "friendly_name": "FIDO_WEBAUTHN",
        "initiating_entity": "user", "reason_admin": { "en": "Activate factor for user" },
        "event_timestamp": milliseconds + 1000 });
    let reset = json!({ "subject": iss_sub(&s), "credential_type": "password", "change_type": "revoke",
        "friendly_name": "PASSWORD_AS_FACTOR", "initiating_entity": "user",
        "reason_admin": { "en": "Fired when the user's Okta password is reset" },
        "event_timestamp": milliseconds + 2000 });
    for (event, content, at) in
        [(REVOKED, revoked, at), (CHANGED, activated, at + 1), (CHANGED, reset, at + 2)]
    {
        let before = s.footprint().await;
        let answer = s.push("acme", &s.signed(TYP, &token_of(&s, event, content))).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{answer:?}");
        s.assert_ended(&before, &answer, ("security_event", at)).await;
    }
}

/// REV-07: the final SSF 1.0 has the subject at the top; the time may be in seconds, in `toe`, or only that of the token.
#[tokio::test]
async fn subjects_and_times_are_taken_in_each_of_their_places() {
    let s = Signals::start().await;
    let (now, email) = (s.now(), json!({ "format": "email", "email": DANA }));
    let complex =
        json!({ "format": "complex", "user": iss_sub(&s), "session": { "format": "opaque", "id": "x" } });
    let times = [
        (json!({ "event_timestamp": now - 50 }), json!({}), now - 50),
        (json!({}), json!({ "toe": now - 40 }), now - 40),
        (json!({}), json!({ "iat": now - 30 }), now - 30),
        // An event before the last one ends nothing further back, and one in the future ends sessions now.
        (json!({ "event_timestamp": now - 500 }), json!({}), now - 30),
        (json!({ "event_timestamp": now + 5000 }), json!({}), now),
    ];
    for (n, (event, claims, ended_at)) in times.into_iter().enumerate() {
        let before = s.footprint().await;
        let subject = [&email, &complex][n % 2];
        let claims = changed(claims, &json!({ "sub_id": subject, "aud": [s.app.issuer()] }));
        let token = changed(token_of(&s, REVOKED, event), &claims);
        let answer = s.push("acme", &s.signed(TYP, &token)).await;
        assert_eq!(answer.status, 202, "{token} {answer:?}");
        s.assert_ended(&before, &answer, ("security_event", ended_at)).await;
    }
}

/// REV-07: the receipt of an event says nothing about what is done with it.
#[tokio::test]
async fn events_that_end_nothing_are_acknowledged() {
    let (s, globex) = with_globex().await;
    let known = "https://schemas.openid.net/secevent/ssf/event-type";
    let caep = "https://schemas.openid.net/secevent/caep/event-type";
    let stream = json!({ "sub_id": { "format": "opaque", "id": "stream" } });
    let token = |event: &str, content, changes: &Value| changed(token_of(&s, event, content), changes);
    let nobody = json!({ "format": "iss_sub", "iss": s.app.idp.issuer, "sub": "00unobody" });
    let phone = json!({ "format": "phone_number", "phone_number": "+12065550100" });
    let device = json!({ "device": { "format": "opaque", "id": "d" } });
    let cases = [
        token(&format!("{known}/verification"), json!({ "state": "VGhpcyBpcyBh" }), &stream),
        token(&format!("{known}/stream-updated"), json!({ "status": "paused" }), &stream),
        token(&format!("{caep}/assurance-level-change"), json!({ "subject": iss_sub(&s) }), &json!({})),
        token("urn:example:unheard-of", json!({}), &json!({})),
        token(REVOKED, json!({ "subject": nobody }), &json!({})),
        token(REVOKED, json!({ "subject": phone }), &json!({})),
        token(REVOKED, json!({ "subject": device }), &json!({})),
        token(REVOKED, json!({}), &json!({})),
    ];
    let before = s.footprint().await;
    for claims in cases {
        let answer = s.push("acme", &s.signed(TYP, &claims)).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, ""), "{claims} {answer:?}");
        assert_eq!(s.footprint().await, before, "{claims}");
    }
    // Somebody of another teamspace is nobody.
    let theirs = token(
        REVOKED,
        json!({ "subject": { "format": "email", "email": DANA } }),
        &json!({ "iss": globex.issuer, "aud": s.url("globex", "security-events") }),
    );
    assert_eq!(s.push("globex", &signed_by(&globex.key, TYP, &theirs)).await.status, 202);
    assert_eq!(s.footprint().await, before);
    s.is_active();
}

/// REV-07: senders deliver again when they are not sure; that is acknowledged and ends nothing again.
#[tokio::test]
async fn an_event_that_is_delivered_again_is_acknowledged() {
    let s = Signals::start().await;
    let token = s.signed(TYP, &token_of(&s, REVOKED, json!({ "subject": iss_sub(&s) })));
    assert_eq!(s.push("acme", &token).await.status, 202);
    let before = s.footprint().await;
    for days in [0, 1, 5] {
        s.app.clock.advance(days * 24 * 3600);
        s.app.app.prune().await.unwrap();
        let answer = s.push("acme", &token).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(s.footprint().await.ended_at, before.ended_at);
        assert_eq!(s.footprint().await.revocations, before.revocations);
    }
    s.app.clock.advance(2 * 24 * 3600);
    let answer = s.push("acme", &token).await;
    assert_eq!((answer.status, answer.json["err"].as_str()), (400, Some("invalid_request")), "{answer:?}");
}

/// REV-07: each refusal has its code, and writes nothing.
#[tokio::test]
async fn refusals_have_their_codes() {
    let (s, globex) = with_globex().await;
    let good = token_of(&s, REVOKED, json!({ "subject": iss_sub(&s) }));
    let with = |changes: Value| s.signed(TYP, &changed(good.clone(), &changes));
    let event = |content: Value| with(json!({ "events": { REVOKED: content } }));
    let theirs = changed(good.clone(), &json!({ "iss": globex.issuer }));
    let foreign = json!({ "format": "iss_sub", "iss": globex.issuer, "sub": "00u1dana" });
    let now = s.now();
    let cases: Vec<(&str, String, &str)> = vec![
        ("nowhere", s.signed(TYP, &good), "authentication_failed"),
        ("globex", s.signed(TYP, &good), "authentication_failed"),
        ("acme", signed_by(&globex.key, TYP, &theirs), "authentication_failed"),
        ("acme", signed_by(&Key::rsa("idp-1", 1), TYP, &good), "authentication_failed"),
        ("acme", s.signed("JWT", &good), "authentication_failed"),
        ("acme", "not a token".to_owned(), "authentication_failed"),
        ("acme", with(json!({ "aud": "https://sp.example.com/caep" })), "invalid_audience"),
        ("acme", with(json!({ "aud": s.url("globex", "security-events") })), "invalid_audience"),
        ("acme", with(json!({ "aud": null })), "invalid_audience"),
        ("acme", with(json!({ "sub": "00u1dana" })), "invalid_request"),
        ("acme", with(json!({ "exp": now + 300 })), "invalid_request"),
        ("acme", with(json!({ "jti": null })), "invalid_request"),
        ("acme", with(json!({ "iat": null })), "invalid_request"),
        ("acme", with(json!({ "iat": now + 31 })), "invalid_request"),
        ("acme", with(json!({ "iat": now - 7 * 24 * 3600 - 31 })), "invalid_request"),
        ("acme", with(json!({ "events": null })), "invalid_request"),
        ("acme", with(json!({ "events": [] })), "invalid_request"),
        ("acme", with(json!({ "events": {} })), "invalid_request"),
        ("acme", with(json!({ "events": { REVOKED: {}, CHANGED: {} } })), "invalid_request"),
        ("acme", event(json!("x")), "invalid_request"),
        ("acme", event(json!({ "subject": { "format": "email", "email": "x" } })), "invalid_request"),
        ("acme", event(json!({ "subject": { "user": "x" } })), "invalid_request"),
        ("acme", event(json!({ "subject": iss_sub(&s), "event_timestamp": "now" })), "invalid_request"),
        ("acme", event(json!({ "subject": iss_sub(&s), "event_timestamp": -1 })), "invalid_request"),
        ("acme", event(json!({ "subject": iss_sub(&s), "event_timestamp": 1e300 })), "invalid_request"),
        ("acme", event(json!({ "subject": foreign })), "access_denied"),
    ];
    let before = s.footprint().await;
    for (n, (slug, token, error)) in cases.iter().enumerate() {
        let answer = s.push(slug, token).await;
        assert_eq!((answer.status, answer.json["err"].as_str()), (400, Some(*error)), "case {n}: {answer:?}");
        assert!(answer.json["description"].is_string());
        if *error == "authentication_failed" {
            assert_eq!(answer.json["description"], "The token was not accepted.");
        }
        assert_eq!(s.footprint().await, before, "case {n}");
    }
    s.is_active();
}
