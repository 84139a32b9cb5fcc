//! The demonstration signs people in to its console at an identity provider of its own.

use countersign::demo::{DemoParts, OPERATOR, seed};

use crate::console::browser::{Browser, location};
use crate::harness::{Answer, http};

/// Where the demonstration's provider sends a browser, below the console.
async fn back_from(url: &str, base: &str) -> String {
    let answer = Answer::of(http().get(url).send().await.unwrap()).await;
    location(&answer).strip_prefix(base).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_prints_a_link_that_signs_in() {
    let dir = tempfile::tempdir().unwrap();
    let demo = DemoParts::start(dir.path()).await.unwrap();
    seed(&http(), &demo).await.unwrap();
    let browser = Browser::at(format!("{}/console", demo.issuer));
    let there = browser.get(demo.console_link.strip_prefix(&browser.base).unwrap()).await;
    let back = back_from(location(&there), &browser.base).await;
    assert_eq!(location(&browser.get(&back).await), "/console");
    assert!(browser.page("/teamspaces").await.contains(OPERATOR));

    // Without a hint it asks who it is.
    let other = Browser::at(browser.base.clone());
    let there = other.get("/sign-in/start").await;
    let page = http().get(location(&there)).send().await.unwrap().text().await.unwrap();
    let noor = page.split("href=\"").find(|link| link.contains("user=noor")).unwrap();
    let noor = noor.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let (endpoint, _) = location(&there).split_once('?').unwrap();
    let back = back_from(&format!("{endpoint}{noor}"), &other.base).await;
    let refused = other.get(&back).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("noor@elsewhere.example"), "{}", refused.body);
    demo.stop().await.unwrap();
}

/// Whoever is sent to it by somebody else's link does not end up with them.
#[tokio::test(flavor = "multi_thread")]
async fn the_demonstrations_provider_sends_browsers_to_the_console_only() {
    let dir = tempfile::tempdir().unwrap();
    let demo = DemoParts::start(dir.path()).await.unwrap();
    seed(&http(), &demo).await.unwrap();
    let there = Browser::at(format!("{}/console", demo.issuer)).get("/sign-in/start").await;
    let mut url = url::Url::parse(location(&there)).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let evil = |name: &str, value: String| {
        if name == "redirect_uri" { "https://evil.example/".into() } else { value }
    };
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(|(name, value)| {
        let value = evil(&name, value);
        (name, value)
    }));
    assert_eq!(http().get(url).send().await.unwrap().status(), 400);
    demo.stop().await.unwrap();
}
