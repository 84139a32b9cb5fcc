//! Sessions: how they begin and end, and that a form loses nothing when its session is over.

use super::browser::{Browser, location, setup_token};
use crate::harness::{Answer, TestApp, http};

fn session_cookie(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let mut cookies =
        cookies.map(|value| value.to_str().unwrap()).filter(|cookie| !cookie.contains("-notice"));
    cookies.next().expect("a cookie").to_owned()
}

async fn rows(app: &TestApp) -> i64 {
    app.count("console_sessions").await
}

#[tokio::test]
async fn a_session_begins_with_a_sign_in_only() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app);
    for path in ["", "/sign-in", "/teamspaces", "/nothing"] {
        let answer = browser.get(path).await;
        assert!(answer.headers.get("set-cookie").is_none(), "{path}: {:?}", answer.headers);
    }
    assert_eq!(rows(&app).await, 0);
    browser.sign_in(&setup_token(&app).await).await;
    assert_eq!(rows(&app).await, 1);
    assert!(browser.page("/teamspaces").await.contains("set-up token"));
}

#[tokio::test]
async fn over_https_the_cookie_is_for_this_host_alone() {
    let mut address = String::new();
    let app = TestApp::start_with(|config| {
        address = std::mem::replace(&mut config.issuer, "https://auth.example.com".into());
    })
    .await;
    let browser = Browser::at(format!("{address}/console"));
    let answer = browser.post("/sign-in", &[("setup_token", &setup_token(&app).await)]).await;
    let cookie = session_cookie(&answer);
    assert!(cookie.starts_with("__Host-countersign="), "{cookie}");
    for attribute in ["; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");
    assert_eq!(browser.get("/teamspaces").await.status, 200);
}

#[tokio::test]
async fn on_loopback_the_cookie_needs_no_https() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app);
    let answer = browser.post("/sign-in", &[("setup_token", &setup_token(&app).await)]).await;
    let cookie = session_cookie(&answer);
    assert!(cookie.starts_with("countersign=") && cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains("Secure"), "{cookie}");
}

/// An id that somebody has planted in the browser is not the session's, and neither is the one of before.
#[tokio::test]
async fn each_sign_in_has_a_new_id() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app);
    browser.set_cookie("countersign", "AAAAAAAAAAAAAAAAAAAAAA");
    browser.sign_in(&setup_token(&app).await).await;
    assert!(!browser.cookie_header().contains("AAAAAAAAAAAAAAAAAAAAAA"));
    let before = browser.copy();
    browser.sign_in(&setup_token(&app).await).await;
    assert_ne!(before.cookie_header(), browser.cookie_header());
    assert!(location(&before.get("/teamspaces").await).contains("/sign-in"), "the first one has ended");
    assert_eq!((browser.get("/teamspaces").await.status, rows(&app).await), (200, 1));
}

/// Whoever reads the database cannot sign in with what is there.
#[tokio::test]
async fn the_database_has_no_id_of_a_session() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let id = operator.cookie_header().split_once('=').unwrap().1.to_owned();
    let stored = app.texts("SELECT id || digest FROM console_sessions").await.join("");
    assert!(!stored.contains(&id), "{stored}");
    for guess in app.texts("SELECT id FROM console_sessions UNION SELECT digest FROM console_sessions").await
    {
        let thief = Browser::of(&app);
        thief.set_cookie("countersign", &guess);
        assert!(location(&thief.get("/teamspaces").await).contains("/sign-in"), "{guess}");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let app = TestApp::start_with(|config| config.console.idle_timeout = "10m".parse().unwrap()).await;
    let operator = Browser::operator(&app).await;
    for _ in 0..5 {
        app.clock.advance(9 * 60);
        assert_eq!(operator.get("/teamspaces").await.status, 200);
    }
    app.clock.advance(10 * 60);
    assert!(location(&operator.get("/teamspaces").await).contains("/sign-in"));
    app.app.prune().await.unwrap();
    assert_eq!(rows(&app).await, 0);
}

/// A page that is left open refreshes itself, which keeps nobody signed in.
#[tokio::test]
async fn a_page_that_refreshes_itself_does_not_use_a_session() {
    let app = TestApp::start_with(|config| config.console.idle_timeout = "10m".parse().unwrap()).await;
    let operator = Browser::operator(&app).await;
    let page = format!("{}/t/acme/activity", operator.base);
    for _ in 0..3 {
        app.clock.advance(3 * 60);
        let refresh = http().get(&page).header("x-refresh", "1");
        assert_eq!(operator.send(refresh).await.status, 200);
    }
    app.clock.advance(60);
    assert!(location(&operator.get("/teamspaces").await).contains("/sign-in"));
}

/// A set-up token's session lasts an hour, however much it is used.
#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    for _ in 0..3 {
        app.clock.advance(1199);
        assert_eq!(operator.get("/teamspaces").await.status, 200);
    }
    app.clock.advance(3);
    assert!(location(&operator.get("/teamspaces").await).contains("/sign-in"));
}

#[tokio::test]
async fn whoever_signs_out_is_out() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let kept = operator.copy();
    assert_eq!(location(&operator.post("/sign-out", &[]).await), "/console/sign-in");
    assert!(operator.page("/sign-in").await.contains("You are signed out."));
    assert!(!operator.page("/sign-in").await.contains("You are signed out."), "it is told once");
    assert!(
        location(&kept.get("/teamspaces").await).contains("/sign-in"),
        "a cookie that was kept is of no use"
    );
    assert_eq!(rows(&app).await, 0);
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_of_the_person() {
    let app = TestApp::start().await;
    let (one, other) = (Browser::operator(&app).await, Browser::operator(&app).await);
    assert_eq!(one.post("/sign-out", &[("everywhere", "true")]).await.status, 303);
    assert!(location(&other.get("/teamspaces").await).contains("/sign-in"));
    assert_eq!(rows(&app).await, 0);
}

#[tokio::test]
async fn a_sign_in_leads_to_the_page_that_was_asked_for() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app);
    let asked = location(&browser.get("/teamspaces?q=ac&after=a").await).to_owned();
    let next = "%2Fconsole%2Fteamspaces%3Fq%3Dac%26after%3Da";
    assert_eq!(asked, format!("/console/sign-in?next={next}"));
    let page = browser.page(asked.trim_start_matches("/console")).await;
    assert!(page.contains("value=\"/console/teamspaces?q=ac&#38;after=a\""), "{page}");
    let form = [("setup_token", &*setup_token(&app).await), ("next", "/console/teamspaces?q=ac&after=a")];
    assert_eq!(location(&browser.post("/sign-in", &form).await), "/console/teamspaces?q=ac&after=a");
}

#[tokio::test]
async fn a_sign_in_leads_nowhere_else() {
    let app = TestApp::start().await;
    for next in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console\\evil",
        "/consoles",
        "/console@evil.example",
        "/oauth2/token",
        "console/teamspaces",
        "/console/\r\nset-cookie: a=b",
        " /console/teamspaces",
        "/console/\u{2028}",
        "///evil.example",
        "https:evil.example",
        "https:/evil.example",
        "http://127.0.0.1@evil.example/console/",
        "javascript:alert(1)//console/",
        "data:text/html,/console/",
        "%2F%2Fevil.example",
        "/%2Fevil.example",
        "/console/../oauth2/token",
        "/console/%2e%2E/oauth2/token",
        "/console/t/../../../evil.example",
        "/console%2F..%2Fevil",
        "/\tconsole/",
        "\u{1}//evil.example",
        &format!("/console/{}", "x".repeat(3000)),
    ] {
        let browser = Browser::of(&app);
        let form = [("setup_token", &*setup_token(&app).await), ("next", next)];
        let answer = browser.post("/sign-in", &form).await;
        assert_eq!(location(&answer), "/console", "{next:?}");
        let encoded = url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>();
        let signed_in = browser.get(&format!("/sign-in?next={encoded}")).await;
        assert_eq!(location(&signed_in), "/console", "{next:?}");
        let page = Browser::of(&app).page(&format!("/sign-in?next={encoded}")).await;
        assert!(page.contains("name=\"next\" value=\"\""), "{page}");
    }
}

#[tokio::test]
async fn a_form_whose_session_has_ended_loses_nothing() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    app.clock.advance(3600);
    let name = "<script>alert(1)</script> & \"Söhne\"\nCo";
    let form = [
        ("slug", "globex"),
        ("name", name),
        ("plan", "free"),
        ("time_zone", "UTC"),
        ("client_secret", "very-secret-0123456789"),
    ];
    let kept = operator.post("/teamspaces", &form).await;
    assert_eq!(kept.status, 401);
    assert!(kept.body.contains("action=\"/console/teamspaces\""), "{}", kept.body);
    assert!(kept.body.contains("name=\"slug\" value=\"globex\""), "{}", kept.body);
    assert!(kept.body.contains("&#60;script&#62;") && !kept.body.contains("<script>"), "{}", kept.body);
    assert!(!kept.body.contains("very-secret") && kept.body.contains("secret in it"), "{}", kept.body);
    assert!(app.app.snapshot().teamspace_config("globex").is_none());
    // In another tab, which shares the cookies.
    operator.sign_in(&setup_token(&app).await).await;
    let form = [("slug", "globex"), ("name", "Globex"), ("plan", "free"), ("time_zone", "UTC")];
    assert_eq!(operator.post("/teamspaces", &form).await.status, 303);
    assert!(app.app.snapshot().teamspace_config("globex").is_some());
}
