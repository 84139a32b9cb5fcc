//! Set-up tokens: the first way in.

use super::browser::{Browser, setup_token, wrong_token};
use crate::harness::TestApp;
use crate::process::{Process, real_time};
use crate::subject::futures_all;

#[tokio::test]
async fn a_set_up_token_works_once() {
    let app = TestApp::start().await;
    let token = setup_token(&app).await;
    Browser::of(&app).sign_in(&format!(" {token}\n")).await;
    let second = Browser::of(&app).post("/sign-in", &[("setup_token", &token)]).await;
    assert_eq!(second.status, 422, "{}", second.body);
    assert!(
        second.body.contains("id=\"setup_token-error\"") && second.body.contains("was used"),
        "{}",
        second.body
    );
    assert!(!second.body.contains(&token) && second.headers.get("set-cookie").is_none());
    let events = app.texts("SELECT action || ' ' || actor FROM admin_events ORDER BY id").await;
    assert_eq!(
        events.iter().filter(|event| *event == "console.sign_in set-up token").count(),
        1,
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_a_set_up_token_at_once_one_comes_in() {
    let app = TestApp::start().await;
    let token = setup_token(&app).await;
    let tries = (0..12)
        .map(|_| async { Browser::of(&app).post("/sign-in", &[("setup_token", &token)]).await.status });
    let statuses = futures_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert_eq!(app.count("console_sessions").await, 1);
}

#[tokio::test]
async fn a_set_up_token_expires() {
    let app = TestApp::start().await;
    let token = setup_token(&app).await;
    app.clock.advance(24 * 3600);
    let late = Browser::of(&app).post("/sign-in", &[("setup_token", &token)]).await;
    assert_eq!(late.status, 422);
    assert_eq!(app.count("console_sessions").await, 0);
}

/// Whoever guesses is not heard any more after a while; others are.
#[tokio::test]
async fn guesses_are_bounded() {
    let app = TestApp::start_with(|config| config.rate_limit.failed_authentications_per_minute = 5).await;
    let guesser = Browser::of(&app);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(guesser.post("/sign-in", &[("setup_token", &wrong_token())]).await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429, 429]);
    let refused = guesser.post("/sign-in", &[("setup_token", &setup_token(&app).await)]).await;
    assert_eq!(refused.status, 429, "not even a good one");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(refused.body.contains("Too many requests"), "{}", refused.body);
}

/// The first start on a file writes the token where only its owner reads it, and into no log. Later starts make none.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_the_first_start_writes_a_set_up_token_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "umask 000;");
    let database = app.database.url.strip_prefix("sqlite://").unwrap();
    let file = std::path::PathBuf::from(format!("{database}.setup-token"));
    crate::process::until("the file is written", async || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
    })
    .await;
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let is_told = async || process.log().contains(".setup-token");
    crate::process::until("the log names the file", is_told).await;
    assert!(token.len() > 40 && !process.log().contains(&token), "{}", process.log());
    process.stop();
    Browser::of(&app).sign_in(&token).await;
    assert!(!file.exists(), "it is of no use any more");
    let process = Process::serve(&app, "");
    let is_told = async || process.log().contains("the console is ready");
    crate::process::until("the log names the console", is_told).await;
    process.stop();
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_another() {
    let app = TestApp::start().await;
    real_time(&app);
    let config = app.dir.path().join("console.toml");
    let text = format!("issuer = \"{}\"\ndatabase_url = \"{}\"\n", app.issuer(), app.database.url);
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let out = crate::commands::countersign(app.dir.path(), &["console", "token", "--config", config], &[]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let token = String::from_utf8(out.stdout).unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("/console/sign-in"));
    Browser::of(&app).sign_in(&token).await;
}
