//! Thousands of broken requests against the real router: always an OAuth answer, never a defect.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::oauth::request::JWT_BEARER;
use countersign::web;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::harness::{CLIENT, RESOURCE, SECRET, START, TestApp};
use crate::idp::Key;

const CASES: usize = 4_000;
const SEED: u64 = 0x00c0_ffee_2026;

/// SplitMix64: the same cases in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A part of `0..length`, mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let longest = if self.below(4) == 0 { length } else { 8 };
        start..(start + self.below(longest + 1)).min(length)
    }
}

/// Bytes to put into forms.
const FORM: [&[u8]; 22] = [
    b"%",
    b"%0",
    b"%00",
    b"%ff",
    b"%zz",
    b"&",
    b"=",
    b"+",
    b"\0",
    b"\xff",
    b"\xc3",
    b";",
    b"&scope=",
    b"&resource=",
    b"&assertion=x",
    b"&grant_type=refresh_token",
    b"&client_id=x",
    b"&client_secret=x",
    b"&client_assertion=x",
    b"&authorization_details=[]",
    b"&resource=https://mcp.example.com/mcp",
    b"&x=\xf0\x9f\x92\xa5",
];

/// Bytes to put into JSON.
const JSON: [&[u8]; 34] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"1e308",
    b"-0.0",
    b"NaN",
    b"18446744073709551616",
    b"0x10",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    b"//",
    b" ",
    b"\"sub\":\"x\",",
    b"\"crit\":[\"x\"],",
    b"\"cnf\":{},",
    b"\"aud\":[],",
    b"\"exp\":1e300,",
    b"\"kid\":7,",
    b"\"typ\":\"JWT\",",
    b"\"alg\":\"none\",",
    b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// Bytes to put into compact serializations and headers.
const TEXT: [&[u8]; 9] = [b".", b"..", b"=", b"-", b"_", b"+", b"A", b" ", b":"];

/// Names whose values mean something, and some that do not.
const NAMES: [&str; 30] = [
    "iss",
    "sub",
    "aud",
    "client_id",
    "resource",
    "scope",
    "email",
    "email_verified",
    "iat",
    "exp",
    "nbf",
    "jti",
    "tenant",
    "aud_tenant",
    "aud_sub",
    "sub_id",
    "auth_time",
    "acr",
    "amr",
    "act",
    "cnf",
    "authorization_details",
    "session_expiry",
    "groups",
    "alg",
    "kid",
    "typ",
    "crit",
    "b64",
    "x",
];

/// Flips, cuts, doubles or inserts, a few times.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>, tokens: &[&[u8]]) {
    for _ in 0..=random.below(3) {
        let range = random.range(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => {
                let position = random.below(bytes.len());
                bytes[position] ^= 1 << random.below(8);
            }
            1 => bytes.truncate(range.start),
            2 => {
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, copy);
            }
            3 => drop(bytes.drain(range)),
            4 => drop(bytes.splice(range, random.one(tokens).iter().copied())),
            _ => drop(bytes.splice(range.start..range.start, random.one(tokens).iter().copied())),
        }
    }
}

/// A value of some type that some claim could have.
fn value(random: &mut Random) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!("true"),
        json!(""),
        json!("x"),
        json!("x".repeat(300)),
        json!("\u{0}\u{202e}é\"\\"),
        json!(0),
        json!(-1),
        json!(START),
        json!(START + 300),
        json!(START as f64 + 0.5),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!([[]]),
        json!(["x", 7]),
        json!([RESOURCE]),
        json!([RESOURCE, RESOURCE]),
        json!("docs.read docs.write"),
        json!("openid offline_access"),
        json!("eve@acme.com"),
        json!("acme"),
        json!({}),
        json!({ "sub": "x" }),
        json!({ "format": "iss_sub" }),
    ];
    values[random.below(values.len())].clone()
}

/// Replaces, removes or adds members.
fn mutate_members(random: &mut Random, members: &mut Map<String, Value>) {
    for _ in 0..=random.below(2) {
        let name = random.one(&NAMES);
        match random.below(4) {
            0 => drop(members.remove(name)),
            _ => drop(members.insert(name.to_owned(), value(random))),
        }
    }
}

/// One broken request, and the claims that its assertion is made of.
struct Case {
    authorization: Vec<u8>,
    body: Vec<u8>,
    claims: Vec<u8>,
}

fn case(random: &mut Random, app: &TestApp, key: &Key) -> Case {
    let person = random.below(6);
    let mut members = app.claims_with(json!({
        "sub": format!("sub-{person}"), "email": format!("person-{person}@acme.com") }));
    let Value::Object(mut head) = key.header() else { unreachable!() };
    let what = random.below(8);
    match what {
        0 => mutate_members(random, &mut head),
        1 | 2 => mutate_members(random, &mut members),
        _ => {}
    }
    let (mut header, mut claims) =
        (json!(head).to_string().into_bytes(), json!(members).to_string().into_bytes());
    match what {
        3 => mutate(random, &mut header, &JSON),
        4 => mutate(random, &mut claims, &JSON),
        _ => {}
    }
    let mut assertion = key.sign_bytes(&header, &claims).into_bytes();
    let mut authorization = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}"))).into_bytes();
    match what {
        5 => mutate(random, &mut assertion, &TEXT),
        6 => mutate(random, &mut authorization, &TEXT),
        _ => {}
    }
    let assertion: String = url::form_urlencoded::byte_serialize(&assertion).collect();
    let mut body =
        format!("grant_type={JWT_BEARER}&scope=docs.read&assertion={assertion}&resource={RESOURCE}")
            .into_bytes();
    if what == 7 {
        mutate(random, &mut body, &FORM);
    }
    Case { authorization, body, claims }
}

struct Outcome {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    case: Case,
}

async fn run(router: Router, case: Case) -> Outcome {
    let mut request = Request::post("/oauth2/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(case.body.clone()))
        .unwrap();
    // A text that is not a header value does not get this far.
    if let Ok(value) = HeaderValue::from_bytes(&case.authorization) {
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let response = router.oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
    Outcome { status, headers, body, case }
}

/// Whether an answer is one of RFC 6749 §5, whatever was asked.
fn check(outcome: &Outcome) {
    let Outcome { status, headers, body, case } = outcome;
    let shown = || {
        format!(
            "{status} {}\nto {}\nwith {}",
            String::from_utf8_lossy(body),
            String::from_utf8_lossy(&case.body),
            String::from_utf8_lossy(&case.claims)
        )
    };
    assert!([200, 400, 401, 413].contains(status), "{}", shown());
    assert_eq!(headers[header::CONTENT_TYPE], "application/json", "{}", shown());
    assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{}", shown());
    assert!(!headers["x-request-id"].is_empty(), "{}", shown());
    let json: Map<String, Value> = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", shown()));
    if *status == 200 {
        assert!(json["access_token"].is_string() && json["token_type"] == "Bearer", "{}", shown());
        assert!(!json.contains_key("refresh_token"));
        return;
    }
    assert!(json["error"].is_string() && !json.contains_key("access_token"), "{}", shown());
    assert_eq!(*status == 401, json["error"] == "invalid_client", "{}", shown());
    let text = json["error_description"].as_str().unwrap();
    assert!(text.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'), "{}", shown());
}

/// ERR-07, ERR-01, ERR-02, TOK-08: no request makes a 5xx, and what is granted is used up, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_get_oauth_answers() {
    let app = TestApp::start().await;
    let key = Key::ed25519("fuzz");
    app.idp.publish(&[&key]);
    let router = web::router(app.app.clone());
    let mut random = Random(SEED);
    let (mut running, mut done, started) = (JoinSet::new(), Vec::new(), Instant::now());
    for _ in 0..CASES {
        let case = case(&mut random, &app, &key);
        running.spawn(run(router.clone(), case));
        if running.len() == 64 {
            done.push(running.join_next().await.unwrap().unwrap());
        }
    }
    done.extend(running.join_all().await);
    println!("{CASES} requests in {:?}", started.elapsed());

    let (mut granted, mut people, mut ids) = (0, BTreeSet::new(), BTreeSet::new());
    for outcome in &done {
        check(outcome);
        ids.insert(outcome.headers["x-request-id"].clone());
        if outcome.status == 200 {
            granted += 1;
            let claims: Value = serde_json::from_slice(&outcome.case.claims).unwrap();
            people.insert((claims["tenant"].to_string(), claims["sub"].to_string()));
        }
    }
    let written = app.written().await;
    assert_eq!((done.len(), ids.len(), written.sign_ins), (CASES, CASES, CASES as i64));
    assert_eq!(written.used_assertions, granted);
    assert_eq!(written.identities, people.len() as i64);
    assert!(written.members <= written.identities, "{written:?}");
    // The mutations reach every step, and some do no harm.
    let reasons: BTreeSet<String> = app.sign_ins().await.into_iter().map(|row| row.reason).collect();
    println!("{granted} granted, {written:?}, {reasons:?}");
    assert!(granted > CASES as i64 / 50 && granted < CASES as i64 / 2, "{granted}");
    for reason in [
        "request_malformed",
        "client_unknown",
        "assertion_malformed",
        "typ_wrong",
        "alg_not_allowed",
        "issuer_unknown",
        "kid_unknown",
        "signature_bad",
        "aud_mismatch",
        "claim_missing",
        "claim_malformed",
    ] {
        assert!(reasons.contains(reason), "no case reaches {reason}: {reasons:?}");
    }
    // And the service is as it was.
    app.exchange(&key.assertion(&app.claims_with(json!({ "sub": "last", "email": "last@acme.com" }))))
        .await
        .access_token();
}
