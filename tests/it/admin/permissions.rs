//! Who may do what: the policies decide, for tokens of the API and people in the console alike.

use std::path::Path;
use std::sync::Arc;

use axum::http::Method;
use countersign::admin::{Admin, AdminError, Origin, Principal, may};
use countersign::model::console_user::{ConsoleUser, Membership, UserKind};
use countersign::model::member::Role;
use countersign::policy::{ConsoleAction, ConsoleScope, PolicySource, Topic};
use countersign::store::admin_tokens::AdminToken;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Harness, NOW};

/// The shipped policies of sign-ins, with `console.cedar` or without it, and a file of one's own.
fn policies(with_console: bool, own: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["grants", "issuer", "members", "console"] {
        if name != "console" || with_console {
            let file = format!("{name}.cedar");
            std::fs::copy(Path::new("policies").join(&file), dir.path().join(&file)).unwrap();
        }
    }
    std::fs::write(dir.path().join("own.cedar"), own).unwrap();
    dir
}

fn forbid(head: &str, condition: &str) -> String {
    format!(
        "@id(\"own\") @reason(\"own\") @error(\"access_denied\") @message(\"Not now.\") forbid ({head}) {condition};\n"
    )
}

/// Every route of the API with a body that it takes, in teamspace acme.
fn routes() -> Vec<(Method, &'static str, Option<Value>)> {
    let provider =
        || Some(json!({ "provider": "oidc", "issuer": "https://idp.example.com", "enabled": true }));
    let get = |path| (Method::GET, path, None);
    let delete = |path| (Method::DELETE, path, None);
    vec![
        get("/teamspaces/acme"),
        (Method::PATCH, "/teamspaces/acme", Some(json!({ "name": "Acme" }))),
        get("/teamspaces/acme/identity-provider"),
        get("/teamspaces/acme/identity-providers"),
        get("/teamspaces/acme/identity-providers/x"),
        (Method::POST, "/teamspaces/acme/identity-providers", provider()),
        (Method::PUT, "/teamspaces/acme/identity-providers/x", provider()),
        (Method::PATCH, "/teamspaces/acme/identity-providers/x", Some(json!({ "enabled": false }))),
        delete("/teamspaces/acme/identity-providers/x"),
        (Method::POST, "/teamspaces/acme/identity-providers/x/check", None),
        (Method::PUT, "/teamspaces/acme/identity-provider", provider()),
        (Method::PATCH, "/teamspaces/acme/identity-provider", Some(json!({ "enabled": false }))),
        delete("/teamspaces/acme/identity-provider"),
        (Method::POST, "/teamspaces/acme/identity-provider/check", None),
        get("/teamspaces/acme/members"),
        (Method::POST, "/teamspaces/acme/members", Some(json!({ "email": "dana@acme.com" }))),
        (Method::PATCH, "/teamspaces/acme/members/x", Some(json!({ "role": "admin" }))),
        delete("/teamspaces/acme/members/x"),
        (Method::POST, "/teamspaces/acme/members/x/end-sessions", None),
        get("/teamspaces/acme/setup-links"),
        (Method::POST, "/teamspaces/acme/setup-links", None),
        delete("/teamspaces/acme/setup-links/x"),
        get("/teamspaces/acme/scim-tokens"),
        (Method::POST, "/teamspaces/acme/scim-tokens", Some(json!({ "name": "Okta" }))),
        delete("/teamspaces/acme/scim-tokens/x"),
        get("/teamspaces/acme/sign-ins"),
        (Method::POST, "/teamspaces/acme/explain", Some(json!({ "assertion": "a", "client_id": "c" }))),
        get("/teamspaces"),
        get("/resources"),
        get("/resources/x"),
        get("/audit"),
    ]
}

/// The routes that are for operators only.
fn operators_routes() -> Vec<(Method, &'static str, Option<Value>)> {
    let get = |path| (Method::GET, path, None);
    let resource = || Some(json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs" }));
    vec![
        (Method::POST, "/teamspaces", Some(json!({ "slug": "new", "name": "New", "plan": "free" }))),
        (Method::PATCH, "/teamspaces/acme", Some(json!({ "plan": "free" }))),
        (Method::DELETE, "/teamspaces/acme", None),
        get("/sign-ins"),
        get("/policies"),
        get("/policies/sets"),
        get("/policies/sets/x"),
        get("/policies/shadow"),
        get("/clients"),
        get("/clients/x"),
        (Method::POST, "/clients", Some(json!({ "client_id": "c", "client_name": "C" }))),
        (Method::PATCH, "/clients/x", Some(json!({ "client_name": "C" }))),
        (Method::DELETE, "/clients/x", None),
        (Method::POST, "/clients/x/secrets", None),
        (Method::DELETE, "/clients/x/secrets/y", None),
        get("/kill-switch"),
        (Method::POST, "/kill-switch", Some(json!({ "scope": "all", "reason": "r" }))),
        (Method::DELETE, "/kill-switch/x", None),
        (Method::POST, "/resources", resource()),
        (Method::PATCH, "/resources/x", Some(json!({ "name": "Docs" }))),
        (Method::DELETE, "/resources/x", None),
        get("/console-sessions"),
        (Method::DELETE, "/console-sessions/x", None),
        (Method::POST, "/console-sessions/end", Some(json!({ "everybody": true }))),
    ]
}

#[tokio::test]
async fn a_policy_takes_every_right_away_from_tokens_too() {
    let own = forbid(
        "principal is ConsoleUser, action in Action::\"console\", resource",
        "when { principal.kind == ConsoleKind::\"teamspace_token\" || context.now >= datetime(\"2026-09-21T15:00:00Z\") }",
    );
    let dir = policies(true, &own);
    let h = Harness::with_policies(dir.path().to_owned()).await;
    let acme = h.teamspace("acme").await;
    // From now on nobody does anything.
    h.clock.advance(86_400);
    for (method, path, body) in routes().into_iter().chain(operators_routes()) {
        let problem = h.refuses(&h.operator, (method, path), body, (403, "policy_denied")).await;
        assert_eq!(problem["detail"], "Not now.", "{path}");
    }
    for (method, path, body) in routes() {
        h.refuses(&acme, (method, path), body, (403, "policy_denied")).await;
    }
    for (method, path, body) in operators_routes() {
        h.refuses(&acme, (method, path), body, (403, "operator_only")).await;
    }
}

#[tokio::test]
async fn reading_can_be_left_to_somebody_who_may_not_change() {
    let own =
        forbid("principal is ConsoleUser, action in Action::\"console:change\", resource is Teamspace", "");
    let dir = policies(true, &own);
    let h = Harness::with_policies(dir.path().to_owned()).await;
    let acme = h.teamspace("acme").await;
    acme.get("/teamspaces/acme/members").await.expect(200);
    h.refuses(
        &acme,
        (Method::POST, "/teamspaces/acme/members"),
        Some(json!({ "email": "dana@acme.com" })),
        (403, "policy_denied"),
    )
    .await;
}

/// A set from before there was a console. Its policy without an action would match in the console too.
#[tokio::test]
async fn without_policies_about_the_console_tokens_do_what_they_did() {
    let dir = policies(false, &forbid("principal, action, resource", "when { context.weekday > 0 }"));
    let h = Harness::with_policies(dir.path().to_owned()).await;
    assert!(!h.app.policies().compiled.decides(Topic::Console));
    let acme = h.teamspace("acme").await;
    let client = json!({ "client_id": "c", "client_name": "C" });
    h.operator.post("/clients", client).await.expect(201);
    acme.post("/teamspaces/acme/members", json!({ "email": "dana@acme.com" })).await.expect(201);
    acme.get("/teamspaces/acme/sign-ins").await.expect(200);
    acme.get("/clients").await.problem(403, "operator_only");
}

/// Even a permit for everybody opens nothing that is not theirs.
#[tokio::test]
async fn no_policy_opens_what_is_anothers() {
    let permit = "@id(\"own\") @otherwise(\"own\") @error(\"access_denied\") @message(\"Own.\")\n\
        permit (principal is ConsoleUser, action in Action::\"console\", resource);\n";
    let dir = policies(true, permit);
    let h = Harness::with_policies(dir.path().to_owned()).await;
    let acme = h.teamspace("acme").await;
    h.teamspace("globex").await;
    acme.get("/teamspaces/globex").await.problem(404, "not_found");
    acme.get("/clients").await.problem(403, "operator_only");
    let listed = acme.get("/teamspaces").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

/// The schema of an older version knows no console; policies that fit it go on deciding about sign-ins.
#[test]
fn a_schema_from_before_the_console_still_loads() {
    let schema = std::fs::read_to_string("schema/countersign.cedarschema").unwrap();
    let (before, rest) = schema.split_once("@doc(\"How somebody came to the console").unwrap();
    let (_, rest) = rest.split_once("\ntype Actor").unwrap();
    let (rest, _) = rest.split_once("\naction \"console\";").unwrap();
    let dir = policies(false, "");
    let files = ["grants", "issuer", "members"].map(|name| {
        (format!("{name}.cedar"), std::fs::read_to_string(dir.path().join(format!("{name}.cedar"))).unwrap())
    });
    let old = format!("{before}\ntype Actor{rest}");
    let policies = PolicySource::of(old, files.to_vec()).compile(0).unwrap();
    assert!(!policies.compiled.decides(Topic::Console));
}

fn person(kind: UserKind) -> Principal {
    Principal::Console(Arc::new(ConsoleUser {
        session_id: "session".into(),
        email: "dana@acme.com".into(),
        name: "Dana".into(),
        groups: vec![],
        kind,
    }))
}

fn token(teamspace_id: Option<&str>) -> Principal {
    Principal::Token(Arc::new(AdminToken {
        id: "token".into(),
        name: "token".into(),
        token_digest: String::new(),
        teamspace_id: teamspace_id.map(str::to_owned),
        created_at: NOW,
        expires_at: None,
    }))
}

/// Everything that the shipped policies let somebody do: in their teamspace, and in the deployment.
fn allowed(h: &Harness, principal: &Principal, slug: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let admin = Admin::new(Arc::clone(&h.app), principal.clone(), Origin::default());
    let snapshot = h.app.snapshot();
    let teamspace_config = snapshot.teamspace_config(slug).unwrap();
    let in_teamspace = |action: &ConsoleAction| action.scope() != ConsoleScope::Deployment;
    let everywhere = |action: &ConsoleAction| action.scope() != ConsoleScope::Teamspace;
    let name = |action: ConsoleAction| action.name().strip_prefix("console:").unwrap();
    let all = ConsoleAction::ALL;
    let here =
        all.into_iter().filter(in_teamspace).filter(|a| may(&admin, *a, Some(teamspace_config)).is_ok());
    let there = all.into_iter().filter(everywhere).filter(|a| may(&admin, *a, None).is_ok());
    (here.map(name).collect(), there.map(name).collect())
}

#[tokio::test]
async fn each_kind_of_person_may_do_what_the_guide_says() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.teamspace("globex").await;
    let id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let member = |role| person(UserKind::Member(vec![Membership { teamspace_id: id.clone(), role }]));
    let link = person(UserKind::SetupLink { teamspace_id: id.clone(), link_id: "link".into() });
    let of_scope =
        |not: ConsoleScope| ConsoleAction::ALL.into_iter().filter(move |a| a.scope() != not).count();
    let (own, all) = (of_scope(ConsoleScope::Deployment), of_scope(ConsoleScope::Teamspace));
    let reads = [
        "ViewOverview",
        "ViewEnterprise",
        "ViewMembers",
        "Explain",
        "ViewActivity",
        "ViewAudit",
        "ViewResources",
    ];
    for (principal, here, everywhere) in [
        (person(UserKind::Operator), own, all),
        (token(None), own, all),
        (member(Role::Owner), own, 0),
        (member(Role::Admin), own, 0),
        (token(Some(&id)), own, 0),
        (member(Role::Developer), reads.len(), 0),
        (link.clone(), 4, 0),
        (person(UserKind::Member(Vec::new())), 0, 0),
    ] {
        let (may_here, may_everywhere) = allowed(&h, &principal, "acme");
        assert_eq!((may_here.len(), may_everywhere.len()), (here, everywhere), "{principal:?}: {may_here:?}");
        let elsewhere = allowed(&h, &principal, "globex").0.len();
        assert_eq!(elsewhere, if everywhere > 0 { own } else { 0 }, "{principal:?}");
    }
    assert_eq!(allowed(&h, &member(Role::Developer), "acme").0, reads);
    assert_eq!(
        allowed(&h, &link, "acme").0,
        ["ViewEnterprise", "ChangeEnterprise", "Explain", "ViewActivity"]
    );
}

/// Whether something exists is not told to whom it does not belong; what is theirs and refused is.
#[tokio::test]
async fn a_refusal_tells_only_about_what_is_theirs() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.teamspace("globex").await;
    let snapshot = h.app.snapshot();
    let (acme, globex) =
        (snapshot.teamspace_config("acme").unwrap(), snapshot.teamspace_config("globex").unwrap());
    let role = Role::Developer;
    let own = Membership { teamspace_id: acme.teamspace.id.clone(), role };
    let admin = Admin::new(Arc::clone(&h.app), person(UserKind::Member(vec![own])), Origin::default());
    let refused = |action, at| may(&admin, action, at).err().unwrap();
    let message = refused(ConsoleAction::ChangeMembers, Some(acme)).to_string();
    assert_eq!(message, "This is for owners and admins of the teamspace.");
    assert!(matches!(refused(ConsoleAction::ViewMembers, Some(globex)), AdminError::NotFound));
    assert!(matches!(refused(ConsoleAction::ViewSystem, None), AdminError::OperatorOnly));
}
