//! Who comes in, as what, and for how long.

use countersign::model::member::{Role, Status};
use countersign::store::changes::Changed;
use countersign::store::members;
use serde_json::json;

use super::{sign_in, signed_in, start, to_provider};
use crate::console::browser::{Browser, location, setup_token};
use crate::harness::TestApp;

impl TestApp {
    /// An active member of a teamspace.
    pub async fn put_active(&self, slug: &str, email: &str, role: Role) {
        let mut member = self.put_member(&format!("other-{slug}-{email}"), Status::Active).await;
        member.id = uuid::Uuid::new_v4().to_string();
        member.teamspace_id = format!("id-of-{slug}");
        member.email = email.to_owned();
        member.role = role;
        let changed = Changed::Members(member.teamspace_id.clone());
        self.configure(changed, move |c| Ok(members::insert(c, &member)?)).await;
    }
}

#[tokio::test]
async fn the_sign_in_page_offers_the_provider_first() {
    let (app, _provider) = start().await;
    let page = Browser::of(&app).page("/sign-in?next=%2Fconsole%2Faudit%3Fafter%3D1").await;
    let link = "<a class=\"button primary\" href=\"/console/sign-in/start?next=/console/audit%3Fafter%3D1\">Sign in with \
        OpenID Connect</a>";
    let (link, token) = (page.find(link), page.find("Set-up token"));
    assert!(link.is_some() && link < token, "{page}");
    let operator = Browser::operator(&app).await;
    assert!(!operator.page("/teamspaces").await.contains("Configure OpenID Connect"), "it is configured");

    let without = TestApp::start().await;
    assert!(!Browser::of(&without).page("/sign-in").await.contains("OpenID"));
    assert_eq!(Browser::of(&without).get("/sign-in/start").await.status, 404);
    assert_eq!(Browser::of(&without).get("/sign-in/callback?state=s&code=c").await.status, 404);
    let operator = Browser::operator(&without).await;
    assert!(operator.page("/teamspaces").await.contains("Configure OpenID Connect"));
}

#[tokio::test]
async fn whoever_is_on_the_list_is_an_operator() {
    let (app, provider) = start().await;
    let browser = signed_in(&app).await;
    let page = browser.page("/system").await;
    assert!(page.contains("olive@corp.example") && !page.contains("set-up token"), "{page}");
    assert_eq!(
        app.texts("SELECT kind || ' ' || email FROM console_sessions").await,
        ["operator olive@corp.example"]
    );
    let events = app.texts("SELECT action || ' ' || actor_kind || ' ' || actor FROM admin_events").await;
    assert_eq!(events, ["console.sign_in person olive@corp.example"]);
    assert!(!browser.cookie_header().contains("-sign-in="), "{}", browser.cookie_header());
    signed_in(&app).await;
    assert_eq!(provider.asked(), 1, "what it says of itself is kept");
}

#[tokio::test]
async fn whoever_is_in_a_listed_group_is_an_operator() {
    let (app, provider) = start().await;
    provider.change(|b| {
        b.claims = json!({ "email": "Gus@Corp.example", "email_verified": true, "groups": ["all", "console-operators"] });
    });
    assert_eq!(signed_in(&app).await.get("/system").await.status, 200);
    let sessions = app.texts("SELECT kind || ' ' || email || ' ' || user_groups FROM console_sessions").await;
    assert_eq!(sessions, ["operator gus@corp.example [\"all\",\"console-operators\"]"]);
    provider.change(|b| b.claims["groups"] = json!(["all", "Console-Operators"]));
    assert_eq!(sign_in(&Browser::of(&app)).await.status, 403, "names of groups have a case");
}

#[tokio::test]
async fn members_see_their_own_teamspaces() {
    let (app, provider) = start().await;
    for slug in ["globex", "initech"] {
        app.put_teamspace(slug).await;
    }
    for (slug, email, role) in [
        ("acme", "dana@acme.com", Role::Owner),
        ("globex", "dana@acme.com", Role::Developer),
        ("acme", "sam@acme.com", Role::Admin),
        ("acme", "lee@acme.com", Role::Developer),
    ] {
        app.put_active(slug, email, role).await;
    }
    provider.now_signed_in("dana@acme.com");
    let dana = signed_in(&app).await;
    assert_eq!(location(&dana.get("/").await), "/console/teamspaces");
    let list = dana.page("/teamspaces").await;
    assert!(list.contains("/console/t/acme") && list.contains("/console/t/globex"), "{list}");
    assert!(!list.contains("initech"), "{list}");
    assert_eq!(dana.get("/t/initech").await.status, 404);
    assert_eq!(dana.get("/policies").await.status, 403);
    let invite = [("email", "new@acme.com"), ("role", "developer")];
    assert_eq!(dana.post("/t/acme/members", &invite).await.status, 303, "an owner invites");
    assert_eq!(dana.post("/t/globex/members", &invite).await.status, 403, "a developer does not");

    for email in ["sam@acme.com", "lee@acme.com"] {
        provider.now_signed_in(email);
        let browser = signed_in(&app).await;
        assert_eq!(location(&browser.get("/").await), "/console/t/acme", "the only one");
        assert!(browser.page("/t/acme").await.contains(email));
        assert_eq!(browser.get("/t/globex").await.status, 404);
    }
}

#[tokio::test]
async fn a_member_who_is_removed_or_suspended_is_out_at_the_next_request() {
    let (app, provider) = start().await;
    for (email, status) in [("dana@acme.com", Status::Removed), ("sam@acme.com", Status::Suspended)] {
        app.put_member(email, Status::Active).await;
        provider.now_signed_in(email);
        let browser = signed_in(&app).await;
        assert_eq!(browser.get("/t/acme").await.status, 200);
        app.change_member(email, move |member| member.status = status).await;
        assert!(location(&browser.get("/t/acme").await).starts_with("/console/sign-in"), "{status:?}");
        assert!(browser.page("/sign-in").await.contains("Set-up token"), "nothing leads in a circle");
        assert_eq!(app.count("console_sessions").await, 0);
        assert_eq!(sign_in(&browser).await.status, 403);
    }
    app.put_member("lee@acme.com", Status::Invited).await;
    provider.now_signed_in("lee@acme.com");
    assert_eq!(sign_in(&Browser::of(&app)).await.status, 403, "an invitation is not enough");
}

/// Another role counts at the next request.
#[tokio::test]
async fn a_role_is_what_it_is_now() {
    let (app, provider) = start().await;
    app.put_active("acme", "dana@acme.com", Role::Developer).await;
    provider.now_signed_in("dana@acme.com");
    let dana = signed_in(&app).await;
    let invite = [("email", "new@acme.com"), ("role", "developer")];
    assert_eq!(dana.post("/t/acme/members", &invite).await.status, 403);
    app.change_member("dana@acme.com", |member| member.role = Role::Owner).await;
    assert_eq!(dana.post("/t/acme/members", &invite).await.status, 303);
}

#[tokio::test]
async fn an_operator_who_is_taken_off_the_list_is_out_after_the_restart() {
    let (app, _provider) = start().await;
    let browser = signed_in(&app).await;
    let router = |change: &dyn Fn(&mut countersign::config::Config)| {
        let mut config = app.app.config.clone();
        change(&mut config);
        crate::console::visitor::Visitor::with_cookie_of(config, app.clock.clone(), browser.cookie_header())
    };
    let same = router(&|_| {}).await;
    assert_eq!(same.get("/system").await.status, 200);
    let off = router(&|config| config.console.operators = vec!["pat@corp.example".into()]).await;
    assert!(off.get("/system").await.location.starts_with("/console/sign-in"));
    assert_eq!(app.count("console_sessions").await, 0, "and stays out, whatever the list says later");
}

#[tokio::test]
async fn nobody_stays_in_when_the_provider_is_taken_away() {
    let (app, provider) = start().await;
    app.put_active("acme", "dana@acme.com", Role::Owner).await;
    for email in ["olive@corp.example", "dana@acme.com"] {
        provider.now_signed_in(email);
        let browser = signed_in(&app).await;
        let mut config = app.app.config.clone();
        (config.console.oidc, config.console.operators) = (None, vec![]);
        let cookie = browser.cookie_header();
        let without =
            crate::console::visitor::Visitor::with_cookie_of(config, app.clock.clone(), cookie).await;
        assert!(without.get("/teamspaces").await.location.starts_with("/console/sign-in"), "{email}");
    }
}

/// The id that the browser had before is of no use, and its session has ended.
#[tokio::test]
async fn a_sign_in_has_a_new_session() {
    let (app, _provider) = start().await;
    let browser = Browser::of(&app);
    browser.sign_in(&setup_token(&app).await).await;
    let before = browser.copy();
    assert_eq!(location(&sign_in(&browser).await), "/console");
    assert!(location(&before.get("/teamspaces").await).contains("/sign-in"));
    assert_eq!(browser.get("/teamspaces").await.status, 200);
    assert_eq!(app.count("console_sessions").await, 1);
}

#[tokio::test]
async fn a_session_lasts_as_long_as_it_is_configured() {
    let provider = super::OpenIdServer::start().await;
    let app = TestApp::start_with(|config| {
        provider.configure(config);
        config.console.session_lifetime = "40m".parse().unwrap();
    })
    .await;
    let browser = signed_in(&app).await;
    app.clock.advance(20 * 60);
    assert_eq!(browser.get("/teamspaces").await.status, 200);
    app.clock.advance(20 * 60);
    assert!(location(&browser.get("/teamspaces").await).contains("/sign-in"));
    app.app.prune().await.unwrap();
    assert_eq!(super::written(&app).await[..2], [0, 0], "what cannot be repeated any more is forgotten");
}

#[tokio::test]
async fn a_sign_in_leads_to_the_page_that_was_asked_for_and_nowhere_else() {
    let (app, _provider) = start().await;
    for (next, leads_to) in [
        ("/console/audit?after=1", "/console/audit?after=1"),
        ("https://evil.example", "/console"),
        ("//evil.example", "/console"),
        ("/\\evil.example", "/console"),
        ("/console@evil.example", "/console"),
        ("/oauth2/token", "/console"),
        ("/console/\r\nset-cookie: a=b", "/console"),
    ] {
        let browser = Browser::of(&app);
        let encoded = url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>();
        let back = to_provider(&browser, &format!("/sign-in/start?next={encoded}")).await;
        assert_eq!(location(&browser.get(&back).await), leads_to, "{next:?}");
    }
    // Nor does a cookie that somebody made.
    let browser = Browser::of(&app);
    let there = browser.get("/sign-in/start").await;
    let cookie = browser.cookie_header();
    let (secret, _) = cookie.split_once('=').unwrap().1.split_once('.').unwrap();
    browser.set_cookie(
        "countersign-sign-in",
        &format!("{secret}.1.{}", crate::idp::b64("https://evil.example")),
    );
    let back = crate::harness::http().get(location(&there)).send().await.unwrap();
    let back = back.headers()["location"].to_str().unwrap().strip_prefix(&browser.base).unwrap().to_owned();
    assert_eq!(browser.get(&back).await.status, 400);
}

/// Okta tells no more than the subject in an ID token that comes with an access token.
#[tokio::test]
async fn an_address_may_be_told_at_the_user_info_endpoint() {
    let (app, provider) = start().await;
    provider.change(|b| {
        b.claims = json!({});
        b.user_info = json!({ "sub": "00u1olive", "email": "gus@corp.example", "email_verified": true,
            "groups": "console-operators" });
    });
    let browser = signed_in(&app).await;
    assert!(browser.page("/system").await.contains("gus@corp.example"));
}

/// Microsoft Entra has a claim of its own for it.
#[tokio::test]
async fn an_address_of_the_directorys_own_domain_counts_as_verified() {
    let (app, provider) = start().await;
    provider.change(|b| b.claims = json!({ "email": "olive@corp.example", "xms_edov": 1 }));
    signed_in(&app).await;
    provider.change(|b| b.claims = json!({ "email": "olive@corp.example", "xms_edov": 0 }));
    assert_eq!(sign_in(&Browser::of(&app)).await.status, 403);
    provider.change(|b| {
        b.claims = json!({ "email": "olive@corp.example", "email_verified": false, "xms_edov": true });
    });
    assert_eq!(sign_in(&Browser::of(&app)).await.status, 403, "the standard's claim comes first");
}

#[tokio::test]
async fn an_address_to_sign_in_with_is_passed_on() {
    let (app, _provider) = start().await;
    let there = |hint: &'static str| {
        let browser = Browser::of(&app);
        async move { location(&browser.get(&format!("/sign-in/start?login_hint={hint}")).await).to_owned() }
    };
    assert!(there("Dana@acme.com").await.contains("&login_hint=dana%40acme.com"));
    assert!(!there("<script>").await.contains("login_hint"));
}

/// It is asked for with each request of a member.
#[tokio::test]
async fn sqlite_the_places_of_an_address_are_found_by_an_index() {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let app = TestApp::start().await;
    let mut connection = app.database.connect();
    let query = "EXPLAIN QUERY PLAN SELECT teamspace_id, role FROM members WHERE email = 'a' AND status = 'active' \
        ORDER BY teamspace_id LIMIT 500";
    let plan: Vec<Step> = diesel::sql_query(query).load(&mut connection).unwrap();
    let plan: Vec<String> = plan.into_iter().map(|step| step.detail).collect();
    assert!(plan[0].contains("USING INDEX members_by_email (email=?)"), "{plan:?}");
}
