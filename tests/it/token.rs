//! Steps 10 and 11: the access token and the answer.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use countersign::config::{Duration, SigningAlg};
use countersign::dpop::ProofHeader;
use countersign::exchange::{TokenCall, exchange};
use countersign::store::changes::Changed;
use serde_json::{Value, json};

use crate::harness::{Answer, CLIENT, RESOURCE, START, TestApp, decode};

/// Verifies a token with the published key of its kid, by a library call that shares nothing with ours.
async fn verified(app: &TestApp, token: &str) -> (Value, Value) {
    verify(token, &app.get("/oauth2/jwks").await.json)
}

/// The same with a key set; answers with header and claims.
pub fn verify(token: &str, jwks: &Value) -> (Value, Value) {
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let message = format!("{header}.{payload}");
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    let key =
        jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap().clone();
    let part = |name: &str| decode(key[name].as_str().unwrap());
    let (message, signature) = (message.as_bytes(), decode(signature));
    match key["alg"].as_str().unwrap() {
        "ES256" => {
            let point = [vec![4], part("x"), part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).unwrap();
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, part("x")).verify(message, &signature).unwrap(),
        "RS256" => aws_lc_rs::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature)
            .unwrap(),
        other => panic!("{other}"),
    }
    (header, serde_json::from_slice(&decode(payload)).unwrap())
}

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// AT-01, AT-03, AT-04, AT-05, RSP-05
#[tokio::test]
async fn the_token_is_an_rfc_9068_jwt_for_one_resource() {
    let app = TestApp::start().await;
    let answer = app.granted(json!({})).await;
    let (header, claims) = verified(&app, answer.access_token()).await;
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(
        names(&claims),
        [
            "aud",
            "client_id",
            "exp",
            "iat",
            "identity_provider_id",
            "iss",
            "jti",
            "scope",
            "sub",
            "teamspace",
            "teamspace_id"
        ]
    );
    assert_eq!(claims["iss"], json!(app.issuer()));
    assert_eq!((&claims["aud"], &claims["client_id"]), (&json!(RESOURCE), &json!(CLIENT)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(START), &json!(START + 3600)));
    assert_eq!((&claims["scope"], &claims["teamspace"]), (&json!("docs.read"), &json!("acme")));
    let teamspace = app.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    assert_eq!(claims["teamspace_id"], json!(teamspace));
    assert!(!claims.to_string().contains("dana@"), "no email in tokens");
    assert_ne!(claims["sub"], json!("00u1dana"));
}

/// AT-06: 128 random bits, recorded.
#[tokio::test]
async fn the_tokens_id_is_random_and_recorded() {
    let app = TestApp::start().await;
    let first = app.granted(json!({})).await.claims()["jti"].as_str().unwrap().to_owned();
    assert_eq!(app.last_sign_in().await.token_id, first);
    let second = app.granted(json!({})).await.claims()["jti"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(decode(&first).len(), 16);
}

/// AT-02: ES256 by default, EdDSA and RS256 by choice.
#[tokio::test]
async fn every_signing_algorithm_verifies_with_the_published_key() {
    for alg in [SigningAlg::Es256, SigningAlg::EdDsa, SigningAlg::Rs256] {
        let app = TestApp::start_with(|config| config.access_token.signing_alg = alg).await;
        let answer = app.granted(json!({})).await;
        assert_eq!(verified(&app, answer.access_token()).await.0["alg"], json!(alg.as_str()));
    }
}

/// AT-05
#[tokio::test]
async fn the_lifetime_is_configurable() {
    let app = TestApp::start_with(|config| config.access_token.lifetime = Duration::from_secs(900)).await;
    let answer = app.granted(json!({})).await;
    assert_eq!((&answer.json["expires_in"], &answer.claims()["exp"]), (&json!(900), &json!(START + 900)));
}

/// The shortest `@lifetime` of the permits that granted it wins, for a remembered decision too, and never exceeds the
/// setting. The row of the log says so.
#[tokio::test]
async fn a_permit_can_shorten_the_lifetime() {
    let permit = |id: &str, lifetime: &str, action: &str, scope: &str| {
        format!(
            "@id(\"{id}\") @otherwise(\"x\") @lifetime(\"{lifetime}\")\n\
            permit (principal, action == Action::\"{action}\", resource) when {{ {scope} }};\n"
        )
    };
    let rules = [
        permit("short", "15m", "GrantResource", "true"),
        permit("shorter", "5m", "GrantScope", "resource == Scope::\"docs.write\""),
    ];
    let dir = crate::files::with_shipped(&[("short.cedar", rules.concat().as_str())]);
    let (policies, also) = (dir.path().to_owned(), dir.path().to_owned());
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    for (scope, seconds) in [("docs.read", 900), ("docs.read docs.write", 300), ("docs.read docs.write", 300)]
    {
        let answer = app.granted(json!({ "scope": scope })).await;
        assert_eq!(answer.json["scope"], scope);
        let told = (&answer.json["expires_in"], &answer.claims()["exp"]);
        assert_eq!(told, (&json!(seconds), &json!(START + seconds)), "{scope}");
    }
    let decisions: serde_json::Value = serde_json::from_str(&app.last_sign_in().await.decisions).unwrap();
    let lifetimes: Vec<_> =
        decisions.as_array().unwrap().iter().map(|answer| answer["lifetime"].as_i64()).collect();
    assert_eq!(lifetimes, [None, None, Some(900), None, Some(300)], "{decisions}");

    let configure = move |config: &mut countersign::config::Config| {
        config.policy_dir = Some(also);
        config.access_token.lifetime = Duration::from_secs(120);
    };
    let app = TestApp::start_with(configure).await;
    assert_eq!(app.granted(json!({})).await.json["expires_in"], 120);
}

/// RSP-01, RSP-02, RSP-03, RSP-04, RSP-06
#[tokio::test]
async fn the_answer_has_exactly_the_members_that_clients_expect() {
    let app = TestApp::start().await;
    let answer = app.granted(json!({})).await;
    assert_eq!(names(&answer.json), ["access_token", "expires_in", "resource", "scope", "token_type"]);
    assert_eq!((&answer.json["token_type"], &answer.json["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let assertion = app.assertion(json!({}));
    let form = [("grant_type", countersign::oauth::request::JWT_BEARER), ("assertion", &assertion)];
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(crate::harness::SECRET));
    let request = request.header("accept-encoding", "gzip, br, deflate").form(&form);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
    let token = answer.access_token();
    for (name, value) in &answer.headers {
        assert!(!value.to_str().unwrap().contains(token), "{name}");
    }
    let bare = app.granted(json!({ "scope": null })).await;
    assert_eq!(bare.json["scope"], json!(""), "always told");
    assert!(bare.claims().get("scope").is_none());
}

/// AT-02: a rotated key is published before it signs, and stays published while its tokens live.
#[tokio::test]
async fn keys_rotate_without_a_gap() {
    use countersign::model::signing_key::PUBLISH_AHEAD;
    use countersign::signing::generate;
    use countersign::store::signing_keys;
    let app = TestApp::start().await;
    let old = app.granted(json!({})).await.access_token().to_owned();
    let kid = |token: &str| {
        serde_json::from_slice::<Value>(&decode(token.split('.').next().unwrap())).unwrap()["kid"].clone()
    };
    let key = generate(&app.app.config, START, START + PUBLISH_AHEAD).unwrap();
    let new_kid = json!(key.kid);
    app.configure(Changed::SigningKeys, move |c| signing_keys::add(c, &key)).await;
    assert_eq!(app.get("/oauth2/jwks").await.json["keys"].as_array().unwrap().len(), 2);
    assert_eq!(kid(app.granted(json!({})).await.access_token()), kid(&old));
    app.clock.advance(PUBLISH_AHEAD);
    let new = app.granted(json!({})).await.access_token().to_owned();
    assert_eq!(kid(&new), new_kid);
    verified(&app, &old).await;
    verified(&app, &new).await;
    // When the last token of the old key has expired, it goes.
    app.clock.advance(3600 + 121);
    app.app.prune().await.unwrap();
    app.app.reload().await.unwrap();
    let keys = app.get("/oauth2/jwks").await.json["keys"].clone();
    assert_eq!(keys.as_array().unwrap().iter().map(|key| key["kid"].clone()).collect::<Vec<_>>(), [new_kid]);
}

/// Keys at rest are encrypted when a key for that is configured, and then need it.
#[tokio::test]
async fn signing_keys_are_encrypted_at_rest() {
    use countersign::app::App;
    use countersign::config::Secret;
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned();
    let app = TestApp::start_with(|config| config.keys.encryption_key = Some(Secret::from(secret))).await;
    let token = app.granted(json!({})).await;
    verified(&app, token.access_token()).await;
    let stored = app.app.store.read(countersign::store::signing_keys::all).await.unwrap();
    assert!(stored.iter().all(|key| key.encrypted));
    let mut config = app.app.config.clone();
    config.keys.encryption_key = None;
    let clock = std::sync::Arc::new(app.clock.clone());
    let refused = App::start(config.clone(), clock.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("keys.encryption_key"), "{refused}");
    config.keys.encryption_key = Some(Secret::from("HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned()));
    assert!(App::start(config, clock).await.is_err());
}

/// JAG-31: a signing key that cannot be read does not hold up what an administrator switches off.
#[tokio::test]
async fn an_unreadable_signing_key_freezes_nothing() {
    use countersign::signing::generate;
    use countersign::store::signing_keys;
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let mut key = generate(&app.app.config, START, START).unwrap();
    key.encrypted = true;
    app.configure(Changed::SigningKeys, move |c| signing_keys::add(c, &key)).await;
    app.change_provider(|provider| provider.enabled = false).await;
    app.refused(json!({}), "invalid_grant", "issuer_disabled").await;
    app.change_provider(|provider| provider.enabled = true).await;
    let answer = app.granted(json!({})).await;
    verified(&app, answer.access_token()).await;
}

/// The future of an exchange is moved several times for each request: whatever is rare, such as a fetch, must not be inside.
#[tokio::test]
async fn the_future_of_an_exchange_is_small() {
    let app = TestApp::start().await;
    let call = TokenCall {
        authorization: None,
        proof: ProofHeader::Absent,
        body: b"",
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        request_id: "",
    };
    let size = size_of_val(&exchange(&app.app, call));
    assert!(size < 6 * 1024, "{size} bytes");
}
