//! The parts that every page of the console shares.

use super::browser::{Browser, location, setup_token};
use crate::harness::{Answer, TestApp, http};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The addresses of style sheet, script and icon, as a page names them.
fn assets(page: &str) -> Vec<String> {
    let quoted = page.split('"').filter(|text| text.contains("/assets/"));
    let mut found: Vec<String> = quoted
        .map(|text| text.split('#').next().unwrap().trim_start_matches("/console").to_owned())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[tokio::test]
async fn every_answer_keeps_browsers_safe() {
    let app = TestApp::start().await;
    let (stranger, operator) = (Browser::of(&app), Browser::operator(&app).await);
    let asset = assets(&stranger.page("/sign-in").await).remove(0);
    let mut answers = vec![stranger.post_from("cross-site", "/sign-in", &[]).await];
    for path in ["", "/", "/sign-in", "/teamspaces", "/nothing", "/assets/x/y", "/t/acme/settings", &asset] {
        answers.push(stranger.get(path).await);
        answers.push(operator.get(path).await);
    }
    answers.push(operator.post("/teamspaces/new", &[]).await);
    answers.push(operator.post("/teamspaces", &[("plan", "gold")]).await);
    for answer in &answers {
        let said = format!("{} {:?}", answer.status, answer.headers);
        assert_eq!(answer.header("content-security-policy"), POLICY, "{said}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{said}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{said}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{said}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{said}");
        assert_eq!(answer.header("x-request-id").len(), 20, "{said}");
        let is_asset = answer.header("content-type").starts_with("text/css")
            || answer.header("content-type").starts_with("image/svg")
            || answer.header("content-type").starts_with("text/javascript");
        let caching = if is_asset { "public, max-age=31536000, immutable" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), caching, "{said}");
    }
}

/// No page has a style or script of its own, and loads nothing from elsewhere.
#[tokio::test]
async fn pages_have_neither_inline_styles_nor_inline_scripts() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    for path in ["/teamspaces", "/teamspaces/new", "/t/acme/settings", "/t/acme/delete"] {
        let page = operator.page(path).await;
        for forbidden in ["style=", "<style", "onclick", "onload", "javascript:", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{path} has {forbidden}: {page}");
        }
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/console/assets/").count());
        assert!(page.contains("<html lang=\"en\">") && page.contains("<h1>"), "{page}");
    }
}

/// HTML, style sheet, script and icons together, as they are transferred.
#[tokio::test]
async fn a_page_with_all_it_needs_is_small() {
    let app = TestApp::start().await;
    for number in 0..30 {
        app.put_teamspace(&format!("customer-with-a-long-name-{number:02}")).await;
    }
    let operator = Browser::operator(&app).await;
    let page = operator.page("/teamspaces").await;
    assert_eq!(page.matches("customer-with-a-long-name").count() / 3, 24, "25 with acme");
    let mut transferred = 0;
    for path in assets(&page).into_iter().chain(["/teamspaces".to_owned()]) {
        let request = http().get(format!("{}{path}", operator.base)).header("accept-encoding", "gzip");
        let response = request.header("cookie", operator.cookie_header()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        transferred += response.bytes().await.unwrap().len();
    }
    assert!(transferred < 60 * 1024, "{transferred} bytes");
}

#[tokio::test]
async fn an_asset_is_found_under_the_digest_of_its_content_only() {
    let app = TestApp::start().await;
    let stranger = Browser::of(&app);
    let found = assets(&stranger.page("/sign-in").await);
    assert!(found.len() >= 3, "{found:?}");
    for path in &found {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
        let (directory, name) = path.rsplit_once('/').unwrap();
        assert_eq!(stranger.get(&format!("/assets/older/{name}")).await.status, 404);
        for escape in ["..%2f..%2fmod.rs", "%2e%2e", ""] {
            assert_ne!(stranger.get(&format!("{directory}/{escape}")).await.status, 200, "{escape}");
        }
    }
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let form = [("slug", "evil"), ("name", "Evil"), ("plan", "free"), ("time_zone", "UTC")];
    for site in ["cross-site", "same-site"] {
        let refused = operator.post_from(site, "/teamspaces", &form).await;
        assert_eq!(refused.status, 403, "{site}");
        assert!(refused.body.contains("another site"), "{}", refused.body);
    }
    let request = http().post(format!("{}/teamspaces", operator.base)).form(&form);
    let refused = operator.send(request.header("origin", "https://evil.example")).await;
    assert_eq!(refused.status, 403, "an older browser tells the origin only");
    assert!(app.app.snapshot().teamspace_config("evil").is_none());
    assert_eq!(operator.post("/teamspaces", &form).await.status, 303);
}

/// A proxy may pass on another host than the public one, whose forms are taken all the same.
#[tokio::test]
async fn forms_are_taken_behind_a_proxy_that_changes_the_host() {
    let app =
        TestApp::start_with(|config| config.issuer = config.issuer.replace("127.0.0.1", "localhost")).await;
    let behind = Browser::at(format!("{}/console", app.issuer().replace("localhost", "127.0.0.1")));
    let form = [("setup_token", setup_token(&app).await)];
    let request = http().post(format!("{}/sign-in", behind.base)).form(&form);
    let origin = app.issuer().to_owned();
    assert_eq!(behind.send(request.header("origin", origin)).await.status, 303);
}

#[tokio::test]
async fn whatever_goes_wrong_is_a_page_with_the_request_id() {
    let app = TestApp::start().await;
    let (stranger, operator) = (Browser::of(&app), Browser::operator(&app).await);
    let long = "x".repeat(70_000);
    let shown = |answer: Answer, status: u16, text: &str| {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.header("content-type").starts_with("text/html"), "{:?}", answer.headers);
        assert!(answer.body.contains(text), "{text} in {}", answer.body);
        assert!(answer.body.contains(answer.header("x-request-id")), "{}", answer.body);
    };
    shown(stranger.get("/nothing").await, 404, "Nothing is here");
    shown(operator.get("/t/absent/settings").await, 404, "Nothing is here");
    shown(operator.post("/teamspaces/new", &[]).await, 405, "does not work that way");
    shown(operator.post("/teamspaces", &[("plan", "gold")]).await, 400, "could not be read");
    shown(operator.post("/teamspaces", &[("name", "a\0b"), ("plan", "free")]).await, 400, "NUL");
    shown(operator.post("/teamspaces", &[("name", &long), ("plan", "free")]).await, 400, "too long");
    shown(operator.get("/teamspaces?q=%00").await, 400, "NUL");
    shown(operator.get("/t/%ff/settings").await, 404, "Nothing is here");
    shown(operator.get("/teamspaces?q=a&q=b").await, 400, "did not work");
}

#[tokio::test]
async fn sqlite_a_database_that_fails_is_a_page_too() {
    use diesel::connection::SimpleConnection as _;
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    app.database.connect().batch_execute("DROP TABLE console_sessions").unwrap();
    let answer = operator.get("/teamspaces").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("Temporarily unavailable"), "{}", answer.body);
    assert!(answer.body.contains(answer.header("x-request-id")) && !answer.body.contains("console_sessions"));
}

#[tokio::test]
async fn a_switched_off_console_is_not_there() {
    let app = TestApp::start_with(|config| config.console.enabled = false).await;
    let answer = Browser::of(&app).get("/sign-in").await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (404, Some("not_found")));
}

/// The issuer's path comes before everything.
#[tokio::test]
async fn the_console_is_served_below_an_issuer_with_a_path() {
    let app = TestApp::start_with(|config| config.issuer.push_str("/auth")).await;
    let operator = Browser::operator(&app).await;
    assert!(operator.base.ends_with("/auth/console"));
    assert_eq!(location(&operator.get("").await), "/auth/console/teamspaces");
    let page = operator.page("/teamspaces").await;
    assert!(page.contains("href=\"/auth/console/teamspaces/new\""), "{page}");
    assert!(!page.contains("\"/console"), "{page}");
}
