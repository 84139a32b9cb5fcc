//! Metadata and keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use countersign::oauth::request::JWT_BEARER;
use serde_json::{Value, json};

use super::{Fault, Tiny};

pub async fn metadata(State(tiny): State<Arc<Tiny>>) -> Response {
    if tiny.has(Fault::NoMetadata) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let at = |path: &str| format!("{}/{path}", tiny.issuer);
    let mut metadata = json!({
        "issuer": tiny.issuer,
        "token_endpoint": at("token"),
        "authorization_endpoint": at("authorize"),
        "jwks_uri": at("jwks"),
        "introspection_endpoint": at("introspect"),
        "revocation_endpoint": at("revoke"),
        "response_types_supported": [],
        "grant_types_supported": [JWT_BEARER],
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "dpop_signing_alg_values_supported": ["ES256"],
        "client_id_metadata_document_supported": true,
        "scopes_supported": ["docs.read", "docs.write"],
        "authorization_details_types_supported": [super::grant::KNOWN_DETAIL],
    });
    spoil(&tiny, &mut metadata);
    let open = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    match tiny.has(Fault::NoCaching) {
        true => ([open], Json(metadata)).into_response(),
        false => ([open, (header::CACHE_CONTROL, "max-age=60"), (header::ETAG, "\"1\"")], Json(metadata))
            .into_response(),
    }
}

fn spoil(tiny: &Tiny, metadata: &mut Value) {
    let mut remove = |name: &str| drop(metadata.as_object_mut().unwrap().remove(name));
    match tiny.fault {
        Some(Fault::NoProfile) => remove("authorization_grant_profiles_supported"),
        Some(Fault::NoAuthorizationEndpoint) => remove("authorization_endpoint"),
        Some(Fault::NoDetails | Fault::GrantsAnyDetails) => remove("authorization_details_types_supported"),
        Some(Fault::NoMethods) => remove("token_endpoint_auth_methods_supported"),
        Some(Fault::OtherIssuer) => metadata["issuer"] = json!(format!("{}/", tiny.issuer)),
        Some(Fault::ChallengeWithoutCode) => metadata["code_challenge_methods_supported"] = json!(["S256"]),
        Some(Fault::EmptyArrays) => metadata["ui_locales_supported"] = json!([]),
        Some(Fault::SymmetricProofs) => {
            metadata["dpop_signing_alg_values_supported"] = json!(["ES256", "HS256"])
        }
        Some(Fault::ForeignEndpoint) => {
            metadata["revocation_endpoint"] = json!("https://elsewhere.example/revoke");
        }
        Some(Fault::Registration) => metadata["registration_endpoint"] = json!(format!("{}/r", tiny.issuer)),
        _ => {}
    }
}

pub async fn jwks(State(tiny): State<Arc<Tiny>>) -> Json<Value> {
    let mut key = tiny.signing_key.public_jwk();
    if tiny.has(Fault::PrivateKeyPublished) {
        key["d"] = json!("AAAA");
    }
    Json(json!({ "keys": [key] }))
}
