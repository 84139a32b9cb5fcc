//! Client authentication, and the limits that guard it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::model::client::{AuthMethod, ClientSecret, RegisteredClient};
use countersign::oauth::request::JWT_BEARER;
use countersign::random::digest;
use countersign::store::changes::Changed;
use countersign::store::clients;
use serde_json::json;

use crate::files::with_shipped;
use crate::harness::{Answer, CLIENT, SECRET, START, TestApp, client};

const OTHER: &str = "other";
const OTHER_SECRET: &str = "the-other-clients-secret";

/// A Basic header over a user-pass exactly as it is written.
fn basic(user_pass: &str) -> String {
    format!("Basic {}", STANDARD.encode(user_pass))
}

/// `application/x-www-form-urlencoded` of one value, as RFC 6749 §2.3.1 wants it inside Basic.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Posts a form with an `Authorization` header, or without one.
async fn send(app: &TestApp, authorization: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let mut request = app.http.post(app.token_url()).form(form);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    Answer::of(request.send().await.unwrap()).await
}

/// Sends an assertion that is good for the registered client, with these credentials.
async fn sign_in(app: &TestApp, authorization: Option<&str>, more: &[(&str, &str)]) -> Answer {
    let assertion = app.assertion(json!({}));
    let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    form.extend_from_slice(more);
    send(app, authorization, &form).await
}

/// The same, which must be refused.
async fn sign_in_refused(
    app: &TestApp,
    authorization: Option<&str>,
    more: &[(&str, &str)],
    (status, error, reason): (u16, &str, &str),
) -> Answer {
    let before = app.written().await;
    let answer = sign_in(app, authorization, more).await;
    app.assert_refused(&answer, before, status, error, reason).await;
    answer
}

const FAILED: (u16, &str, &str) = (401, "invalid_client", "client_auth_failed");
const UNKNOWN: (u16, &str, &str) = (401, "invalid_client", "client_unknown");
const MALFORMED: (u16, &str, &str) = (400, "invalid_request", "request_malformed");

/// CLI-01: Basic as the RFC encodes it and as SDKs send it, whatever characters id and secret have.
#[tokio::test]
async fn basic_is_accepted_form_encoded_and_raw() {
    let app = TestApp::start().await;
    for (id, secret) in [
        ("plain", "plain-secret"),
        ("a space", "two words"),
        ("a+b", "c+d"),
        ("fifty%", "100%"),
        ("pct%41", "x%42y%"),
        ("colons", "se:cr:et:"),
        ("urn:client:one", "s:e"),
        ("https://client.example/app", "secret-of-a-url"),
        ("https://client.example:8443/a?b=c&d", "p:w%3A"),
        ("umlaut", "pässwörd"),
    ] {
        app.put_client(client(id, &[secret])).await;
        let percent = |text: &str| encoded(text).replace('+', "%20");
        for user_pass in [
            format!("{id}:{secret}"),
            format!("{}:{}", encoded(id), encoded(secret)),
            format!("{}:{}", percent(id), percent(secret)),
        ] {
            for more in [&[][..], &[("client_id", id)][..]] {
                let assertion = app.assertion(json!({ "client_id": id }));
                let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
                form.extend_from_slice(more);
                let answer = send(&app, Some(&basic(&user_pass)), &form).await;
                assert_eq!(answer.status, 200, "{user_pass} {more:?}: {answer:?}");
                assert_eq!(app.last_sign_in().await.client_id, id);
            }
            let wrong = basic(&format!("{user_pass}x"));
            sign_in_refused(&app, Some(&wrong), &[], FAILED).await;
            assert_eq!(app.last_sign_in().await.client_id, id, "the row names who was tried: {user_pass}");
        }
    }
}

/// CLI-01: the scheme's name has no case.
#[tokio::test]
async fn the_scheme_is_compared_without_case() {
    let app = TestApp::start().await;
    let header = basic(&format!("{CLIENT}:{SECRET}"));
    for scheme in ["Basic", "basic", "BASIC"] {
        assert_eq!(sign_in(&app, Some(&header.replacen("Basic", scheme, 1)), &[]).await.status, 200);
    }
}

/// CLI-01
#[tokio::test]
async fn credentials_in_the_body_are_accepted() {
    let app = TestApp::start().await;
    assert_eq!(
        sign_in(&app, None, &[("client_id", CLIENT), ("client_secret", SECRET)]).await.status,
        200,
        "whatever method is registered"
    );
    for (id, secret, expected) in [
        (CLIENT, "wrong", FAILED),
        ("nobody", SECRET, UNKNOWN),
        (CLIENT, "", FAILED),
        ("", SECRET, FAILED),
        ("", "", FAILED),
    ] {
        let more = [("client_id", id), ("client_secret", secret)];
        sign_in_refused(&app, None, &more, expected).await;
    }
    sign_in_refused(&app, None, &[("client_id", CLIENT)], FAILED).await;
    sign_in_refused(&app, None, &[("client_secret", SECRET)], FAILED).await;
    sign_in_refused(&app, None, &[], FAILED).await;
}

/// CLI-02: the same `client_id` beside Basic is no second method; a different one is a contradiction.
#[tokio::test]
async fn client_id_beside_basic_must_be_the_same() {
    let app = TestApp::start().await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    let header = basic(&format!("{CLIENT}:{SECRET}"));
    assert_eq!(sign_in(&app, Some(&header), &[("client_id", CLIENT)]).await.status, 200);
    assert_eq!(sign_in(&app, Some(&header), &[("client_id", "")]).await.status, 200, "empty is absent");
    sign_in_refused(&app, Some(&header), &[("client_id", OTHER)], FAILED).await;
    sign_in_refused(&app, Some(&header), &[("client_id", "nobody")], UNKNOWN).await;
    sign_in_refused(&app, Some(&header), &[("client_id", &CLIENT.to_uppercase())], UNKNOWN).await;
}

/// CLI-02
#[tokio::test]
async fn more_than_one_method_is_refused() {
    let app = TestApp::start().await;
    let header = basic(&format!("{CLIENT}:{SECRET}"));
    let assertion = ("client_assertion", "e30.e30.x");
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    for (authorization, more) in [
        (Some(&header), vec![("client_secret", SECRET)]),
        (Some(&header), vec![("client_id", CLIENT), ("client_secret", SECRET)]),
        (Some(&header), vec![assertion, kind]),
        (Some(&header), vec![assertion]),
        (Some(&header), vec![kind]),
        (None, vec![("client_id", CLIENT), ("client_secret", SECRET), assertion, kind]),
        (None, vec![("client_secret", SECRET), assertion]),
    ] {
        sign_in_refused(&app, authorization.map(String::as_str), &more, MALFORMED).await;
    }
}

/// CLI-02, CLI-06, TOK-09: a method that is not offered fails; it is never treated as if it were not there.
#[tokio::test]
async fn client_assertions_are_refused() {
    let app = TestApp::start().await;
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let assertion = app.assertion(json!({ "iss": CLIENT, "sub": CLIENT }));
    for more in [
        vec![kind, ("client_assertion", assertion.as_str())],
        vec![("client_assertion", assertion.as_str())],
        vec![kind],
        vec![kind, ("client_assertion", assertion.as_str()), ("client_id", CLIENT)],
    ] {
        sign_in_refused(&app, None, &more, FAILED).await;
    }
}

/// CLI-01, TOK-03
#[tokio::test]
async fn secrets_in_the_url_are_refused_and_not_kept() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    for query in [format!("client_id={CLIENT}&client_secret={SECRET}"), format!("client_secret={SECRET}")] {
        let before = app.written().await;
        let url = format!("{}?{query}", app.token_url());
        let request = app.http.post(url).basic_auth(CLIENT, Some(SECRET)).form(&form);
        let answer = Answer::of(request.send().await.unwrap()).await;
        app.assert_refused(&answer, before, 400, "invalid_request", "request_malformed").await;
        assert!(!format!("{:?}", app.last_sign_in().await).contains(SECRET));
    }
}

/// CLI-10: two secrets live while one replaces the other.
#[tokio::test]
async fn two_secrets_live_at_once() {
    let app = TestApp::start().await;
    let newer = ClientSecret {
        id: "newer".to_owned(),
        client_id: CLIENT.to_owned(),
        secret_digest: digest("the-newer-secret"),
        created_at: START + 1,
    };
    app.configure(Changed::Client(CLIENT.to_owned()), move |c| Ok(clients::add_secret(c, &newer)?)).await;
    for secret in [SECRET, "the-newer-secret"] {
        assert_eq!(sign_in(&app, Some(&basic(&format!("{CLIENT}:{secret}"))), &[]).await.status, 200);
        let more = [("client_id", CLIENT), ("client_secret", secret)];
        assert_eq!(sign_in(&app, None, &more).await.status, 200);
    }
    app.configure(Changed::Client(CLIENT.to_owned()), |c| {
        Ok(clients::delete_secret(c, &format!("{CLIENT}-secret-0")).map(drop)?)
    })
    .await;
    sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:{SECRET}"))), &[], FAILED).await;
    assert_eq!(sign_in(&app, Some(&basic(&format!("{CLIENT}:the-newer-secret"))), &[]).await.status, 200);
    app.configure(Changed::Client(CLIENT.to_owned()), |c| Ok(clients::delete_secret(c, "newer").map(drop)?))
        .await;
    sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:the-newer-secret"))), &[], FAILED).await;
    sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:"))), &[], FAILED).await;
}

/// CLI-10: what is kept of a secret authenticates nobody.
#[tokio::test]
async fn the_digest_of_a_secret_is_no_secret() {
    let app = TestApp::start().await;
    sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:{}", digest(SECRET)))), &[], FAILED).await;
}

/// CLI-08: whoever tries ids learns nothing from the answers.
#[tokio::test]
async fn unknown_clients_and_wrong_secrets_look_alike() {
    let app = TestApp::start().await;
    app.put_client(client("disabled", &[OTHER_SECRET])).await;
    app.configure(Changed::Client("disabled".to_owned()), |c| {
        let mut disabled = client("disabled", &[]);
        disabled.enabled = false;
        Ok(clients::update(c, &disabled)?)
    })
    .await;
    let attempts = [
        (basic(&format!("{CLIENT}:wrong")), FAILED),
        (basic("nobody:wrong"), UNKNOWN),
        (basic(&format!("nobody:{SECRET}")), UNKNOWN),
        (basic(&format!("disabled:{OTHER_SECRET}")), (401, "invalid_client", "client_blocked")),
        (basic("disabled:wrong"), FAILED),
        (basic("no-colon"), UNKNOWN),
        (basic(""), FAILED),
        (basic(":"), UNKNOWN),
        ("Basic !!!".to_owned(), FAILED),
        ("Basic".to_owned(), FAILED),
        ("Basic /w==".to_owned(), FAILED),
        (format!("Bearer {SECRET}"), FAILED),
        ("Negotiate x".to_owned(), FAILED),
    ];
    let mut bodies = Vec::new();
    for (header, expected) in &attempts {
        let answer = sign_in_refused(&app, Some(header), &[], *expected).await;
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        bodies.push(answer.body);
    }
    for (id, expected) in [(CLIENT, FAILED), ("nobody", UNKNOWN)] {
        let more = [("client_id", id), ("client_secret", "wrong")];
        bodies.push(sign_in_refused(&app, None, &more, expected).await.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

/// CLI-08, CLI-09: both take effect with the next request, and so does taking them back.
#[tokio::test]
async fn disabled_clients_and_clients_without_the_grant_are_refused() {
    let app = TestApp::start().await;
    let header = basic(&format!("{CLIENT}:{SECRET}"));
    app.change_client(|c| c.enabled = false).await;
    let blocked = (401, "invalid_client", "client_blocked");
    sign_in_refused(&app, Some(&header), &[], blocked).await;
    app.change_client(|c| c.enabled = true).await;
    assert_eq!(sign_in(&app, Some(&header), &[]).await.status, 200);
    for grants in [vec![], vec!["authorization_code".to_owned(), "refresh_token".to_owned()]] {
        app.change_client(|c| c.grant_types = grants).await;
        let unauthorized = (400, "unauthorized_client", "grant_unsupported");
        sign_in_refused(&app, Some(&header), &[], unauthorized).await;
        sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:wrong"))), &[], FAILED).await;
    }
    app.configure(Changed::Client(CLIENT.to_owned()), |c| Ok(clients::delete(c, CLIENT).map(drop)?)).await;
    sign_in_refused(&app, Some(&header), &[], UNKNOWN).await;
}

/// TOK-10, TOK-09: nobody learns anything about an assertion without being a client.
#[tokio::test]
async fn the_client_is_authenticated_before_the_assertion_is_touched() {
    let app = TestApp::start().await;
    let wrong = basic(&format!("{CLIENT}:wrong"));
    let fetches = (app.idp.metadata_requests(), app.idp.jwks_requests());
    let mut bodies = Vec::new();
    for assertion in [
        app.assertion(json!({})),
        app.assertion(json!({ "iat": START - 900, "exp": START - 600 })),
        app.assertion(json!({ "iss": "https://unknown.example" })),
        "no-jws".to_owned(),
    ] {
        let before = app.written().await;
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let answer = send(&app, Some(&wrong), &form).await;
        app.assert_refused(&answer, before, 401, "invalid_client", "client_auth_failed").await;
        let row = app.last_sign_in().await;
        assert!(row.issuer.is_empty() && row.subject.is_empty() && row.assertion.is_empty(), "{row:?}");
        assert_eq!(row.teamspace_id, None);
        bodies.push(answer.body);
    }
    // Not even another grant or a missing assertion is told to a stranger.
    for form in [vec![("grant_type", "refresh_token")], vec![("grant_type", JWT_BEARER)]] {
        let before = app.written().await;
        let answer = send(&app, Some(&wrong), &form).await;
        app.assert_refused(&answer, before, 401, "invalid_client", "client_auth_failed").await;
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    assert_eq!((app.idp.metadata_requests(), app.idp.jwks_requests()), fetches);
}

/// ERR-01, CLI-10: the answer to those who come too often.
fn assert_limited(answer: &Answer, most: u64) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.json["error"], "temporarily_unavailable");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=most).contains(&seconds), "{seconds}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.header("x-request-id").is_empty());
    assert_eq!(answer.header("www-authenticate"), "");
}

async fn limited_app() -> TestApp {
    let app = TestApp::start_with(|c| c.rate_limit.failed_authentications_per_minute = 3).await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    app
}

/// CLI-10, OPS-03: a guesser gets as many tries as configured; others are not disturbed.
#[tokio::test]
async fn failed_authentications_are_limited_per_client() {
    let app = limited_app().await;
    let wrong = basic(&format!("{CLIENT}:wrong"));
    for _ in 0..3 {
        sign_in_refused(&app, Some(&wrong), &[], FAILED).await;
    }
    let before = app.written().await;
    for header in [&wrong, &basic(&format!("{CLIENT}:{SECRET}"))] {
        assert_limited(&sign_in(&app, Some(header), &[]).await, 21);
    }
    let post = [("client_id", CLIENT), ("client_secret", SECRET)];
    assert_limited(&sign_in(&app, None, &post).await, 21);
    assert_eq!(app.written().await, before, "a flood must not fill the disk");

    let assertion = app.assertion(json!({ "client_id": OTHER }));
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let answer = send(&app, Some(&basic(&format!("{OTHER}:{OTHER_SECRET}"))), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    sign_in_refused(&app, Some(&basic("nobody:x")), &[], UNKNOWN).await;
}

/// CLI-08, CLI-10: the limit does not tell which ids are registered.
#[tokio::test]
async fn ids_are_limited_alike_whether_registered_or_not() {
    let app = limited_app().await;
    let (mut bodies, tries) = (Vec::new(), ["nobody:x".to_owned(), format!("{CLIENT}:x")]);
    for pair in &tries {
        let mut answers = Vec::new();
        for _ in 0..6 {
            let answer = sign_in(&app, Some(&basic(pair)), &[]).await;
            answers.push((answer.status, answer.body));
        }
        bodies.push(answers);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(
        bodies[0].iter().map(|(status, _)| *status).collect::<Vec<_>>(),
        [401, 401, 401, 429, 429, 429]
    );
}

/// CLI-10: credentials that name nobody are counted together; nothing is stored of what is limited.
#[tokio::test]
async fn unreadable_credentials_share_one_budget() {
    let app = limited_app().await;
    sign_in_refused(&app, Some("Basic !!!"), &[], FAILED).await;
    sign_in_refused(&app, Some("Bearer x"), &[], FAILED).await;
    sign_in_refused(&app, None, &[("client_assertion", "x")], FAILED).await;
    let before = app.written().await;
    assert_limited(&sign_in(&app, Some("Bearer x"), &[]).await, 21);
    assert_limited(&sign_in(&app, None, &[]).await, 21);
    assert_limited(&sign_in(&app, Some(&basic("no-colon")), &[]).await, 21);
    assert_eq!(app.written().await, before);
    assert_eq!(sign_in(&app, Some(&basic(&format!("{CLIENT}:{SECRET}"))), &[]).await.status, 200);
}

/// CLI-10: a registered client has its own budget also where its id must be found in a raw pair.
#[tokio::test]
async fn registered_ids_with_odd_characters_have_their_own_budget() {
    let app = limited_app().await;
    let ids = ["https://client.example/app", "a+b", "pct%41"];
    for id in ids {
        app.put_client(client(id, &[SECRET])).await;
    }
    for id in ids {
        let assertion = app.assertion(json!({ "client_id": id }));
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let answer = send(&app, Some(&basic(&format!("{id}:{SECRET}"))), &form).await;
        assert_eq!(answer.status, 200, "{id}: {answer:?}");
        for _ in 0..3 {
            sign_in_refused(&app, Some(&basic(&format!("{id}:wrong"))), &[], FAILED).await;
        }
        assert_limited(&sign_in(&app, Some(&basic(&format!("{}:wrong", encoded(id)))), &[]).await, 21);
    }
}

/// CLI-10: successes cost nothing of the budget for failures.
#[tokio::test]
async fn successful_authentications_are_not_counted() {
    let app = limited_app().await;
    for _ in 0..10 {
        assert_eq!(sign_in(&app, Some(&basic(&format!("{CLIENT}:{SECRET}"))), &[]).await.status, 200);
    }
    sign_in_refused(&app, Some(&basic(&format!("{CLIENT}:wrong"))), &[], FAILED).await;
}

/// OPS-03: per client and verified subject; refused ones are in the log, since somebody is behind them,
/// and their assertion is not burnt.
#[tokio::test]
async fn exchanges_are_limited_per_subject() {
    let app = TestApp::start_with(|c| c.rate_limit.exchanges_per_subject_per_minute = 2).await;
    app.put_client(client(OTHER, &[OTHER_SECRET])).await;
    app.granted(json!({})).await;
    app.granted(json!({})).await;
    let assertion = app.assertion(json!({}));
    for _ in 0..2 {
        let before = app.written().await;
        let answer = app.exchange(&assertion).await;
        assert_limited(&answer, 31);
        app.assert_refused(&answer, before, 429, "temporarily_unavailable", "rate_limited").await;
        assert_eq!(app.last_sign_in().await.subject, "00u1dana");
    }
    app.granted(json!({ "sub": "00u2eve", "email": "eve@acme.com" })).await;
    let other = app.assertion(json!({ "client_id": OTHER }));
    let form = [("grant_type", JWT_BEARER), ("assertion", other.as_str())];
    let answer = send(&app, Some(&basic(&format!("{OTHER}:{OTHER_SECRET}"))), &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Whoever cannot sign as the subject cannot use up its budget.
    let forged = crate::idp::Key::rsa("idp-1", 1);
    for _ in 0..3 {
        let claims = app.claims_with(json!({ "sub": "00u3mallory", "email": "mallory@acme.com" }));
        app.refused_assertion(&forged.assertion(&claims), "invalid_grant", "signature_bad").await;
    }
    app.granted(json!({ "sub": "00u3mallory", "email": "mallory@acme.com" })).await;
}

/// CLI-10: behind a proxy that says so, everybody has a budget per address; without one, nobody gets
/// another by inventing addresses.
#[tokio::test]
async fn failed_authentications_are_limited_per_address() {
    use countersign::config::ClientIpSource;
    for (source, own_budgets) in
        [(ClientIpSource::RightmostXForwardedFor, true), (ClientIpSource::ConnectInfo, false)]
    {
        let app = TestApp::start_with(|c| {
            c.rate_limit.failed_authentications_per_minute = 3;
            c.client_ip_source = source;
        })
        .await;
        let from = async |address: &str, secret: &str| {
            let assertion = app.assertion(json!({}));
            let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
            let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(secret)).form(&form);
            let request = request.header("x-forwarded-for", format!("192.0.2.99, {address}"));
            Answer::of(request.send().await.unwrap()).await.status
        };
        for _ in 0..3 {
            assert_eq!(from("198.51.100.1", "wrong").await, 401);
        }
        assert_eq!(from("198.51.100.1", SECRET).await, 429);
        let others = if own_budgets { (200, 401) } else { (429, 429) };
        assert_eq!((from("198.51.100.2", SECRET).await, from("2001:db8::1", "wrong").await), others);
    }
}

/// However a proxy writes an address, with a port as well, it is that address; what cannot be read is counted, and
/// leaves everybody else's budget alone.
#[tokio::test]
async fn addresses_are_read_as_proxies_write_them() {
    use countersign::config::ClientIpSource::{
        self, CloudFrontViewerAddress, RightmostForwarded, RightmostXForwardedFor, XRealIp,
    };
    let alike: &[(ClientIpSource, &str, &[&str])] = &[
        (
            RightmostXForwardedFor,
            "x-forwarded-for",
            &["198.51.100.1", "198.51.100.1:5", "::ffff:198.51.100.1", "[::ffff:c633:6401]:80"],
        ),
        (
            RightmostXForwardedFor,
            "x-forwarded-for",
            &["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5", "\"[2001:db8::1]:5\"", "2001:db8::1%eth0"],
        ),
        (
            RightmostForwarded,
            "forwarded",
            &[
                "for=198.51.100.1",
                "proto=https;For=\"198.51.100.1:80\"",
                "for=192.0.2.9, for=198.51.100.1;by=x",
            ],
        ),
        (XRealIp, "x-real-ip", &["198.51.100.1", "198.51.100.1:5", " [::ffff:198.51.100.1] "]),
        (CloudFrontViewerAddress, "cloudfront-viewer-address", &["2001:db8::1:443", "2001:db8:0::1:80"]),
    ];
    for (source, header, values) in alike {
        let app = TestApp::start_with(|c| {
            c.rate_limit.failed_authentications_per_minute = values.len() as u32;
            c.client_ip_source = *source;
        })
        .await;
        let from = async |value: &str, secret: &str| {
            let form = [("grant_type", JWT_BEARER), ("assertion", "x")];
            let request = app.http.post(app.token_url()).basic_auth(CLIENT, Some(secret)).form(&form);
            Answer::of(request.header(*header, value).send().await.unwrap()).await.status
        };
        for value in *values {
            assert_eq!(from(value, "wrong").await, 401, "{value}");
        }
        // One budget, which is used up.
        for value in *values {
            assert_eq!(from(value, SECRET).await, 429, "{value}");
        }
        assert_eq!(app.app.unreadable_addresses.count(), 0);
        for unreadable in ["", "unknown", "for=_hidden", "[2001:db8::1", "1.2.3.4.5", "for=unknown"] {
            assert_eq!(from(unreadable, SECRET).await, 400, "{unreadable}");
        }
        assert_eq!(app.app.unreadable_addresses.count(), 6);
    }
}

/// The limit per address, off by default, stands before everything else.
#[tokio::test]
async fn requests_are_limited_per_address() {
    let app = TestApp::start_with(|c| c.rate_limit.requests_per_address_per_second = 1).await;
    let before = app.written().await;
    let mut limited = 0;
    for _ in 0..10 {
        for answer in [app.get("/oauth2/jwks").await, sign_in(&app, None, &[]).await] {
            if answer.status == 429 {
                assert_limited(&answer, 1);
                limited += 1;
            }
        }
    }
    assert!(limited > 0);
    let heard = app.written().await.sign_ins - before.sign_ins;
    assert!(heard <= 20 - limited, "{heard} of {limited} limited ones were recorded");
}

/// CLI-07: a registered client that only says its name is refused, unless its registration says `none`; policies see it.
#[tokio::test]
async fn a_registered_public_client_needs_the_operators_leave() {
    let rule = "@id(\"keys\") @reason(\"client_needs_key\") @error(\"access_denied\") @message(\"No.\")\n\
        forbid (principal, action in Action::\"grant\", resource)\n\
        when { context.client == Client::\"seen\" && context.client.public && context.client.auth_method == \"none\" };\n";
    let dir = with_shipped(&[("keys.cedar", rule)]);
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    let public = |id| RegisteredClient { token_endpoint_auth_method: AuthMethod::None, ..client(id, &[]) };
    app.put_client(client("without", &[])).await;
    let announced = async || {
        let known = app.get("/.well-known/oauth-authorization-server").await.json;
        known["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("none"))
    };
    assert!(!announced().await);
    for known in [public("public"), public("seen"), RegisteredClient { enabled: false, ..public("off") }] {
        app.put_client(known).await;
    }
    assert!(announced().await);
    let send = async |id: &str, more: &[(&str, &str)]| {
        let jag = app.assertion(json!({ "client_id": id }));
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", jag.as_str()), ("client_id", id)];
        form.extend_from_slice(more);
        Answer::of(app.http.post(app.token_url()).form(&form).send().await.unwrap()).await
    };
    let secret = [("client_secret", SECRET)];
    for (id, more, expected) in [
        (CLIENT, &[][..], (401, "invalid_client", "client_auth_failed")),
        ("without", &[], (400, "unauthorized_client", "client_public")),
        ("nobody", &[], (401, "invalid_client", "client_unknown")),
        ("off", &[], (401, "invalid_client", "client_blocked")),
        ("public", &secret, (401, "invalid_client", "client_auth_failed")),
        ("seen", &[], (400, "access_denied", "client_needs_key")),
    ] {
        let (before, (status, error, reason)) = (app.written().await, expected);
        app.assert_refused(&send(id, more).await, before, status, error, reason).await;
    }
    let granted = send("public", &[]).await;
    assert_eq!((granted.status, &granted.claims()["client_id"]), (200, &json!("public")), "{granted:?}");
    // The assertion is bound to its client all the same.
    let (before, jag) = (app.written().await, app.assertion(json!({})));
    let form = [("grant_type", JWT_BEARER), ("assertion", jag.as_str()), ("client_id", "public")];
    let other = Answer::of(app.http.post(app.token_url()).form(&form).send().await.unwrap()).await;
    app.assert_refused(&other, before, 400, "invalid_grant", "client_id_mismatch").await;
}
