//! Step 3 to 6 of an exchange: from a text to a verified ID-JAG.

use countersign::store::changes::Changed;
use serde_json::{Value, json};

use crate::harness::{CLIENT, RESOURCE, SECRET, TestApp, client};
use crate::idp::{FakeIdp, Key, b64};

/// The plainest exchange, as Okta and Claude Code make it.
#[tokio::test]
async fn an_id_jag_becomes_an_access_token() {
    let app = TestApp::start().await;
    let answer = app.granted(json!({})).await;
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.json["scope"], "docs.read");
    assert_eq!(answer.json["resource"], RESOURCE);
    let row = app.last_sign_in().await;
    assert_eq!((row.outcome.as_str(), row.reason.as_str(), row.client_id.as_str()), ("granted", "", CLIENT));
    assert!(row.decisions.contains("scope.pass-through") && !row.policy_set.is_empty());
}

/// JAG-01, JAG-29, JAG-30: every other kind of JWT from the trusted key is refused.
#[tokio::test]
async fn only_the_type_of_an_id_jag_is_accepted() {
    let app = TestApp::start().await;
    let key = &app.idp.key;
    let payload = || Value::Object(app.claims()).to_string();
    for typ in [
        "JWT",
        "at+jwt",
        "application/jwt",
        "application/at+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "logout+jwt",
        "oauth-id-jag",
        "oauth-id-jag+jwt ",
        "x/oauth-id-jag+jwt",
        "",
    ] {
        let mut header = key.header();
        header["typ"] = json!(typ);
        app.refused_assertion(&key.sign(&header.to_string(), &payload()), "invalid_grant", "typ_wrong").await;
    }
    let mut header = key.header();
    header.as_object_mut().unwrap().remove("typ");
    app.refused_assertion(&key.sign(&header.to_string(), &payload()), "invalid_grant", "typ_wrong").await;
    for typ in ["oauth-id-jag+jwt", "OAuth-ID-JAG+JWT", "application/oauth-id-jag+jwt"] {
        header["typ"] = json!(typ);
        let answer = app.exchange(&key.sign(&header.to_string(), &payload())).await;
        assert_eq!(answer.status, 200, "{typ}: {answer:?}");
    }
}

/// JAG-02
#[tokio::test]
async fn every_allowed_algorithm_is_accepted() {
    let app = TestApp::start().await;
    let keys = [Key::rsa("rsa", 1), Key::es256("p256"), Key::es384("p384"), Key::ed25519("ed")];
    app.idp.publish(&keys.iter().collect::<Vec<_>>());
    for key in &keys {
        let answer = app.exchange(&key.assertion(&app.claims())).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", key.alg());
    }
    let mut header = keys[0].header();
    header["alg"] = json!("PS256");
    let pss = keys[0].sign(&header.to_string(), &Value::Object(app.claims()).to_string());
    assert_eq!(app.exchange(&pss).await.status, 200);
    // RFC 9864: EdDSA by the name that says the curve.
    let mut header = keys[3].header();
    header["alg"] = json!("Ed25519");
    let ed25519 = keys[3].sign(&header.to_string(), &Value::Object(app.claims()).to_string());
    assert_eq!(app.exchange(&ed25519).await.status, 200);
}

/// JAG-02: `none`, HMAC with the public key, algorithms off the list.
#[tokio::test]
async fn other_algorithms_are_refused() {
    let app = TestApp::start().await;
    let payload = b64(Value::Object(app.claims()).to_string());
    for alg in ["none", "None", "HS256", "HS384", "HS512", "RS1", "RS384", "ES512", "ES256K", ""] {
        let header = json!({ "alg": alg, "kid": "idp-1", "typ": "oauth-id-jag+jwt" }).to_string();
        let public = app.idp.key.jwk()["n"].as_str().unwrap().to_owned();
        let input = format!("{}.{payload}", b64(header));
        let mac_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
        let mac = aws_lc_rs::hmac::sign(&mac_key, input.as_bytes());
        let assertion = format!("{input}.{}", b64(mac));
        app.refused_assertion(&assertion, "invalid_grant", "alg_not_allowed").await;
        app.refused_assertion(&format!("{input}."), "invalid_grant", "alg_not_allowed").await;
    }
}

/// JAG-02: the header's algorithm must fit the key's type, curve and `alg`.
#[tokio::test]
async fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let app = TestApp::start().await;
    let payload = Value::Object(app.claims()).to_string();
    let (rsa, elliptic) = (Key::rsa("same", 0), Key::es256("same"));
    app.idp.publish(&[&rsa]);
    let header = json!({ "alg": "ES256", "kid": "same", "typ": "oauth-id-jag+jwt" }).to_string();
    app.refused_assertion(&elliptic.sign(&header, &payload), "invalid_grant", "kid_unknown").await;
    // A key that is for PS256 only does not verify RS256.
    let mut jwk = rsa.jwk();
    jwk["alg"] = json!("PS256");
    app.clock.advance(31);
    app.idp.change(|b| b.jwks = json!({ "keys": [jwk] }));
    app.change_provider(|p| p.updated_at += 1).await;
    app.refused_assertion(&rsa.assertion(&app.claims()), "invalid_grant", "kid_unknown").await;
}

/// JAG-02, rule 1 of key hygiene: a set with unusable keys stays usable for the others.
#[tokio::test]
async fn unusable_keys_are_skipped() {
    let app = TestApp::start().await;
    let good = Key::es256("good");
    let mut off_curve = Key::es256("off-curve").jwk();
    off_curve["y"] = off_curve["x"].clone();
    let mut for_encryption = Key::rsa("enc", 1).jwk();
    for_encryption["use"] = json!("enc");
    let mut exponent_one = Key::rsa("e1", 1).jwk();
    exponent_one["e"] = json!("AQ");
    let mut small = Key::rsa("small", 1).jwk();
    small["n"] = json!(b64([0xffu8; 128]));
    let secret = json!({ "kty": "oct", "kid": "oct", "k": b64([1u8; 32]) });
    let odd = json!({ "kty": "XYZ", "kid": "odd" });
    let keys = json!([off_curve, for_encryption, exponent_one, small, secret, odd, 7, null, good.jwk()]);
    app.idp.change(|b| b.jwks = json!({ "keys": keys }));
    assert_eq!(app.exchange(&good.assertion(&app.claims())).await.status, 200);
    for kid in ["enc", "e1", "small"] {
        let key = Key::rsa(kid, 1);
        app.refused_assertion(&key.assertion(&app.claims()), "invalid_grant", "kid_unknown").await;
    }
}

/// JAG-03
#[tokio::test]
async fn keys_in_the_header_are_ignored_and_crit_is_refused() {
    let app = TestApp::start().await;
    let attacker = Key::rsa("idp-1", 1);
    let payload = Value::Object(app.claims()).to_string();
    let mut header = attacker.header();
    header["jwk"] = attacker.jwk();
    header["jku"] = json!("https://evil.example/keys");
    header["x5u"] = json!("https://evil.example/cert");
    header["x5c"] = json!(["MII"]);
    app.refused_assertion(&attacker.sign(&header.to_string(), &payload), "invalid_grant", "signature_bad")
        .await;
    let good = &app.idp.key;
    for (name, value) in
        [("crit", json!(["foo"])), ("crit", json!([])), ("b64", json!(false)), ("b64", json!(true))]
    {
        let mut header = good.header();
        header[name] = value;
        let assertion = good.sign(&header.to_string(), &payload);
        app.refused_assertion(&assertion, "invalid_grant", "assertion_malformed").await;
    }
    let mut header = good.header();
    header["jwk"] = attacker.jwk();
    assert_eq!(app.exchange(&good.sign(&header.to_string(), &payload)).await.status, 200);
}

/// JAG-04, JAG-06: exact issuers only, with one answer for an unknown issuer and a bad signature.
#[tokio::test]
async fn unknown_issuers_look_like_bad_signatures_and_are_never_asked() {
    let app = TestApp::start().await;
    let stranger = FakeIdp::start(Key::rsa("idp-1", 0)).await;
    let unknown = app.refused(json!({ "iss": stranger.issuer }), "invalid_grant", "issuer_unknown").await;
    let attacker = Key::rsa("idp-1", 1);
    let bad =
        app.refused_assertion(&attacker.assertion(&app.claims()), "invalid_grant", "signature_bad").await;
    assert_eq!(unknown.body, bad.body);
    assert_eq!((stranger.metadata_requests(), stranger.jwks_requests()), (0, 0));

    app.refused(json!({ "iss": format!("{}/", app.idp.issuer) }), "invalid_grant", "issuer_unknown").await;
    let row = app.last_sign_in().await;
    assert!(row.detail.contains("trailing slash"), "{row:?}");
    assert_eq!(row.teamspace_id.as_deref(), Some("id-of-acme"), "shown to the administrator who can mend it");
    app.refused(json!({ "iss": app.idp.issuer.to_uppercase() }), "invalid_grant", "issuer_unknown").await;
    app.refused(json!({ "iss": app.issuer() }), "invalid_grant", "issuer_unknown").await;
}

/// JAG-05
#[tokio::test]
async fn iss_must_be_one_string() {
    let app = TestApp::start().await;
    for iss in [json!([app.idp.issuer]), json!(7), json!({}), Value::Null] {
        app.refused(json!({ "iss": iss }), "invalid_grant", "assertion_malformed").await;
    }
}

/// JAG-07
#[tokio::test]
async fn the_audience_is_exactly_this_server() {
    let app = TestApp::start().await;
    let own = app.issuer().to_owned();
    for aud in [
        json!(format!("{own}/")),
        json!(app.token_url()),
        json!(RESOURCE),
        json!([]),
        json!([own, own]),
        json!([own, "https://other.example"]),
        json!(own.to_uppercase()),
    ] {
        app.refused(json!({ "aud": aud }), "invalid_grant", "aud_mismatch").await;
    }
    app.refused(json!({ "aud": null }), "invalid_grant", "claim_missing").await;
    app.refused(json!({ "aud": 7 }), "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "aud": [7] }), "invalid_grant", "claim_malformed").await;
    app.granted(json!({ "aud": [own] })).await;
    app.refused(json!({ "aud": format!("{own}/") }), "invalid_grant", "aud_mismatch").await;
    let row = app.last_sign_in().await;
    assert!(row.detail.contains("trailing slash"), "{row:?}");
    assert_eq!((row.subject.as_str(), row.email.as_str()), ("00u1dana", "dana@acme.com"), "whose it was");
}

/// JAG-08
#[tokio::test]
async fn another_clients_assertion_is_refused() {
    let app = TestApp::start().await;
    app.put_client(client("other", &["the-other-clients-secret"])).await;
    app.refused(json!({ "client_id": "other" }), "invalid_grant", "client_id_mismatch").await;
    app.refused(json!({ "client_id": null }), "invalid_grant", "claim_missing").await;
    app.refused(json!({ "client_id": 7 }), "invalid_grant", "claim_malformed").await;
    app.refused(json!({ "client_id": CLIENT.to_uppercase() }), "invalid_grant", "client_id_mismatch").await;
    let (assertion, before) = (app.assertion(json!({})), app.written().await);
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", &assertion)];
    let request =
        app.http.post(app.token_url()).basic_auth("other", Some("the-other-clients-secret")).form(&form);
    let answer = crate::harness::Answer::of(request.send().await.unwrap()).await;
    app.assert_refused(&answer, before, 400, "invalid_grant", "client_id_mismatch").await;
    // The refusal has not burnt it.
    assert_eq!(app.exchange(&assertion).await.status, 200);
    let _ = SECRET;
}

/// JAG-09, JAG-13
#[tokio::test]
async fn sub_and_jti_are_strings_of_bounded_length() {
    let app = TestApp::start().await;
    for (name, max) in [("sub", 255), ("jti", 256)] {
        app.refused(json!({ name: null }), "invalid_grant", "claim_missing").await;
        for value in [json!(""), json!(7), json!(["x"]), json!({}), json!(true), json!("x".repeat(max + 1))] {
            app.refused(json!({ name: value }), "invalid_grant", "claim_malformed").await;
        }
    }
    app.granted(json!({ "jti": "j".repeat(256) })).await;
}

/// JAG-10
#[tokio::test]
async fn expired_assertions_are_refused() {
    let app = TestApp::start().await;
    let now = crate::harness::START;
    app.refused(json!({ "iat": now - 300, "exp": now - 30 }), "invalid_grant", "expired").await;
    app.granted(json!({ "iat": now - 300, "exp": now - 29 })).await;
    app.granted(json!({ "exp": now as f64 + 100.75 })).await;
    app.refused(json!({ "exp": null }), "invalid_grant", "claim_missing").await;
    for exp in [json!((now + 300).to_string()), json!(-1), json!(1e30), json!([now + 300]), json!(true)] {
        app.refused(json!({ "exp": exp }), "invalid_grant", "claim_malformed").await;
    }
}

/// JAG-11, JAG-12
#[tokio::test]
async fn the_time_window_is_bounded() {
    let app = TestApp::start().await;
    let now = crate::harness::START;
    app.refused(json!({ "iat": null }), "invalid_grant", "claim_missing").await;
    app.refused(json!({ "iat": now + 31 }), "invalid_grant", "not_yet_valid").await;
    app.granted(json!({ "iat": now + 30, "exp": now + 330 })).await;
    app.refused(json!({ "exp": now + 86_400 }), "invalid_grant", "lifetime_too_long").await;
    app.refused(json!({ "exp": now + 601 }), "invalid_grant", "lifetime_too_long").await;
    app.granted(json!({ "exp": now + 600 })).await;
    app.refused(json!({ "iat": now - 1000, "exp": now + 300 }), "invalid_grant", "lifetime_too_long").await;
    app.refused(json!({ "nbf": now + 300 }), "invalid_grant", "not_yet_valid").await;
    app.refused(json!({ "nbf": "now" }), "invalid_grant", "claim_malformed").await;
    app.granted(json!({ "nbf": now - 5 })).await;
}

/// JAG-16, JAG-17
#[tokio::test]
async fn resource_and_scope_have_exact_types() {
    let app = TestApp::start().await;
    for resource in [
        json!(""),
        json!([]),
        json!(7),
        json!([7]),
        json!({}),
        json!("no-uri"),
        json!("/relative"),
        json!(format!("{RESOURCE}#fragment")),
    ] {
        app.refused(json!({ "resource": resource }), "invalid_grant", "claim_malformed").await;
    }
    for scope in
        [json!(["docs.read"]), json!(7), json!({}), json!("docs.read \"x\""), json!("a\tb"), json!("é")]
    {
        app.refused(json!({ "scope": scope }), "invalid_grant", "claim_malformed").await;
    }
    app.granted(json!({ "resource": [RESOURCE] })).await;
    app.granted(json!({ "scope": " docs.read  docs.write " })).await;
}

/// JAG-18, JAG-19, DPP-10: fail closed.
#[tokio::test]
async fn what_must_be_obeyed_is_not_ignored() {
    let app = TestApp::start().await;
    for (details, what) in [(json!([{ "type": "x" }]), "type_unknown"), (json!([]), "malformed")] {
        let reason = format!("authorization_details_{what}");
        app.refused(json!({ "authorization_details": details }), "invalid_grant", &reason).await;
    }
    for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" }), json!({}), json!("x")] {
        app.refused(json!({ "cnf": cnf }), "invalid_grant", "cnf_unsupported").await;
    }
}

/// JAG-20, JAG-24, JAG-25, STP-03
#[tokio::test]
async fn optional_claims_have_exact_types() {
    let app = TestApp::start().await;
    let deep = json!({ "sub": "a", "act": { "sub": "b", "act": { "sub": "c", "act": { "sub": "d", "act": { "sub": "e" } } } } });
    for (name, value) in [
        ("auth_time", json!("now")),
        ("auth_time", json!(-5)),
        ("acr", json!(7)),
        ("acr", json!("")),
        ("amr", json!("mfa")),
        ("amr", json!([7])),
        ("email", json!(7)),
        ("email", json!("")),
        ("email", json!("no-at.example.com")),
        ("email", json!("a@b@c.com")),
        ("email", json!("dana@acme")),
        ("email", json!("dänä@acme.com")),
        ("email", json!("a b@acme.com")),
        ("email_verified", json!("true")),
        ("email_verified", json!(1)),
        ("tenant", json!(7)),
        ("aud_tenant", json!([])),
        ("act", json!("x")),
        ("act", json!({})),
        ("act", deep),
        ("session_expiry", json!("x")),
    ] {
        app.refused(json!({ name: value }), "invalid_grant", "claim_malformed").await;
    }
    let now = crate::harness::START;
    let known =
        json!({ "auth_time": now - 60, "acr": "urn:mfa", "amr": ["pwd", "mfa"], "act": { "sub": "agent" } });
    let claims = app.granted(known).await.claims();
    assert_eq!((&claims["auth_time"], &claims["acr"]), (&json!(now - 60), &json!("urn:mfa")));
    assert_eq!((&claims["amr"], &claims["act"]), (&json!(["pwd", "mfa"]), &json!({ "sub": "agent" })));
}

/// JAG-26
#[tokio::test]
async fn repeated_members_are_refused() {
    let app = TestApp::start().await;
    let key = &app.idp.key;
    let payload = Value::Object(app.claims()).to_string();
    let twice = payload.replacen('{', &format!("{{\"client_id\":\"{CLIENT}\","), 1);
    app.refused_assertion(
        &key.sign(&key.header().to_string(), &twice),
        "invalid_grant",
        "assertion_malformed",
    )
    .await;
    let header = key.header().to_string();
    let twice = header.replacen('{', "{\"alg\":\"RS256\",", 1);
    app.refused_assertion(&key.sign(&twice, &payload), "invalid_grant", "assertion_malformed").await;
    let unknown = payload.replacen('{', "{\"zzz\":1,\"zzz\":1,", 1);
    app.refused_assertion(&key.sign(&header, &unknown), "invalid_grant", "assertion_malformed").await;
}

/// JAG-27 and every other shape that is no compact JWS of a JSON object.
#[tokio::test]
async fn what_is_no_compact_jws_is_refused() {
    let app = TestApp::start().await;
    let good = app.assertion(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    for (text, reason) in [
        ("x".to_owned(), "assertion_malformed"),
        ("a.b.c.d.e".to_owned(), "assertion_malformed"),
        (
            format!(
                "{}.{payload}.{payload}.{payload}.{signature}",
                b64(r#"{"alg":"RSA-OAEP-256","enc":"A256GCM","cty":"JWT"}"#)
            ),
            "assertion_malformed",
        ),
        (format!("{good}."), "assertion_malformed"),
        (format!("{header}.{payload}"), "assertion_malformed"),
        (format!("{header}=.{payload}.{signature}"), "assertion_malformed"),
        (format!("{header}.{payload}=.{signature}"), "assertion_malformed"),
        (format!("{}.{payload}.{signature}", b64("[]")), "assertion_malformed"),
        (format!("{header}.{}.{signature}", b64("\"x\"")), "assertion_malformed"),
        (format!("{header}.{payload}."), "signature_bad"),
        (format!("{header}.{payload}.{signature}A"), "signature_bad"),
        (format!("{header}.{payload}.!!!"), "signature_bad"),
        (format!(" {good}"), "assertion_malformed"),
        (json!({ "payload": payload, "signatures": [] }).to_string(), "assertion_malformed"),
        ("x".repeat(17 * 1024), "assertion_malformed"),
    ] {
        app.refused_assertion(&text, "invalid_grant", reason).await;
    }
    assert_eq!(app.exchange(&good).await.status, 200);
}

/// JAG-28
#[tokio::test]
async fn other_claims_are_ignored_and_the_session_bounds_the_token() {
    let app = TestApp::start().await;
    let now = crate::harness::START;
    let answer =
        app.granted(json!({ "nonce": "x", "azp": "y", "at_hash": 7, "https://x.example/y": {} })).await;
    assert_eq!(answer.json["expires_in"], 3600);
    let answer = app.granted(json!({ "session_expiry": now + 120 })).await;
    assert_eq!((&answer.json["expires_in"], &answer.claims()["exp"]), (&json!(120), &json!(now + 120)));
    app.refused(json!({ "session_expiry": now }), "invalid_grant", "expired").await;
}

/// JAG-31: on the next request.
#[tokio::test]
async fn a_disabled_issuer_or_a_lost_plan_ends_access_at_once() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.change_provider(|p| p.enabled = false).await;
    app.refused(json!({}), "invalid_grant", "issuer_disabled").await;
    app.change_provider(|p| p.enabled = true).await;
    app.granted(json!({})).await;
    app.change_teamspace(|t| t.plan = countersign::model::teamspace::Plan::Pro).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
    app.change_teamspace(|t| t.plan = countersign::model::teamspace::Plan::Enterprise).await;
    app.configure(Changed::Teamspace("id-of-acme".to_owned()), |c| {
        Ok(countersign::store::identity_providers::delete(c, "id-of-acme").map(drop)?)
    })
    .await;
    app.refused(json!({}), "invalid_grant", "issuer_unknown").await;
}

/// JAG-22: an assertion for another customer of ours.
#[tokio::test]
async fn aud_tenant_must_name_the_teamspace() {
    let app = TestApp::start().await;
    app.refused(json!({ "aud_tenant": "globex" }), "invalid_grant", "tenant_mismatch").await;
    app.granted(json!({ "aud_tenant": "acme" })).await;
}
