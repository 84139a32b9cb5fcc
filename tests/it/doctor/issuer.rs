//! The service behind proxies that change what clients ask for.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign::doctor::{DoctorGroup, LineStatus};

use super::{config as config_of, examine, examine_with, serve, service};
use crate::harness::{TestApp, http};

/// A proxy: where it leads, and the path that it asks for instead.
#[derive(Clone)]
struct Proxy {
    upstream: Arc<OnceLock<String>>,
    path: fn(&str) -> String,
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Response {
    let Some(upstream) = proxy.upstream.get() else { return StatusCode::BAD_GATEWAY.into_response() };
    let url = format!("{upstream}{}", (proxy.path)(request.uri().path()));
    let answer = http().get(url).send().await.unwrap();
    let mut forwarded = Response::builder().status(answer.status());
    *forwarded.headers_mut().unwrap() = answer.headers().clone();
    forwarded.headers_mut().unwrap().remove("transfer-encoding");
    forwarded.body(answer.bytes().await.unwrap().into()).unwrap()
}

/// The service at `{proxy}/auth`.
async fn behind(path: fn(&str) -> String) -> TestApp {
    let proxy = Proxy { upstream: Arc::default(), path };
    let url = serve(Router::new().fallback(forward).with_state(proxy.clone())).await;
    let own = Cell::new(String::new());
    let app = service(|config| {
        own.set(std::mem::replace(&mut config.issuer, format!("{url}/auth")));
    })
    .await;
    proxy.upstream.set(own.into_inner()).unwrap();
    app
}

/// The listener's address is not needed here.
async fn examine_behind(app: &TestApp) -> super::Examined {
    examine_with(app, app.app.config.clone()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_passes_everything_on_is_fine() {
    let examined = examine_behind(&behind(str::to_owned).await).await;
    for name in ["metadata", "endpoints", "key_set", "token_endpoint", "admin_api", "console"] {
        examined.line(DoctorGroup::Issuer, name, LineStatus::Ok);
    }
}

/// META-14
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_keeps_preflights_to_itself_is_found() {
    let app = service(|config| config.cors_origins = vec!["https://app.example.com".to_owned()]).await;
    let examined = examine(&app).await;
    let line = examined.line(DoctorGroup::Issuer, "cors", LineStatus::Ok);
    assert!(line.message.contains("https://app.example.com"), "{line:?}");
    // This proxy makes a GET of every request.
    let app = behind(str::to_owned).await;
    let mut config = app.app.config.clone();
    config.cors_origins = vec!["https://app.example.com".to_owned()];
    let examined = examine_with(&app, config).await;
    let line = examined.failed(DoctorGroup::Issuer, "cors", &["https://app.example.com", "status 405"]);
    assert!(line.fix.as_ref().unwrap().contains("OPTIONS"), "{line:?}");
    // The service knows no origin yet, although the file names one.
    let app = service(|_| {}).await;
    let mut config = config_of(&app);
    config.cors_origins = vec!["https://app.example.com".to_owned()];
    examine_with(&app, config).await.failed(DoctorGroup::Issuer, "cors", &["status 405"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_strips_the_path_is_found() {
    let strip = |path: &str| path.replacen("/auth", "", 1);
    let examined = examine_behind(&behind(strip).await).await;
    for name in ["metadata", "key_set", "token_endpoint"] {
        let line =
            examined.failed(DoctorGroup::Issuer, name, &["reaches Countersign, but under another path"]);
        assert!(line.fix.as_ref().unwrap().contains("strips the path"), "{line:?}");
    }
}

/// A proxy that knows the issuer's path only does not pass the well-known document on, which stands before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_forgets_the_well_known_path_is_found() {
    let only_below = |path: &str| match path.starts_with("/auth") {
        true => path.to_owned(),
        false => "/auth/nothing".to_owned(),
    };
    let examined = examine_behind(&behind(only_below).await).await;
    examined.failed(DoctorGroup::Issuer, "metadata", &["/.well-known/oauth-authorization-server/auth"]);
    examined.line(DoctorGroup::Issuer, "token_endpoint", LineStatus::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_leads_to_another_deployment_is_found() {
    let (app, other) = (service(|_| {}).await, service(|_| {}).await);
    let mut wrong = config_of(&app);
    wrong.issuer = other.issuer().replace("127.0.0.1", "localhost");
    let examined = examine_with(&app, wrong.clone()).await;
    examined.failed(DoctorGroup::Issuer, "metadata", &[other.issuer(), &wrong.issuer, "not"]);
    examined.failed(DoctorGroup::Issuer, "key_set", &["lacks 1 of the 1 keys"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_where_nobody_answers_is_found() {
    let app = service(|_| {}).await;
    let mut wrong = config_of(&app);
    wrong.issuer = "http://127.0.0.1:1".to_owned();
    let examined = examine_with(&app, wrong).await;
    for name in ["metadata", "key_set", "token_endpoint"] {
        examined.failed(DoctorGroup::Issuer, name, &["cannot be reached"]);
    }
    examined.line(DoctorGroup::Issuer, "admin_api", LineStatus::Warning);
}

/// This machine's clock, two minutes ahead of everybody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_found() {
    let app = service(|_| {}).await;
    let good = examine(&app).await;
    good.line(DoctorGroup::Clock, "issuer", LineStatus::Ok);
    good.line(DoctorGroup::Clock, &app.idp.issuer, LineStatus::Ok);
    app.clock.advance(120);
    let examined = examine(&app).await;
    let wrong = ["issuer", &app.idp.issuer];
    for of in wrong.into_iter().chain((!app.database.url.starts_with("sqlite")).then_some("database")) {
        examined.failed(DoctorGroup::Clock, of, &["s ahead of"]);
    }
    app.clock.advance(-240);
    let examined = examine(&app).await;
    examined.failed(DoctorGroup::Clock, &app.idp.issuer, &["s behind", "assertion.clock_skew"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_or_not_ready_is_found() {
    let app = service(|_| {}).await;
    let mut absent = config_of(&app);
    absent.listen = ([127, 0, 0, 1], 1).into();
    absent.management_listen = ([127, 0, 0, 1], 2).into();
    let examined = examine_with(&app, absent).await;
    examined.line(DoctorGroup::Listeners, "listen", LineStatus::Warning);
    examined.line(DoctorGroup::Listeners, "management_listen", LineStatus::Warning);
    let mut another = config_of(&app);
    another.management_listen = another.listen;
    let examined = examine_with(&app, another).await;
    examined.failed(DoctorGroup::Listeners, "management_listen", &["that is not Countersign"]);
    // Its clock is far from the database's, or the database takes no writes.
    app.database.execute("ALTER TABLE replicas RENAME TO gone");
    app.app.probe().await;
    app.app.probe().await;
    let examined = examine(&app).await;
    examined.failed(DoctorGroup::Listeners, "management_listen", &["not ready", "database_write"]);
}
