//! SCIM tokens in the console: made, shown once, and deleted.

use super::browser::{Browser, location};
use super::visitor::has;
use crate::harness::TestApp;

const TOKENS: &str = "/t/acme/scim-tokens";

#[tokio::test]
async fn a_token_is_made_shown_once_and_deleted() {
    let app = TestApp::start().await;
    let browser = Browser::operator(&app).await;
    let base_url = format!("{}/t/acme/scim/v2", app.issuer());
    has(&browser.get("/t/acme/enterprise").await.body, &["SCIM tokens"]);
    has(&browser.get(TOKENS).await.body, &["There is none yet", &base_url]);
    let made = browser.post(TOKENS, &[("name", "Okta"), ("valid_for", "365d")]).await;
    assert_eq!(made.status, 200);
    has(&made.body, &["Copy the token now", &base_url]);
    let token = made.body.split("data-copy=\"csi_").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let used = app.http.get(format!("{base_url}/Users")).bearer_auth(format!("csi_{token}"));
    assert_eq!(used.send().await.unwrap().status(), 200);
    let listed = browser.get(TOKENS).await.body;
    has(&listed, &["Okta"]);
    assert!(!listed.contains(token));
    for (form, text) in [
        ([("name", ""), ("valid_for", "")], "A name has 1 to 200 characters"),
        ([("name", "Okta"), ("valid_for", "")], "Another SCIM token of this teamspace has this name"),
        ([("name", "x"), ("valid_for", "soon")], "1 hour to 1830 days"),
    ] {
        let again = browser.post(TOKENS, &form).await;
        assert_eq!(again.status, 422);
        has(&again.body, &[text]);
    }
    let id = app.texts("SELECT id FROM scim_tokens").await.remove(0);
    let deleted = browser.post(&format!("{TOKENS}/{id}/delete"), &[]).await;
    assert!(location(&deleted).ends_with(TOKENS));
    assert_eq!(app.count("scim_tokens").await, 0);
}
