//! The console in a real browser: headless Chromium, driven by the scripts in `tests/node/browser`. `scripts/test` installs
//! both.

mod routes;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use countersign::admin::console;
use countersign::model::member::Status;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::TestApp;
use crate::process::real_time;

fn root() -> &'static Path {
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

/// Runs a script with what it is given. It prints what is wrong and ends with 1.
async fn run(app: &TestApp, script: &str, mut given: Value) {
    let file = root().join("tests/node/browser").join(script);
    assert!(
        root().join("tests/node/node_modules/playwright-core").is_dir(),
        "run ./scripts/test: it installs Playwright"
    );
    let home = tempfile::tempdir().unwrap();
    given["chromium"] = json!(chromium());
    given["base"] = json!(app.issuer());
    given["tokens"] = json!(setup_tokens(app, 8).await);
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

/// A deployment in which every screen has something to show.
async fn furnished() -> TestApp {
    let app = TestApp::start().await;
    real_time(&app);
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(5)).await;
    app.put_teamspace("globex").await;
    app.put_member("invited@acme.com", Status::Invited).await;
    app.granted(json!({})).await;
    app.granted(json!({ "sub": "00u2lee", "email": "lee@acme.com", "scope": "docs.read docs.write" })).await;
    app.exchange(&app.assertion(json!({ "aud": format!("{}/", app.issuer()) }))).await;
    app.exchange(&app.assertion(json!({ "resource": "https://mcp.example.com/other" }))).await;
    // Markup must stay text wherever it is shown.
    let markup = "<img src=x onerror=alert(1)>";
    app.exchange(&app.assertion(json!({ "sub": markup, "email": format!("{markup}@acme.com") }))).await;
    app.change_client(move |client| client.client_name = format!("Client {markup}")).await;
    app
}

/// Strict policy, accessibility, 360 px, no other host, size, and use without JavaScript, for every page there is.
/// Screenshots are kept in `target/screenshots`.
#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_sound_in_light_and_dark_on_a_phone_and_without_javascript() {
    let app = furnished().await;
    let screens = routes::screens(&app).await;
    let screenshots = root().join("target/screenshots");
    run(&app, "screens.mjs", json!({ "screens": screens, "screenshots": screenshots })).await;
}

/// The set-up page, forms and the session, by keyboard and with what goes wrong.
#[tokio::test(flavor = "multi_thread")]
async fn forms_work_by_keyboard_and_lose_nothing() {
    let app = furnished().await;
    run(&app, "forms.mjs", json!({})).await;
}
