//! The public documents: what they say, what they keep to themselves, and how they may be cached.

use countersign::config::Config;
use countersign::model::client::{AuthMethod, KeySource};
use serde_json::{Value, json};

use crate::client_assertion::{ASSERTION_TYPE, SIGNER, jwks, sign, signer};
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, TestApp, client, decode, resource};
use crate::idp::{FakeIdp, Key};

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// The part of the issuer that documents are served under, without its path.
fn origin(app: &TestApp) -> String {
    url::Url::parse(app.issuer()).unwrap().origin().ascii_serialization()
}

async fn get(app: &TestApp, url: &str) -> Answer {
    Answer::of(app.http.get(url).send().await.unwrap()).await
}

async fn get_with(app: &TestApp, path: &str, name: &str, value: &str) -> Answer {
    let url = format!("{}{path}", app.issuer());
    Answer::of(app.http.get(url).header(name, value).send().await.unwrap()).await
}

/// META-01, META-03, META-05, META-06, META-07, META-09, META-10, REG-07: exactly these members, and none of
/// what is not offered.
#[tokio::test]
async fn the_metadata_is_what_clients_need_and_no_more() {
    let app = TestApp::start().await;
    let answer = app.get(WELL_KNOWN).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let issuer = app.issuer();
    let expected = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "jwks_uri": format!("{issuer}/oauth2/jwks"),
        "response_types_supported": [],
        "grant_types_supported":
            ["urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-dpop"],
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"],
        "dpop_signing_alg_values_supported": ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"],
        "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"],
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "revocation_endpoint_auth_signing_alg_values_supported":
            ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"],
        "authorization_details_types_supported": ["mcp_tool"],
        "scopes_supported": ["docs.read", "docs.write"],
    });
    assert_eq!(answer.json, expected);
}

/// META-07: what is announced works.
#[tokio::test]
async fn every_announced_authentication_method_works() {
    let app = TestApp::start().await;
    let metadata = app.get(WELL_KNOWN).await.json;
    let methods: Vec<AuthMethod> =
        serde_json::from_value::<Vec<String>>(metadata["token_endpoint_auth_methods_supported"].clone())
            .unwrap()
            .iter()
            .map(|method| method.parse().unwrap())
            .collect();
    let key = Key::es256("k");
    let (signed, of_signer) = (sign(&app, &key, json!({})), app.assertion(json!({ "client_id": SIGNER })));
    for method in methods {
        let assertion = app.assertion(json!({}));
        let mut form = vec![
            ("grant_type", metadata["grant_types_supported"][0].as_str().unwrap()),
            ("assertion", assertion.as_str()),
        ];
        let request = app.http.post(metadata["token_endpoint"].as_str().unwrap());
        let request = match method {
            AuthMethod::Basic => request.basic_auth(CLIENT, Some(SECRET)),
            AuthMethod::Post => {
                form.extend([("client_id", CLIENT), ("client_secret", SECRET)]);
                request
            }
            AuthMethod::None => unreachable!("it is announced only where a client may do so"),
            AuthMethod::PrivateKeyJwt => {
                app.put_client(signer(KeySource::Registered(jwks(&[&key]).to_string()))).await;
                form[1].1 = &of_signer;
                form.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &signed)]);
                request
            }
        };
        assert_eq!(request.form(&form).send().await.unwrap().status(), 200, "{method:?}");
    }
}

/// META-01, META-02: an issuer with a path has its document at the path that RFC 8414 §3.1 inserts.
#[tokio::test]
async fn an_issuer_with_a_path_is_served_under_it() {
    let app = TestApp::start_with(|c| c.issuer.push_str("/tenant/t1")).await;
    let answer = get(&app, &format!("{}{WELL_KNOWN}/tenant/t1", origin(&app))).await;
    assert_eq!((answer.status, answer.json["issuer"].as_str()), (200, Some(app.issuer())));
    for wrong in [
        format!("{}{WELL_KNOWN}", origin(&app)),
        format!("{}{WELL_KNOWN}/tenant", origin(&app)),
        format!("{}{WELL_KNOWN}/tenant/t2", origin(&app)),
        format!("{}{WELL_KNOWN}/tenant/t1/", origin(&app)),
        format!("{}{WELL_KNOWN}", app.issuer()),
        format!("{}/oauth2/token", origin(&app)),
        format!("{}/oauth2/jwks", origin(&app)),
    ] {
        let answer = get(&app, &wrong).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (404, Some("not_found")), "{wrong}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.header("x-request-id").is_empty());
    }
    let jwks = get(&app, answer.json["jwks_uri"].as_str().unwrap()).await;
    assert_eq!(jwks.status, 200);
    assert_eq!(get(&app, answer.json["authorization_endpoint"].as_str().unwrap()).await.status, 400);
    assert_eq!(answer.json["token_endpoint"], app.token_url());
    let granted = app.granted(json!({})).await;
    assert_eq!(granted.claims()["iss"], app.issuer());
}

/// META-02: one spelling in the four places where a client compares it.
#[tokio::test]
async fn the_issuer_is_the_same_everywhere() {
    let app = TestApp::start().await;
    let issuer = app.issuer().to_owned();
    assert_eq!(app.get(WELL_KNOWN).await.json["issuer"], issuer);
    assert_eq!(app.granted(json!({ "aud": issuer })).await.claims()["iss"], issuer);
    let id = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let prm = app.get(&format!("/resources/{id}/protected-resource-metadata")).await;
    assert_eq!(prm.json["authorization_servers"], json!([issuer]));
    // Whatever the request's own headers say.
    for (name, value) in
        [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example")]
    {
        assert_eq!(get_with(&app, WELL_KNOWN, name, value).await.json["issuer"], issuer);
    }
}

/// META-04: who the customers are, whom they believe and what they decide is nobody's business.
#[tokio::test]
async fn the_metadata_does_not_tell_who_is_trusted() {
    let stranger = FakeIdp::start(Key::rsa("idp-2", 1)).await;
    let app = TestApp::start().await;
    let paths = [WELL_KNOWN, "/oauth2/jwks"];
    let mut before = Vec::new();
    for path in paths {
        before.push(app.get(path).await.body);
    }
    app.put_teamspace("globex").await;
    app.put_provider("globex", &stranger).await;
    app.put_client(client("other", &["the-other-clients-secret"])).await;
    app.change_provider(|p| p.scope = "docs.read secret.scope".to_owned()).await;
    for (path, before) in paths.iter().zip(before) {
        let after = app.get(path).await.body;
        assert_eq!(after, before, "{path}");
        for secret in ["acme", "globex", &app.idp.issuer, &stranger.issuer, CLIENT] {
            assert!(!after.contains(secret), "{path} tells {secret}");
        }
    }
}

/// META-04: nor does it tell which scopes are made for whom.
#[tokio::test]
async fn scopes_of_restricted_resources_are_not_listed() {
    let app = TestApp::start().await;
    let before = app.get(WELL_KNOWN).await.body;
    let mut restricted = resource("https://globex.example.com/mcp", &["globex.special"]);
    restricted.teamspaces = Some(vec!["acme".to_owned()]);
    app.put_resource(restricted).await;
    assert_eq!(app.get(WELL_KNOWN).await.body, before);
    app.put_resource(resource("https://open.example.com/mcp", &["open.scope", "docs.read"])).await;
    let scopes = app.get(WELL_KNOWN).await.json["scopes_supported"].clone();
    assert_eq!(scopes, json!(["docs.read", "docs.write", "open.scope"]));
}

/// META-03, META-10: arrays without elements are left out (RFC 8414 §3.2).
#[tokio::test]
async fn no_scopes_are_no_member() {
    let app = TestApp::start().await;
    app.change_resource(|r| r.scopes.clear()).await;
    assert_eq!(app.get(WELL_KNOWN).await.json.get("scopes_supported"), None);
    let id = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let prm = app.get(&format!("/resources/{id}/protected-resource-metadata")).await.json;
    assert_eq!(prm.get("scopes_supported"), None);
}

/// META-08, AT-02: public keys only, and among them the one that signs.
#[tokio::test]
async fn the_published_keys_are_public_and_verify_our_tokens() {
    use countersign::config::SigningAlg;
    for (alg, name, kty) in [
        (SigningAlg::Es256, "ES256", "EC"),
        (SigningAlg::EdDsa, "EdDSA", "OKP"),
        (SigningAlg::Rs256, "RS256", "RSA"),
    ] {
        let app = TestApp::start_with(|c| c.access_token.signing_alg = alg).await;
        let jwks = app.get("/oauth2/jwks").await;
        assert_eq!((jwks.status, jwks.header("content-type")), (200, "application/json"));
        let keys = jwks.json["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert_eq!(key.get(private), None, "{private}");
            }
            assert_eq!((&key["alg"], &key["use"], &key["kty"]), (&json!(name), &json!("sig"), &json!(kty)));
        }
        let answer = app.granted(json!({})).await;
        let token = answer.access_token();
        let header: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
        assert_eq!((&header["kid"], &header["alg"]), (&keys[0]["kid"], &json!(name)));
        let key = countersign::idp::key::VerificationKey::from_jwk(&keys[0]).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let algorithm = countersign::idp::key::allowed_algorithm(name).unwrap();
        let signature = decode(signature);
        assert!(key.verifies(algorithm, message.as_bytes(), &signature));
        assert!(!key.verifies(algorithm, format!("{message}x").as_bytes(), &signature));
    }
}

/// META-11: this is no OpenID provider.
#[tokio::test]
async fn there_is_no_openid_configuration() {
    let app = TestApp::start().await;
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/x",
        "/.well-known/oauth-protected-resource",
        "/oauth2/register",
        "/userinfo",
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.json["error"].as_str()), (404, Some("not_found")), "{path}");
    }
}

/// META-12
#[tokio::test]
async fn public_documents_can_be_cached_and_read_by_pages() {
    let app = TestApp::start().await;
    let id = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let prm = format!("/resources/{id}/protected-resource-metadata");
    for path in [WELL_KNOWN, "/oauth2/jwks", &prm] {
        let answer = get_with(&app, path, "origin", "https://page.example").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let max_age = answer.header("cache-control").split("max-age=").nth(1).unwrap();
        // Shorter than the time for which a new key is published before it signs.
        assert!((1..countersign::model::signing_key::PUBLISH_AHEAD).contains(&max_age.parse().unwrap()));
        let etag = answer.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}")] {
            let again = get_with(&app, path, "if-none-match", &known).await;
            assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", etag.as_str()));
            assert!(again.header("cache-control").contains("max-age="));
        }
        let other = get_with(&app, path, "if-none-match", "\"other\"").await;
        assert_eq!((other.status, &other.body), (200, &answer.body));
        let preflight = app.http.request(reqwest::Method::OPTIONS, format!("{}{path}", app.issuer()));
        let preflight = preflight
            .header("origin", "https://page.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let preflight = Answer::of(preflight.send().await.unwrap()).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (200, "*"));
    }
    let etag = app.get(WELL_KNOWN).await.header("etag").to_owned();
    app.put_resource(resource("https://open.example.com/mcp", &["open.scope"])).await;
    assert_eq!(get_with(&app, WELL_KNOWN, "if-none-match", &etag).await.status, 200, "it has changed");
}

/// META-12: what carries tokens is for no page of another origin.
#[tokio::test]
async fn the_token_endpoint_is_closed_to_pages() {
    let app = TestApp::start().await;
    let request = app.http.post(app.token_url()).header("origin", "https://page.example");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let preflight = app.http.request(reqwest::Method::OPTIONS, app.token_url());
    let preflight =
        preflight.header("origin", "https://page.example").header("access-control-request-method", "POST");
    let answer = Answer::of(preflight.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, ""));
}

/// META-05: whoever comes without an assertion is told so in its own format, and never sent elsewhere.
#[tokio::test]
async fn the_authorization_endpoint_explains_and_never_redirects() {
    let app = TestApp::start().await;
    let query = "response_type=code&client_id=x&redirect_uri=https%3A%2F%2Fevil.example%2Fcb&state=s\
        &scope=%3Cscript%3E";
    let url = format!("{}/oauth2/authorize", app.issuer());
    for request in [
        app.http.get(&url),
        app.http.get(format!("{url}?{query}")),
        app.http.post(&url).header("content-type", "application/x-www-form-urlencoded").body(query),
    ] {
        let answer = Answer::of(request.try_clone().unwrap().send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("unsupported_response_type")));
        let page = request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let page = Answer::of(page.send().await.unwrap()).await;
        assert_eq!((page.status, page.header("content-type")), (400, "text/html; charset=utf-8"));
        assert!(page.body.contains("administrator"), "{page:?}");
        for answer in [answer, page] {
            assert_eq!(answer.header("location"), "");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(!answer.header("x-request-id").is_empty());
            assert!(!answer.body.contains("evil.example") && !answer.body.contains("<script"));
        }
    }
}

/// RFC 9728 §2, for servers that let us publish theirs.
#[tokio::test]
async fn the_protected_resource_metadata_is_published() {
    let app = TestApp::start().await;
    let id = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let answer = app.get(&format!("/resources/{id}/protected-resource-metadata")).await;
    let expected = json!({
        "resource": RESOURCE,
        "authorization_servers": [app.issuer()],
        "bearer_methods_supported": ["header"],
        "resource_name": RESOURCE,
        "scopes_supported": ["docs.read", "docs.write"],
    });
    assert_eq!((answer.status, answer.json), (200, expected));
    let missing = app.get("/resources/unknown/protected-resource-metadata").await;
    assert_eq!((missing.status, missing.json["error"].as_str()), (404, Some("not_found")));
}

/// META-13, OPS-02: everything announced shares the issuer's origin, and only loopback goes without TLS.
#[tokio::test]
async fn endpoints_share_the_issuers_origin() {
    let app = TestApp::start().await;
    let metadata = app.get(WELL_KNOWN).await.json;
    for name in ["token_endpoint", "authorization_endpoint", "jwks_uri"] {
        assert!(metadata[name].as_str().unwrap().starts_with(&format!("{}/", app.issuer())), "{name}");
    }
}

/// META-13, META-02, OPS-02
#[test]
fn an_issuer_is_https_or_loopback_and_in_normal_form() {
    let dir = tempfile::tempdir().unwrap();
    let load = |issuer: &str| {
        let path = dir.path().join("countersign.toml");
        std::fs::write(&path, format!("issuer = {issuer:?}\n")).unwrap();
        Config::load(Some(&path)).map(|config| config.issuer)
    };
    for issuer in [
        "https://auth.example.com",
        "https://auth.example.com/t1",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        assert_eq!(load(issuer).unwrap(), issuer);
    }
    for issuer in [
        "http://auth.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "https://auth.example.com/",
        "https://AUTH.example.com",
        "https://auth.example.com:443",
        "https://auth.example.com/a/../b",
        "https://auth.example.com?x",
        "https://auth.example.com#x",
        "https://user@auth.example.com",
        "ftp://auth.example.com",
        "auth.example.com",
        "",
    ] {
        let error = load(issuer).unwrap_err().to_string();
        assert!(error.contains("issuer"), "{issuer}: {error}");
    }
}

/// OPS-02: behind a proxy with TLS, browsers and clients are told to stay with it.
#[tokio::test]
async fn an_https_issuer_asks_for_https_forever() {
    let app = TestApp::start_with(|c| c.issuer = c.issuer.replace("http://", "https://")).await;
    let plain = app.issuer().replace("https://", "http://");
    for path in [WELL_KNOWN, "/oauth2/token", "/nothing"] {
        let answer = get(&app, &format!("{plain}{path}")).await;
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
    }
}
