//! Who is signed in, and ending it.

use countersign::store::console_sessions::{self, ConsoleSession, SessionKind};
use countersign::store::{AnyConnection, StoreError};

use super::browser::{Browser, location, setup_token};
use super::visitor::{Visitor, has};
use crate::harness::{TestApp, http};

/// Sessions as a sign-in by OpenID Connect makes them, the newest last.
async fn sessions(app: &TestApp, count: i64, email: &str) {
    let now = app.app.clock.now();
    let (email, name) = (email.to_owned(), "<i>Ops</i>".to_owned());
    let rows: Vec<ConsoleSession> = (0..count)
        .map(|number| ConsoleSession {
            id: format!("{email}-{number:03}"),
            digest: format!("digest-{email}-{number}"),
            kind: SessionKind::Operator,
            email: email.clone(),
            name: name.clone(),
            teamspace_id: None,
            link_id: String::new(),
            address: "192.0.2.7".into(),
            // Several in the same second.
            created_at: now - 100 + number / 3,
            seen_at: now,
            expires_at: now + 3600,
            browser: "Safari on macOS".into(),
            user_groups: "[]".into(),
        })
        .collect();
    let insert = move |c: &mut AnyConnection| {
        rows.iter().try_for_each(|row| Ok::<_, StoreError>(console_sessions::insert(c, row)?))
    };
    app.app.store.write(insert).await.unwrap();
}

async fn events(app: &TestApp) -> Vec<String> {
    let query = "SELECT action || ' ' || object FROM admin_events WHERE action LIKE 'console.%' \
        AND action <> 'console.sign_in' AND action <> 'console.setup_token' ORDER BY id";
    app.texts(query).await
}

#[tokio::test]
async fn an_operator_sees_who_is_signed_in_and_ends_it() {
    let app = TestApp::start().await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let browser = Browser::of(&app);
    let form = [("setup_token", setup_token(&app).await)];
    let request = http().post(format!("{}/sign-in", browser.base)).form(&form).header("user-agent", agent);
    assert_eq!(browser.send(request).await.status, 303);
    let link = Visitor::by_link(&app.app, "acme").await;
    sessions(&app, 1, "ops@corp.example").await;
    assert!(browser.page("/system").await.contains("href=\"/console/system/sessions\""));
    let page = browser.page("/system/sessions").await;
    has(
        &page,
        &[
            "set-up token",
            "Firefox on Linux",
            "This one",
            "visitor of acme",
            "ops@corp.example",
            "Safari on macOS",
            "192.0.2.7",
        ],
    );
    for stored in app.texts("SELECT digest FROM console_sessions").await {
        assert!(!page.contains(&stored), "{page}");
    }
    let id = app.texts("SELECT id FROM console_sessions WHERE kind = 'setup_link'").await.remove(0);
    assert_eq!(link.get("/t/acme/enterprise").await.status, 200);
    for _ in 0..2 {
        let ended = browser.post(&format!("/system/sessions/{id}/end"), &[]).await;
        assert_eq!(location(&ended), "/console/system/sessions");
    }
    assert!(link.get("/t/acme/enterprise").await.location.contains("/sign-in"));
    let page = browser.page("/system/sessions").await;
    has(&page, &["The session is ended."]);
    assert!(!page.contains("visitor of acme"), "{page}");
    assert_eq!(events(&app).await, [format!("console.end_session {id}")], "told once");
}

/// All of one person end together, and then those of everybody, the operator's own as well.
#[tokio::test]
async fn all_sessions_of_a_person_or_of_everybody_end_together() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    sessions(&app, 3, "ops@corp.example").await;
    sessions(&app, 1, "other@corp.example").await;
    has(&operator.page("/system/sessions").await, &["Sign everybody out", "End all of theirs"]);
    for _ in 0..2 {
        let ended = operator.post("/system/sessions/ops@corp.example-001/end-all", &[]).await;
        assert_eq!(location(&ended), "/console/system/sessions");
    }
    let page = operator.page("/system/sessions").await;
    has(&page, &["All sessions of this person are ended.", "other@corp.example"]);
    assert!(!page.contains("ops@corp.example"), "{page}");
    assert_eq!(location(&operator.post("/system/sessions/end-all", &[]).await), "/console/sign-in");
    assert_eq!(app.count("console_sessions").await, 0);
    assert!(location(&operator.get("/system/sessions").await).contains("/sign-in"));
    let ended = "console.end_all_sessions";
    assert_eq!(events(&app).await, [format!("{ended} ops@corp.example-001"), format!("{ended} everybody")]);
}

#[tokio::test]
async fn the_list_has_pages() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    sessions(&app, 120, "ops@corp.example").await;
    let (mut seen, mut path) = (Vec::new(), "/system/sessions".to_owned());
    for number in 0..3 {
        let page = operator.page(&path).await;
        let ids = page.split("/system/sessions/").skip(1).filter_map(|rest| rest.split_once("/end\""));
        seen.extend(ids.map(|(id, _)| id.to_owned()));
        assert!(!page.contains("<i>"), "{page}");
        let next = page.split("rel=\"next\" href=\"/console").nth(1).and_then(|rest| rest.split('"').next());
        assert_eq!(next.is_some(), number < 2, "{page}");
        path = next.unwrap_or_default().to_owned();
    }
    assert_eq!(seen.len(), 121);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 121, "each of them once");
    for before in ["x", "1.", ".", "99999999999999999999.a", "%3Cb%3E"] {
        let answer = operator.get(&format!("/system/sessions?before={before}")).await;
        assert!(answer.status == 200 && !answer.body.contains("<b>"), "{before}: {}", answer.body);
    }
}

/// Those that have ended by themselves are not shown, though nothing has deleted them yet.
#[tokio::test]
async fn only_live_sessions_are_listed() {
    let app = TestApp::start().await;
    sessions(&app, 2, "ops@corp.example").await;
    app.clock.advance(31 * 60);
    let operator = Browser::operator(&app).await;
    assert!(!operator.page("/system/sessions").await.contains("ops@corp.example"));
}

#[tokio::test]
async fn everybody_sees_and_ends_their_own() {
    let app = TestApp::start().await;
    sessions(&app, 1, "ops@corp.example").await;
    let (one, other) = (Browser::operator(&app).await, Browser::operator(&app).await);
    let page = one.page("/sessions").await;
    assert_eq!(page.matches("/end\"").count(), 2, "{page}");
    assert!(!page.contains("ops@corp.example"), "{page}");
    let ids = app.texts("SELECT id FROM console_sessions WHERE email = '' ORDER BY created_at").await;
    // Somebody else's is not theirs to end here.
    one.post("/sessions/ops@corp.example-000/end", &[]).await;
    assert_eq!(app.count("console_sessions").await, 3);
    let this = page.split("This one").nth(1).and_then(|rest| rest.split("/sessions/").nth(1)).unwrap();
    let this = this.split('/').next().unwrap();
    let others = ids.iter().find(|id| *id != this).unwrap();
    assert_eq!(location(&one.post(&format!("/sessions/{others}/end"), &[]).await), "/console/sessions");
    assert!(location(&other.get("/sessions").await).contains("/sign-in"));
    has(&one.page("/sessions").await, &["The session is ended."]);
    assert_eq!(location(&one.post(&format!("/sessions/{this}/end"), &[]).await), "/console/sign-in");
    assert!(location(&one.get("/sessions").await).contains("/sign-in"));
    assert_eq!(
        events(&app).await,
        [format!("console.end_session {others}"), format!("console.end_session {this}")]
    );
}

#[tokio::test]
async fn signing_out_everywhere_is_in_the_audit_log() {
    let app = TestApp::start().await;
    sessions(&app, 1, "ops@corp.example").await;
    let (one, other) = (Browser::operator(&app).await, Browser::operator(&app).await);
    assert_eq!(location(&one.post("/sign-out", &[("everywhere", "true")]).await), "/console/sign-in");
    assert!(location(&other.get("/sessions").await).contains("/sign-in"));
    assert_eq!(app.count("console_sessions").await, 1, "another person's");
    let events = app
        .texts(
            "SELECT actor || ' ' || old_value FROM admin_events WHERE action = 'console.sign_out_everywhere'",
        )
        .await;
    assert_eq!(events, ["set-up token {\"sessions\":2}"]);
}

/// Whoever came by a link sees that session and no other one.
#[tokio::test]
async fn a_link_sees_its_own_session_only() {
    let app = TestApp::start().await;
    let _operator = Browser::operator(&app).await;
    let link = Visitor::by_link(&app.app, "acme").await;
    let page = link.get("/sessions").await.page(200);
    assert_eq!(page.matches("/end\"").count(), 1, "{page}");
    assert_eq!(link.get("/system/sessions").await.status, 403);
    let operators = app.texts("SELECT id FROM console_sessions WHERE kind = 'operator'").await.remove(0);
    for path in ["/sessions", "/system/sessions"] {
        link.post(&format!("{path}/{operators}/end"), &[]).await;
    }
    assert_eq!(app.count("console_sessions").await, 2);
}

#[tokio::test]
async fn a_browser_is_told_by_its_plain_name() {
    let app = TestApp::start().await;
    for (agent, name) in [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/140.0 Safari/604.1",
            "Chrome on iPhone",
        ),
        ("curl/8.14.1", "curl"),
        ("Something (Linux)", "Another browser on Linux"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ] {
        let browser = Browser::of(&app);
        let form = [("setup_token", setup_token(&app).await)];
        let request =
            http().post(format!("{}/sign-in", browser.base)).form(&form).header("user-agent", agent);
        assert_eq!(browser.send(request).await.status, 303);
        assert_eq!(app.texts("SELECT browser FROM console_sessions").await, [name], "{agent}");
        browser.post("/sign-out", &[]).await;
    }
}
