//! The pages Teamspaces: list, new, settings, delete.

use serde_json::json;

use super::browser::{Browser, location};
use crate::harness::{Answer, TestApp};
use crate::sign_in_counts::count;

/// A form with all that is needed.
fn form<'a>(slug: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("slug", slug),
        ("name", name),
        ("plan", "enterprise"),
        ("member_limit", ""),
        ("email_domains", ""),
        ("time_zone", "UTC"),
    ]
}

fn with<'a>(mut form: Vec<(&'a str, &'a str)>, name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    form.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value);
    form
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let value = page.split(&start).nth(1).and_then(|rest| rest.split('"').next()).expect("the field");
    value.replace("&#34;", "\"").replace("&#60;", "<").replace("&#38;", "&").replace("&#39;", "'")
}

fn refused(answer: &Answer, field: &str, text: &str) {
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains(&format!("href=\"#{field}\"")), "a link to {field}: {}", answer.body);
    assert!(answer.body.contains(&format!("id=\"{field}-error\"")), "{}", answer.body);
    assert!(answer.body.contains("aria-invalid=\"true\""), "{}", answer.body);
    assert!(answer.body.contains(text), "{text} in {}", answer.body);
}

#[tokio::test]
async fn an_operator_adds_a_teamspace() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let page = operator.page("/teamspaces/new").await;
    for label in ["Slug", "Name", "Plan", "Member limit", "Email domains", "Time zone"] {
        assert!(page.contains(&format!(">{label}</label>")), "{label} in {page}");
    }
    let fields = with(
        with(form("globex", " Globex & Co "), "member_limit", "25"),
        "email_domains",
        "Globex.com, b.example",
    );
    assert_eq!(location(&operator.post("/teamspaces", &fields).await), "/console/teamspaces");
    let teamspace = app.app.snapshot().teamspace_config("globex").unwrap().teamspace.clone();
    assert_eq!((teamspace.name.as_str(), teamspace.member_limit), ("Globex & Co", Some(25)));
    assert_eq!(teamspace.email_domains, ["b.example", "globex.com"]);
    let list = operator.page("/teamspaces").await;
    assert!(list.contains("Globex &#38; Co was added."), "{list}");
    assert!(list.contains("Not configured") && list.contains("0 of 25") && list.contains("never"), "{list}");
    assert!(!operator.page("/teamspaces").await.contains("was added"), "it is told once");
    let events = app.texts("SELECT action || ' ' || object FROM admin_events").await;
    assert!(events.contains(&"teamspace.create globex".to_owned()), "{events:?}");
}

#[tokio::test]
async fn a_mistake_is_explained_where_it_was_made_and_what_was_typed_is_kept() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let before = app.count("admin_events").await;
    for (field, value, text) in [
        ("slug", "Not a slug", "A slug has 1 to 63 characters"),
        ("slug", "acme", "Another teamspace has this slug"),
        ("name", "  ", "A name has 1 to 200 characters"),
        ("member_limit", "many", "A member limit is"),
        ("member_limit", "-1", "A member limit is"),
        ("email_domains", "nobody@globex.com", "no domain such as"),
        ("time_zone", "Europe/Atlantis", "A time zone is UTC"),
    ] {
        let answer =
            operator.post("/teamspaces", &with(form("globex", "<b>\"Globex\"</b>"), field, value)).await;
        refused(&answer, field, text);
        assert!(answer.body.contains(&format!("value=\"{value}\"")), "{value} in {}", answer.body);
        if field != "name" {
            assert!(
                answer.body.contains("value=\"&#60;b&#62;&#34;Globex&#34;&#60;/b&#62;\""),
                "{}",
                answer.body
            );
        }
        assert!(!answer.body.contains("<b>"), "{}", answer.body);
    }
    assert_eq!(app.count("admin_events").await, before, "nothing is written");
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let name = "</title><script>alert(1)</script><img src=x>";
    assert_eq!(operator.post("/teamspaces", &form("globex", name)).await.status, 303);
    for path in ["/teamspaces", "/t/globex/settings", "/t/globex/delete"] {
        let page = operator.page(path).await;
        assert!(page.contains("&#60;script&#62;alert(1)"), "{path}: {page}");
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{path}: {page}");
    }
}

#[tokio::test]
async fn settings_are_changed() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let page = operator.page("/t/acme/settings").await;
    let seen = hidden(&page, "seen");
    let mut fields = with(form("acme-eu", "Acme Europe"), "plan", "pro");
    fields.push(("seen", &seen));
    assert_eq!(location(&operator.post("/t/acme/settings", &fields).await), "/console/t/acme-eu/settings");
    let page = operator.page("/t/acme-eu/settings").await;
    assert!(page.contains("The changes were saved.") && page.contains("Acme Europe"), "{page}");
    assert_eq!(operator.get("/t/acme/settings").await.status, 404);
}

/// Two people at one form: the second one is told what the first one has changed.
#[tokio::test]
async fn a_stale_form_is_told_what_somebody_else_has_changed() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let seen = hidden(&operator.page("/t/acme/settings").await, "seen");
    app.change_teamspace(|teamspace| teamspace.member_limit = Some(7)).await;
    let mut fields = form("acme", "Acme Europe");
    fields.push(("seen", &seen));
    let answer = operator.post("/t/acme/settings", &fields).await;
    refused(&answer, "name", "Member limit: 7");
    assert!(answer.body.contains("value=\"Acme Europe\""), "{}", answer.body);
    assert_eq!(app.app.snapshot().teamspace_config("acme").unwrap().teamspace.member_limit, Some(7));
    // Whoever has seen it may write over it.
    let seen = hidden(&answer.body, "seen");
    let mut fields = form("acme", "Acme Europe");
    fields.push(("seen", &seen));
    assert_eq!(operator.post("/t/acme/settings", &fields).await.status, 303);
    assert_eq!(app.app.snapshot().teamspace_config("acme").unwrap().teamspace.member_limit, None);
}

#[tokio::test]
async fn a_teamspace_is_deleted_once_its_slug_is_typed() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    assert!(operator.page("/t/acme/delete").await.contains("cannot be undone"));
    refused(&operator.post("/t/acme/delete", &[("confirm", "acm")]).await, "confirm", "Type acme to delete");
    assert!(app.app.snapshot().teamspace_config("acme").is_some());
    let deleted = operator.post("/t/acme/delete", &[("confirm", "acme")]).await;
    assert_eq!(location(&deleted), "/console/teamspaces");
    assert!(operator.page("/teamspaces").await.contains("acme was deleted."));
    assert!(app.app.snapshot().teamspace_config("acme").is_none());
    // The back button, and the form sent again.
    assert_eq!(operator.post("/t/acme/delete", &[("confirm", "acme")]).await.status, 404);
}

#[tokio::test]
async fn the_list_has_pages_and_a_search_by_the_beginning_of_the_slug() {
    let app = TestApp::start().await;
    for number in 0..27 {
        app.put_teamspace(&format!("b{number:02}")).await;
    }
    app.put_teamspace("c").await;
    let operator = Browser::operator(&app).await;
    let slugs = |page: &str| page.matches("class=\"muted mono\">").count();
    let first = operator.page("/teamspaces").await;
    assert_eq!(slugs(&first), 25);
    assert!(first.contains("after=b23\"") && !first.contains("First page"), "{first}");
    let second = operator.page("/teamspaces?q=&after=b23").await;
    assert_eq!(slugs(&second), 4, "{second}");
    assert!(second.contains("First page") && !second.contains("Next page"), "{second}");
    let found = operator.page("/teamspaces?q=B2").await;
    assert_eq!(slugs(&found), 7, "{found}");
    let none = operator.page("/teamspaces?q=%3Cb%3E").await;
    assert!(none.contains("&#60;b&#62;") && !none.contains("<b>") && slugs(&none) == 0, "{none}");
}

#[tokio::test]
async fn the_list_says_whether_people_can_sign_in() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    assert!(operator.page("/teamspaces").await.contains(">Active<"));
    app.granted(json!({})).await;
    let page = operator.page("/teamspaces").await;
    assert!(page.contains("just now") && page.contains("1, no limit"), "{page}");
    let forged = crate::idp::Key::rsa("idp-1", 1).assertion(&app.claims());
    assert_eq!(app.exchange(&forged).await.status, 400);
    for page in ["/teamspaces", "/t/acme", "/t/acme/enterprise"] {
        assert!(operator.page(page).await.contains(">Failing<"), "{page}: the keys do not fit");
    }
    app.granted(json!({})).await;
    assert!(operator.page("/teamspaces").await.contains(">Active<"));
    app.change_provider(|provider| provider.enabled = false).await;
    assert!(operator.page("/teamspaces").await.contains(">Disabled<"));
}

/// The list and the Overview say the same of a teamspace, also where only the checks of its provider failed.
#[tokio::test]
async fn the_list_and_the_overview_agree_on_who_is_failing() {
    let app = TestApp::start().await;
    let operator = Browser::operator(&app).await;
    let elsewhere = json!({ "aud": "https://elsewhere.example.com" });
    app.exchange(&app.assertion(elsewhere)).await;
    count(&app).await;
    for page in ["/teamspaces", "/t/acme"] {
        assert!(operator.page(page).await.contains(">Failing<"), "{page}: everybody is refused");
    }
    app.granted(json!({})).await;
    count(&app).await;
    let failed = "INSERT INTO provider_checks VALUES ('id-of-acme', 9000000000, \
        '[{\"code\":\"reachable\",\"title\":\"It answers.\",\"outcome\":\"failed\"}]')";
    crate::db::run(&app.database.url, failed);
    for page in ["/teamspaces", "/t/acme"] {
        assert!(operator.page(page).await.contains(">Failing<"), "{page}: the last checks failed");
    }
}

#[tokio::test]
async fn the_list_leads_operators_to_the_activity_of_all() {
    let app = TestApp::start().await;
    let link = "href=\"/console/activity\"";
    assert!(Browser::operator(&app).await.page("/teamspaces").await.contains(link));
}
