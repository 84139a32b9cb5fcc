//! Set-up links: how a customer's administrator comes in, what they reach, and how they are out again.

use countersign::config::Config;

use super::browser::{Browser, location};
use super::visitor::{Visitor, has};
use crate::harness::{Answer, TestApp};
use crate::logging::Log;
use crate::process::real_time;
use crate::subject::futures_all;

const LINKS: &str = "/t/acme/setup-links";

/// The link that a page shows, from `/set-up` on.
fn link_of(page: &str) -> String {
    let url = page.split("data-copy=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    format!("/set-up/{}", url.split_once("/console/set-up/").expect("a link").1)
}

/// A link that an operator makes.
async fn link(app: &TestApp) -> String {
    let made = Browser::operator(app).await.post(LINKS, &[("valid_for", "72h")]).await;
    assert_eq!(made.status, 200, "{}", made.body);
    link_of(&made.body)
}

/// Opens a link and presses the button.
async fn follow(browser: &Browser, link: &str) -> Answer {
    assert_eq!(location(&browser.get(link).await), "/console/set-up");
    browser.post("/set-up", &[]).await
}

/// A browser that came in by a link.
async fn invited(app: &TestApp) -> Browser {
    let browser = Browser::of(app);
    assert_eq!(location(&follow(&browser, &link(app).await).await), "/console");
    browser
}

fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 410, "{}", answer.body);
    has(&answer.body, &["This link does not work", "ask whoever sent it for a new one"]);
    assert!(!answer.body.contains("acme") && !answer.body.contains("csl_"), "{}", answer.body);
}

/// The id of the newest link.
async fn newest(app: &TestApp) -> String {
    app.texts("SELECT MAX(id) FROM setup_links").await.remove(0)
}

#[tokio::test]
async fn a_link_leads_to_the_enterprise_tab_and_nowhere_else() {
    let app = TestApp::start().await;
    app.put_teamspace("globex").await;
    let browser = Browser::of(&app);
    let link = link(&app).await;
    let opened = browser.get(&link).await;
    assert_eq!(location(&opened), "/console/set-up", "the address has no token any more");
    let cookie = opened.header("set-cookie");
    assert!(
        cookie.starts_with("countersign-link=csl_") && cookie.contains("; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let page = browser.page("/set-up").await;
    has(&page, &["Set up sign-in", ">Continue</button>", "8 hours"]);
    assert!(!page.contains("csl_") && !page.contains("Acme"), "{page}");
    let came = browser.post("/set-up", &[]).await;
    assert_eq!(location(&came), "/console");
    assert!(!browser.cookie_header().contains("csl_"), "the token is of no use any more");
    assert_eq!(location(&browser.get("").await), "/console/t/acme/enterprise");
    for path in ["/enterprise", "/enterprise/guide/okta", "/activity", "/explain"] {
        browser.page(&format!("/t/acme{path}")).await;
    }
    for path in ["", "/members", "/setup-links"] {
        let refused = browser.get(&format!("/t/acme{path}")).await;
        assert_eq!(refused.status, 403, "{path}");
        has(&refused.body, &["This is for owners and admins of the teamspace."]);
    }
    assert_eq!(browser.get("/t/globex/enterprise").await.status, 404);
    let row = app
        .texts("SELECT kind || ' ' || name || ' ' || email FROM console_sessions WHERE link_id <> ''")
        .await;
    assert_eq!(row, ["setup_link set-up link "]);
    let audit = app.texts("SELECT actor_kind || ' ' || actor_id || ' ' || object FROM admin_events WHERE action = 'console.sign_in' ORDER BY id DESC").await;
    let id = newest(&app).await;
    assert_eq!(audit[0], format!("setup_link {id} {id}"));
}

/// Programs open the links of mails beforehand, and a person may open one twice before they press the button.
#[tokio::test]
async fn opening_a_link_uses_nothing_up() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    for _ in 0..3 {
        let scanner = Browser::of(&app);
        assert_eq!(location(&scanner.get(&link).await), "/console/set-up");
        scanner.page("/set-up").await;
    }
    assert_eq!(location(&follow(&Browser::of(&app), &link).await), "/console");
}

#[tokio::test]
async fn a_link_works_once() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let first = Browser::of(&app);
    assert_eq!(location(&follow(&first, &link).await), "/console");
    is_refused(&follow(&Browser::of(&app), &link).await);
    // Whoever is in already has pressed the button twice, or went back.
    assert_eq!(location(&follow(&first, &link).await), "/console");
    assert_eq!(location(&first.get("/set-up").await), "/console");
    assert_eq!(app.count("console_sessions").await, 2, "with the operator's");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_follow_a_link_at_once_one_comes_in() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let statuses =
        futures_all((0..12).map(|_| async { follow(&Browser::of(&app), &link).await.status })).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert_eq!(app.count("console_sessions WHERE link_id <> ''").await, 1);
}

/// One answer for all of them: nobody learns which links or teamspaces there are.
#[tokio::test]
async fn a_link_that_does_not_work_says_what_to_do() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 0).await;
    let operator = Browser::operator(&app).await;
    let make = async || link_of(&operator.post(LINKS, &[("valid_for", "24h")]).await.body);
    let (expired, revoked) = (make().await, make().await);
    let path = format!("{LINKS}/{}/revoke", newest(&app).await);
    operator.post(&path, &[]).await;
    is_refused(&follow(&Browser::of(&app), &revoked).await);
    app.clock.advance(24 * 3600);
    is_refused(&follow(&Browser::of(&app), &expired).await);
    is_refused(&follow(&Browser::of(&app), &format!("/set-up/csl_{}", "A".repeat(43))).await);
    for token in ["csl_", "nothing", "csl_%00", "csl_<script>", &format!("csl_{}", "A".repeat(44))] {
        let answer = Browser::of(&app).get(&format!("/set-up/{token}")).await;
        if token.contains("%00") {
            assert_eq!(answer.status, 400);
        } else {
            is_refused(&answer);
        }
        assert!(answer.headers.get("set-cookie").is_none(), "{token}");
    }
    // The button's page without a link.
    is_refused(&Browser::of(&app).get("/set-up").await);
    is_refused(&Browser::of(&app).post("/set-up", &[]).await);
    assert_eq!(app.count("console_sessions WHERE link_id <> ''").await, 0);
}

#[tokio::test]
async fn guesses_are_bounded() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 3).await;
    let good = link(&app).await;
    let guesser = Browser::of(&app);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(follow(&guesser, &format!("/set-up/csl_{}", "A".repeat(43))).await.status);
    }
    assert_eq!(statuses, [410, 410, 410, 429, 429]);
    assert_eq!(follow(&guesser, &good).await.status, 429, "not even a good one");
}

#[tokio::test]
async fn whoever_revokes_a_link_signs_out_who_came_by_it() {
    let app = TestApp::start().await;
    let browser = invited(&app).await;
    let operator = Browser::operator(&app).await;
    let page = operator.page(LINKS).await;
    has(&page, &[">Used<", "from 127.0.0.1", "Revoke"]);
    let revoked = operator.post(&format!("{LINKS}/{}/revoke", newest(&app).await), &[]).await;
    assert_eq!(location(&revoked), "/console/t/acme/setup-links");
    assert!(location(&browser.get("/t/acme/enterprise").await).contains("/sign-in"));
    let page = operator.page(LINKS).await;
    has(&page, &["The link is revoked.", ">Revoked<"]);
    assert!(!page.contains("/revoke\""), "{page}");
    let absent = operator.post(&format!("{LINKS}/absent/revoke"), &[]).await;
    assert_eq!(absent.status, 404);
}

#[tokio::test]
async fn the_session_of_a_link_ends_after_eight_hours_and_with_its_teamspace() {
    let app = TestApp::start_with(|config| config.console.idle_timeout = "12h".parse().unwrap()).await;
    let browser = invited(&app).await;
    app.clock.advance(8 * 3600 - 1);
    browser.page("/t/acme/enterprise").await;
    app.clock.advance(1);
    assert!(location(&browser.get("/t/acme/enterprise").await).contains("/sign-in"));
    let browser = invited(&app).await;
    let unused = link(&app).await;
    let operator = Browser::operator(&app).await;
    operator.post("/t/acme/delete", &[("confirm", "acme")]).await;
    assert!(location(&browser.get("/t/acme/enterprise").await).contains("/sign-in"));
    is_refused(&follow(&Browser::of(&app), &unused).await);
    assert_eq!(
        (app.count("setup_links").await, app.count("console_sessions WHERE link_id <> ''").await),
        (0, 0)
    );
}

/// A form of another site cannot use a link up that the browser carries.
#[tokio::test]
async fn only_the_pages_own_button_uses_a_link_up() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let browser = Browser::of(&app);
    browser.get(&link).await;
    assert_eq!(browser.post_from("cross-site", "/set-up", &[]).await.status, 403);
    assert_eq!(location(&browser.post("/set-up", &[]).await), "/console");
}

#[tokio::test]
async fn mistakes_in_the_form_are_explained() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    has(
        &operator.page("/t/acme/enterprise").await,
        &["Invite the customer's administrator", "/t/acme/setup-links"],
    );
    has(&operator.page(LINKS).await, &["There is none yet.", "value=\"72h\" selected"]);
    for valid_for in ["", "soon", "31d", "<b>"] {
        let answer = operator.post(LINKS, &[("valid_for", valid_for)]).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        has(&answer.body, &["href=\"#valid_for\"", "1 minute to 30 days"]);
        assert!(!answer.body.contains("<b>"), "{}", answer.body);
    }
    assert_eq!(app.count("setup_links").await, 0);
    for _ in 0..20 {
        operator.post(LINKS, &[("valid_for", "24h")]).await;
    }
    let answer = operator.post(LINKS, &[("valid_for", "24h")]).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    has(&answer.body, &["at most 20 open set-up links", ">Open<"]);
    assert_eq!(app.count("setup_links").await, 20);
}

/// Whoever reads the log or the database comes in nowhere.
#[tokio::test]
async fn a_links_token_is_in_no_log_and_not_in_the_database() {
    let app = TestApp::start().await;
    let link = link(&app).await;
    let visitor = Visitor::by_link(&app.app, "acme").await;
    let log = Log::default();
    let _captured = log.capture();
    let token = link.rsplit_once("csl_").unwrap().1;
    // On this thread, where the log is captured.
    visitor.get(&link).await;
    follow(&Browser::of(&app), &link).await;
    assert!(log.has(&["path=\"/console/set-up/\"", "status=303"]), "the request is logged");
    assert!(!log.has(&[token]) && !log.has(&["csl_"]));
    for column in ["id", "digest", "created_by"] {
        let stored = app.texts(&format!("SELECT {column} FROM setup_links")).await.join("");
        assert!(!stored.contains(token), "{stored}");
    }
    assert!(!app.texts("SELECT COALESCE(new_value, '') FROM admin_events").await.join("").contains(token));
}

#[tokio::test]
async fn over_https_the_links_cookie_is_for_this_host_alone() {
    let mut address = String::new();
    let _app = TestApp::start_with(|config: &mut Config| {
        address = std::mem::replace(&mut config.issuer, "https://auth.example.com".into());
    })
    .await;
    let browser = Browser::at(format!("{address}/console"));
    let opened = browser.get(&format!("/set-up/csl_{}", "A".repeat(43))).await;
    let cookie = opened.header("set-cookie");
    assert!(cookie.starts_with("__Host-countersign-link=") && cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_a_link() {
    let app = TestApp::start().await;
    real_time(&app);
    let config = app.dir.path().join("console.toml");
    let text = format!("issuer = \"{}\"\ndatabase_url = \"{}\"\n", app.issuer(), app.database.url);
    std::fs::write(&config, text).unwrap();
    let run = |args: &[&str]| {
        let args = [&["console", "link", "--config", config.to_str().unwrap()], args].concat();
        crate::commands::countersign(app.dir.path(), &args, &[])
    };
    let out = run(&["--teamspace", "acme", "--valid-for", "1h"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let url = String::from_utf8(out.stdout).unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("It works once, until "));
    let path =
        url.trim_end().strip_prefix(&format!("{}/console", app.issuer())).expect("a link of the console");
    assert_eq!(location(&follow(&Browser::of(&app), path).await), "/console");
    let audit = app
        .texts("SELECT actor || ' ' || actor_kind FROM admin_events WHERE action = 'setup_link.create'")
        .await;
    assert_eq!(audit, ["command line command"]);
    for (args, why) in [
        (&["--teamspace", "absent"][..], "there is no teamspace absent"),
        (&["--teamspace", "acme", "--valid-for", "31d"], "1 minute to 30 days"),
    ] {
        let out = run(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(
            String::from_utf8_lossy(&out.stderr).contains(why),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[tokio::test]
async fn without_a_console_there_is_no_link() {
    let h = crate::admin::harness::Harness::start_with(|config| config.console.enabled = false).await;
    let acme = h.teamspace("acme").await;
    let refused = (409, "console_off");
    h.refuses(&acme, (axum::http::Method::POST, "/teamspaces/acme/setup-links"), None, refused).await;
}
