//! Claims that must be refused (ID-JAG draft §3.1, §4.4.1; RFC 7519 §4.1).

use serde_json::{Value, json};

use super::{AssertionCase, case, own};
use crate::conformance::draft::{AssertionDraft, AssertionSigner};

/// Long before and long after any tolerance for clocks.
const FAR: i64 = 600;

/// An issuer that works, signs well, and was never configured.
pub fn of_stranger(draft: &mut AssertionDraft) {
    draft.claim("iss", draft.facts.stranger.clone());
    draft.header.remove("kid");
    draft.signed_by(AssertionSigner::Stranger);
}

fn aud(draft: &mut AssertionDraft, make: impl FnOnce(&str) -> Value) {
    let value = make(&draft.facts.audience);
    draft.claim("aud", value);
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Each with one fault.
pub const BAD_CLAIMS: &[AssertionCase] = &[
    case("JAG-04", "iss with another slash", |draft| draft.claim("iss", format!("{}/", draft.facts.idp))),
    case("JAG-04", "iss in capitals", |draft| draft.claim("iss", draft.facts.idp.to_ascii_uppercase())),
    case("JAG-05", "no iss", |draft| draft.without("iss")),
    case("JAG-05", "iss in an array", |draft| draft.claim("iss", json!([draft.facts.idp]))),
    case("JAG-05", "iss a number", |draft| draft.claim("iss", 7)),
    case("JAG-06", "the server itself as iss", |draft| draft.claim("iss", draft.facts.audience.clone())),
    case("JAG-07", "no aud", |draft| draft.without("aud")),
    case("JAG-07", "another server as aud", |draft| draft.claim("aud", "https://other.example")),
    case("JAG-07", "the token endpoint as aud", |draft| draft.claim("aud", draft.facts.token_url.clone())),
    case("JAG-07", "the resource as aud", |draft| {
        let resource = draft.facts.resource.clone();
        draft.claim("aud", resource.unwrap_or_else(|| "https://mcp.example".to_owned()));
    }),
    case("JAG-07", "aud with a slash more", |draft| aud(draft, |issuer| json!(format!("{issuer}/")))),
    case("JAG-07", "a second aud", |draft| aud(draft, |issuer| json!([issuer, "https://other.example"]))),
    case("JAG-07", "the same aud twice", |draft| aud(draft, |issuer| json!([issuer, issuer]))),
    case("JAG-07", "an empty array as aud", |draft| draft.claim("aud", json!([]))),
    case("JAG-07", "aud a number", |draft| draft.claim("aud", 7)),
    case("JAG-08", "no client_id", |draft| draft.without("client_id")),
    case("JAG-08", "another client_id", |draft| draft.claim("client_id", "another-client")),
    case("JAG-08", "client_id in an array", |draft| draft.claim("client_id", json!([draft.facts.client_id]))),
    case("JAG-08", "client_id with a space more", |draft| {
        draft.claim("client_id", format!("{} ", draft.facts.client_id));
    }),
    case("JAG-09", "no sub", |draft| draft.without("sub")),
    case("JAG-09", "an empty sub", |draft| draft.claim("sub", "")),
    case("JAG-09", "sub a number", |draft| draft.claim("sub", 7)),
    case("JAG-09", "sub null", |draft| draft.claim("sub", Value::Null)),
    own("JAG-09", "sub of 300 characters", |draft| draft.claim("sub", "s".repeat(300))),
    case("JAG-10", "no exp", |draft| draft.without("exp")),
    case("JAG-10", "exp of ten minutes ago", |draft| {
        draft.claim("iat", draft.facts.now - 2 * FAR);
        draft.claim("exp", draft.facts.now - FAR);
    }),
    case("JAG-10", "exp two minutes ago", |draft| {
        draft.claim("iat", draft.facts.now - 240);
        draft.claim("exp", draft.facts.now - 120);
    }),
    case("JAG-10", "exp a text", |draft| draft.claim("exp", (draft.facts.now + 300).to_string())),
    case("JAG-10", "exp negative", |draft| draft.claim("exp", -1)),
    case("JAG-10", "exp null", |draft| draft.claim("exp", Value::Null)),
    own("JAG-10", "exp that no calendar has", |draft| draft.claim("exp", 1e30)),
    case("JAG-11", "no iat", |draft| draft.without("iat")),
    case("JAG-11", "iat a text", |draft| draft.claim("iat", draft.facts.now.to_string())),
    own("JAG-11", "iat in ten minutes", |draft| {
        draft.claim("iat", draft.facts.now + FAR);
        draft.claim("exp", draft.facts.now + FAR + 300);
    }),
    own("JAG-11", "a life of a day", |draft| draft.claim("exp", draft.facts.now + 86_400)),
    case("JAG-12", "nbf in ten minutes", |draft| {
        draft.claim("nbf", draft.facts.now + FAR);
        draft.claim("exp", draft.facts.now + 590);
    }),
    own("JAG-12", "nbf a text", |draft| draft.claim("nbf", "now")),
    case("JAG-13", "no jti", |draft| draft.without("jti")),
    own("JAG-13", "an empty jti", |draft| draft.claim("jti", "")),
    case("JAG-13", "jti a number", |draft| draft.claim("jti", 7)),
    case("JAG-13", "jti in an array", |draft| draft.claim("jti", json!(["a"]))),
    own("JAG-13", "jti of 1,000 characters", |draft| draft.claim("jti", "j".repeat(1000))),
    case("JAG-17", "scope in an array", |draft| draft.claim("scope", json!(["a", "b"]))),
    case("JAG-17", "scope a number", |draft| draft.claim("scope", 7)),
    own("JAG-17", "scope with a quote", |draft| draft.claim("scope", "a\"b")),
    case("JAG-18", "authorization_details a text", |draft| draft.claim("authorization_details", "x")),
    case("JAG-18", "authorization_details without type", |draft| {
        draft.claim("authorization_details", json!([{ "actions": ["read"] }]));
    }),
    case("JAG-18", "authorization_details of an unknown type", |draft| {
        draft.claim("authorization_details", json!([{ "type": "urn:example:conformance" }]));
    }),
    case("JAG-19", "cnf with a jkt, and no proof", |draft| {
        let thumbprint = draft.header.get("kid").cloned().unwrap_or_default();
        draft.claim("cnf", json!({ "jkt": thumbprint }));
    }),
    case("DPP-03", "cnf with a jwk, and no proof", |draft| {
        draft.claim("cnf", json!({ "jwk": { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" } }));
    }),
    case("JAG-19", "cnf with a member that nobody knows", |draft| {
        draft.claim("cnf", json!({ "conformance": "x" }));
    }),
    case("JAG-19", "cnf a text", |draft| draft.claim("cnf", "x")),
    case("DPP-10", "cnf with a certificate, which the connection lacks", |draft| {
        draft.claim("cnf", json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }));
    }),
    case("JAG-20", "act a text", |draft| draft.claim("act", "agent")),
    case("JAG-20", "act without sub", |draft| draft.claim("act", json!({}))),
    case("JAG-20", "act with a number as sub", |draft| draft.claim("act", json!({ "sub": 7 }))),
    own("JAG-21", "tenant a number", |draft| draft.claim("tenant", 7)),
    case("JAG-22", "aud_tenant of nobody", |draft| draft.claim("aud_tenant", "no-such-tenant-here")),
    own("JAG-22", "aud_tenant a number", |draft| draft.claim("aud_tenant", 7)),
    own("JAG-24", "auth_time a text", |draft| draft.claim("auth_time", "yesterday")),
    own("JAG-24", "acr a number", |draft| draft.claim("acr", 2)),
    own("JAG-24", "amr a text", |draft| draft.claim("amr", "pwd")),
    own("JAG-24", "amr with a number", |draft| draft.claim("amr", json!(["pwd", 2]))),
    case("JAG-26", "client_id twice, the last one another", |draft| {
        draft.last_claim("\"client_id\":\"another-client\"");
    }),
    own("JAG-26", "client_id twice, the first one another", |draft| {
        draft.first_claim("\"client_id\":\"another-client\"");
    }),
    case("JAG-26", "aud twice, the last one another", |draft| {
        draft.last_claim("\"aud\":\"https://other.example\"");
    }),
    own("JAG-26", "iss twice and the same", |draft| {
        let iss = quoted(&draft.facts.idp);
        draft.first_claim(&format!("\"iss\":{iss}"));
    }),
    own("JAG-26", "a claim of its own twice", |draft| {
        draft.claim("conformance", 2);
        draft.first_claim("\"conformance\":1");
    }),
    own("JAG-26", "a member twice, deep inside a claim", |draft| {
        draft.last_claim("\"conformance\":{\"a\":{\"b\":1,\"b\":2}}");
    }),
    case("JAG-10", "exp in an array", |draft| draft.claim("exp", json!([draft.facts.now + 300]))),
    case("JAG-09", "sub in an array", |draft| draft.claim("sub", json!([draft.facts.subject]))),
    case("JAG-07", "aud in capitals", |draft| aud(draft, |issuer| json!(issuer.to_ascii_uppercase()))),
    case("JAG-02", "claims that were changed after signing", |draft| draft.then(with_other_claims)),
];

/// The token with the claims of somebody else between header and signature.
fn with_other_claims(token: String) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts = token.splitn(3, '.');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (header, claims, signature) = (next(), next(), next());
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    if let Some(members) = claims.as_object_mut() {
        members.insert("sub".into(), "somebody-else".into());
    }
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Faults of `resource`.
pub const BAD_RESOURCES: &[AssertionCase] = &[
    case("JAG-16", "a foreign resource", |draft| draft.claim("resource", "https://foreign.example/mcp")),
    case("JAG-16", "a good and a foreign resource", |draft| {
        draft.claim("resource", json!([draft.facts.resource, "https://foreign.example/mcp"]));
    }),
    case("JAG-16", "resource a number", |draft| draft.claim("resource", 7)),
    own("JAG-16", "resource an empty array", |draft| draft.claim("resource", json!([]))),
    case("JAG-16", "resource with a fragment", |draft| {
        draft.claim("resource", format!("{}#part", draft.facts.resource.clone().unwrap_or_default()));
    }),
    case("JAG-16", "resource that is no URI", |draft| draft.claim("resource", "mcp")),
];
