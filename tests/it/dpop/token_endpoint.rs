//! Proofs at the token endpoint.

use countersign::clock::Clock as _;
use countersign::oauth::request::{JWT_BEARER, JWT_DPOP};
use countersign::store::changes::Changed;
use serde_json::{Value, json};

use super::{bare, exchange, exchange_as, proof, proof_with, refused, thumbprint};
use crate::client_assertion;
use crate::files::with_shipped;
use crate::harness::{Answer, START, TestApp};
use crate::idp::{Key, b64};
use crate::interop::{last_line, package, published_client};
use crate::process::real_time;
use crate::subject::futures_all;

const INVALID: (&str, &str) = ("invalid_dpop_proof", "proof_invalid");

#[track_caller]
fn assert_bound(answer: &Answer, key: &Key) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json["token_type"], "DPoP");
    assert_eq!(answer.claims()["cnf"], json!({ "jkt": thumbprint(key) }));
}

/// DPP-01, DPP-04, AT-04: each kind of key; the proof is used up together with the assertion.
#[tokio::test]
async fn a_proof_binds_the_token_to_its_key() {
    let app = TestApp::start().await;
    for key in [Key::es256("p256"), Key::es384("p384"), Key::ed25519("ed"), Key::rsa("rsa", 0)] {
        let before = app.written().await;
        let answer = exchange(&app, &app.assertion(json!({})), &[&proof(&app, &key)]).await;
        assert_bound(&answer, &key);
        assert_eq!(app.written().await.used_assertions, before.used_assertions + 2);
    }
    let rsa = Key::rsa("rsa", 0);
    let pss = proof_with(&app, &rsa, json!({ "alg": "PS256" }), json!({}));
    assert_bound(&exchange(&app, &app.assertion(json!({})), &[&pss]).await, &rsa);
    // Who proves nothing gets what everybody got before.
    let plain = app.granted(json!({})).await;
    assert_eq!((plain.json["token_type"].as_str(), plain.claims().get("cnf")), (Some("Bearer"), None));
}

/// DPP-01: `htu` counts without query and fragment, in whatever way it is written.
#[tokio::test]
async fn the_address_is_compared_after_normalization() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let url = app.token_url();
    let upper = url.replacen("http://", "HTTP://", 1);
    for htu in [format!("{url}?a=b"), format!("{url}#part"), upper, url.replace("/oauth2/", "/x/../oauth2/")]
    {
        let proof = proof_with(&app, &key, json!({}), json!({ "htu": htu }));
        assert_bound(&exchange(&app, &app.assertion(json!({})), &[&proof]).await, &key);
    }
}

/// DPP-01, JAG-15: whatever is wrong with a proof, the request is refused, and the assertion stays good.
#[tokio::test]
async fn bad_proofs_are_refused_and_burn_nothing() {
    let (app, key, other) = (TestApp::start().await, Key::es256("k"), Key::es256("o"));
    let assertion = app.assertion(json!({}));
    let url = app.token_url();
    let mut private = bare(&key);
    private["d"] = json!("AAAA");
    let mut null_private = bare(&key);
    null_private["d"] = Value::Null;
    let headers = [
        json!({ "typ": null }),
        json!({ "typ": "JWT" }),
        json!({ "typ": "DPOP+JWT" }),
        json!({ "typ": "application/dpop+jwt" }),
        json!({ "alg": null }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "ES384" }),
        json!({ "alg": "RS256" }),
        json!({ "jwk": null }),
        json!({ "jwk": "x" }),
        json!({ "jwk": {} }),
        json!({ "jwk": bare(&other) }),
        json!({ "jwk": private }),
        json!({ "jwk": null_private }),
        json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }),
        json!({ "jwk": { "kty": "RSA", "n": b64([0xff; 128]), "e": "AQAB" }, "alg": "RS256" }),
        json!({ "jwk": { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" } }),
        json!({ "crit": ["exp"] }),
        json!({ "b64": false }),
    ];
    let claims = [
        json!({ "htm": null }),
        json!({ "htm": "GET" }),
        json!({ "htm": "post" }),
        json!({ "htm": 7 }),
        json!({ "htu": null }),
        json!({ "htu": app.issuer() }),
        json!({ "htu": format!("{url}/") }),
        json!({ "htu": url.replacen("http:", "https:", 1) }),
        json!({ "htu": url.replacen("127.0.0.1", "localhost", 1) }),
        json!({ "htu": url.replacen("//", "//user@", 1) }),
        json!({ "htu": url.replace('/', "\\") }),
        json!({ "htu": format!(" {url}") }),
        json!({ "htu": format!("{url}?{}", "x".repeat(2048)) }),
        json!({ "htu": "/oauth2/token" }),
        json!({ "iat": null }),
        json!({ "iat": "now" }),
        json!({ "iat": 1e300 }),
        json!({ "iat": -1 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "jti": 7 }),
        json!({ "jti": "x".repeat(257) }),
    ];
    for header in headers {
        refused(&app, &assertion, &[&proof_with(&app, &key, header, json!({}))], INVALID).await;
    }
    for claims in claims {
        refused(&app, &assertion, &[&proof_with(&app, &key, json!({}), claims)], INVALID).await;
    }
    let good = proof(&app, &key);
    let (start, signature) = good.rsplit_once('.').unwrap();
    let broken = [
        String::new(),
        "nonsense".to_owned(),
        start.to_owned(),
        format!("{start}."),
        format!("{start}.{}", b64("signature")),
        format!("{good}="),
        format!("{good}, {good}"),
        format!("{start}.{signature}.x"),
        proof_with(&app, &key, json!({}), json!({ "more": "x".repeat(8192) })),
        key.sign_bytes(b"{\"typ\":\"dpop+jwt\"}", b"\xff"),
        assertion.clone(),
    ];
    for broken in &broken {
        refused(&app, &assertion, &[broken], INVALID).await;
    }
    refused(&app, &assertion, &[&good, &proof(&app, &key)], INVALID).await;
    refused(&app, &assertion, &[&good, &good], INVALID).await;
    // Also where the assertion is no good either.
    refused(&app, "not.an.assertion", &["nonsense"], INVALID).await;
    assert_bound(&exchange(&app, &assertion, &[&good]).await, &key);
}

/// DPP-01: a header that is no text at all.
#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let app = TestApp::start().await;
    let (before, assertion) = (app.written().await, app.assertion(json!({})));
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let header = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    let request = app.http.post(app.token_url()).header("DPoP", header).form(&form);
    let request = request.basic_auth(crate::harness::CLIENT, Some(crate::harness::SECRET));
    let answer = Answer::of(request.send().await.unwrap()).await;
    app.assert_refused(&answer, before, 400, INVALID.0, INVALID.1).await;
}

/// DPP-01: exactly 300 s in either direction, and not one more.
#[tokio::test]
async fn a_proof_is_good_for_a_few_minutes_around_its_time() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    for (offset, is_good) in [(-300.0, true), (300.0, true), (-300.5, false), (-301.0, false), (301.0, false)]
    {
        let proof = proof_with(&app, &key, json!({}), json!({ "iat": app.clock.now() as f64 + offset }));
        let assertion = app.assertion(json!({}));
        match is_good {
            true => assert_bound(&exchange(&app, &assertion, &[&proof]).await, &key),
            false => {
                let detail = refused(&app, &assertion, &[&proof], INVALID).await;
                assert!(detail.contains("compare the clocks"), "{detail}");
            }
        }
    }
}

/// DPP-01: a proof is good once, for whatever assertion, until its time is over; another key may choose the same `jti`.
#[tokio::test]
async fn a_proof_is_good_once() {
    let (app, key, other) = (TestApp::start().await, Key::es256("k"), Key::es256("o"));
    let ahead = json!({ "iat": START + 300, "jti": "the-same" });
    let first = proof_with(&app, &key, json!({}), ahead.clone());
    assert_bound(&exchange(&app, &app.assertion(json!({})), &[&first]).await, &key);
    let used = ("invalid_dpop_proof", "proof_replayed");
    let again = app.assertion(json!({}));
    refused(&app, &again, &[&first], used).await;
    // The row that remembers it outlives it.
    app.clock.advance(600);
    app.app.reload().await.unwrap();
    app.app.prune().await.unwrap();
    let late = app.assertion(json!({}));
    refused(&app, &late, &[&first], used).await;
    app.clock.advance(1);
    refused(&app, &late, &[&first], INVALID).await;
    let ours = proof_with(&app, &other, json!({}), json!({ "jti": "the-same" }));
    assert_bound(&exchange(&app, &late, &[&ours]).await, &other);
    // Of two things that were used, the assertion is told: a new proof alone would not help.
    refused(&app, &late, &[&ours], ("invalid_grant", "replayed")).await;
}

/// DPP-01: of many requests at once with one proof, one succeeds, and the assertions of the others stay good.
#[tokio::test]
async fn of_requests_at_once_with_one_proof_one_succeeds() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    app.granted(json!({})).await;
    let proof = proof(&app, &key);
    let assertions: Vec<String> = (0..16).map(|_| app.assertion(json!({}))).collect();
    let proofs = [proof.as_str()];
    let answers = futures_all(assertions.iter().map(|assertion| exchange(&app, assertion, &proofs))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for (answer, assertion) in answers.iter().zip(&assertions) {
        if answer.status != 200 {
            assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_dpop_proof")));
            assert_eq!(app.exchange(assertion).await.status, 200, "a refused request burns nothing");
        }
    }
}

/// DPP-02, DPP-03, DPP-07: the key that the assertion names, by either member and under either grant type.
#[tokio::test]
async fn a_bound_assertion_needs_a_proof_of_its_key() {
    let (app, key, other) = (TestApp::start().await, Key::es256("k"), Key::es256("o"));
    for cnf in [json!({ "jkt": thumbprint(&key) }), json!({ "jwk": bare(&key) }), json!({ "jwk": key.jwk() })]
    {
        let assertion = app.assertion(json!({ "cnf": cnf }));
        refused(&app, &assertion, &[], ("invalid_grant", "proof_missing")).await;
        let detail =
            refused(&app, &assertion, &[&proof(&app, &other)], ("invalid_grant", "proof_mismatch")).await;
        assert!(detail.contains(&thumbprint(&other)), "{detail}");
        refused(&app, &assertion, &["nonsense"], INVALID).await;
        assert_bound(&exchange(&app, &assertion, &[&proof(&app, &key)]).await, &key);
        let assertion = app.assertion(json!({ "cnf": cnf }));
        assert_bound(&exchange_as(&app, JWT_DPOP, &assertion, &[&proof(&app, &key)]).await, &key);
    }
}

/// DPP-07: jwt-dpop is for assertions that name a key.
#[tokio::test]
async fn the_grant_jwt_dpop_demands_a_key_in_the_assertion() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let assertion = app.assertion(json!({}));
    for proofs in [vec![], vec![proof(&app, &key)]] {
        let before = app.written().await;
        let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
        let answer = exchange_as(&app, JWT_DPOP, &assertion, &proofs).await;
        app.assert_refused(&answer, before, 400, "invalid_grant", "claim_missing").await;
    }
    assert_bound(&exchange(&app, &assertion, &[&proof(&app, &key)]).await, &key);
}

/// JAG-19, DPP-10: what cannot be checked is never ignored, proof or not.
#[tokio::test]
async fn other_confirmations_are_refused() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    let jkt = thumbprint(&key);
    let mut private = bare(&key);
    private["d"] = json!("AAAA");
    for cnf in [
        json!({}),
        json!("x"),
        json!([jkt]),
        json!({ "jkt": "" }),
        json!({ "jkt": 7 }),
        json!({ "jkt": format!("{jkt}=") }),
        json!({ "jkt": jkt, "jwk": bare(&key) }),
        json!({ "jkt": jkt, "kid": "k" }),
        json!({ "jkt": jkt, "x5t#S256": jkt }),
        json!({ "x5t#S256": jkt }),
        json!({ "kid": "k" }),
        json!({ "jwk": {} }),
        json!({ "jwk": private }),
        json!({ "jwk": { "kty": "oct", "k": "c2VjcmV0" } }),
    ] {
        let assertion = app.assertion(json!({ "cnf": cnf }));
        refused(&app, &assertion, &[&proof(&app, &key)], ("invalid_grant", "cnf_unsupported")).await;
    }
}

/// DPP-05, META-10: policies see whether the token will be bound.
#[tokio::test]
async fn a_policy_can_demand_a_proof() {
    let rule = "@id(\"bound\") @reason(\"proof_wanted\") @error(\"invalid_grant\") @message(\"Send a DPoP proof.\")\n\
        forbid (principal, action in Action::\"grant\", resource) unless { context.key_bound };\n";
    let dir = with_shipped(&[("bound.cedar", rule)]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    let key = Key::es256("k");
    let assertion = app.assertion(json!({}));
    refused(&app, &assertion, &[], ("invalid_grant", "proof_wanted")).await;
    assert_bound(&exchange(&app, &assertion, &[&proof(&app, &key)]).await, &key);
    let metadata = app.get("/.well-known/oauth-authorization-server").await.json;
    let algorithms = metadata["dpop_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("HS256")));
    assert_eq!(metadata["grant_types_supported"], json!([JWT_BEARER, JWT_DPOP]));
}

/// DPP-01: a used client assertion is told before a used proof.
#[tokio::test]
async fn a_client_that_signs_can_prove_a_key_as_well() {
    let (app, own, key) = (TestApp::start().await, Key::es256("own"), Key::es256("k"));
    let keys = countersign::model::client::KeySource::Registered(client_assertion::jwks(&[&own]).to_string());
    app.put_client(client_assertion::signer(keys)).await;
    let signed = client_assertion::sign(&app, &own, json!({}));
    let send = async |proof: &str| {
        let jag = app.assertion(json!({ "client_id": client_assertion::SIGNER }));
        let form = [
            ("grant_type", JWT_BEARER),
            ("assertion", jag.as_str()),
            ("client_assertion_type", client_assertion::ASSERTION_TYPE),
            ("client_assertion", signed.as_str()),
        ];
        Answer::of(app.http.post(app.token_url()).header("DPoP", proof).form(&form).send().await.unwrap())
            .await
    };
    let proof = proof(&app, &key);
    let before = app.written().await;
    assert_bound(&send(&proof).await, &key);
    assert_eq!(app.written().await.used_assertions, before.used_assertions + 3);
    let before = app.written().await;
    let answer = send(&proof).await;
    app.assert_refused(&answer, before, 401, "invalid_client", "client_assertion_replayed").await;
}

/// DPP-01: a change of the configuration between the decision and the write does not burn the proof.
#[tokio::test]
async fn a_proof_survives_a_second_try() {
    let (app, key) = (TestApp::start().await, Key::es256("k"));
    // Noted in the database and not yet seen here: the first attempt meets a conflict.
    let note = |c: &mut _| countersign::store::changes::note(c, &Changed::Client("any".to_owned()), START);
    app.app.store.configure(note).await.unwrap();
    assert_bound(&exchange(&app, &app.assertion(json!({})), &[&proof(&app, &key)]).await, &key);
}

/// DPP-02, DPP-04: a published library makes key, thumbprint and proofs.
#[tokio::test(flavor = "multi_thread")]
async fn the_published_library_jose_makes_proofs_that_are_accepted() {
    let app = TestApp::start().await;
    real_time(&app);
    let script = package("tests/node").join("dpop.mjs");
    for alg in ["ES256", "PS256", "EdDSA"] {
        let mut node = published_client("node", script.clone());
        node.env("ISSUER", app.issuer())
            .env("CLIENT_ID", crate::harness::CLIENT)
            .env("CLIENT_SECRET", crate::harness::SECRET)
            .env("ALG", alg)
            .env("ID_JAG", app.assertion(json!({})));
        let (ok, result) = last_line(node).await;
        assert!(ok, "{result}");
        assert_eq!(result["status"], 200, "{result}");
        assert_eq!(result["body"]["token_type"], "DPoP");
        assert_eq!(result["bound_to"], result["thumbprint"], "{result}");
    }
}
