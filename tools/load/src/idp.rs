//! The identity provider: metadata and keys on loopback, on the driver's core.

use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use axum::Json;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::{IDP_PORT, Outcome};

/// Its issuer identifier, which kept assertions name: the port is always the same.
pub fn issuer() -> String {
    format!("http://127.0.0.1:{IDP_PORT}")
}

/// Serves until the process ends.
pub async fn serve(key: &RsaKeyPair) -> Outcome<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", IDP_PORT))
        .await
        .map_err(|error| format!("port {IDP_PORT} of the identity provider: {error}"))?;
    let issuer = issuer();
    let public = key.public_key();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks = json!({ "keys": [{ "kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig",
        "n": encode(public.modulus().big_endian_without_leading_zero()),
        "e": encode(public.exponent().big_endian_without_leading_zero()) }] });
    let metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
    let router = axum::Router::new()
        .route("/.well-known/openid-configuration", get(move || async move { Json(metadata) }))
        .route("/keys", get(move || async move { Json(jwks) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}
