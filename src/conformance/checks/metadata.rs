//! Discovery and metadata (RFC 8414).

use axum::http::header::ORIGIN;
use serde_json::Value;
use url::Url;

use crate::conformance::judged::{CheckedRule, Judgement};
use crate::conformance::suite::Suite;
use crate::conformance::wire::{ClientAuth, Probe, ProbeReply};
use crate::oauth::request::JWT_BEARER;

/// The profile by which clients know a server of this kind (ID-JAG draft §7.2).
const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";
/// Members that hold a URL of the server's own.
const ENDPOINTS: [&str; 6] = [
    "token_endpoint",
    "authorization_endpoint",
    "jwks_uri",
    "introspection_endpoint",
    "revocation_endpoint",
    "global_token_revocation_endpoint",
];

/// The address of metadata: the well-known part stands before the issuer's path (RFC 8414 §3.1).
fn well_known(issuer: &str, name: &str) -> Option<String> {
    let mut url = Url::parse(issuer).ok()?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/{name}{path}"));
    Some(url.into())
}

/// Reads the metadata, from which everything else is known.
pub async fn discover(suite: &mut Suite) {
    let rule = CheckedRule::new("META-01", "metadata at the well-known path of RFC 8414");
    let issuer = suite.target.issuer.clone();
    let Some(url) = well_known(&issuer, "oauth-authorization-server") else {
        return suite.skip(&rule, "the issuer is no URL");
    };
    let reply = Probe::get(&url).send(&suite.http).await;
    let is_metadata = reply.status == 200 && reply.is_json();
    if suite.wants("META-01") {
        suite.expect(&rule, is_metadata, "200 with an object of JSON", &reply);
    }
    if is_metadata {
        suite.metadata = reply.json.clone();
    } else {
        let appended = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let openid = Probe::get(&appended).send(&suite.http).await;
        if openid.status == 200 && openid.json.is_object() {
            suite.metadata = openid.json;
        }
    }
    let named = suite.metadata.get("token_endpoint").and_then(Value::as_str).map(str::to_owned);
    if suite.target.token_url.is_none() {
        suite.token_url = named.unwrap_or_default();
    }
    choose_auth(suite);
    if is_metadata {
        examine(suite, &reply);
        not_announced(suite, &reply);
        features(suite, &reply);
        public_documents(suite, &reply).await;
    }
}

/// Uses the way that the metadata lists, unless one was chosen.
fn choose_auth(suite: &mut Suite) {
    let methods = list(&suite.metadata, "token_endpoint_auth_methods_supported");
    let is_free = suite.target.auth.or(suite.target.profile.client_auth()).is_none();
    let lists = |auth: ClientAuth| methods.contains(&auth.method());
    if is_free && !lists(ClientAuth::Basic) && lists(ClientAuth::Post) {
        suite.auth = ClientAuth::Post;
    }
}

fn list<'v>(metadata: &'v Value, name: &str) -> Vec<&'v str> {
    metadata.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the document must say.
fn examine(suite: &mut Suite, reply: &ProbeReply) {
    let metadata = reply.json.clone();
    let issuer = reply.text("issuer") == suite.target.issuer;
    let mut expect = |rule: CheckedRule, holds: bool, expected: &str| {
        suite.expect_wanted(&rule, holds, expected, reply);
    };
    expect(CheckedRule::new("META-02", "`issuer` in the metadata"), issuer, "the issuer, byte for byte");
    let names_profile = list(&metadata, "authorization_grant_profiles_supported").contains(&ID_JAG_PROFILE)
        && list(&metadata, "grant_types_supported").contains(&JWT_BEARER);
    expect(
        CheckedRule::new("META-03", "the grant and its profile"),
        names_profile,
        "authorization_grant_profiles_supported with id-jag, grant_types_supported with jwt-bearer",
    );
    let has_both = metadata.get("authorization_endpoint").is_some_and(Value::is_string)
        && metadata.get("response_types_supported").is_some_and(Value::is_array);
    expect(
        CheckedRule::new("META-05", "members that the MCP SDKs need"),
        has_both,
        "authorization_endpoint and response_types_supported",
    );
    let code = list(&metadata, "response_types_supported").contains(&"code");
    let challenge = metadata.get("code_challenge_methods_supported").is_some();
    expect(
        CheckedRule::new("META-06", "a code flow is announced wholly or not at all"),
        code == challenge,
        "response type code and code_challenge_methods_supported, or neither",
    );
    let methods = list(&metadata, "token_endpoint_auth_methods_supported");
    let algorithms = list(&metadata, "token_endpoint_auth_signing_alg_values_supported");
    let is_complete = !methods.contains(&"private_key_jwt") || !algorithms.is_empty();
    expect(
        CheckedRule::new("META-07", "the ways of authentication"),
        !methods.is_empty() && is_complete && !algorithms.contains(&"none"),
        "token_endpoint_auth_methods_supported, and with private_key_jwt its algorithms without none",
    );
}

/// What the document must not announce.
fn not_announced(suite: &mut Suite, reply: &ProbeReply) {
    let metadata = reply.json.clone();
    let mut expect = |rule: CheckedRule, holds: bool, expected: &str| {
        suite.expect_wanted(&rule, holds, expected, reply);
    };
    let methods = list(&metadata, "token_endpoint_auth_methods_supported");
    expect(
        CheckedRule::new("REG-07", "no dynamic registration"),
        metadata.get("registration_endpoint").is_none(),
        "no registration_endpoint",
    );
    let offers_secret_jwt = methods.contains(&"client_secret_jwt");
    expect(CheckedRule::new("CLI-06", "no client_secret_jwt"), !offers_secret_jwt, "not in the list");
    let openid = ["openid", "offline_access"];
    let scopes = list(&metadata, "scopes_supported");
    expect(
        CheckedRule::own("GRT-06", "scopes of identity providers are not announced"),
        !scopes.iter().any(|scope| openid.contains(scope)),
        "neither openid nor offline_access in scopes_supported",
    );
}

/// Optional features, and where the endpoints are.
fn features(suite: &mut Suite, reply: &ProbeReply) {
    let metadata = reply.json.clone();
    if suite.wants("META-10") {
        let is_empty = |(name, value): (&String, &Value)| {
            name != "response_types_supported" && value.as_array().is_some_and(Vec::is_empty)
        };
        let no_empty = !metadata.as_object().into_iter().flatten().any(is_empty);
        let is_symmetric = |alg: &&str| alg.starts_with("HS") || *alg == "none";
        let algorithms = list(&metadata, "dpop_signing_alg_values_supported");
        let rule = CheckedRule::new("META-10", "optional features");
        let expected = "no empty array, and only asymmetric algorithms for DPoP";
        suite.expect(&rule, no_empty && !algorithms.iter().any(is_symmetric), expected, reply);
    }
    if suite.wants("META-13") {
        let origin = Url::parse(&suite.target.issuer).map(|url| url.origin().ascii_serialization());
        let is_own = |url: &str| Url::parse(url).map(|url| url.origin().ascii_serialization()) == origin;
        let urls = ENDPOINTS.iter().filter_map(|name| metadata.get(*name)?.as_str());
        let rule = CheckedRule::new("META-13", "the endpoints' origin");
        suite.expect(&rule, urls.into_iter().all(is_own), "the issuer's origin for each", reply);
    }
    if suite.wants("OPS-02") {
        let url = Url::parse(&suite.target.issuer).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let is_loopback = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        let is_https = url.as_ref().is_some_and(|url| url.scheme() == "https");
        let rule = CheckedRule::new("OPS-02", "https beyond loopback");
        suite.expect(&rule, is_https || is_loopback, "an issuer with https", reply);
    }
}

/// Caching, the key set, and the document that only OpenID providers have.
async fn public_documents(suite: &mut Suite, metadata: &ProbeReply) {
    if suite.wants("META-12") {
        let url = well_known(&suite.target.issuer, "oauth-authorization-server").unwrap_or_default();
        let probe = Probe::get(&url).with_header(ORIGIN, "https://client.example");
        let reply = probe.send(&suite.http).await;
        let is_open = reply.header("access-control-allow-origin").is_some();
        let is_cacheable = reply.header_has("cache-control", "max-age") && reply.header("etag").is_some();
        let rule = CheckedRule::new("META-12", "caching, and readers in browsers");
        let expected = "Cache-Control with max-age, ETag and Access-Control-Allow-Origin";
        suite.expect(&rule, is_open && is_cacheable, expected, &reply);
    }
    if suite.wants("META-05") && !metadata.text("authorization_endpoint").is_empty() {
        let url = format!(
            "{}?response_type=token&client_id=x&redirect_uri=https%3A%2F%2Fevil.example%2F",
            metadata.text("authorization_endpoint")
        );
        let reply = Probe::get(&url).send(&suite.http).await;
        let goes_there = reply.header_has("location", "evil.example");
        let rule = CheckedRule::new("META-05", "the authorization endpoint and a foreign redirect_uri");
        suite.expect(&rule, reply.status != 0 && !goes_there, "no redirect to it", &reply);
    }
    if suite.wants("META-11") {
        let url = well_known(&suite.target.issuer, "openid-configuration").unwrap_or_default();
        let reply = Probe::get(&url).send(&suite.http).await;
        let rule = CheckedRule::new("META-11", "no document of an OpenID provider");
        if reply.member("id_token_signing_alg_values_supported").is_some() {
            suite.skip(&rule, "the server is an OpenID provider as well");
        } else {
            suite.expect(&rule, reply.status == 404, "404", &reply);
        }
    }
    if suite.wants("META-08") {
        key_set(suite, metadata).await;
    }
}

async fn key_set(suite: &mut Suite, metadata: &ProbeReply) {
    let rule = CheckedRule::new("META-08", "the key set");
    let url = metadata.text("jwks_uri");
    if url.is_empty() {
        return suite.skip(&rule, "the metadata has no jwks_uri");
    }
    let reply = Probe::get(url).send(&suite.http).await;
    let keys = reply.member("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_public = |key: &Value| {
        let has = |name: &str| key.get(name).is_some();
        !["d", "p", "q", "dp", "dq", "qi", "k"].into_iter().any(has)
            && ["kid", "alg", "use"].into_iter().all(has)
    };
    let judgement = match !keys.is_empty() && keys.iter().all(is_public) {
        true => Judgement::Holds,
        false => Judgement::fails("public keys with kid, alg and use", &reply),
    };
    suite.judge(&rule, judgement);
}
