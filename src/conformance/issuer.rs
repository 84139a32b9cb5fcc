//! The suite's own identity provider: metadata and keys, and beside it a stranger whom nobody should ask.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::keys::SuiteKeys;
use crate::oauth::request::JWT_BEARER;
use crate::web::server;

/// A metadata document of a client (draft-ietf-oauth-client-id-metadata-document §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientDocument {
    /// As it should be.
    Good,
    /// It says that it is the good one.
    OtherId,
    /// It has a secret, which everybody can read.
    WithSecret,
}

impl ClientDocument {
    /// Every document.
    pub const ALL: [Self; 3] = [Self::Good, Self::OtherId, Self::WithSecret];

    /// Its path below the issuer.
    const fn path(self) -> &'static str {
        match self {
            Self::Good => "/clients/good",
            Self::OtherId => "/clients/other-id",
            Self::WithSecret => "/clients/with-secret",
        }
    }

    fn content(self, parts: &SuiteIdpParts) -> Value {
        let named = if self == Self::WithSecret { self } else { Self::Good };
        let mut document = json!({
            "client_id": format!("{}{}", parts.issuer, named.path()),
            "client_name": "Conformance suite",
            "grant_types": [JWT_BEARER, "urn:ietf:params:oauth:grant-type:token-exchange"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [parts.keys.client.public_jwk()] },
        });
        if let (Self::WithSecret, Some(members)) = (self, document.as_object_mut()) {
            members.insert("client_secret".into(), "known-to-everybody".into());
        }
        document
    }
}

/// The path of the stranger below the issuer.
const STRANGER: &str = "/stranger";

struct SuiteIdpParts {
    issuer: String,
    keys: Arc<SuiteKeys>,
    /// Requests for anything of the stranger's.
    asked_stranger: AtomicUsize,
    /// Requests for the keys that the server trusts.
    asked_keys: AtomicUsize,
    /// The paths of client documents that somebody asked for.
    asked_documents: Mutex<Vec<&'static str>>,
}

/// A running identity provider; it stops when it is dropped.
pub struct SuiteIdp {
    parts: Arc<SuiteIdpParts>,
    task: AbortHandle,
}

impl Drop for SuiteIdp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SuiteIdp {
    /// Serves under an issuer identifier, which may be a public URL that forwards to the listener.
    pub fn serve(listener: TcpListener, issuer: String, keys: Arc<SuiteKeys>) -> Self {
        let parts = Arc::new(SuiteIdpParts {
            issuer,
            keys,
            asked_stranger: 0.into(),
            asked_keys: 0.into(),
            asked_documents: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&parts));
        let task = tokio::spawn(server::serve(listener, router, Arc::default(), std::future::pending()));
        Self { parts, task: task.abort_handle() }
    }

    /// The issuer identifier that the server trusts.
    pub fn issuer(&self) -> &str {
        &self.parts.issuer
    }

    /// Where its keys are.
    pub fn jwks_uri(&self) -> String {
        jwks_uri(&self.parts.issuer)
    }

    /// Where the client's public key is, for `private_key_jwt`.
    pub fn client_jwks_uri(&self) -> String {
        format!("{}/client/jwks", self.parts.issuer)
    }

    /// The URL of a client's metadata document, which is the client's id.
    pub fn document_url(&self, document: ClientDocument) -> String {
        format!("{}{}", self.parts.issuer, document.path())
    }

    /// Whether somebody asked for a document.
    pub fn was_asked_for(&self, document: ClientDocument) -> bool {
        let asked = self.parts.asked_documents.lock().unwrap_or_else(PoisonError::into_inner);
        asked.contains(&document.path())
    }

    /// An issuer that works, and that the server was not told about.
    pub fn stranger(&self) -> String {
        format!("{}{STRANGER}", self.parts.issuer)
    }

    /// Where the stranger's keys are.
    pub fn stranger_jwks_uri(&self) -> String {
        jwks_uri(&self.stranger())
    }

    /// The keys of the run.
    pub fn keys(&self) -> &SuiteKeys {
        &self.parts.keys
    }

    /// How often somebody asked for something of the stranger's.
    pub fn asked_stranger(&self) -> usize {
        self.parts.asked_stranger.load(Ordering::SeqCst)
    }

    /// How often somebody asked for the keys.
    pub fn asked_keys(&self) -> usize {
        self.parts.asked_keys.load(Ordering::SeqCst)
    }
}

fn jwks_uri(issuer: &str) -> String {
    format!("{issuer}/jwks")
}

/// Whatever stands before the last part: a proxy may have changed it.
async fn answer(State(parts): State<Arc<SuiteIdpParts>>, uri: Uri) -> Response {
    let path = uri.path();
    let is_stranger = path.contains(STRANGER);
    if is_stranger {
        parts.asked_stranger.fetch_add(1, Ordering::SeqCst);
    }
    let keys = &parts.keys;
    if path.contains("/.well-known/") {
        let path = if is_stranger { STRANGER } else { "" };
        let issuer = format!("{}{path}", parts.issuer);
        return Json(json!({
            "issuer": issuer,
            "jwks_uri": jwks_uri(&issuer),
            "identity_chaining_requested_token_types_supported": ["urn:ietf:params:oauth:token-type:id-jag"],
        }))
        .into_response();
    }
    if let Some(document) = ClientDocument::ALL.into_iter().find(|document| path.ends_with(document.path())) {
        let mut asked = parts.asked_documents.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(document.path());
        return Json(document.content(&parts)).into_response();
    }
    if !path.ends_with("/jwks") {
        return StatusCode::NOT_FOUND.into_response();
    }
    if is_stranger {
        let jwks = [keys.stranger.public_jwk(), keys.rsa_stranger.public_jwk()];
        return Json(json!({ "keys": jwks })).into_response();
    }
    if path.ends_with("/client/jwks") {
        return Json(json!({ "keys": [keys.client.public_jwk()] })).into_response();
    }
    parts.asked_keys.fetch_add(1, Ordering::SeqCst);
    Json(keys.jwks()).into_response()
}
