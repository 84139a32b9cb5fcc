//! The middleware, each by itself. (The deadline of a body is tested in `overload`, its length in `request`, a panic
//! in `fuzz`.)

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Extension, Request};
use axum::routing::get;
use countersign::config::ClientIpSource;
use countersign::web::middleware::{
    AccessLog, AroundLayer, CallerAddress, FindCaller, Hsts, NameRequests, RateLimit, RequestId, TimeOutLayer,
};
use tower::ServiceExt as _;

use crate::harness::TestApp;
use crate::logging::Log;

fn request(from: &str) -> Request {
    let peer: SocketAddr = format!("{from}:1000").parse().unwrap();
    Request::get("/path").extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
}

/// The status, a header and the body of an answer.
async fn ask(router: &Router, request: Request, header: &str) -> (u16, String, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let header = response.headers().get(header).map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, header.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn each_request_gets_an_id_that_is_ours() {
    let app = TestApp::start().await;
    let show = async |Extension(RequestId(id)): Extension<RequestId>| id.to_string();
    let router =
        Router::new().route("/path", get(show)).layer(AroundLayer(NameRequests(Arc::clone(&app.app.clock))));
    let theirs = |mut request: Request| {
        request.headers_mut().insert("x-request-id", "theirs".parse().unwrap());
        request
    };
    let (_, first, shown) = ask(&router, theirs(request("192.0.2.1")), "x-request-id").await;
    let (_, second, _) = ask(&router, theirs(request("192.0.2.1")), "x-request-id").await;
    assert_eq!(first, shown);
    assert!(first != "theirs" && !first.is_empty() && first != second, "{first} {second}");
}

#[tokio::test]
async fn each_request_is_logged_once() {
    let log = Log::default();
    let _captured = log.capture();
    let app = TestApp::start().await;
    let answer = app.get("/nothing?secret=1").await;
    let id = format!("\"{}\"", answer.header("x-request-id"));
    assert!(log.has(&["request_id=", &id, "method=GET", "path=\"/nothing\"", "status=404", "micros="]));
    assert!(!log.has(&["secret"]));
    let answer = app.exchange("no assertion").await;
    let id = format!("\"{}\"", answer.header("x-request-id"));
    assert!(log.has(&[&id, "sign-in", "method=POST", "status=400", "outcome=\"refused\"", "cause="]));
    let alone = Router::new().route("/path", get(async || "fine")).layer(AroundLayer(AccessLog));
    assert_eq!(ask(&alone, request("192.0.2.1"), "x-request-id").await.0, 200);
    assert!(log.has(&["path=\"/path\"", "status=200"]));
}

/// OPS-02
#[tokio::test]
async fn only_an_https_issuer_asks_for_https() {
    for (issuer, expected) in
        [("https://auth.example.com", "max-age=31536000"), ("http://127.0.0.1:8080", "")]
    {
        let router = Router::new().route("/path", get(async || "fine")).layer(AroundLayer(Hsts::of(issuer)));
        let (_, header, _) = ask(&router, request("192.0.2.1"), "strict-transport-security").await;
        assert_eq!(header, expected, "{issuer}");
    }
}

#[tokio::test]
async fn a_request_is_worked_on_for_so_long() {
    let router = Router::new()
        .route("/path", get(async || "fine"))
        .route("/slow", get(async || std::future::pending::<&'static str>().await))
        .layer(TimeOutLayer(Duration::from_millis(100)));
    assert_eq!(ask(&router, request("192.0.2.1"), "cache-control").await.0, 200);
    let slow = Request::get("/slow").body(Body::empty()).unwrap();
    let (status, header, body) = ask(&router, slow, "cache-control").await;
    assert_eq!((status, &*header), (408, "no-store"));
    assert!(body.contains(r#""error":"invalid_request""#), "{body}");
}

#[tokio::test]
async fn the_caller_is_the_connection_or_whom_the_proxy_names() {
    let show = async |Extension(CallerAddress(address)): Extension<CallerAddress>| address.to_string();
    for (source, expected) in
        [(ClientIpSource::ConnectInfo, "192.0.2.1"), (ClientIpSource::RightmostXForwardedFor, "198.51.100.7")]
    {
        let app = TestApp::start_with(|config| config.client_ip_source = source).await;
        let router =
            Router::new().route("/path", get(show)).layer(AroundLayer(FindCaller(Arc::clone(&app.app))));
        let mut request = request("192.0.2.1");
        request.headers_mut().insert("x-forwarded-for", "10.0.0.1, 198.51.100.7".parse().unwrap());
        assert_eq!(ask(&router, request, "").await.2, expected);
    }
}

#[tokio::test]
async fn an_address_that_comes_too_often_is_refused() {
    let app = TestApp::start_with(|config| config.rate_limit.requests_per_address_per_second = 1).await;
    let router = Router::new()
        .route("/path", get(async || "fine"))
        .layer((AroundLayer(FindCaller(Arc::clone(&app.app))), AroundLayer(RateLimit(Arc::clone(&app.app)))));
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(ask(&router, request("192.0.2.1"), "retry-after").await);
    }
    assert_eq!(answers[0].0, 200);
    // A machine may be so slow that a second has passed.
    let (status, retry_after, body) = answers.iter().find(|answer| answer.0 != 200).expect("a refusal");
    assert_eq!((*status, &**retry_after), (429, "1"), "{body}");
    assert_eq!(
        ask(&router, request("192.0.2.2"), "retry-after").await.0,
        200,
        "another one is not concerned"
    );
}
