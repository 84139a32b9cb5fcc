//! Each way in which a sign-in does not come about: what the page says, and that nothing is written.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::provider::{Behaviour, CLIENT_ID, OpenIdServer};
use super::{sign_in, signed_in, start, to_provider, written};
use crate::console::browser::Browser;
use crate::console::visitor::Visitor;
use crate::harness::{Answer, TestApp};
use crate::idp::Key;

/// Asserts that an answer is a page that says a text, with the request's id, and signs nobody in.
#[track_caller]
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{text}: {}", answer.body);
    let body = answer.body.replace("&#39;", "'");
    assert!(body.contains(text), "lacks {text:?}: {body}");
    let id = answer.header("x-request-id");
    assert!(!id.is_empty() && body.contains(id), "{body}");
    let cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    assert!(!cookies.into_iter().any(|cookie| cookie.starts_with("countersign=")));
}

/// A change of the provider, the status and a text of the page.
type Refusal = (fn(&mut Behaviour), u16, &'static str);

const REFUSALS: [Refusal; 27] = [
    (|b| b.claims = json!({ "email_verified": true }), 403, "did not tell your email address"),
    (|b| b.claims["email_verified"] = json!(false), 403, "does not say that your email address is verified"),
    (|b| b.claims["email_verified"] = Value::Null, 403, "does not say that your email address is verified"),
    (
        |b| b.claims["email"] = json!("\"a b\"@corp.example"),
        403,
        "written in a way that this console does not take",
    ),
    (|b| b.claims["email"] = json!("<b>@acme.com"), 403, "written in a way"),
    (|b| b.claims["email"] = json!("eve@acme.com"), 403, "You signed in as eve@acme.com"),
    (|b| b.claims["nonce"] = json!("another"), 502, "of another sign-in (another nonce, or none)"),
    (|b| b.claims["nonce"] = Value::Null, 502, "of another sign-in (another nonce, or none)"),
    (|b| b.claims["iss"] = json!("https://evil.example"), 502, "Its ID token is of another issuer"),
    (|b| b.claims["aud"] = json!("another-client"), 502, "for another application"),
    (|b| b.claims["aud"] = json!([CLIENT_ID, "another-client"]), 502, "for another application"),
    (|b| b.claims["exp"] = json!(crate::harness::START - 31), 502, "has expired already"),
    (|b| b.claims["exp"] = Value::Null, 502, "an answer that cannot be used"),
    (|b| b.key = Key::es256("console-1"), 502, "not signed with a key that it publishes"),
    (|b| b.key = Key::es256("unknown"), 502, "not signed with a key that it publishes"),
    (|b| b.metadata = json!({ "issuer": "https://evil.example" }), 502, "Its metadata is of another issuer"),
    (|b| b.metadata = json!({ "token_endpoint": null }), 502, "cannot be used"),
    (|b| b.metadata = json!({ "jwks_uri": "http://127.0.0.1:1/keys" }), 503, "does not answer at the moment"),
    (
        |b| b.answer = json!({ "code": null, "error": "access_denied" }),
        403,
        "answered with access_denied. It did not",
    ),
    (
        |b| b.answer = json!({ "code": null, "error": "login_required" }),
        403,
        "It needs something more from you",
    ),
    (|b| b.answer = json!({ "code": null, "error": "invalid_scope" }), 403, "Its settings for this console"),
    (
        |b| b.answer = json!({ "code": null, "error": "<b>peculiar</b>" }),
        403,
        "answered with an unknown error.",
    ),
    (|b| b.answer = json!({ "code": null }), 400, "nothing in it to sign in with"),
    (|b| b.answer = json!({ "state": "another" }), 400, "belongs to another sign-in"),
    (|b| b.answer = json!({ "state": null }), 400, "belongs to another sign-in"),
    (
        |b| b.answer = json!({ "iss": "https://evil.example" }),
        400,
        "not from the identity provider that this console",
    ),
    (
        |b| b.metadata = json!({ "authorization_response_iss_parameter_supported": true }),
        400,
        "not from the identity provider that this console",
    ),
];

#[tokio::test]
async fn each_refusal_says_what_is_wrong_and_writes_nothing() {
    let (app, provider) = start().await;
    let before = written(&app).await;
    for (change, status, text) in REFUSALS {
        let original = provider.behaviour_now();
        provider.change(change);
        // The provider is asked anew.
        app.clock.advance(3600 * 2);
        app.clock.set(crate::harness::START);
        let browser = Browser::of(&app);
        let there = browser.get("/sign-in/start").await;
        let answer = match there.status {
            303 => {
                let back = to_provider(&browser, "/sign-in/start").await;
                browser.get(&back).await
            }
            _ => there,
        };
        says(&answer, status, text);
        assert!(!answer.body.contains("peculiar") && !answer.body.contains("evil"), "{}", answer.body);
        assert_eq!(written(&app).await, before, "{text}");
        assert!(super::location(&browser.get("/teamspaces").await).contains("/sign-in"), "{text}");
        provider.change(|b| *b = original);
    }
    app.clock.advance(3600 * 2);
    app.clock.set(crate::harness::START);
    signed_in(&app).await;
}

/// The request's id leads to the cause, and the log has nobody's address.
#[tokio::test]
async fn the_log_has_the_cause() {
    let (app, provider) = start().await;
    let log = crate::logging::Log::default();
    let _capturing = log.capture();
    for (claims, cause) in [
        (json!({ "email": "eve@acme.com", "email_verified": true }), "nobody here has the address"),
        (json!({ "email": "eve@acme.com" }), "the provider does not say that the email is verified"),
        (json!({ "email": "eve@acme.com", "nonce": "n" }), "the ID token has another nonce, or none"),
    ] {
        provider.change(|b| b.claims = claims);
        let answer = sign_in(&Browser::of(&app)).await;
        assert!(
            log.has(&[answer.header("x-request-id"), cause]),
            "{cause}: {} {}\n{log:?}",
            answer.status,
            answer.body
        );
    }
    provider.change(|b| b.claims = json!({ "email": "olive@corp.example", "email_verified": true }));
    signed_in(&app).await;
    for private in ["eve@acme.com", "olive@corp", "00u1olive", "code=", "state="] {
        assert!(!log.has(&[private]), "{private}");
    }
}

#[tokio::test]
async fn the_answer_may_name_the_issuer() {
    let (app, provider) = start().await;
    let issuer = provider.issuer().to_owned();
    provider.change(|b| {
        b.metadata = json!({ "authorization_response_iss_parameter_supported": true });
        b.answer = json!({ "iss": issuer });
    });
    signed_in(&app).await;
}

#[tokio::test]
async fn the_secret_is_sent_as_the_provider_takes_it() {
    let (app, provider) = start().await;
    provider
        .change(|b| b.metadata = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }));
    signed_in(&app).await;
}

#[tokio::test]
async fn an_answer_needs_the_browser_that_asked() {
    let (app, _provider) = start().await;
    let before = written(&app).await;
    let back = to_provider(&Browser::of(&app), "/sign-in/start").await;
    let other = Browser::of(&app);
    says(&other.get(&back).await, 400, "No sign-in is under way in this browser");
    for garbage in ["", "x", "a.b.c", "AAAA.1.", &format!("{}.x.", "A".repeat(43))] {
        other.set_cookie("countersign-sign-in", garbage);
        says(&other.get(&back).await, 400, "No sign-in is under way in this browser");
    }
    // One that is under way in the other browser is not this one.
    other.get("/sign-in/start").await;
    says(&other.get(&back).await, 400, "belongs to another sign-in");
    let own = to_provider(&other, "/sign-in/start").await;
    says(&other.get(&back).await, 400, "belongs to another sign-in");
    assert_eq!(written(&app).await, before);
    assert_eq!(other.get(&own).await.status, 303, "and does not end it");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let (app, _provider) = start().await;
    let browser = Browser::of(&app);
    let back = to_provider(&browser, "/sign-in/start").await;
    app.clock.advance(600);
    says(&browser.get(&back).await, 400, "took longer than ten minutes");
    assert_eq!(app.count("console_sessions").await, 0);
}

/// Not even where the provider would take the code once more, and not at another replica.
#[tokio::test]
async fn an_answer_works_once_over_all_replicas() {
    let (app, provider) = start().await;
    let browser = Browser::of(&app);
    let back = to_provider(&browser, "/sign-in/start").await;
    let cookie = browser.cookie_header();
    let replica = Visitor::with_cookie_of(app.app.config.clone(), app.clock.clone(), cookie).await;
    provider.codes_are_good_for_ever();
    assert_eq!(replica.get(&back).await.status, 303, "another replica than the one that began it");
    let once = written(&app).await;
    says(&browser.get(&back).await, 400, "was finished before");
    assert_eq!(written(&app).await, once);
    assert!(!browser.cookie_header().contains("-sign-in="), "it is over");
}

#[tokio::test]
async fn a_provider_that_is_down_or_slow_is_told() {
    let provider = OpenIdServer::start().await;
    let app = TestApp::start_with(|config| {
        provider.configure(config);
        config.fetch.timeout = "1s".parse().unwrap();
    })
    .await;
    let browser = Browser::of(&app);
    provider.change(|b| b.delay = Duration::from_secs(30));
    says(&browser.get("/sign-in/start").await, 503, "does not answer at the moment");
    let asked = provider.asked();
    says(&browser.get("/sign-in/start").await, 503, "does not answer at the moment");
    assert_eq!(provider.asked(), asked, "it is left alone for a while");
    provider.change(|b| b.delay = Duration::ZERO);
    app.clock.advance(5);
    let back = to_provider(&browser, "/sign-in/start").await;
    provider.change(|b| b.delay = Duration::from_secs(30));
    says(&browser.get(&back).await, 503, "does not answer at the moment");
    // Its metadata is cached a while longer.
    app.clock.advance(1000);
    app.clock.set(crate::harness::START);
    assert_eq!(browser.get("/sign-in/start").await.status, 303);
    assert_eq!(app.count("console_sessions").await, 0);
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_is_told() {
    let (app, provider) = start().await;
    for (status, body, text) in [
        (400, json!({ "error": "invalid_grant" }), "did not take the code"),
        (
            401,
            json!({ "error": "invalid_client", "error_description": "peculiar" }),
            "console.oidc.client_id",
        ),
        (400, json!({ "error": "<b>peculiar</b>" }), "did not take the code"),
        (500, json!("peculiar"), "an answer that cannot be used"),
        (200, json!({ "access_token": "a", "token_type": "Bearer" }), "It sent no ID token"),
        (200, json!({ "access_token": "a", "token_type": "Bearer", "id_token": "a.b.c" }), "cannot be used"),
        (302, json!({}), "does not answer"),
    ] {
        provider.change(|b| b.refusal = Some((StatusCode::from_u16(status).unwrap(), body)));
        let answer = sign_in(&Browser::of(&app)).await;
        says(&answer, if status == 302 { 503 } else { 502 }, text);
        assert!(!answer.body.contains("peculiar"), "{}", answer.body);
    }
    assert_eq!(written(&app).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_user_info_endpoint_that_tells_of_somebody_else_is_not_believed() {
    let (app, provider) = start().await;
    provider.change(|b| {
        b.claims = json!({});
        b.user_info = json!({ "sub": "another", "email": "olive@corp.example", "email_verified": true });
    });
    says(&sign_in(&Browser::of(&app)).await, 502, "an answer that cannot be used");
    // An address that only one place calls verified is none of the other's.
    app.clock.advance(3600 * 2);
    app.clock.set(crate::harness::START);
    provider.change(|b| {
        b.claims = json!({ "email": "olive@corp.example" });
        b.user_info = json!({ "sub": "00u1olive", "email": "eve@acme.com", "email_verified": true });
    });
    says(&sign_in(&Browser::of(&app)).await, 403, "You signed in as eve@acme.com");
}

/// A provider that has changed its keys is asked for them once more, but not by every answer.
#[tokio::test]
async fn new_keys_are_fetched() {
    let (app, provider) = start().await;
    signed_in(&app).await;
    let newer = Key::rsa("console-2", 1);
    provider.change(|b| (b.published, b.key) = (vec![newer.clone()], newer));
    says(&sign_in(&Browser::of(&app)).await, 502, "not signed with a key that it publishes");
    assert_eq!(provider.asked(), 1, "it was asked a moment ago");
    app.clock.advance(30);
    signed_in(&app).await;
    assert_eq!(provider.asked(), 2);
}

/// A secret that both sides know proves nothing about who signed.
#[tokio::test]
async fn a_shared_secret_signs_nothing() {
    use aws_lc_rs::hmac;
    let (app, provider) = start().await;
    for alg in ["HS256", "none"] {
        let browser = Browser::of(&app);
        let there = browser.get("/sign-in/start").await;
        let asked = url::Url::parse(super::location(&there)).unwrap();
        let nonce = asked.query_pairs().find(|(name, _)| name == "nonce").unwrap().1.into_owned();
        let claims = json!({ "iss": provider.issuer(), "sub": "s", "aud": CLIENT_ID, "iat": crate::harness::START,
            "exp": crate::harness::START + 300, "nonce": nonce, "email": "olive@corp.example", "email_verified": true });
        let header = json!({ "alg": alg });
        let input =
            format!("{}.{}", crate::idp::b64(header.to_string()), crate::idp::b64(claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, super::provider::CLIENT_SECRET.as_bytes());
        let signature =
            if alg == "none" { String::new() } else { crate::idp::b64(hmac::sign(&key, input.as_bytes())) };
        let body = json!({ "access_token": "a", "token_type": "Bearer", "id_token": format!("{input}.{signature}") });
        provider.change(|b| b.refusal = Some((StatusCode::OK, body)));
        let back = crate::harness::http().get(asked).send().await.unwrap();
        let back =
            back.headers()["location"].to_str().unwrap().strip_prefix(&browser.base).unwrap().to_owned();
        says(&browser.get(&back).await, 502, "");
        assert_eq!(written(&app).await, [0, 0, 0], "{alg}");
    }
}

#[tokio::test]
async fn a_database_that_is_down_gives_a_page() {
    use diesel::connection::SimpleConnection as _;
    let (app, _provider) = start().await;
    let browser = Browser::of(&app);
    let back = to_provider(&browser, "/sign-in/start").await;
    app.database.connect().batch_execute("DROP TABLE console_finished_sign_ins").unwrap();
    says(&browser.get(&back).await, 503, "Something is out of order at the moment");
    assert_eq!(app.count("console_sessions").await, 0);
}

#[tokio::test]
async fn sign_ins_and_answers_are_bounded_by_address() {
    let provider = OpenIdServer::start().await;
    let app = TestApp::start_with(|config| {
        provider.configure(config);
        config.rate_limit.failed_authentications_per_minute = 3;
    })
    .await;
    let browser = Browser::of(&app);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(browser.get("/sign-in/callback?state=s&code=c").await.status);
    }
    assert_eq!(statuses, [400, 400, 400, 429]);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(browser.get("/sign-in/start").await.status);
    }
    assert_eq!(statuses, [303, 303, 303, 429], "counted for themselves");
}

/// Over https no other host and no subdomain can set the cookie.
#[tokio::test]
async fn the_cookie_is_for_this_host_alone() {
    let provider = OpenIdServer::start().await;
    let mut address = String::new();
    let _app = TestApp::start_with(|config| {
        address = std::mem::replace(&mut config.issuer, "https://auth.example.com".into());
        provider.configure(config);
    })
    .await;
    let there = Browser::at(format!("{address}/console")).get("/sign-in/start").await;
    let cookie = there.header("set-cookie");
    assert!(cookie.starts_with("__Host-countersign-sign-in="), "{cookie}");
    for attribute in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/", "; Max-Age=600"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    let callback = "redirect_uri=https%3A%2F%2Fauth.example.com%2Fconsole%2Fsign-in%2Fcallback";
    assert!(super::location(&there).contains(callback), "{there:?}");
}
