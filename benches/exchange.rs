//! The parts of an exchange that cost CPU, each by itself: `cargo bench --bench exchange`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic is how a benchmark ends"
)]
#![allow(missing_docs, reason = "criterion makes a public function")]

mod shared;

use std::hint::black_box;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::dpop::{DpopProof, ExpectedProof, ProofHeader};
use countersign::exchange::assertion::UnverifiedAssertion;
use countersign::exchange::claims::Expectations;
use countersign::idp::client_assertion::{ExpectedClient, UnverifiedClientAssertion};
use countersign::idp::key::VerificationKey;
use countersign::oauth::request::TokenRequest;
use countersign::policy::facts::to_context;
use countersign::policy::{PolicySource, decide};
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::Algorithm;
use serde_json::json;
use shared::{facts, scopes};

const ISSUER: &str = "https://acme.okta.com";
const OURS: &str = "https://auth.example.com";
const RESOURCE: &str = "https://mcp.example.com/mcp";
const NOW: i64 = 1_795_348_800;

fn assertion() -> (String, VerificationKey) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
    let jwk = json!({ "kty": "RSA", "kid": "k", "n": encode(n.big_endian_without_leading_zero()),
        "e": encode(e.big_endian_without_leading_zero()) });
    let header = json!({ "alg": "RS256", "kid": "k", "typ": "oauth-id-jag+jwt" }).to_string();
    let claims = json!({ "iss": ISSUER, "sub": "00u1", "aud": OURS, "client_id": "c", "resource": RESOURCE,
        "scope": scopes().join(" "), "email": "dana@acme.com", "iat": NOW, "exp": NOW + 300, "jti": "IDAAG.x" });
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    (format!("{input}.{}", encode(&signature)), VerificationKey::from_jwk(&jwk).unwrap())
}

fn parts(c: &mut Criterion) {
    let (assertion, key) = assertion();
    let keys = [std::sync::Arc::new(key)];
    let expected = Expectations {
        audience: OURS.into(),
        client_id: "c".into(),
        now: NOW,
        clock_skew: 30,
        max_lifetime: 600,
    };
    let body =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    c.bench_function("parse the form", |b| b.iter(|| TokenRequest::parse(black_box(body.as_bytes()))));
    c.bench_function("read the assertion", |b| {
        b.iter(|| UnverifiedAssertion::peek(black_box(&assertion), 16_384))
    });
    c.bench_function("read and verify the assertion (RS256)", |b| {
        b.iter(|| {
            UnverifiedAssertion::peek(black_box(&assertion), 16_384)
                .unwrap()
                .authenticate(&keys)
                .unwrap()
                .check(&expected)
                .unwrap()
        })
    });
    let policies = PolicySource::read(Path::new("policies"), Path::new("schema/countersign.cedarschema"))
        .and_then(|source| source.compile(NOW))
        .unwrap();
    let facts = facts();
    c.bench_function("decide: 3 scopes, 6 questions", |b| {
        b.iter(|| decide(&policies.compiled, black_box(&facts)).outcome.unwrap())
    });
    c.bench_function("of which: entities", |b| {
        b.iter(|| policies.compiled.world_of(black_box(&facts)).unwrap())
    });
    c.bench_function("of which: context", |b| {
        b.iter(|| to_context(black_box(&facts).whole_context().unwrap()).unwrap())
    });
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    c.bench_function("reference: one ES256 signature", |b| {
        b.iter(|| pair.sign(&random, black_box(b"x")).unwrap())
    });
}

/// A client assertion and a proof of possession, by the same key.
struct OfClient {
    jwk: String,
    pair: EcdsaKeyPair,
}

impl OfClient {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        // The point without compression (SEC 1 §2.3.3): a byte, then x and y.
        let point = pair.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|number| URL_SAFE_NO_PAD.encode(number));
        Self { jwk: format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#), pair }
    }

    fn sign(&self, header: &str, claims: &serde_json::Value) -> String {
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Measures the client assertion and the proof beside one ES256 verification.
fn keys(c: &mut Criterion) {
    let client = OfClient::new();
    let uri = format!("{OURS}/oauth2/token");
    let assertion = client.sign(
        r#"{"alg":"ES256","typ":"JWT"}"#,
        &json!({ "iss": "c", "sub": "c", "aud": OURS, "iat": NOW, "exp": NOW + 60, "jti": "of-client" }),
    );
    let proof = client.sign(
        &format!(r#"{{"alg":"ES256","typ":"dpop+jwt","jwk":{}}}"#, client.jwk),
        &json!({ "htm": "POST", "htu": uri, "iat": NOW, "jti": "of-proof" }),
    );
    let jwk = serde_json::from_str(&client.jwk).unwrap();
    let keys = [std::sync::Arc::new(VerificationKey::from_jwk(&jwk).unwrap())];
    let (input, signature) = assertion.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let expected = ExpectedClient { client_id: "c", issuer: OURS, now: NOW, clock_skew: 30 };
    let of_request = ExpectedProof { method: "POST", uri: &uri, token: None, nonces: None, now: NOW };
    c.bench_function("reference: one ES256 verification", |b| {
        b.iter(|| keys[0].verifies(Algorithm::ES256, black_box(input.as_bytes()), &signature))
    });
    c.bench_function("read and verify a client assertion (ES256)", |b| {
        b.iter(|| {
            let unverified = UnverifiedClientAssertion::peek(black_box(&assertion), 16_384).unwrap();
            unverified.verify(&keys, &expected).unwrap()
        })
    });
    c.bench_function("read and verify a proof of possession (ES256)", |b| {
        b.iter(|| DpopProof::verify(ProofHeader::One(black_box(proof.as_bytes())), &of_request).unwrap())
    });
}

criterion_group!(benches, parts, keys);
criterion_main!(benches);
