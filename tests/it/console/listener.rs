//! The console on a listener of its own.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use countersign::web;
use tower::ServiceExt as _;

use super::browser::{Browser, setup_token};
use crate::harness::TestApp;

#[tokio::test]
async fn the_console_has_its_own_listener_and_the_public_one_has_none() {
    let app = TestApp::start_with(|config| {
        config.console.listen = Some(([127, 0, 0, 1], 9).into());
        config.console.public_url = Some("https://console.example.com/admin".into());
    })
    .await;
    assert_eq!(Browser::of(&app).get("/sign-in").await.status, 404);
    let router = web::console_router(Arc::clone(&app.app)).unwrap();
    let ask = async |request: Request<Body>| router.clone().oneshot(request).await.unwrap();
    let first = ask(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(first.headers()[header::LOCATION], "/admin/console/");
    let page = ask(Request::get("/admin/console/sign-in").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status(), StatusCode::OK);
    for path in ["/oauth2/token", "/api/v1/teamspaces", "/oauth2/jwks"] {
        let absent = ask(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(absent.status(), StatusCode::NOT_FOUND, "{path}");
    }
    // The public URL counts, whatever host the proxy passes on.
    let form = format!("setup_token={}", setup_token(&app).await);
    let request = Request::post("/admin/console/sign-in")
        .header(header::HOST, "10.0.0.5:9")
        .header(header::ORIGIN, "https://console.example.com")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = ask(request.body(Body::from(form)).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-countersign=") && cookie.contains("; Secure"), "{cookie}");
}
