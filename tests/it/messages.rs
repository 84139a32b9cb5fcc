//! What callers and administrators are told: texts that say what to do, near misses, the code for denials, and pages of
//! other origins.

use countersign::clock::Clock as _;
use countersign::config::DenialError;
use countersign::model::member::Status;
use countersign::oauth::difference::Difference;
use countersign::oauth::error::NOT_ACCEPTED;
use countersign::oauth::request::JWT_BEARER;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::console::visitor::{Visitor, has};
use crate::explain::{admin, explain};
use crate::harness::{Answer, CLIENT, RESOURCE, SECRET, TestApp, resource};
use crate::idp::{FakeIdp, Key};
use crate::metrics::sample;
use crate::providers::add_provider;
use crate::reload::private;

const PAGE: &str = "https://app.example.com";

/// `acme` has saved this issuer.
async fn with_issuer(issuer: &'static str) -> TestApp {
    let app = TestApp::start().await;
    app.change_provider(|provider| provider.issuer = issuer.to_owned()).await;
    app
}

/// ERR-03, JAG-04: the teamspace that is meant sees what came, what it has saved, and what to change. The client
/// gets the one text of all faults.
#[tokio::test]
async fn an_issuer_that_is_almost_right_is_named_to_its_teamspace() {
    let app = with_issuer("https://acme.okta.com").await;
    for (issuer, how) in [
        ("https://acme.okta.com/", "by a trailing slash. Save the identity provider with the issuer"),
        ("http://acme.okta.com", "by http and https. An issuer is named with https"),
        ("https://ACME.okta.com", "in upper and lower case. Save"),
        ("https://acme.okta.com:443", "by the port. Save"),
        ("https://acme.okta.com:8443", "by the port. Save"),
        (
            "https://login.acme.com",
            "by the host, and one may be a custom domain of the other. If that host is yours",
        ),
        ("https://id.acme.co.uk", "custom domain"),
    ] {
        let answer = app.refused(json!({ "iss": issuer }), "invalid_grant", "issuer_unknown").await;
        assert_eq!(answer.json["error_description"], NOT_ACCEPTED, "{issuer}");
        let row = app.last_sign_in().await;
        assert_eq!(row.teamspace_id.as_deref(), Some("id-of-acme"), "{issuer}");
        let told = format!("iss: expected \"https://acme.okta.com\", got \"{issuer}\"; they differ only ");
        assert!(row.detail.starts_with(&told) && row.detail.contains(how), "{}", row.detail);
    }
    for issuer in [
        "https://umbrella.okta.com",
        "https://acme.okta.com.evil.example",
        "https://acme.com.evil.example",
        "https://okta.evil.example",
        "https://acme.evil.example",
        "https://acme.okta.com/oauth2/default",
        "https://login.acme.com/path",
        "http://acme.okta.com:8080",
        "acme.okta.com",
        "",
        "://",
    ] {
        app.refused(json!({ "iss": issuer }), "invalid_grant", "issuer_unknown").await;
        let row = app.last_sign_in().await;
        assert_eq!((row.teamspace_id, row.detail.as_str()), (None, ""), "{issuer}");
    }
}

/// Those who share an issuer learn nothing of each other: only operators see the row.
#[tokio::test]
async fn a_shared_issuer_that_is_almost_right_is_told_to_operators_only() {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    add_provider(&app, "globex", |provider| provider.tenant = Some("g".to_owned())).await;
    app.refused(json!({ "iss": format!("{}/", app.idp.issuer) }), "invalid_grant", "issuer_unknown").await;
    let row = app.last_sign_in().await;
    assert_eq!(row.teamspace_id, None);
    assert!(row.detail.contains("by a trailing slash"), "{row:?}");
}

/// An administrator explains an assertion of another name of their own identity provider. Nobody else's is told.
#[tokio::test]
async fn explain_names_the_own_issuer_that_is_almost_right() {
    let app = with_issuer("https://login.acme.com").await;
    app.put_teamspace("globex").await;
    let (of_acme, of_globex) =
        (admin(&app, Some("id-of-acme")).await, admin(&app, Some("id-of-globex")).await);
    let assertion = app.assertion(json!({ "iss": "https://acme.okta.com" }));
    let body = json!({ "assertion": assertion, "client_id": CLIENT });
    let answer = explain(&app, &of_acme, "acme", body.clone()).await;
    let detail = answer.json["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("\"https://login.acme.com\"") && detail.contains("custom domain"), "{detail}");
    assert_eq!(answer.json["error"]["description"], NOT_ACCEPTED, "what the client gets");
    let hidden = explain(&app, &of_globex, "globex", body).await;
    assert_eq!(
        (&hidden.json["error"]["reason"], &hidden.json["error"]["detail"]),
        (&json!("issuer_unknown"), &json!(""))
    );
    let page = Visitor::by_link(&app.app, "acme").await;
    let form = [("assertion", assertion.as_str()), ("client_id", CLIENT)];
    has(
        &page.post("/t/acme/explain", &form).await.page(200),
        &["custom domain of the other", "If that host is yours"],
    );
}

/// JAG-07: the mistakes that people make with `aud`.
#[tokio::test]
async fn an_audience_that_is_almost_right_is_named() {
    let app = TestApp::start().await;
    let own = app.issuer().to_owned();
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let mut elsewhere = resource("https://mcp.globex.example/mcp", &["docs.read"]);
    elsewhere.teamspaces = Some(vec!["globex".to_owned()]);
    app.put_resource(elsewhere).await;
    for (aud, told) in [
        (
            format!("{own}/"),
            "they differ only by a trailing slash. Enter the expected one at the identity provider",
        ),
        (own.replace("http:", "https:"), "they differ only by http and https. Enter"),
        (app.token_url(), "that is an address below this server's issuer. Enter"),
        (RESOURCE.to_owned(), "that is an MCP server, which belongs into resource. Enter"),
    ] {
        let answer = app.refused(json!({ "aud": aud }), "invalid_grant", "aud_mismatch").await;
        let text = answer.json["error_description"].as_str().unwrap();
        assert!(!text.contains(&own) && !text.contains("slash"), "{text}");
        let row = app.last_sign_in().await;
        assert!(row.detail.contains(told), "{aud}: {}", row.detail);
        let page = visitor.get(&format!("/t/acme/activity/{}", row.request_id)).await.page(200);
        has(&page, &["Enter the expected one at the identity provider, character by character."]);
    }
    for aud in ["https://mcp.globex.example/mcp", "https://other.example", &format!("{own}x/oauth2/token")] {
        app.refused(json!({ "aud": aud }), "invalid_grant", "aud_mismatch").await;
        let detail = app.last_sign_in().await.detail;
        assert!(!detail.contains(';'), "{aud} tells nothing of others: {detail}");
    }
}

/// GRT-09: paths are compared exactly, and a near miss is named, in the assertion as in the request.
#[tokio::test]
async fn a_resource_that_is_almost_right_is_named() {
    let app = TestApp::start().await;
    let mut elsewhere = resource("https://mcp.globex.example/mcp", &["docs.read"]);
    elsewhere.teamspaces = Some(vec!["globex".to_owned()]);
    app.put_resource(elsewhere).await;
    let detail = async |changes: Value, parameter: Option<&str>, code: &str| {
        let before = app.written().await;
        let parameters: Vec<_> = parameter.into_iter().map(|value| ("resource", value)).collect();
        let answer = app.exchange_with(&app.assertion(changes), &parameters).await;
        app.assert_refused(&answer, before, 400, code, "resource_not_allowed").await;
        app.last_sign_in().await.detail
    };
    for (named, how) in [
        (format!("{RESOURCE}/"), "by a trailing slash"),
        (RESOURCE.replace("https", "http"), "by http and https"),
        (RESOURCE.replace("/mcp", "/MCP"), "in upper and lower case"),
        (RESOURCE.replace(".com", ".com:8443"), "by the port"),
    ] {
        let expected =
            format!("resource: expected \"{RESOURCE}\", got \"{named}\"; they differ only {how}. ");
        let told = detail(json!({ "resource": named }), None, "invalid_grant").await;
        assert_eq!(
            told,
            format!("{expected}Enter the expected one at the identity provider, character by character.")
        );
        let told = detail(json!({ "resource": null }), Some(&named), "invalid_target").await;
        assert_eq!(
            told,
            format!("{expected}Have the client ask for the expected one, character by character.")
        );
    }
    let other = "https://mcp.globex.example/mcp/";
    let told = detail(json!({ "resource": other }), None, "invalid_grant").await;
    assert_eq!(told, format!("resource \"{other}\""), "other teamspaces' servers stay hidden");
}

/// ERR-03: one constant text for each cause, whatever came; and one for all causes before the signature is good.
#[tokio::test]
async fn descriptions_are_constant_and_say_what_to_do() {
    let app = TestApp::start().await;
    let now = app.clock.now();
    let said = async |changes: Value, error: &str, reason: &str| {
        let answer = app.refused(changes, error, reason).await;
        answer.json["error_description"].as_str().unwrap().to_owned()
    };
    for (one, other, error, reason, does) in [
        (
            json!({ "aud": "https://a.example" }),
            json!({ "aud": app.token_url() }),
            "invalid_grant",
            "aud_mismatch",
            "must be exactly",
        ),
        (
            json!({ "client_id": "a" }),
            json!({ "client_id": "b" }),
            "invalid_grant",
            "client_id_mismatch",
            "must be the id",
        ),
        (
            json!({ "exp": now - 40 }),
            json!({ "exp": now - 4000 }),
            "invalid_grant",
            "expired",
            "get a new one",
        ),
        (json!({ "iat": now + 40 }), json!({ "nbf": now + 90 }), "invalid_grant", "not_yet_valid", "clock"),
        (
            json!({ "exp": now + 3600 }),
            json!({ "exp": now + 9000 }),
            "invalid_grant",
            "lifetime_too_long",
            "shorten",
        ),
        (json!({ "jti": null }), json!({ "sub": null }), "invalid_grant", "claim_missing", "has to add it"),
        (json!({ "jti": 7 }), json!({ "sub": "" }), "invalid_grant", "claim_malformed", "has to correct it"),
        (
            json!({ "aud_tenant": "a" }),
            json!({ "aud_tenant": "b" }),
            "invalid_grant",
            "tenant_mismatch",
            "its aud_tenant is not",
        ),
        (
            json!({ "resource": "https://a.example/" }),
            json!({ "resource": format!("{RESOURCE}/") }),
            "invalid_grant",
            "resource_not_allowed",
            "compare it",
        ),
        (
            json!({ "scope": "a" }),
            json!({ "scope": "b c" }),
            "invalid_grant",
            "scope_unknown",
            "has to use its names",
        ),
    ] {
        let (one, other) = (said(one, error, reason).await, said(other, error, reason).await);
        assert_eq!(one, other, "{reason}");
        assert!(one.contains(does) && one.ends_with('.') && one.len() <= 160, "{reason}: {one}");
    }
    let used = app.assertion(json!({}));
    assert_eq!(app.exchange(&used).await.status, 200);
    let again = app.refused_assertion(&used, "invalid_grant", "replayed").await;
    assert_eq!(
        again.json["error_description"],
        "The assertion was used before: get a new one for each access token."
    );
    let (stranger, key) = (FakeIdp::start(Key::rsa("idp-1", 0)).await, Key::rsa("idp-1", 1));
    let unverified = [
        (app.assertion(json!({ "iss": stranger.issuer })), "issuer_unknown"),
        (key.assertion(&app.claims()), "signature_bad"),
        ("x".to_owned(), "assertion_malformed"),
    ];
    for (assertion, reason) in unverified {
        let answer = app.refused_assertion(&assertion, "invalid_grant", reason).await;
        assert_eq!(answer.json["error_description"], NOT_ACCEPTED, "{reason}");
    }
}

/// ERR-08, ERR-04: the log keeps its reason; only the code changes, for denials alone.
#[tokio::test]
async fn a_denial_may_have_the_code_of_rfc_6749() {
    let app = TestApp::start_with(|config| config.denial_error = DenialError::InvalidGrant).await;
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |member| member.status = Status::Suspended).await;
    let answer = app.refused(json!({}), "invalid_grant", "member_inactive").await;
    assert_eq!(answer.json["error_description"], "This member is suspended or was removed.");
    let id = app.last_sign_in().await.request_id;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    has(&visitor.get(&format!("/t/acme/activity/{id}")).await.page(200), &["invalid_grant"]);
    let body = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    let told = explain(&app, &admin(&app, None).await, "acme", body).await;
    assert_eq!(
        (&told.json["error"]["error"], &told.json["error"]["reason"]),
        (&json!("invalid_grant"), &json!("member_inactive"))
    );
    app.change_member("dana@acme.com", |member| member.status = Status::Active).await;
    let asked = app.exchange_with(&app.assertion(json!({})), &[("scope", "docs.none")]).await;
    assert_eq!(asked.json["error"], "invalid_scope", "no denial of a person");
    let wrong = app.http.post(app.token_url()).basic_auth(CLIENT, Some("wrong"));
    let wrong = Answer::of(wrong.form(&[("grant_type", JWT_BEARER)]).send().await.unwrap()).await;
    assert_eq!((wrong.status, &wrong.json["error"]), (401, &json!("invalid_client")));
}

/// A request of a page.
fn of_page(app: &TestApp, method: reqwest::Method, origin: &str) -> reqwest::RequestBuilder {
    app.http.request(method, app.token_url()).header("origin", origin)
}

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    let request = of_page(app, reqwest::Method::OPTIONS, origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,dpop,mcp-protocol-version");
    Answer::of(request.send().await.unwrap()).await
}

/// META-14: a preflight of a known origin is answered before anything is done; strangers get no permission.
#[tokio::test]
async fn preflights_are_answered_for_known_origins_only() {
    let local = "http://localhost:6274";
    let app =
        TestApp::start_with(|config| config.cors_origins = vec![PAGE.to_owned(), local.to_owned()]).await;
    let before = app.written().await;
    for origin in [PAGE, local] {
        let answer = preflight(&app, origin).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization,content-type,dpop,mcp-protocol-version"
        );
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert!(answer.header("vary").contains("origin"), "{answer:?}");
    }
    for origin in [
        "https://app.example.com:444",
        "https://App.example.com",
        "http://app.example.com",
        "https://app.example.com.evil.example",
        "https://evil.example",
        "null",
        "*",
    ] {
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        assert!(answer.header("vary").contains("origin"), "{origin}");
    }
    assert_eq!(app.written().await, before);
    let metrics = private(&app, "/metrics").await.body;
    assert!(
        sample(&metrics, "countersign_exchange_duration_seconds_count").abs() < 0.5,
        "no exchange was begun"
    );
    for path in ["/oauth2/introspect", "/oauth2/revoke", "/api/v1/teamspaces"] {
        let request = app.http.request(reqwest::Method::OPTIONS, format!("{}{path}", app.issuer()));
        let request = request.header("origin", PAGE).header("access-control-request-method", "POST");
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

/// META-14: a page reads tokens and refusals, with the id of the request.
#[tokio::test]
async fn a_page_of_a_known_origin_exchanges_assertions() {
    let app = TestApp::start_with(|config| config.cors_origins = vec![PAGE.to_owned()]).await;
    let exchange = async |origin: &str, assertion: &str| {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = of_page(&app, reqwest::Method::POST, origin).basic_auth(CLIENT, Some(SECRET));
        Answer::of(request.form(&form).send().await.unwrap()).await
    };
    let granted = exchange(PAGE, &app.assertion(json!({}))).await;
    let refused = exchange(PAGE, &app.assertion(json!({ "aud": "x" }))).await;
    for (answer, status) in [(&granted, 200), (&refused, 400)] {
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, PAGE));
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "dpop-nonce,x-request-id,retry-after,www-authenticate"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("vary").contains("origin") && !answer.header("x-request-id").is_empty());
    }
    // What is no page, or a page of nobody, is answered as ever: the browser keeps the answer from the page.
    let stranger = exchange("https://evil.example", &app.assertion(json!({}))).await;
    assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (200, ""));
    let program = app.exchange(&app.assertion(json!({}))).await;
    assert_eq!((program.status, program.header("access-control-allow-origin")), (200, ""));
    assert!(program.header("vary").contains("origin"), "a cache must not mix them up");
}

#[test]
fn small_differences_are_told_and_great_ones_are_not() {
    use Difference::{Case, CustomDomain, Port, Scheme, TrailingSlash};
    for (one, other, expected) in [
        ("https://a.example", "https://a.example/", Some(TrailingSlash)),
        ("https://a.example/x", "https://A.example/x", Some(Case)),
        ("https://a.example/x", "https://a.example/X", Some(Case)),
        ("https://a.example", "http://a.example", Some(Scheme)),
        ("https://a.example", "https://a.example:443", Some(Port)),
        ("https://[::1]", "https://[::1]:8443", Some(Port)),
        ("https://[::1]", "https://[::2]", None),
        ("https://a.example:8443", "https://a.example:8444", None),
        ("https://acme.okta.com", "https://login.acme.com", Some(CustomDomain)),
        ("https://acme.okta.com/x", "https://login.acme.com/x", Some(CustomDomain)),
        ("https://acme.okta.com/x", "https://login.acme.com/y", None),
        ("https://acme.okta.com", "http://login.acme.com", None),
        ("https://acme.okta.com", "https://globex.okta.com", None),
        ("https://a.example", "https://b.example", None),
        ("https://acme.com", "https://com.acme", None),
        ("client-a", "client-b", None),
        ("", "/", Some(TrailingSlash)),
    ] {
        assert_eq!(Difference::between(one, other), expected, "{one} {other}");
    }
}

proptest! {
    /// Any two texts: the order does not matter, equal ones do not differ, and nothing panics.
    #[test]
    fn a_difference_has_no_direction(one in "(https?://)?[a-zA-Z:.\\[\\]/?#@]{0,24}", other in "(https?://)?[a-zA-Z:.\\[\\]/?#@]{0,24}") {
        prop_assert_eq!(Difference::between(&one, &other), Difference::between(&other, &one));
        prop_assert_eq!(Difference::between(&one, &one), None);
        let slash = format!("{one}/");
        prop_assert_eq!(Difference::between(&one, &slash), Some(Difference::TrailingSlash));
    }
}
