//! The token request: method, media type, parameters (RFC 6749 §3.2).

use axum::http::Method;
use url::form_urlencoded;

use crate::conformance::draft::AssertionDraft;
use crate::conformance::judged::CheckedRule;
use crate::conformance::keys::SuiteKeyError;
use crate::conformance::suite::Suite;
use crate::conformance::wire::{ClientAuth, FORM, Probe, ProbeReply};
use crate::oauth::request::JWT_BEARER;

const INVALID_REQUEST: &[(u16, &str)] = &[(400, "invalid_request")];

/// Runs the checks of the chapter.
pub async fn run(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    method_and_media_type(suite).await?;
    parameters(suite).await?;
    grant_and_assertion(suite).await?;
    sizes_and_encodings(suite).await
}

async fn method_and_media_type(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.wants("TOK-01") {
        other_methods(suite).await?;
    }
    if suite.wants("TOK-02") {
        let assertion = suite.changed(|_| ())?;
        let json = serde_json::json!({ "grant_type": JWT_BEARER, "assertion": assertion }).to_string();
        let multipart = format!(
            "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\n{JWT_BEARER}\r\n--x--\r\n"
        );
        for (name, media_type, body) in
            [("JSON", "application/json", json), ("multipart", "multipart/form-data; boundary=x", multipart)]
        {
            let rule = CheckedRule::new("TOK-02", format!("a body of {name}"));
            let reply = suite.send(authenticated(suite, media_type, body)).await;
            // Where credentials come in the body, a server that reads none says so.
            let is_unread = suite.auth == ClientAuth::Post && reply.is_error(401, "invalid_client");
            let is_invalid = [400, 415].contains(&reply.status) && reply.text("error") == "invalid_request";
            suite.expect(&rule, is_unread || is_invalid, "400 or 415 invalid_request", &reply);
        }
        let rule = CheckedRule::new("TOK-02", "a form with a charset");
        let form = form_of(suite, &[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
        let probe = authenticated(suite, "application/x-www-form-urlencoded; charset=UTF-8", form);
        let reply = suite.send(probe).await;
        suite.expect_grant(&rule, &reply);
    }
    Ok(())
}

/// RFC 6749 §3.2: the token endpoint takes POST, and RFC 9110 §15.5.6 says how others are turned away.
async fn other_methods(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let assertion = suite.changed(|_| ())?;
    let form = form_of(suite, &[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    let url = format!("{}?{form}", suite.token_url);
    // What else is true of these answers is not the protocol's, so they are not watched.
    let probe = with_basic(suite, Probe::get(&url));
    let reply = probe.send(&suite.http).await;
    let rule = CheckedRule::new("TOK-01", "a whole request with GET");
    suite.expect(&rule, reply.is_refusal(), "a refusal (405)", &reply);
    for method in [Method::GET, Method::PUT] {
        let rule = CheckedRule::should("TOK-01", format!("{method} instead of POST"));
        let reply = Probe::get(&suite.token_url).with_method(method).send(&suite.http).await;
        let holds = reply.status == 405 && reply.header_has("allow", "POST");
        suite.expect(&rule, holds, "405 with Allow: POST", &reply);
    }
    Ok(())
}

/// A body with our client's credentials in the header, unless the form itself carries them.
fn authenticated(suite: &Suite, media_type: &str, body: impl Into<Vec<u8>>) -> Probe {
    with_basic(suite, Probe::body(&suite.token_url, media_type, body))
}

fn form_of(suite: &Suite, pairs: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    if suite.auth == ClientAuth::Post {
        let client = &suite.target.client;
        form.append_pair("client_id", &client.id).append_pair("client_secret", &client.secret);
    }
    form.finish()
}

async fn parameters(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if suite.wants("TOK-03") {
        let rule = CheckedRule::new("TOK-03", "the assertion in the URL");
        let assertion = suite.changed(|_| ())?;
        let url = format!("{}?assertion={assertion}", suite.token_url);
        let probe = Probe::body(&url, FORM, form_of(suite, &[("grant_type", JWT_BEARER)]));
        let reply = suite.send(with_basic(suite, probe)).await;
        suite.expect(&rule, reply.is_refusal(), "a refusal (400 invalid_request)", &reply);
    }
    if suite.wants("TOK-04") {
        let assertion = suite.changed(|_| ())?;
        let twice = [("grant_type", JWT_BEARER), ("grant_type", JWT_BEARER), ("assertion", &assertion)];
        let reply = send_form(suite, &twice).await;
        suite.expect_error(&CheckedRule::new("TOK-04", "grant_type twice"), INVALID_REQUEST, &reply);
        let other = suite.changed(|_| ())?;
        let twice = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("assertion", &other)];
        let reply = send_form(suite, &twice).await;
        suite.expect_error(&CheckedRule::new("TOK-04", "assertion twice"), INVALID_REQUEST, &reply);
        granted_with(suite, "TOK-04", "an empty scope", &[("scope", "")]).await?;
        granted_with(suite, "TOK-04", "an unknown parameter", &[("conformance_unknown", "1")]).await?;
    }
    if suite.wants("TOK-07") {
        if let Some(resource) = suite.target.resource.clone() {
            granted_with(suite, "TOK-07", "resource beside the assertion", &[("resource", &resource)])
                .await?;
        }
        if let Some(scope) = suite.target.scope.clone() {
            granted_with(suite, "TOK-07", "scope beside the assertion", &[("scope", &scope)]).await?;
        }
        if suite.auth == ClientAuth::Basic {
            let id = suite.target.client.id.clone();
            granted_with(suite, "TOK-07", "the same client_id beside Basic", &[("client_id", &id)]).await?;
        }
    }
    Ok(())
}

fn with_basic(suite: &Suite, probe: Probe) -> Probe {
    match suite.auth {
        ClientAuth::Basic => probe.with_basic(&suite.target.client.id, &suite.target.client.secret),
        ClientAuth::Post => probe,
    }
}

async fn send_form(suite: &mut Suite, form: &[(&str, &str)]) -> ProbeReply {
    suite.send(suite.token_probe(form)).await
}

async fn granted_with(
    suite: &mut Suite,
    id: &'static str,
    title: &str,
    more: &[(&str, &str)],
) -> Result<(), SuiteKeyError> {
    let assertion = suite.changed(|_| ())?;
    let reply = suite.exchange_with(&assertion, more).await;
    suite.expect_grant(&CheckedRule::new(id, title), &reply);
    Ok(())
}

async fn grant_and_assertion(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    let unsupported: &[(u16, &str)] = &[(400, "unsupported_grant_type")];
    if suite.wants("TOK-05") {
        let assertion = suite.changed(|_| ())?;
        let reply = send_form(suite, &[("assertion", &assertion)]).await;
        let either: &[(u16, &str)] = &[(400, "invalid_request"), (400, "unsupported_grant_type")];
        suite.expect_error(&CheckedRule::new("TOK-05", "no grant_type"), either, &reply);
        let reply =
            send_form(suite, &[("grant_type", "urn:example:unknown"), ("assertion", &assertion)]).await;
        suite.expect_error(&CheckedRule::new("TOK-05", "an unknown grant_type"), unsupported, &reply);
    }
    if suite.wants("RT-01") {
        let reply = send_form(suite, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        let rule = CheckedRule::new("RT-01", "the grant refresh_token");
        let expected: &[(u16, &str)] = &[(400, "unsupported_grant_type"), (400, "unauthorized_client")];
        suite.expect_error(&rule, expected, &reply);
    }
    if suite.wants("TOK-06") {
        let reply = send_form(suite, &[("grant_type", JWT_BEARER)]).await;
        suite.expect_error(&CheckedRule::new("TOK-06", "no assertion"), INVALID_REQUEST, &reply);
        for (title, assertion) in
            [("an assertion of one word", "nonsense"), ("an assertion of two parts", "e30.e30")]
        {
            let reply = suite.exchange(assertion).await;
            suite.expect_fault(&CheckedRule::new("TOK-06", title), &reply);
        }
        for (title, finish) in NOT_COMPACT {
            let reply = suite.exchange_changed(|draft: &mut AssertionDraft| draft.then(finish)).await?;
            suite.expect_fault(&CheckedRule::new("TOK-06", title), &reply);
        }
    }
    Ok(())
}

/// What is wrong with a text, and how to make it so of a good one.
type BadText = (&'static str, fn(String) -> String);

/// Texts that are almost a JWS in compact serialization (RFC 7515 §7.1).
const NOT_COMPACT: [BadText; 3] = [
    ("an assertion with padding", |text| text + "="),
    ("an assertion with a fourth part", |text| text + ".e30"),
    ("an assertion in JSON serialization", |text| {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        serde_json::json!({ "protected": next(), "payload": next(), "signature": next() }).to_string()
    }),
];

async fn sizes_and_encodings(suite: &mut Suite) -> Result<(), SuiteKeyError> {
    if !suite.wants("TOK-08") {
        return Ok(());
    }
    let form = form_of(suite, &[("grant_type", JWT_BEARER)]);
    let large = format!("{form}&assertion={}", "a".repeat(1 << 20));
    for (title, body) in [
        ("a body of 1 MiB", large.into_bytes()),
        ("a percent sign without digits", format!("{form}&assertion=%zz").into_bytes()),
        ("bytes that are no UTF-8", [form.as_bytes(), b"&assertion=%ff%fe"].concat()),
        ("a NUL in the assertion", format!("{form}&assertion=%00").into_bytes()),
        ("a body of separators", b"&&=&=&&".to_vec()),
    ] {
        let probe = with_basic(suite, Probe::body(&suite.token_url, FORM, body));
        let reply = suite.send(probe).await;
        let rule = CheckedRule::new("TOK-08", title);
        suite.expect(&rule, reply.is_refusal(), "a refusal (400 or 413)", &reply);
    }
    Ok(())
}
