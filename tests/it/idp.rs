//! An identity provider on loopback whose keys and behaviour the test controls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of the test, with its kid.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    pair: Arc<Pair>,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

fn rsa(size: KeySize) -> Vec<u8> {
    let pair = RsaKeyPair::generate(size).unwrap();
    AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
}

/// Making an RSA key takes long, so tests share two.
static RSA: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [rsa(KeySize::Rsa2048), rsa(KeySize::Rsa2048)]);

/// The private key of [`Key::rsa`] as PKCS#8 in PEM.
pub fn rsa_pem(which: usize) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(&RSA[which]);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

impl Key {
    pub fn rsa(kid: &str, which: usize) -> Self {
        Self::of(kid, Pair::Rsa(RsaKeyPair::from_pkcs8(&RSA[which]).unwrap()))
    }

    pub fn es256(kid: &str) -> Self {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref()).unwrap();
        Self::of(kid, Pair::P256(pair))
    }

    pub fn es384(kid: &str) -> Self {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key.as_ref()).unwrap();
        Self::of(kid, Pair::P384(pair))
    }

    pub fn ed25519(kid: &str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::of(kid, Pair::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap()))
    }

    fn of(kid: &str, pair: Pair) -> Self {
        Self { kid: kid.to_owned(), pair: Arc::new(pair) }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = match &*self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                json!({ "kty": "RSA", "n": b64(key.modulus().big_endian_without_leading_zero()),
                    "e": b64(key.exponent().big_endian_without_leading_zero()) })
            }
            Pair::P256(pair) => point("P-256", &pair.public_key().as_ref()[1..]),
            Pair::P384(pair) => point("P-384", &pair.public_key().as_ref()[1..]),
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub fn alg(&self) -> &'static str {
        match &*self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// The header of an ID-JAG signed with this key.
    pub fn header(&self) -> Value {
        json!({ "alg": self.alg(), "kid": self.kid, "typ": "oauth-id-jag+jwt" })
    }

    /// A compact JWS over header and payload exactly as they are written.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        self.sign_bytes(header.as_bytes(), payload.as_bytes())
    }

    /// The same over bytes that need be no text.
    pub fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", b64(header), b64(payload));
        let pss = serde_json::from_slice::<Value>(header).is_ok_and(|header| header["alg"] == "PS256");
        let random = SystemRandom::new();
        let signature = match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        format!("{input}.{}", b64(signature))
    }

    /// An ID-JAG of these claims.
    pub fn assertion(&self, claims: &Map<String, Value>) -> String {
        self.sign(&self.header().to_string(), &Value::Object(claims.clone()).to_string())
    }
}

fn point(curve: &str, bytes: &[u8]) -> Value {
    let (x, y) = bytes.split_at(bytes.len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
}

/// How the identity provider behaves.
#[derive(Clone)]
pub struct Behaviour {
    pub status: StatusCode,
    pub delay: Duration,
    pub jwks: Value,
    pub metadata_issuer: String,
    /// What the metadata says where the keys are.
    pub metadata_jwks_uri: String,
    /// Whether the metadata says that it issues ID-JAGs.
    pub announces_id_jags: bool,
    pub cache_control: &'static str,
}

struct Inner {
    behaviour: Mutex<Behaviour>,
    jwks_requests: AtomicUsize,
    metadata_requests: AtomicUsize,
}

/// A running identity provider.
#[derive(Clone)]
pub struct FakeIdp {
    pub issuer: String,
    pub key: Key,
    inner: Arc<Inner>,
}

impl FakeIdp {
    pub async fn start(key: Key) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            status: StatusCode::OK,
            delay: Duration::ZERO,
            jwks: json!({ "keys": [key.jwk()] }),
            metadata_issuer: issuer.clone(),
            metadata_jwks_uri: format!("{issuer}/keys"),
            announces_id_jags: false,
            cache_control: "max-age=600",
        };
        let inner = Arc::new(Inner {
            behaviour: Mutex::new(behaviour),
            jwks_requests: AtomicUsize::new(0),
            metadata_requests: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            // Where Countersign has its own: for tests in which this is the issuer of access tokens.
            .route("/oauth2/jwks", get(keys))
            .fallback(metadata_of_path)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, key, inner }
    }

    pub fn jwks_uri(&self) -> String {
        format!("{}/keys", self.issuer)
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.inner.behaviour.lock().unwrap());
    }

    /// Publishes exactly these keys.
    pub fn publish(&self, keys: &[&Key]) {
        self.publish_jwks(keys.iter().map(|key| key.jwk()).collect());
    }

    /// The same, each with the algorithm that it is for, as Countersign does.
    pub fn publish_with_algorithms(&self, keys: &[&Key]) {
        let with_algorithm = |key: &&Key| {
            let mut jwk = key.jwk();
            jwk["alg"] = json!(key.alg());
            jwk
        };
        self.publish_jwks(keys.iter().map(with_algorithm).collect());
    }

    fn publish_jwks(&self, keys: Vec<Value>) {
        self.change(|behaviour| behaviour.jwks = json!({ "keys": keys }));
    }

    pub fn jwks_requests(&self) -> usize {
        self.inner.jwks_requests.load(Ordering::SeqCst)
    }

    pub fn metadata_requests(&self) -> usize {
        self.inner.metadata_requests.load(Ordering::SeqCst)
    }
}

async fn behave(inner: &Inner) -> Behaviour {
    let behaviour = inner.behaviour.lock().unwrap().clone();
    tokio::time::sleep(behaviour.delay).await;
    behaviour
}

async fn metadata(State(inner): State<Arc<Inner>>) -> Response {
    inner.metadata_requests.fetch_add(1, Ordering::SeqCst);
    let behaviour = behave(&inner).await;
    let mut body = json!({ "issuer": behaviour.metadata_issuer, "jwks_uri": behaviour.metadata_jwks_uri });
    if behaviour.announces_id_jags {
        let announced = "identity_chaining_requested_token_types_supported";
        body[announced] = json!(["urn:ietf:params:oauth:token-type:id-jag"]);
    }
    (behaviour.status, Json(body)).into_response()
}

/// The metadata of an issuer with a path, whatever the path is.
async fn metadata_of_path(state: State<Arc<Inner>>, uri: Uri) -> Response {
    match uri.path().ends_with("/.well-known/openid-configuration") {
        true => metadata(state).await,
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn keys(State(inner): State<Arc<Inner>>) -> Response {
    inner.jwks_requests.fetch_add(1, Ordering::SeqCst);
    let behaviour = behave(&inner).await;
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, behaviour.cache_control.parse().unwrap());
    (behaviour.status, headers, Json(behaviour.jwks)).into_response()
}
