//! Signing in with OpenID Connect.

mod configuration;
mod demonstration;
mod people;
mod provider;
mod refusals;

use crate::console::browser::{Browser, location};
use crate::harness::{Answer, TestApp};
use provider::OpenIdServer;

/// A service whose console uses a provider, at which Olive is signed in: an operator.
async fn start() -> (TestApp, OpenIdServer) {
    let provider = OpenIdServer::start().await;
    let app = TestApp::start_with(|config| provider.configure(config)).await;
    (app, provider)
}

/// Goes to the provider from the console's `path`, and tells where that sends the browser back to, below the console.
async fn to_provider(browser: &Browser, path: &str) -> String {
    let there = browser.get(path).await;
    let back = Answer::of(crate::harness::http().get(location(&there)).send().await.unwrap()).await;
    let back = location(&back).strip_prefix(&browser.base).expect("the callback is the console's");
    assert!(back.starts_with("/sign-in/callback?"), "{back}");
    back.to_owned()
}

/// Signs in, whatever comes of it.
async fn sign_in(browser: &Browser) -> Answer {
    let back = to_provider(browser, "/sign-in/start").await;
    browser.get(&back).await
}

/// Signs in, which must succeed.
async fn signed_in(app: &TestApp) -> Browser {
    let browser = Browser::of(app);
    assert_eq!(location(&sign_in(&browser).await), "/console");
    browser
}

/// Counts the rows that a sign-in writes: sessions, finished sign-ins, the audit log.
async fn written(app: &TestApp) -> [i64; 3] {
    let (sessions, finished) = ("console_sessions", "console_finished_sign_ins");
    [app.count(sessions).await, app.count(finished).await, app.count("admin_events").await]
}
