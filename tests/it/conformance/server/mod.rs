//! A small authorization server that is right, and in which one thing at a time can be wrong.

mod assertion;
mod claims;
mod client;
mod documents;
mod fault;
mod grant;
mod proof;
mod request;
mod tokens;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use countersign::conformance::{SuiteAlg, SuiteIdp, SuiteKey};
use serde_json::{Value, json};

pub use fault::Fault;

/// The time by which the server and the suite go.
pub const NOW: i64 = 1_800_000_000;

/// An answer that is no token.
pub struct Refused {
    status: u16,
    code: &'static str,
    challenge: bool,
    told: &'static str,
}

pub type Answered<T> = Result<T, Refused>;

pub fn refuse(code: &'static str) -> Refused {
    Refused { status: 400, code, challenge: false, told: "refused" }
}

/// What the server knows.
pub struct Tiny {
    pub issuer: String,
    /// The identity provider that it trusts.
    idp: String,
    keys: Vec<Value>,
    pems: [String; 2],
    fault: Option<Fault>,
    signing_key: SuiteKey,
    /// Assertions that were redeemed.
    used: Mutex<HashSet<String>>,
    /// Client assertions and proofs that were seen.
    seen: Mutex<HashSet<String>>,
    /// Active tokens with what is told about them.
    active: Mutex<HashMap<String, Value>>,
    /// Subjects that had an email once.
    known: Mutex<HashSet<String>>,
    /// The client's public key.
    client_key: Value,
    /// The keys of clients with metadata documents, by their URLs.
    documents: Mutex<HashMap<String, Value>>,
}

impl Tiny {
    /// Whether this is wrong.
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Whether this is as it should be.
    fn no(&self, fault: Fault) -> bool {
        !self.has(fault)
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.issuer)
    }
}

/// Runs the server; it ends with the test.
pub async fn start(idp: &SuiteIdp, fault: Option<Fault>) -> Arc<Tiny> {
    let listener = super::bind().await;
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let tiny = Arc::new(Tiny {
        issuer,
        idp: idp.issuer().to_owned(),
        keys: idp.keys().jwks()["keys"].as_array().unwrap().clone(),
        pems: [SuiteAlg::Rs256, SuiteAlg::Es256].map(|alg| idp.keys().trusted(alg).public_pem().unwrap()),
        fault,
        signing_key: SuiteKey::generate(SuiteAlg::Es256).unwrap(),
        used: Mutex::default(),
        seen: Mutex::default(),
        active: Mutex::default(),
        known: Mutex::default(),
        client_key: idp.keys().client.public_jwk(),
        documents: Mutex::default(),
    });
    let router = Router::new()
        .route("/.well-known/oauth-authorization-server", get(documents::metadata))
        .route("/jwks", get(documents::jwks))
        .route("/authorize", get(|| async { StatusCode::BAD_REQUEST }))
        .route("/token", any(token))
        .route("/introspect", any(tokens::introspect))
        .route("/revoke", any(tokens::revoke))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::clone(&tiny));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    tiny
}

async fn token(
    State(tiny): State<Arc<Tiny>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = match request::read(&tiny, &method, &uri, &headers, &body) {
        Ok(form) => {
            client::learn(&tiny, &form).await;
            grant::exchange(&tiny, &headers, &form).await
        }
        Err(refused) => Err(refused),
    };
    answered.unwrap_or_else(|refused| refused.into_answer(&tiny))
}

impl Refused {
    fn into_answer(self, tiny: &Tiny) -> Response {
        let Self { mut status, mut code, challenge, told } = self;
        if code == "invalid_grant" {
            match tiny.fault {
                Some(Fault::ForbidsWith403) => status = 403,
                Some(Fault::FaultsAreInvalidRequests) => code = "invalid_request",
                Some(Fault::FaultsAreInvalidClients) => (status, code) = (401, "invalid_client"),
                _ => {}
            }
        }
        let status = StatusCode::from_u16(status).unwrap();
        let mut headers = HeaderMap::new();
        if tiny.no(Fault::CacheableErrors) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED && tiny.no(Fault::NoAllow) {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if challenge && tiny.no(Fault::NoChallenge) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tiny\""));
        }
        if code == "use_dpop_nonce" && tiny.no(Fault::NoNonce) {
            headers.insert("dpop-nonce", HeaderValue::from_static(proof::NONCE));
        }
        if tiny.has(Fault::ErrorsInPlainText) {
            return (status, headers, code).into_response();
        }
        let body = json!({ "error": code, "error_description": told });
        (status, headers, axum::Json(body)).into_response()
    }
}
