//! The token request: its transport, its form, and how refusals are told.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use countersign::model::member::Status;
use countersign::oauth::form::form_decode;
use countersign::oauth::request::{JWT_BEARER, TokenRequest, parse_scope};
use countersign::oauth::resource::normalize;
use countersign::oauth::scope::is_scope_token;
use proptest::prelude::*;
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, TestApp};
use crate::idp::Key;

const FORM: &str = "application/x-www-form-urlencoded";

fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// Posts bytes of a media type as the registered client.
async fn post(app: &TestApp, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).body(body.into());
    Answer::of(request.header("content-type", content_type).send().await.unwrap()).await
}

/// Posts a body that must be refused.
async fn refused(
    app: &TestApp,
    body: impl Into<Vec<u8>>,
    (status, error, reason): (u16, &str, &str),
) -> Answer {
    let before = app.written().await;
    let answer = post(app, FORM, body).await;
    app.assert_refused(&answer, before, status, error, reason).await;
    answer
}

const MALFORMED: (u16, &str, &str) = (400, "invalid_request", "request_malformed");

/// The form of a good request, with more behind it.
fn good(app: &TestApp, more: &str) -> String {
    let assertion = app.assertion(json!({}));
    format!("{}{more}", encode(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]))
}

/// TOK-01, ERR-01
#[tokio::test]
async fn only_post_is_allowed() {
    let app = TestApp::start().await;
    let before = app.written().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS] {
        let request = app.http.request(method.clone(), app.token_url()).basic_auth(CLIENT, Some(SECRET));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.header("x-request-id").is_empty());
        if method != Method::HEAD {
            assert_eq!(answer.json["error"], "invalid_request");
        }
    }
    assert_eq!(app.written().await, before);
}

/// TOK-02
#[tokio::test]
async fn only_forms_are_read() {
    let app = TestApp::start().await;
    for content_type in
        [FORM, "application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-URLencoded"]
    {
        let answer = post(&app, content_type, good(&app, "")).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
    let assertion = app.assertion(json!({}));
    let object = json!({ "grant_type": JWT_BEARER, "assertion": assertion }).to_string();
    for (content_type, body) in [
        ("application/json", object),
        ("multipart/form-data; boundary=x", good(&app, "")),
        ("text/plain", good(&app, "")),
        ("application/x-www-form-urlencoded-not", good(&app, "")),
        ("", good(&app, "")),
    ] {
        let before = app.written().await;
        let answer = post(&app, content_type, body).await;
        app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
    }
    let before = app.written().await;
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET)).body(good(&app, ""));
    let answer = Answer::of(request.send().await.unwrap()).await;
    app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
}

/// TOK-03
#[tokio::test]
async fn parameters_in_the_url_are_refused_and_not_kept() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    for query in [
        format!("assertion={assertion}"),
        format!("client_id={CLIENT}&client_secret={SECRET}"),
        "client_assertion=e30.e30.x".to_owned(),
        "x".to_owned(),
    ] {
        let before = app.written().await;
        let request = app.http.post(format!("{}?{query}", app.token_url())).basic_auth(CLIENT, Some(SECRET));
        let request = request.header("content-type", FORM).body(good(&app, ""));
        let answer = Answer::of(request.send().await.unwrap()).await;
        app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
        let row = format!("{:?}", app.last_sign_in().await);
        assert!(!row.contains(&assertion) && !row.contains(SECRET), "{row}");
    }
    let request = app.http.post(format!("{}?", app.token_url())).basic_auth(CLIENT, Some(SECRET));
    let request = request.header("content-type", FORM).body(good(&app, ""));
    assert_eq!(request.send().await.unwrap().status(), 200, "an empty query has no parameters");
}

/// TOK-08: nothing is unpacked, so nothing can be a bomb.
#[tokio::test]
async fn compressed_bodies_are_refused() {
    let app = TestApp::start().await;
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let before = app.written().await;
        let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET));
        let request = request.header("content-type", FORM).header("content-encoding", encoding);
        let answer = Answer::of(request.body(good(&app, "")).send().await.unwrap()).await;
        app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
    }
}

/// CLI-02, TOK-09
#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let app = TestApp::start().await;
    let before = app.written().await;
    let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(SECRET));
    let request = request.header("authorization", "Basic eDp5").header("content-type", FORM);
    let answer = Answer::of(request.body(good(&app, "")).send().await.unwrap()).await;
    app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
}

/// TOK-04
#[tokio::test]
async fn repeated_parameters_are_refused_but_for_resource() {
    let app = TestApp::start().await;
    let bearer = encode(&[("grant_type", JWT_BEARER)]);
    for more in [
        format!("&{bearer}"),
        "&assertion=x".to_owned(),
        "&scope=docs.read&scope=docs.read".to_owned(),
        "&scope=docs.read&scop%65=docs.write".to_owned(),
        "&client_id=a&client_id=a".to_owned(),
        "&unknown=1&unknown=2".to_owned(),
        "&assertion=".to_owned(),
        "&&assertion".to_owned(),
    ] {
        refused(&app, good(&app, &more), MALFORMED).await;
    }
    let resource = encode(&[("resource", RESOURCE), ("resource", RESOURCE)]);
    let answer = post(&app, FORM, good(&app, &format!("&{resource}"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let two = encode(&[("resource", RESOURCE), ("resource", "https://other.example/mcp")]);
    let expected = (400, "invalid_target", "resource_not_allowed");
    refused(&app, good(&app, &format!("&{two}")), expected).await;
}

/// TOK-04
#[tokio::test]
async fn empty_values_are_absent_and_unknown_parameters_ignored() {
    let app = TestApp::start().await;
    for more in [
        "&scope=&resource=&resource=&client_id=&client_secret=&client_assertion=&authorization_details=",
        "&foo=bar&requested_token_type=x&audience=y&subject_token=z",
        "&&&scope&==x&",
    ] {
        let answer = post(&app, FORM, good(&app, more)).await;
        assert_eq!((answer.status, answer.json["scope"].as_str()), (200, Some("docs.read")), "{answer:?}");
    }
    let form = format!("grant_type=&{}", encode(&[("assertion", "x")]));
    refused(&app, form, MALFORMED).await;
}

/// TOK-05, RT-01: refresh tokens neither are issued nor would be taken.
#[tokio::test]
async fn only_the_jwt_bearer_grant_is_supported() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    refused(&app, encode(&[("assertion", &assertion)]), MALFORMED).await;
    refused(&app, "", MALFORMED).await;
    for grant in [
        "refresh_token",
        "authorization_code",
        "client_credentials",
        "password",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "URN:ietf:params:oauth:grant-type:jwt-bearer",
        " urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let form = encode(&[("grant_type", grant), ("assertion", &assertion), ("refresh_token", "x")]);
        refused(&app, form, (400, "unsupported_grant_type", "grant_unsupported")).await;
    }
    let answer = app.exchange(&assertion).await;
    assert_eq!(answer.status, 200, "no refusal has burnt it");
    assert_eq!(answer.json.get("refresh_token"), None);
}

/// TOK-06
#[tokio::test]
async fn one_assertion_is_required() {
    let app = TestApp::start().await;
    refused(&app, encode(&[("grant_type", JWT_BEARER)]), MALFORMED).await;
    refused(&app, encode(&[("grant_type", JWT_BEARER), ("assertion", "")]), MALFORMED).await;
    let two = format!("{} {}", app.assertion(json!({})), app.assertion(json!({})));
    for assertion in ["x", "a.b.c", "...", &two] {
        let expected = (400, "invalid_grant", "assertion_malformed");
        refused(&app, encode(&[("grant_type", JWT_BEARER), ("assertion", assertion)]), expected).await;
    }
}

/// TOK-07: what the clients in use send. TypeScript adds the resource and its scopes, Python the resource
/// and its id beside Basic, Claude Code neither.
#[tokio::test]
async fn optional_parameters_are_taken() {
    let app = TestApp::start().await;
    for more in [
        vec![("resource", RESOURCE), ("scope", "docs.read")],
        vec![("resource", RESOURCE), ("client_id", CLIENT)],
        vec![],
    ] {
        let answer = app.exchange_with(&app.assertion(json!({})), &more).await;
        assert_eq!((answer.status, answer.json["scope"].as_str()), (200, Some("docs.read")), "{more:?}");
        assert_eq!(answer.json["resource"], RESOURCE);
    }
}

/// TOK-07, TOK-08: bad details refuse the request with a code of their own (RFC 9396 §5), and the assertion stays good.
#[tokio::test]
async fn authorization_details_are_refused_with_their_own_code() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    let (many, deep) = (format!("[{}]", [r#"{"type":"x"}"#; 1500].join(",")), "[".repeat(15_000));
    for (details, what) in [
        (r#"[{"type":"x"}]"#, "type_unknown"),
        ("[]", "malformed"),
        (&many, "malformed"),
        (&deep, "malformed"),
    ] {
        let form =
            [("grant_type", JWT_BEARER), ("assertion", &assertion), ("authorization_details", details)];
        let reason = format!("authorization_details_{what}");
        refused(&app, encode(&form), (400, "invalid_authorization_details", &reason)).await;
    }
    let twice = good(&app, "&authorization_details=x&authorization_details=x");
    refused(&app, twice, MALFORMED).await;
    let answer = app.exchange_with(&assertion, &[("authorization_details", "")]).await;
    assert_eq!(answer.status, 200, "no refusal has burnt it, and an empty value counts as none");
}

/// TOK-08, ERR-01
#[tokio::test]
async fn sizes_are_bounded() {
    let app = TestApp::start().await;
    let large = good(&app, &format!("&padding={}", "x".repeat(65 * 1024)));
    refused(&app, large, (413, "invalid_request", "request_malformed")).await;
    let answer = post(&app, FORM, good(&app, &format!("&padding={}", "x".repeat(60 * 1024)))).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let expected = (400, "invalid_grant", "assertion_malformed");
    let long = app.assertion(json!({ "padding": "x".repeat(13 * 1024) }));
    assert!(long.len() > 17 * 1024, "{}", long.len());
    refused(&app, encode(&[("grant_type", JWT_BEARER), ("assertion", &long)]), expected).await;
    app.granted(json!({ "padding": "x".repeat(11 * 1024) })).await;

    let scope = |text: String| encode(&[("scope", &text)]);
    let long = scope("x".repeat(4097));
    refused(&app, good(&app, &format!("&{long}")), MALFORMED).await;
    let many: Vec<String> = (0..101).map(|i| format!("s{i}")).collect();
    refused(&app, good(&app, &format!("&{}", scope(many.join(" ")))), MALFORMED).await;
    let fitting = format!("{}docs.read", " ".repeat(4096 - 9));
    let answer = post(&app, FORM, good(&app, &format!("&{}", scope(fitting)))).await;
    assert_eq!((answer.status, answer.json["scope"].as_str()), (200, Some("docs.read")), "{answer:?}");

    let parameters: String = (0..65).map(|i| format!("&p{i}=")).collect();
    refused(&app, good(&app, &parameters), MALFORMED).await;
}

/// TOK-08
#[tokio::test]
async fn badly_encoded_forms_are_refused() {
    let app = TestApp::start().await;
    for more in [
        &b"&x=%"[..],
        b"&x=%4",
        b"&x=%zz",
        b"&x=%+1",
        b"&x=%-1",
        b"&%=x",
        b"&x=%ff",
        b"&x=\xff",
        b"&x=%c3%28",
        b"&x=%ed%a0%80",
        b"&x=%00",
        b"&x=\0",
        b"&%00=x",
    ] {
        let body = [good(&app, "").as_bytes(), more].concat();
        refused(&app, body, MALFORMED).await;
    }
    let scope = (400, "invalid_scope", "request_malformed");
    for text in ["docs.read\n", "a\"b", "a\\b", "ü", "a\tb"] {
        refused(&app, good(&app, &format!("&{}", encode(&[("scope", text)]))), scope).await;
    }
}

/// ERR-02: of every kind of refusal, code and text are what RFC 6749 §5.2 allows, and are not to be kept.
#[tokio::test]
async fn refusals_are_plain_json_objects() {
    let app = TestApp::start().await;
    app.change_teamspace(|t| t.member_limit = Some(0)).await;
    let denied = app.assertion(json!({}));
    for body in [
        String::new(),
        good(&app, "&x=%"),
        good(&app, "&scope=%22"),
        good(&app, "&client_secret=x"),
        encode(&[("grant_type", "x\"\\é")]),
        encode(&[("grant_type", JWT_BEARER), ("assertion", "\"\\é\n")]),
        encode(&[("grant_type", JWT_BEARER), ("assertion", &app.assertion(json!({ "aud": "\"\\é" })))]),
        encode(&[("grant_type", JWT_BEARER), ("assertion", &denied)]),
        good(&app, "&resource=https://x.example/%22%5C"),
    ] {
        let answer = post(&app, FORM, body).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        let members = answer.json.as_object().unwrap();
        assert!(members.keys().all(|name| name == "error" || name == "error_description"), "{members:?}");
        for text in members.values() {
            let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
            assert!(text.as_str().unwrap().chars().all(allowed), "{text}");
        }
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(!answer.header("x-request-id").is_empty());
    }
}

/// ERR-03: before the signature is known to be good there is one answer, whatever was wrong; after it
/// the broken rule is named. The decision log always has the reason.
#[tokio::test]
async fn only_authentic_assertions_are_told_what_is_wrong() {
    let app = TestApp::start().await;
    let attacker = Key::rsa("idp-1", 1);
    let mut header = app.idp.key.header();
    header["typ"] = json!("JWT");
    let payload = serde_json::Value::Object(app.claims()).to_string();
    let wrong_typ = app.idp.key.sign(&header.to_string(), &payload);
    let mut bodies = Vec::new();
    for (assertion, reason) in [
        ("x".to_owned(), "assertion_malformed"),
        (wrong_typ, "typ_wrong"),
        (app.assertion(json!({ "iss": "https://unknown.example" })), "issuer_unknown"),
        (attacker.assertion(&app.claims()), "signature_bad"),
        (attacker.assertion(&app.claims_with(json!({ "aud": "https://x.example" }))), "signature_bad"),
        (Key::rsa("unknown", 0).assertion(&app.claims()), "kid_unknown"),
    ] {
        bodies.push(app.refused_assertion(&assertion, "invalid_grant", reason).await.body);
    }
    app.change_provider(|p| p.enabled = false).await;
    bodies.push(app.refused(json!({}), "invalid_grant", "issuer_disabled").await.body);
    app.change_provider(|p| p.enabled = true).await;
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let named = app.refused(json!({ "aud": "https://x.example" }), "invalid_grant", "aud_mismatch").await;
    assert_ne!(named.body, bodies[0]);
}

/// ERR-04, ERR-05: a fault of the assertion is `invalid_grant`; a person who is not entitled is denied,
/// and never in the words that make clients throw away their own credentials.
#[tokio::test]
async fn people_are_denied_with_access_denied() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |m| m.status = Status::Suspended).await;
    app.refused(json!({}), "access_denied", "member_inactive").await;
    app.change_teamspace(|t| t.member_limit = Some(0)).await;
    let eve = json!({ "sub": "00u2eve", "email": "eve@acme.com" });
    app.refused(eve, "access_denied", "member_limit_reached").await;
    app.change_teamspace(|t| t.plan = countersign::model::teamspace::Plan::Pro).await;
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
    app.refused(json!({ "exp": crate::harness::START - 100 }), "invalid_grant", "expired").await;
}

/// Where log lines go in this test.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// OPS-01, SUB-12: neither the log nor the database has a secret, an assertion or a token; the log has
/// nobody's name, but the id under which the decision log tells who it was.
#[tokio::test]
async fn nothing_secret_is_logged_or_stored() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    // All of this test runs on one thread, the server included. As long as there is one subscriber only,
    // tracing asks the thread that comes first whether a line is wanted, and that may be another test's.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    let granted = app.exchange(&assertion).await;
    let expired = app.assertion(json!({ "exp": crate::harness::START - 100 }));
    let refused = app.exchange(&expired).await;
    let url = format!("{}?client_secret=in-the-url-0123456789", app.token_url());
    app.http.post(url).send().await.unwrap();
    let forged = [("grant_type", JWT_BEARER), ("client_id", "x\nFORGED\u{1b}[2J"), ("client_secret", "x")];
    app.http.post(app.token_url()).form(&forged).send().await.unwrap();
    // Basic values that are built wrongly: a secret alone, and a pair that was encoded as one.
    use base64::Engine as _;
    for pair in ["bare-secret-0123456789", "mcpclient%3Ajoined-secret-0123456789"] {
        let value = base64::engine::general_purpose::STANDARD.encode(pair);
        let request = app.http.post(app.token_url()).header("authorization", format!("Basic {value}"));
        request.form(&[("grant_type", JWT_BEARER)]).send().await.unwrap();
    }
    drop(guard);

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("FORGED") && !log.contains("\nFORGED") && !log.contains('\u{1b}'),
        "one line is one line"
    );
    // The client of the tests shares the thread and is chatty; what counts is what the service says.
    let log: Vec<&str> = log.lines().filter(|line| line.contains(" countersign::")).collect();
    let log = log.join("\n");
    for answer in [&granted, &refused] {
        assert!(log.contains(answer.header("x-request-id")), "{log}");
    }
    let stored = app.database.contents();
    let stored = String::from_utf8_lossy(&stored);
    let signature = |jwt: &str| jwt.rsplit('.').next().unwrap().to_owned();
    let token = granted.access_token();
    for secret in [
        SECRET.to_owned(),
        signature(&assertion),
        signature(&expired),
        signature(token),
        "in-the-url-0123456789".to_owned(),
        "bare-secret-0123456789".to_owned(),
        "joined-secret-0123456789".to_owned(),
    ] {
        assert!(!log.contains(&secret), "{secret} is in the log");
        assert!(!stored.contains(&secret), "{secret} is in the database");
    }
    for name in ["dana", "00u1"] {
        assert!(!log.contains(name), "{log}");
    }
    assert!(stored.contains("dana@acme.com"), "the decision log is where it is looked for");
}

/// A text as a form might have it: any characters but NUL, which is refused.
fn value() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>().prop_filter("NUL", |c| *c != '\0'), 0..20)
        .prop_map(|chars| chars.into_iter().collect())
}

fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// ERR-07, TOK-08
    #[test]
    fn no_bytes_make_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = TokenRequest::parse(&body).and_then(TokenRequest::into_bearer);
        let _ = form_decode(&body);
    }

    /// ERR-07, TOK-08: closer to a form than chance would come.
    #[test]
    fn no_form_makes_the_parser_panic(body in "((grant_type|assertion|scope|resource|x|%[0-9a-g]{0,2})?[=&+%]?){0,12}") {
        if let Ok(request) = TokenRequest::parse(body.as_bytes()) {
            prop_assert!(!request.grant_type.is_empty());
            prop_assert!(request.resource.iter().all(|resource| !resource.is_empty()));
        }
    }

    /// TOK-04, TOK-07
    #[test]
    fn an_encoded_form_is_read_as_what_it_was(
        grant in value(), assertion in value(), id in value(), secret in value(),
        resources in proptest::collection::vec(value(), 0..4),
        scopes in proptest::collection::vec("[!#-\\[\\]-~]{1,8}", 0..5),
    ) {
        prop_assume!(!grant.is_empty());
        let scope = scopes.join(" ");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("unknown", &secret).append_pair("client_secret", &secret);
        form.append_pair("client_id", &id).append_pair("scope", &scope);
        form.append_pair("assertion", &assertion);
        for resource in &resources {
            form.append_pair("resource", resource);
        }
        form.append_pair("grant_type", &grant);
        let read = TokenRequest::parse(form.finish().as_bytes()).unwrap();
        prop_assert_eq!(read.grant_type, grant);
        prop_assert_eq!(read.assertion, present(assertion));
        prop_assert_eq!(read.credentials.client_id, present(id));
        prop_assert_eq!(read.credentials.client_secret, present(secret));
        let resources: Vec<String> = resources.into_iter().filter_map(present).collect();
        prop_assert_eq!(read.resource, resources);
        let mut distinct: Vec<String> = Vec::new();
        for scope in scopes {
            if !distinct.contains(&scope) {
                distinct.push(scope);
            }
        }
        prop_assert_eq!(read.scope, (!distinct.is_empty()).then_some(distinct));
    }

    /// CLI-01
    #[test]
    fn form_decoding_undoes_form_encoding(text in value()) {
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        prop_assert_eq!(form_decode(encoded.as_bytes()), Some(text));
    }

    /// JAG-17
    #[test]
    fn scopes_are_tokens_without_repetition(text in "[ -~é\\t\"\\\\]{0,40}") {
        if let Ok(scopes) = parse_scope(&text) {
            prop_assert!(scopes.iter().all(|scope| is_scope_token(scope)));
            let again = parse_scope(&scopes.join(" ")).unwrap();
            prop_assert_eq!(&again, &scopes);
            for (i, scope) in scopes.iter().enumerate() {
                prop_assert!(!scopes[..i].contains(scope));
                prop_assert!(text.split(' ').any(|part| part == scope));
            }
        }
    }

    /// GRT-09: normalizing is done once, and never makes a fragment or a relative reference acceptable.
    #[test]
    fn normalizing_twice_changes_nothing(text in "(https?://)?[a-zA-Z0-9.:@-]{0,12}(/[ -~]{0,12})?") {
        if let Some(normal) = normalize(&text) {
            prop_assert_eq!(normalize(&normal), Some(normal.clone()));
            prop_assert!(!normal.contains('#') && normal.contains(':'));
        }
    }

    /// ERR-07
    #[test]
    fn no_text_makes_normalizing_panic(text in any::<String>()) {
        let _ = normalize(&text);
    }
}

/// GRT-09: RFC 3986 §6.2.2 and nothing more.
#[test]
fn resources_are_normalized_in_syntax_only() {
    for (a, b) in [
        ("https://mcp.example.com", "https://mcp.example.com/"),
        ("https://MCP.example.com:443/", "https://mcp.example.com"),
        ("HTTPS://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
    ] {
        assert_eq!(normalize(a), normalize(b), "{a} {b}");
        assert!(normalize(a).is_some());
    }
    for (a, b) in [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp/"),
        ("https://mcp.example.com/mcp", "https://mcp.example.com/MCP"),
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp?"),
        ("https://mcp.example.com/?a=b", "https://mcp.example.com/?a=B"),
        ("https://mcp.example.com/", "http://mcp.example.com/"),
        ("https://mcp.example.com/", "https://mcp.example.com:8443/"),
    ] {
        assert_ne!(normalize(a), normalize(b), "{a} {b}");
    }
    for text in
        ["", "mcp", "/mcp", "//mcp.example.com", "https://mcp.example.com/#", "https://", "https://a b/"]
    {
        assert_eq!(normalize(text), None, "{text}");
    }
    assert_eq!(normalize(&format!("https://mcp.example.com/{}", "x".repeat(2048))), None);
}
