//! The console in a real browser: headless Chromium, driven by the scripts in `tests/node/browser`. `scripts/test` installs
//! both.

mod fresh;
mod marked;
pub mod routes;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use countersign::admin::console;
use countersign::demo::{DemoParts, OPERATOR, seed};
use countersign::model::member::Status;
use countersign::oauth::request::JWT_BEARER;
use countersign::store::sign_ins::NewSignIn;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::console::activity::{count, record, row};
use crate::console::visitor::Visitor;
use crate::harness::{CLIENT, SECRET, TestApp, http};
use crate::process::real_time;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The executable that `CHROMIUM` names, or the first that is there.
fn chromium() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return named.into();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs: Vec<&Path> = path.split(':').map(Path::new).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found =
        names.iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(name))).find(|file| file.is_file());
    found.expect("Chromium is missing: run ./scripts/test, which installs it, or set CHROMIUM")
}

/// Set-up tokens, each good for one sign-in.
async fn setup_tokens(app: &TestApp, count: usize) -> Vec<String> {
    use countersign::clock::Clock as _;
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(console::create_setup_token(&app.app.store, app.clock.now()).await.unwrap());
    }
    tokens
}

/// Runs a script about a service with what it is given. It prints what is wrong and ends with 1.
pub async fn run(script: &str, base: &str, mut given: Value) {
    let file = root().join("tests/node/browser").join(script);
    assert!(
        root().join("tests/node/node_modules/playwright-core").is_dir(),
        "run ./scripts/test: it installs Playwright"
    );
    let home = tempfile::tempdir().unwrap();
    given["chromium"] = json!(chromium());
    given["base"] = json!(base);
    let mut child = tokio::process::Command::new("node")
        .arg(file)
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{script}:\n{}", said.concat());
}

/// The same about a `TestApp` at an address, with an operator's cookie, and set-up tokens for others.
async fn run_on((app, base): (&TestApp, &str), script: &str, mut given: Value) {
    let operator = Visitor::operator_named(&app.app, "ops@example.com").await;
    let (name, value) = operator.cookie();
    given["cookie"] = json!({ "name": name, "value": value });
    given["tokens"] = json!(setup_tokens(app, 10).await);
    run(script, base, given).await;
}

/// A deployment in which every screen has something to show, as after some weeks; and its address, which is not its
/// issuer: screenshots show names and no ports.
async fn furnished() -> (TestApp, String) {
    let mut address = String::new();
    let app = TestApp::start_with(|config| {
        address = std::mem::replace(&mut config.issuer, "https://auth.example.com".into());
    })
    .await;
    real_time(&app);
    name_everything(&app).await;
    remember_weeks(&app).await;
    for (claims, status) in [
        (json!({ "aud": "https://auth.example.com/" }), 400),
        (json!({ "sub": "00u2lee", "email": "lee@acme.com", "scope": "docs.read docs.write" }), 200),
        (json!({ "resource": "https://mcp.example.com/other" }), 400),
        (json!({}), 200),
    ] {
        let assertion = app.assertion(claims);
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
        let request = app.http.post(format!("{address}/oauth2/token")).basic_auth(CLIENT, Some(SECRET));
        assert_eq!(request.form(&form).send().await.unwrap().status(), status);
    }
    app.change_provider(|provider| provider.issuer = "https://acme.okta.com".into()).await;
    app.database.execute("UPDATE sign_ins SET issuer = 'https://acme.okta.com'");
    count(&app).await;
    // The counts stay. Of the rows a few are enough, for a page of which all can be seen.
    app.database.execute(&format!("DELETE FROM sign_ins WHERE at < {}", app.app.clock.now() - 2 * DAY));
    (app, address)
}

/// Seconds.
const DAY: i64 = 86_400;

/// Names as a deployment has them.
async fn name_everything(app: &TestApp) {
    app.change_teamspace(|teamspace| {
        teamspace.name = "Acme".into();
        teamspace.member_limit = Some(5);
    })
    .await;
    app.change_client(|client| client.client_name = "Assistant".into()).await;
    app.change_resource(|resource| {
        resource.name = "Docs".into();
        resource.scopes[0].description = "Read documents".into();
    })
    .await;
    app.put_member("invited@acme.com", Status::Invited).await;
    let operator = Visitor::operator(&app.app).await;
    let tested = operator.post("/t/acme/enterprise/id-of-acme/test", &[]).await;
    tested.leads_to("/t/acme/enterprise?kind=okta", "people can sign in with it");
    for (slug, name, plan) in [("globex", "Globex", "enterprise"), ("initech", "Initech", "pro")] {
        let form = [("slug", slug), ("name", name), ("plan", plan), ("time_zone", "UTC")];
        operator.post("/teamspaces", &form).await.leads_to("/teamspaces", "was added.");
    }
}

/// Sign-ins of the last four weeks, fewer at weekends.
async fn remember_weeks(app: &TestApp) {
    const PEOPLE: [(&str, &str); 3] =
        [("dana@acme.com", "00u1dana"), ("lee@acme.com", "00u2lee"), ("kim@acme.com", "00u3kim")];
    const REASONS: [&str; 4] = ["email_missing", "member_limit_reached", "aud_mismatch", "expired"];
    let now = app.app.clock.now();
    for (ago, number) in (1..27).rev().zip(0_usize..) {
        let granted = if number % 7 < 5 { 3 + number % 4 } else { 1 };
        for i in 0..granted + number % 3 {
            let reason = if i < granted { "" } else { REASONS[(number + i) % 4] };
            let (email, subject) = PEOPLE[i % PEOPLE.len()];
            let who = NewSignIn { email: email.into(), subject: subject.into(), ..row(app, reason) };
            record(app, NewSignIn { at: now - ago * DAY, scopes_granted: "docs.read".into(), ..who }).await;
        }
    }
}

/// Strict policy, accessibility, 360 px, no other host, size, and use without JavaScript, for every page there is.
/// Screenshots are kept in `target/screenshots`.
#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_sound_in_light_and_dark_on_a_phone_and_without_javascript() {
    let (app, address) = furnished().await;
    let screens = routes::screens(&app).await;
    let screenshots = root().join("target/screenshots");
    run_on((&app, &address), "screens.mjs", json!({ "screens": screens, "screenshots": screenshots })).await;
}

/// The set-up page, forms and the session, by keyboard and with what goes wrong.
#[tokio::test(flavor = "multi_thread")]
async fn forms_work_by_keyboard_and_lose_nothing() {
    let (app, address) = furnished().await;
    run_on((&app, &address), "forms.mjs", json!({})).await;
}

/// A customer's administrator without an account: what a set-up link opens, and what it does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_link_opens_what_it_says_and_nothing_else() {
    let (app, address) = furnished().await;
    run_on((&app, &address), "links.mjs", json!({})).await;
}

/// By the page and by the demonstration's link, at an identity provider that is shown in the same browser.
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_with_openid_connect() {
    let dir = tempfile::tempdir().unwrap();
    let demo = DemoParts::start(dir.path()).await.unwrap();
    seed(&http(), &demo).await.unwrap();
    let given = json!({ "others": [demo.console.0], "link": demo.console_link, "operator": OPERATOR });
    run("openid.mjs", &demo.issuer, given).await;
    demo.stop().await.unwrap();
}
