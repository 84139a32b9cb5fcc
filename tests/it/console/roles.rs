//! Roles by URL: what each kind of person reaches by typing an address or sending a form. Each route of the console's
//! source has a row here, so that a new one is thought of.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::config::Oidc;
use countersign::model::member::{Role, Status};

use super::visitor::{Shown, Visitor};
use crate::browser::routes::routes;
use crate::harness::TestApp;

/// Who reaches a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everybody,
    /// Whoever is signed in.
    SignedIn,
    /// Operators, on a page of the deployment.
    Operators,
    /// Operators, on a page of a teamspace.
    OperatorsHere,
    /// Whoever looks after a teamspace, of what is theirs: all but set-up links.
    OfAnyTeamspace,
    /// Of the teamspace: owners, admins, developers, set-up links.
    Lookers,
    /// Of the teamspace: owners, admins, set-up links.
    Setters,
    /// Of the teamspace: owners, admins, developers.
    Readers,
    /// Of the teamspace: owners and admins.
    Changers,
}
use For::*;

const ROUTES: [(&str, &str, For); 89] = [
    ("GET", "/", SignedIn),
    ("GET", "/sign-in", Everybody),
    ("POST", "/sign-in", Everybody),
    ("GET", "/sign-in/start", Everybody),
    ("GET", "/sign-in/callback", Everybody),
    ("POST", "/sign-out", SignedIn),
    ("GET", "/set-up/{token}", Everybody),
    ("GET", "/set-up", Everybody),
    ("POST", "/set-up", Everybody),
    ("GET", "/sessions", SignedIn),
    ("POST", "/sessions/{id}/end", SignedIn),
    ("GET", "/api", SignedIn),
    ("GET", "/api/{name}", SignedIn),
    ("GET", "/assets/{version}/{name}", Everybody),
    ("GET", "/teamspaces", OfAnyTeamspace),
    ("POST", "/teamspaces", Operators),
    ("GET", "/teamspaces/new", Operators),
    ("GET", "/audit", OfAnyTeamspace),
    ("GET", "/audit/export", OfAnyTeamspace),
    ("GET", "/activity", Operators),
    ("GET", "/activity/export", Operators),
    ("GET", "/activity/{request_id}", Operators),
    ("GET", "/policies", Operators),
    ("GET", "/system", Operators),
    ("POST", "/system/keys", Operators),
    ("POST", "/system/kill-switches", Operators),
    ("POST", "/system/kill-switches/{id}/lift", Operators),
    ("GET", "/system/sessions", Operators),
    ("POST", "/system/sessions/end-all", Operators),
    ("POST", "/system/sessions/{id}/end", Operators),
    ("POST", "/system/sessions/{id}/end-all", Operators),
    ("GET", "/clients", Operators),
    ("POST", "/clients", Operators),
    ("GET", "/clients/new", Operators),
    ("GET", "/clients/{id}", Operators),
    ("POST", "/clients/{id}", Operators),
    ("POST", "/clients/{id}/enable", Operators),
    ("POST", "/clients/{id}/disable", Operators),
    ("GET", "/clients/{id}/remove", Operators),
    ("POST", "/clients/{id}/remove", Operators),
    ("POST", "/clients/{id}/secrets", Operators),
    ("POST", "/clients/{id}/secrets/{secret}/remove", Operators),
    ("GET", "/resources", Operators),
    ("POST", "/resources", Operators),
    ("GET", "/resources/new", Operators),
    ("GET", "/resources/{id}", Operators),
    ("POST", "/resources/{id}", Operators),
    ("GET", "/resources/{id}/remove", Operators),
    ("POST", "/resources/{id}/remove", Operators),
    ("POST", "/resources/{id}/credentials", Operators),
    ("POST", "/resources/{id}/credentials/{client_id}/remove", Operators),
    ("GET", "/t/{slug}", Readers),
    ("GET", "/t/{slug}/settings", OperatorsHere),
    ("POST", "/t/{slug}/settings", OperatorsHere),
    ("GET", "/t/{slug}/delete", OperatorsHere),
    ("POST", "/t/{slug}/delete", OperatorsHere),
    ("GET", "/t/{slug}/enterprise", Lookers),
    ("POST", "/t/{slug}/enterprise", Setters),
    ("GET", "/t/{slug}/enterprise/guide/{kind}", Lookers),
    ("POST", "/t/{slug}/enterprise/{id}", Setters),
    ("POST", "/t/{slug}/enterprise/{id}/test", Setters),
    ("POST", "/t/{slug}/enterprise/{id}/confirm", Setters),
    ("POST", "/t/{slug}/enterprise/{id}/disable", Setters),
    ("POST", "/t/{slug}/enterprise/{id}/enable", Setters),
    ("GET", "/t/{slug}/enterprise/{id}/remove", Setters),
    ("POST", "/t/{slug}/enterprise/{id}/remove", Setters),
    ("GET", "/t/{slug}/setup-links", Changers),
    ("POST", "/t/{slug}/setup-links", Changers),
    ("POST", "/t/{slug}/setup-links/{id}/revoke", Changers),
    ("GET", "/t/{slug}/scim-tokens", Lookers),
    ("POST", "/t/{slug}/scim-tokens", Setters),
    ("POST", "/t/{slug}/scim-tokens/{id}/delete", Setters),
    ("GET", "/t/{slug}/members", Readers),
    ("POST", "/t/{slug}/members", Changers),
    ("GET", "/t/{slug}/members/{id}", Readers),
    ("POST", "/t/{slug}/members/{id}/role", Changers),
    ("POST", "/t/{slug}/members/{id}/link", Changers),
    ("POST", "/t/{slug}/members/{id}/suspend", Changers),
    ("POST", "/t/{slug}/members/{id}/resume", Changers),
    ("POST", "/t/{slug}/members/{id}/end-sessions", Changers),
    ("POST", "/t/{slug}/members/{id}/unlink", Changers),
    ("GET", "/t/{slug}/members/{id}/remove", Changers),
    ("POST", "/t/{slug}/members/{id}/remove", Changers),
    ("GET", "/t/{slug}/activity", Lookers),
    ("GET", "/t/{slug}/activity/export", Lookers),
    ("GET", "/t/{slug}/activity/{request_id}", Lookers),
    ("GET", "/t/{slug}/explain", Lookers),
    ("POST", "/t/{slug}/explain", Lookers),
    ("POST", "/t/{slug}/explain/what-if", Lookers),
];

/// The fields that every form needs to be read; none changes a teamspace.
const FIELDS: [(&str, &str); 7] = [
    ("role", "developer"),
    ("slug", "acme"),
    ("name", "acme"),
    ("plan", "enterprise"),
    ("member_limit", ""),
    ("email_domains", ""),
    ("time_zone", "UTC"),
];

/// Who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    WithSetupToken,
    Operator,
    Of(Role),
    ByLink,
    /// The owner of another teamspace.
    Stranger,
    /// Whoever came by a link of another teamspace.
    StrangerByLink,
}

const PEOPLE: [Who; 9] = [
    Who::Nobody,
    Who::WithSetupToken,
    Who::Operator,
    Who::Of(Role::Owner),
    Who::Of(Role::Admin),
    Who::Of(Role::Developer),
    Who::ByLink,
    Who::Stranger,
    Who::StrangerByLink,
];

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Reached,
    /// The way to the sign-in.
    SignIn,
    /// Not even that the teamspace exists is told.
    NotFound,
    Refused,
}

fn expected(who: Who, whose: For) -> Outcome {
    use Outcome::*;
    let is_in = |reached: bool| if reached { Reached } else { Refused };
    let is_here = !matches!(who, Who::Stranger | Who::StrangerByLink);
    let is_changer = matches!(who, Who::Of(Role::Owner | Role::Admin));
    let is_developer = who == Who::Of(Role::Developer);
    match (who, whose) {
        (_, For::Everybody) => Reached,
        (Who::Nobody, _) => SignIn,
        (_, For::SignedIn) | (Who::WithSetupToken | Who::Operator, _) => Reached,
        (_, For::Operators) => Refused,
        (_, For::OfAnyTeamspace) => is_in(!matches!(who, Who::ByLink | Who::StrangerByLink)),
        _ if !is_here => NotFound,
        (_, For::OperatorsHere) => Refused,
        (_, For::Lookers) => Reached,
        (_, For::Setters) => is_in(is_changer || who == Who::ByLink),
        (_, For::Readers) => is_in(is_changer || is_developer),
        (_, For::Changers) => is_in(is_changer),
    }
}

/// A service with two teamspaces.
async fn peopled() -> TestApp {
    let app = TestApp::start_with(|config| {
        // Nobody asks it here: the sessions are in the database.
        config.console.oidc = Some(Oidc {
            issuer: "https://sign-in.corp.example".into(),
            client_id: "console".into(),
            client_secret: Some("0123456789abcdef".to_owned().into()),
            client_secret_file: None,
            scopes: Vec::new(),
        });
    })
    .await;
    app.put_teamspace("globex").await;
    for (role, email) in
        [(Role::Owner, "owner@acme.com"), (Role::Admin, "admin@acme.com"), (Role::Developer, "dev@acme.com")]
    {
        app.put_member(email, Status::Active).await;
        app.change_member(email, move |member| member.role = role).await;
    }
    app.put_active("globex", "owner@globex.com", Role::Owner).await;
    app
}

/// Somebody of a kind, with a session of their own.
async fn visitor(app: &TestApp, who: Who) -> Visitor {
    let app = &app.app;
    let member = async |email| Visitor::member(app, email).await;
    match who {
        Who::Nobody => Visitor::nobody(app),
        Who::WithSetupToken => Visitor::operator(app).await,
        Who::Operator => Visitor::operator_named(app, "ops@example.com").await,
        Who::Of(Role::Owner) => member("owner@acme.com").await,
        Who::Of(Role::Admin) => member("admin@acme.com").await,
        Who::Of(Role::Developer) => member("dev@acme.com").await,
        Who::ByLink => Visitor::by_link(app, "acme").await,
        Who::Stranger => member("owner@globex.com").await,
        Who::StrangerByLink => Visitor::by_link(app, "globex").await,
    }
}

/// A path with something in each place. Ids name nothing: whoever may ask learns so, and nobody else.
fn filled(path: &str) -> String {
    let link = format!("csl_{}", "A".repeat(43));
    let pairs = [("{slug}", "acme"), ("{kind}", "okta"), ("{token}", &*link)];
    let path = pairs.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    ["{id}", "{secret}", "{client_id}", "{request_id}", "{name}", "{version}"]
        .iter()
        .fold(path, |path, name| path.replace(name, "absent"))
}

async fn send(visitor: &Visitor, method: &str, path: &str) -> Shown {
    match method {
        "GET" => visitor.get(&filled(path)).await,
        _ => visitor.post(&filled(path), &FIELDS).await,
    }
}

fn outcome(method: &str, path: &str, shown: &Shown) -> Outcome {
    match shown.status {
        303 if method == "GET" && shown.location.starts_with("/console/sign-in") => Outcome::SignIn,
        401 => Outcome::SignIn,
        403 => Outcome::Refused,
        // Otherwise it is the thing in the path that is not there.
        404 if !filled(path).contains("absent") => Outcome::NotFound,
        _ => Outcome::Reached,
    }
}

/// Counts the rows that people can change.
async fn written(app: &TestApp) -> Vec<String> {
    let tables = [
        "teamspaces",
        "members",
        "identity_providers",
        "clients",
        "client_secrets",
        "resources",
        "signing_keys",
        "setup_links",
        "scim_tokens",
        "admin_events",
    ];
    let count = |table: &&str| format!("SELECT '{table} ' || COUNT(*) FROM {table}");
    let mut counts = app.texts(&tables.iter().map(count).collect::<Vec<_>>().join(" UNION ")).await;
    counts.sort();
    counts
}

#[test]
fn each_route_has_a_row() {
    let of_source: BTreeSet<(&'static str, String)> = routes().into_iter().collect();
    let rows: BTreeSet<(&'static str, String)> =
        ROUTES.iter().map(|(method, path, _)| (*method, (*path).to_owned())).collect();
    let missing: Vec<_> = of_source.difference(&rows).collect();
    let left: Vec<_> = rows.difference(&of_source).collect();
    assert!(missing.is_empty() && left.is_empty(), "without a row: {missing:?}; rows of no route: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_person_reaches_what_is_theirs() {
    let app = peopled().await;
    for who in PEOPLE {
        for (method, path, whose) in ROUTES {
            let wanted = expected(who, whose);
            if wanted != Outcome::Reached {
                continue;
            }
            let shown = send(&visitor(&app, who).await, method, path).await;
            let said = format!("{who:?} {method} {path}: {} {}", shown.status, shown.location);
            assert_eq!(outcome(method, path, &shown), wanted, "{said}");
            // The provider of `peopled` does not exist.
            let is_without_provider = path == "/sign-in/start" && shown.status == 503;
            assert!(shown.status < 500 || is_without_provider, "{said}: {}", shown.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_is_not_theirs_and_nothing_is_written() {
    let app = peopled().await;
    let before = written(&app).await;
    for who in PEOPLE {
        let visitor = visitor(&app, who).await;
        for (method, path, whose) in ROUTES {
            let wanted = expected(who, whose);
            if wanted == Outcome::Reached {
                continue;
            }
            let shown = send(&visitor, method, path).await;
            let said = format!("{who:?} {method} {path}: {} {}", shown.status, shown.body);
            match wanted {
                Outcome::NotFound => {
                    assert_eq!(shown.status, 404, "{said}");
                    assert!(shown.body.contains("Nothing is here") && !shown.body.contains("acme"), "{said}");
                }
                Outcome::Refused => {
                    assert_eq!(shown.status, 403, "{said}");
                    let why =
                        ["This is for", "Developers may look", "Only an operator", "A set-up link is for"];
                    assert!(why.iter().any(|why| shown.body.contains(why)), "{said}");
                }
                wanted => assert_eq!(outcome(method, path, &shown), wanted, "{said}"),
            }
        }
    }
    assert_eq!(written(&app).await, before);
}

/// A teamspace that is not theirs looks like one that is not there.
#[tokio::test]
async fn another_teamspace_looks_like_none() {
    let app = peopled().await;
    for who in [Who::Stranger, Who::StrangerByLink, Who::Of(Role::Owner), Who::ByLink] {
        let visitor = visitor(&app, who).await;
        let slug = if matches!(who, Who::Stranger | Who::StrangerByLink) { "acme" } else { "globex" };
        for page in ["", "/enterprise", "/members", "/settings"] {
            let without_id = |shown: Shown| {
                let body = shown.body.split("Request <code>").next().unwrap_or_default().to_owned();
                (shown.status, body)
            };
            let theirs = without_id(visitor.get(&format!("/t/{slug}{page}")).await);
            let none = without_id(visitor.get(&format!("/t/absent{page}")).await);
            assert_eq!(theirs, none, "{who:?} {page}");
            assert_eq!(theirs.0, 404);
        }
    }
}

/// Pages offer what may be done, and nothing else.
#[tokio::test]
async fn pages_offer_what_the_policies_permit() {
    let app = peopled().await;
    let offers = async |who: Who, path: &str| {
        let page = visitor(&app, who).await.get(path).await.page(200);
        let hrefs = page.split("href=\"/console").skip(1).filter_map(|rest| rest.split('"').next());
        hrefs.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let tabs = ["", "/enterprise", "/members", "/activity", "/explain"].map(|tab| format!("/t/acme{tab}"));
    let operators = ["/policies", "/clients", "/resources", "/system"].map(str::to_owned);
    for who in
        PEOPLE.into_iter().filter(|who| !matches!(who, Who::Nobody | Who::Stranger | Who::StrangerByLink))
    {
        let offered = offers(who, "/t/acme/enterprise").await;
        let is_operator = matches!(who, Who::WithSetupToken | Who::Operator);
        let is_link = who == Who::ByLink;
        for tab in &tabs {
            let is_theirs =
                !is_link || ["/enterprise", "/activity", "/explain"].iter().any(|end| tab.ends_with(end));
            assert_eq!(offered.contains(tab), is_theirs, "{who:?} {tab}: {offered:?}");
        }
        for place in &operators {
            assert_eq!(offered.contains(place), is_operator, "{who:?} {place}: {offered:?}");
        }
        for place in ["/teamspaces", "/audit"] {
            assert_eq!(offered.contains(place), !is_link, "{who:?} {place}: {offered:?}");
        }
        assert_eq!(offered.contains("/t/acme/settings"), is_operator, "{who:?}: {offered:?}");
        let may_invite = !is_link && who != Who::Of(Role::Developer);
        assert_eq!(offered.contains("/t/acme/setup-links"), may_invite, "{who:?}: {offered:?}");
        let page = visitor(&app, who).await.get("/t/acme/enterprise").await.page(200);
        assert_eq!(page.contains(">Disable<"), who != Who::Of(Role::Developer), "{who:?}: {page}");
    }
    let developer = visitor(&app, Who::Of(Role::Developer)).await;
    let page = developer.get("/t/acme/members").await.page(200);
    assert!(!page.contains(">Invite<"), "{page}");
    let member = app.member("owner@acme.com").await.unwrap().id;
    let page = developer.get(&format!("/t/acme/members/{member}")).await.page(200);
    assert!(!page.contains("<button>Suspend") && !page.contains("Change role"), "{page}");
    // The first page is the first that they may see.
    let first = async |who: Who| visitor(&app, who).await.get("/").await.location;
    assert_eq!(first(Who::ByLink).await, "/console/t/acme/enterprise");
    assert_eq!(first(Who::Of(Role::Developer)).await, "/console/t/acme");
    assert_eq!(first(Who::Operator).await, "/console/teamspaces");
}

/// Where the action is the same, a token of the API has the same answer as an owner of its teamspace.
#[tokio::test]
async fn a_teamspaces_token_reaches_by_the_api_what_its_owner_reaches_here() {
    let app = peopled().await;
    let router = countersign::web::router(Arc::clone(&app.app));
    let token = async |slug: &str| {
        let new = countersign::admin::tokens::NewToken {
            name: slug.to_owned(),
            teamspace: Some(slug.to_owned()),
            lifetime: None,
        };
        let made = countersign::admin::tokens::create(&app.app.store, new, app.app.clock.now()).await;
        made.unwrap().0
    };
    let (acme, globex) = (token("acme").await, token("globex").await);
    let (owner, stranger) = (visitor(&app, Who::Of(Role::Owner)).await, visitor(&app, Who::Stranger).await);
    for (page, path) in [
        ("/t/acme", "/teamspaces/acme"),
        ("/t/acme/enterprise", "/teamspaces/acme/identity-providers"),
        ("/t/acme/setup-links", "/teamspaces/acme/setup-links"),
        ("/t/acme/members", "/teamspaces/acme/members"),
        ("/t/acme/activity", "/teamspaces/acme/sign-ins"),
        ("/teamspaces", "/teamspaces"),
        ("/audit", "/audit"),
        ("/clients", "/clients"),
        ("/policies", "/policies"),
        ("/activity", "/sign-ins"),
    ] {
        for (token, visitor) in [(&acme, &owner), (&globex, &stranger)] {
            let by_api = super::visitor::api(&router, token, path).await;
            let here = visitor.get(page).await.status;
            assert_eq!(by_api, here, "{page} and {path}");
        }
    }
}
