//! Forms that are sent twice or when they are old, and the input that must not be lost when something else is out
//! of order.

use super::browser::Browser;
use super::visitor::{Visitor, has, hidden};
use crate::admin::harness::Harness;
use crate::harness::{Answer, CLIENT, RESOURCE, TestApp};

pub const TYPED: [(&str, &str); 4] =
    [("slug", "globex"), ("name", "Typed with care"), ("plan", "free"), ("time_zone", "UTC")];

/// A page that says what somebody else has changed, with what was typed.
#[track_caller]
fn assert_stale(page: &str, changed: &str, typed: &str) {
    has(page, &["Nothing was saved.", "Somebody else has changed this", changed, typed]);
}

/// Somebody saves a client's form that is older than a change by somebody else, and then once more.
#[tokio::test]
async fn a_stale_form_of_a_client_is_told_what_has_changed() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    let path = format!("/clients/{}", CLIENT.replace('-', "%2D"));
    let seen = hidden(&operator.get(&path).await.page(200), "seen");
    app.change_client(|client| client.groups = vec!["desktop apps".into(), "reviewed".into()]).await;
    let form = |seen| [("client_name", "Mine"), ("groups", "own"), ("seen", seen)];
    let page = operator.post(&path, &form(&seen)).await.page(422);
    assert_stale(&page, "Groups: desktop apps, reviewed.", "value=\"Mine\"");
    assert_eq!(app.app.snapshot().client(CLIENT).unwrap().groups.len(), 2);
    // A browser ends the lines of a hidden field in its own way.
    let seen = hidden(&page, "seen").replace('\n', "\r\n");
    operator.post(&path, &form(&seen)).await.leads_to(&path, "The changes were saved.");
    assert_eq!(app.app.snapshot().client(CLIENT).unwrap().groups, ["own"]);
}

#[tokio::test]
async fn a_stale_form_of_a_resource_is_told_what_has_changed() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    let path = format!("/resources/{}", app.app.snapshot().resource(RESOURCE).unwrap().id);
    let seen = hidden(&operator.get(&path).await.page(200), "seen");
    app.change_resource(|resource| resource.teamspaces = Some(vec!["acme".into()])).await;
    let form = |seen| [("identifier", RESOURCE), ("name", "Mine"), ("offered", "all"), ("seen", seen)];
    let page = operator.post(&path, &form(&seen)).await.page(422);
    assert_stale(&page, "Offered to: acme.", "value=\"Mine\"");
    assert!(app.app.snapshot().resource(RESOURCE).unwrap().teamspaces.is_some());
    let seen = hidden(&page, "seen");
    operator.post(&path, &form(&seen)).await.leads_to(&path, "The changes were saved.");
    assert_eq!(app.app.snapshot().resource(RESOURCE).unwrap().name, "Mine");
}

/// Two people at one form at the same moment: one of them is told.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_save_at_once_one_is_told() {
    let app = TestApp::start().await;
    let (one, other) = (Visitor::operator(&app.app).await, Visitor::operator(&app.app).await);
    let seen = hidden(&one.get("/t/acme/settings").await.page(200), "seen");
    let form = |name| {
        [("slug", "acme"), ("name", name), ("plan", "enterprise"), ("time_zone", "UTC"), ("seen", &*seen)]
    };
    let (first, second) = (form("One"), form("Other"));
    let answers = tokio::join!(one.post("/t/acme/settings", &first), other.post("/t/acme/settings", &second));
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
}

/// A form that is sent twice makes one row, and the second answer is a page that says so.
#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_row() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    let client = [("client_id", "twice"), ("client_name", "Twice")];
    let resource = [("identifier", "https://mcp.example.com/twice"), ("name", "Twice"), ("offered", "all")];
    for (path, fields, table) in [
        ("/teamspaces", &TYPED[..], "teamspaces"),
        ("/clients", &client[..], "clients"),
        ("/resources", &resource[..], "resources"),
        ("/t/acme/members", &[("email", "twice@acme.com"), ("role", "developer")][..], "members"),
    ] {
        let before = app.count(table).await;
        let first = operator.post(path, fields).await;
        assert!([200, 303].contains(&first.status), "{path}: {}", first.body);
        let second = operator.post(path, fields).await;
        assert_eq!(second.status, 303, "{path}: {}", second.body);
        assert!(
            second.notice.contains("already") || second.notice.contains("is invited"),
            "{}",
            second.notice
        );
        assert_eq!(app.count(table).await, before + 1, "{path}");
    }
}

/// What has no name of its own is told apart by its form: a form that is sent twice makes one client, or one link.
#[tokio::test]
async fn a_form_without_a_name_makes_one_row_too() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    let made = hidden(&operator.get("/clients/new").await.page(200), "made_id");
    let form = [("client_id", ""), ("made_id", &made), ("client_name", "Blank")];
    let before = app.count("clients").await;
    has(&operator.post("/clients", &form).await.page(200), &["Copy the secret now."]);
    let second = operator.post("/clients", &form).await;
    second.leads_to(&format!("/clients/{}", made.replace('-', "%2D").replace('_', "%5F")), "sent twice");
    assert_eq!(app.count("clients").await, before + 1);
    // Another form is another client.
    let made = hidden(&operator.get("/clients/new").await.page(200), "made_id");
    operator
        .post("/clients", &[("client_id", ""), ("made_id", &made), ("client_name", "Blank")])
        .await
        .page(200);
    assert_eq!(app.count("clients").await, before + 2);

    let resource = format!("/resources/{}", app.app.snapshot().resource(RESOURCE).unwrap().id);
    for count in [1, 2] {
        let page = operator.get(&resource).await.page(200);
        let seen = hidden(page.split("/credentials\">").nth(1).unwrap(), "seen");
        let (path, form) = (format!("{resource}/credentials"), [("seen", seen.as_str())]);
        has(&operator.post(&path, &form).await.page(200), &["data-copy"]);
        has(&operator.post(&path, &form).await.page(422), &["the form was sent twice"]);
        assert_eq!(app.count("resource_credentials").await, count);
    }

    let links = "/t/acme/setup-links";
    for count in [1, 2] {
        let newest = hidden(&operator.get(links).await.page(200), "newest");
        let form = [("valid_for", "72h"), ("newest", &newest)];
        has(&operator.post(links, &form).await.page(200), &["data-copy"]);
        has(&operator.post(links, &form).await.page(422), &["the form was sent twice"]);
        assert_eq!(app.count("setup_links").await, count);
    }
}

/// Whoever saves a form while the database is out of order gets it back, to be sent again.
#[track_caller]
pub fn assert_kept(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    let id = answer.header("x-request-id");
    has(&answer.body, &["Temporarily unavailable", "All that you typed is kept", "Send again", id]);
    has(&answer.body, &["action=\"/console/teamspaces\"", "name=\"name\" value=\"Typed with care\""]);
}

#[tokio::test]
async fn a_form_that_the_database_cannot_take_is_kept() {
    for table in ["admin_events", "console_sessions"] {
        let app = TestApp::start().await;
        let operator = Browser::operator(&app).await;
        app.database.execute(&format!("ALTER TABLE {table} RENAME TO away"));
        assert_kept(&operator.post("/teamspaces", &TYPED).await);
        assert!(app.app.snapshot().teamspace_config("globex").is_none(), "{table}");
        app.database.execute(&format!("ALTER TABLE away RENAME TO {table}"));
        assert_eq!(operator.post("/teamspaces", &TYPED).await.status, 303, "{table}");
    }
}

/// A button without a field has nothing to be kept, and a secret is not sent back.
#[tokio::test]
async fn what_has_nothing_typed_gets_the_plain_page() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    app.database.execute("ALTER TABLE console_sessions RENAME TO away");
    app.database.execute("ALTER TABLE console_setup_tokens RENAME TO gone");
    let secret = [("setup_token", "csu_a-secret-that-is-long"), ("next", "/console/system")];
    for (path, form) in [("/sign-in", &secret[..]), ("/system/keys", &[][..])] {
        let answer = operator.post(path, form).await;
        assert_eq!(answer.status, 503, "{path}");
        has(&answer.body, &["Temporarily unavailable", answer.header("x-request-id")]);
        assert!(!answer.body.contains("Send again") && !answer.body.contains("csu_a-secret"), "{path}");
    }
}

/// An identity provider that does not answer when it is saved is a check that failed; what was typed stays.
#[tokio::test]
async fn an_identity_provider_that_is_down_is_a_check_that_failed() {
    const NOBODY: &str = "http://127.0.0.1:1";
    let h = Harness::start_with(|config| config.fetch.private_origins.push(NOBODY.to_owned().into())).await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    let fields = [("kind", "oidc"), ("issuer", NOBODY), ("scope", "docs.read"), ("name", "Down")];
    let page = operator.post("/t/acme/enterprise", &fields).await.page(422);
    has(&page, &["Failed: ", "aria-invalid=\"true\"", "id=\"issuer-error\"", "cannot be reached"]);
    has(&page, &[&format!("value=\"{NOBODY}\""), "value=\"docs.read\"", "value=\"Down\""]);
}

/// One that went down later: Test says so, and it cannot be enabled.
#[tokio::test]
async fn an_identity_provider_that_went_down_fails_its_test() {
    let app = TestApp::start().await;
    let operator = Visitor::operator(&app.app).await;
    app.idp.change(|idp| idp.status = axum::http::StatusCode::BAD_GATEWAY);
    let own = "/t/acme/enterprise/id-of-acme";
    operator.post(&format!("{own}/test"), &[]).await.leads_to("/t/acme/enterprise?kind=okta", "is wrong");
    has(&operator.get("/t/acme/enterprise").await.page(200), &["<details open>", "Failed: "]);
    app.change_provider(|provider| provider.enabled = false).await;
    let page = operator.post(&format!("{own}/enable"), &[]).await.page(422);
    has(&page, &["Failed: ", &format!("value=\"{}\"", app.idp.issuer)]);
    assert!(!app.provider("acme").enabled);
}
