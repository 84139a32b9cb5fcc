//! Every noun from create to delete, by both ways.

use std::collections::BTreeSet;

use countersign::model::member::Status;
use countersign::model::trust::{TrustChange, TrustChangeKind, TrustedParts};
use countersign::store::trust_changes::append;
use countersign::web::api::description;
use serde_json::{Value, json};

use super::desk::{Desk, Way};
use crate::console::visitor::Visitor;
use crate::harness::{CLIENT, START};
use crate::process::real_time;

const URL: &str = "https://docs.globex.example/mcp";

fn member<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn every_operation_of_the_api_has_a_command() {
    let desk = everything(Way::Server).await;
    assert_all_called(&desk.calls());
}

#[tokio::test]
async fn every_command_works_on_the_database() {
    let desk = everything(Way::Database).await;
    assert!(desk.calls().is_empty());
}

async fn everything(way: Way) -> Desk {
    let desk = Desk::start().await;
    real_time(&desk.app);
    teamspaces(&desk, way).await;
    resources(&desk, way).await;
    clients(&desk, way).await;
    providers(&desk, way).await;
    members(&desk, way).await;
    setup_links(&desk, way).await;
    console_sessions(&desk, way).await;
    kill_switches(&desk, way).await;
    scim_tokens(&desk, way).await;
    logs(&desk, way).await;
    policies(&desk, way).await;
    deleted(&desk, way).await;
    desk
}

/// Operations that commands reach otherwise.
const OTHERWISE: [(&str, &str, &str); 1] =
    [("GET", "/policies/shadow", "`policy shadow` reads the same from the database")];

fn assert_all_called(calls: &[(String, String)]) {
    let document = serde_json::to_value(description(None)).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let called: BTreeSet<_> = calls
        .iter()
        .filter_map(|(method, path)| {
            // Of two that fit, the one with fewer parameters is meant.
            let fitting = described.iter().filter(|(of, template)| of == method && fits(template, path));
            fitting.min_by_key(|(_, template)| template.matches('{').count()).cloned()
        })
        .collect();
    let otherwise = OTHERWISE.map(|(method, path, _)| (method.to_owned(), path.to_owned()));
    let left: Vec<_> =
        described.iter().filter(|one| !called.contains(*one) && !otherwise.contains(one)).collect();
    assert!(described.len() > 40 && left.is_empty(), "no command calls these: {left:#?}");
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, found)| part.starts_with('{') || *part == found)
}

async fn teamspaces(desk: &Desk, way: Way) {
    let create = ["teamspace", "create", "globex", "--name", "Globex", "--plan", "enterprise"];
    let made = desk.done(way, &[&create[..], &["--email-domains", "globex.com"]].concat()).await;
    let place = match way {
        Way::Server => format!("at {}", desk.server),
        Way::Database => "in ".to_owned(),
    };
    assert!(made.err.starts_with(&format!("Created teamspace globex {place}")), "{made:?}");
    assert!(made.out.contains("email domains  globex.com\n"), "{made:?}");
    let update = ["teamspace", "update", "globex", "--slug", "g", "--member-limit", "5", "--force"];
    let changed = desk.json(way, &update).await;
    assert_eq!((member(&changed, "slug"), &changed["member_limit"]), ("g", &json!(5)));
    let update = ["teamspace", "update", "g", "--member-limit", "none", "--email-domains", ""];
    desk.done(way, &update).await;
    assert_eq!(desk.json(way, &["teamspace", "show", "g"]).await["member_limit"], Value::Null);
    let listed = desk.done(way, &["teamspace", "list"]).await;
    let expected = "SLUG  NAME    PLAN        MEMBER LIMIT  EMAIL DOMAINS\n\
                    acme  acme    enterprise  none          any\n\
                    g     Globex  enterprise  none          any\n";
    assert_eq!(listed.out, expected);
    assert_eq!(listed.err, "");
    let first = desk.done(way, &["teamspace", "list", "--limit", "1"]).await;
    assert!(first.out.ends_with("any\n") && first.out.lines().count() == 2, "{first:?}");
    assert!(first.err.contains("--all"), "{first:?}");
    // JSON is what the API answers.
    let page = desk.json(way, &["teamspace", "list", "--limit", "1"]).await;
    let rest = ["teamspace", "list", "--cursor", member(&page, "next_cursor")];
    let rest = desk.json(way, &rest).await;
    assert_eq!((member(&rest["items"][0], "slug"), &rest["next_cursor"]), ("g", &Value::Null));
    let all = desk.json(way, &["teamspace", "list", "--all"]).await;
    assert_eq!(all["items"], json!([page["items"][0], rest["items"][0]]));
}

async fn resources(desk: &Desk, way: Way) {
    let create = ["resource", "create", URL, "--name", "Docs", "--scopes", "docs.read=Read documents"];
    let more = ["--scopes", "docs.write", "--default-scopes", "docs.read", "--teamspaces", "g"];
    let made = desk.done(way, &[&create[..], &more].concat()).await;
    assert!(made.out.contains("docs.read: Read documents\n"), "{made:?}");
    let shown = desk.json(way, &["resource", "show", URL]).await;
    assert_eq!(shown["scopes"][1], json!({ "name": "docs.write", "description": "" }));
    assert_eq!((&shown["default_scopes"], &shown["teamspaces"]), (&json!(["docs.read"]), &json!(["g"])));
    let changed = desk.json(way, &["resource", "update", URL, "--teamspaces", "all"]).await;
    assert_eq!(changed["teamspaces"], Value::Null);
    let bound = desk.json(way, &["resource", "update", URL, "--dpop-bound-access-tokens", "true"]).await;
    assert_eq!(bound["dpop_bound_access_tokens"], true);
    desk.done(way, &["resource", "update", URL, "--dpop-bound-access-tokens", "false"]).await;
    let forward_auth =
        ["--required-scopes", "docs.read", "--forward-auth-credentials", "true", "--tool-policies", "true"];
    let changed = desk.json(way, &[&["resource", "update", URL][..], &forward_auth].concat()).await;
    let told = (&changed["required_scopes"], &changed["forward_auth_credentials"], &changed["tool_policies"]);
    assert_eq!(told, (&json!(["docs.read"]), &Value::Bool(true), &Value::Bool(true)));
    assert!(desk.done(way, &["resource", "show", URL]).await.out.contains("tool policies"));
    let by_id = desk.json(way, &["resource", "show", member(&shown, "id")]).await;
    assert_eq!(by_id, changed);
    assert!(desk.done(way, &["resource", "list"]).await.out.contains(URL));
    credentials(desk, way).await;
    let ended = desk.run(way, &["resource", "show", "https://nowhere.example/mcp"]).await;
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (Some(2), "error: there is no resource https://nowhere.example/mcp\n")
    );
}

async fn credentials(desk: &Desk, way: Way) {
    let made = desk.done(way, &["resource", "credential", "create", URL]).await;
    assert!(made.out.lines().count() == 1 && made.out.trim().len() >= 43, "{made:?}");
    assert!(made.err.contains("Made credentials resource-") && made.err.contains("this once"), "{made:?}");
    let both = desk.json(way, &["resource", "credential", "create", URL]).await;
    assert!(member(&both, "client_secret").len() >= 43);
    let id = member(&both, "client_id");
    let listed = desk.done(way, &["resource", "credential", "list", URL]).await.out;
    assert!(listed.starts_with("CLIENT ID") && listed.contains(id), "{listed}");
    let of_these = |verb| ["resource", "credential", verb, URL, id];
    let file = ["--client-secret-file", "-"];
    let check = [&of_these("check")[..], &file].concat();
    let own = "a-secret-of-ones-own-0123456789\n";
    let before = desk.fed(way, &check, own).await;
    assert_eq!((before.code, before.out.as_str()), (Some(1), "is current  no\n"), "{before:?}");
    let changed = desk.fed(way, &[&of_these("update")[..], &file].concat(), own).await;
    assert!(
        changed.code == Some(0) && changed.err.starts_with(&format!("Changed credentials {id}")),
        "{changed:?}"
    );
    assert!(!changed.out.contains(own.trim()), "{changed:?}");
    let after = desk.fed(way, &check, own).await;
    assert_eq!((after.code, after.out.as_str()), (Some(0), "is current  yes\n"), "{after:?}");
    desk.done(way, &["resource", "credential", "delete", URL, id, "--yes"]).await;
    let left = desk.json(way, &["resource", "credential", "list", URL]).await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

async fn clients(desk: &Desk, way: Way) {
    let create = ["client", "create", "robot", "--client-name", "Robot", "--groups", "a", "--groups", "b,c"];
    let made = desk.done(way, &create).await;
    // The secret alone, which a shell takes; what it is stands beside it.
    assert_eq!(made.out.lines().count(), 1, "{made:?}");
    assert!(made.out.trim().len() >= 32 && !made.err.contains(made.out.trim()), "{made:?}");
    assert!(made.err.contains("Registered client robot") && made.err.contains("this once"), "{made:?}");
    let shown = desk.json(way, &["client", "show", "robot"]).await;
    assert_eq!(shown["groups"], json!(["a", "b,c"]));
    let own = "a-secret-of-ones-own-0123456789\n";
    let file = ["client", "create", "mine", "--client-secret-file", "-"];
    let given = desk.fed(way, &file, own).await;
    assert_eq!(given.code, Some(0), "{given:?}");
    assert!(given.out.starts_with("client id") && !given.out.contains(own.trim()), "{given:?}");
    let check = ["client", "secret", "check", "mine", "--client-secret-file", "-"];
    assert_eq!(desk.fed(way, &check, own).await.code, Some(0));
    assert_eq!(desk.fed(way, &check, "another secret").await.code, Some(1));
    let added = desk.json(way, &["client", "secret", "add", "robot"]).await;
    assert!(added["client_secret"].is_string());
    let added = desk.done(way, &["client", "secret", "add", "robot"]).await;
    assert_eq!(added.out.lines().count(), 1, "{added:?}");
    let secrets = desk.json(way, &["client", "show", "robot"]).await["secrets"].clone();
    let id = member(&secrets[0], "id");
    desk.done(way, &["client", "secret", "remove", "robot", id, "--yes"]).await;
    let update = ["client", "update", "robot", "--enabled", "false", "--groups", ""];
    let disabled = desk.json(way, &[&update[..], &["--dpop-bound-access-tokens", "true"]].concat()).await;
    assert_eq!(disabled["dpop_bound_access_tokens"], true);
    assert_eq!((&disabled["enabled"], &disabled["groups"]), (&json!(false), &json!([])));
    let listed = desk.done(way, &["client", "list"]).await.out;
    assert!(listed.starts_with("CLIENT ID") && listed.contains(CLIENT), "{listed}");
    desk.done(way, &["client", "delete", "mine", "--yes"]).await;
}

async fn providers(desk: &Desk, way: Way) {
    let issuer = desk.idp.issuer.as_str();
    let whole = ["--teamspace", "g", "--provider", "oidc", "--issuer", issuer];
    let first = desk.done(way, &[&["provider", "replace"], &whole[..]].concat()).await;
    assert!(first.err.starts_with("Replaced the identity provider of g"), "{first:?}");
    let update =
        ["provider", "update", "-t", "g", "--custom-claims", "department", "--custom-claims", "level=long"];
    desk.done(way, &update).await;
    let shown = desk.done(way, &["provider", "show", "-t", "g"]).await;
    assert!(shown.out.contains(issuer) && shown.out.contains("enabled"), "{shown:?}");
    let checked = desk.done(way, &["provider", "check", "-t", "g"]).await;
    assert!(checked.out.starts_with('✓'), "{checked:?}");
    let jwks_uri = desk.idp.jwks_uri();
    let confirm = ["provider", "confirm-jwks-uri", "-t", "g", "--jwks-uri", jwks_uri.as_str()];
    assert!(
        desk.done(way, &confirm)
            .await
            .err
            .starts_with("Confirmed the jwks uri of the identity provider of g")
    );
    let history = desk.done(way, &["provider", "trust-history", "-t", "g"]).await;
    assert!(history.out.contains("added") && history.out.contains(&jwks_uri), "{history:?}");
    desk.done(way, &["provider", "delete", "-t", "g", "--yes"]).await;
    let made = desk.json(way, &[&["provider", "create", "--name", "Ours"], &whole[..]].concat()).await;
    let id = member(&made, "id");
    let claims =
        ["--custom-claims", "https://g.example/a=b", "--custom-claims", "level=long", "--tenant", "t"];
    let changed = desk.json(way, &[&["provider", "update", "-t", "g", id], &claims[..]].concat()).await;
    let expected = json!(["https://g.example/a=b", { "name": "level", "type": "long" }]);
    assert_eq!((&changed["custom_claims"], &changed["tenant"]), (&expected, &json!("t")));
    let shown = desk.done(way, &["provider", "show", "-t", "g", id]).await.out;
    assert!(shown.contains("https://g.example/a=b\n") && shown.contains("level (long)\n"), "{shown}");
    let replaced = desk.json(way, &[&["provider", "replace", id], &whole[..]].concat()).await;
    assert_eq!((&replaced["custom_claims"], &replaced["tenant"]), (&json!([]), &Value::Null));
    assert!(desk.done(way, &["provider", "list", "-t", "g"]).await.out.contains(id));
    desk.done(way, &["provider", "check", "-t", "g", id]).await;
    desk.done(way, &[&confirm[..], &[id]].concat()).await;
    let history = desk.json(way, &["provider", "trust-history", "-t", "g", id]).await;
    assert_eq!(history["items"].as_array().unwrap().last().unwrap()["kind"], "added", "{history}");
    let shown = desk.done(way, &["provider", "show", "-t", "g", id]).await.out;
    assert!(!shown.contains("metadata name instead"), "they name what was saved: {shown}");
    let elsewhere = moved_metadata(id, issuer);
    desk.app.app.store.configure(move |c| append(c, &elsewhere)).await.unwrap();
    let shown = desk.done(way, &["provider", "show", "-t", "g", id]).await.out;
    assert!(shown.contains("metadata name instead  jwks uri https://g.example/keys, since "), "{shown}");
    desk.idp.change(|idp| idp.metadata_issuer = "https://other.example".to_owned());
    let failed = desk.run(way, &["provider", "check", "-t", "g", id]).await;
    assert!(failed.code == Some(1) && failed.out.contains('✗'), "{failed:?}");
    desk.idp.change(|idp| idp.metadata_issuer = issuer.to_owned());
    desk.done(way, &["provider", "delete", "-t", "g", id, "--yes"]).await;
    let none = desk.done(way, &["provider", "list", "-t", "g"]).await;
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "There are no identity providers.\n"));
}

/// What is kept when the metadata of a provider name another address of its keys.
fn moved_metadata(provider_id: &str, issuer: &str) -> TrustChange {
    let jwks_uri = Some("https://g.example/keys".to_owned());
    TrustChange {
        provider_id: provider_id.to_owned(),
        at: START,
        kind: TrustChangeKind::Metadata,
        actor: String::new(),
        request_id: String::new(),
        old: None,
        new: Some(TrustedParts { issuer: Some(issuer.to_owned()), jwks_uri, ..TrustedParts::default() }),
    }
}

async fn members(desk: &Desk, way: Way) {
    desk.app.put_member("dana@acme.com", Status::Active).await;
    let invited =
        desk.done(way, &["member", "invite", "-t", "acme", "eli@acme.com", "--role", "admin"]).await;
    assert!(invited.err.starts_with("Invited eli@acme.com to acme"), "{invited:?}");
    let listed = desk.done(way, &["member", "list", "-t", "acme"]).await.out;
    assert!(listed.contains("EMAIL") && listed.contains("invited") && listed.contains("never"), "{listed}");
    let listed = desk.json(way, &["member", "list", "-t", "acme", "--email-prefix", "da"]).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let (dana, eli) = (["-t", "acme", "Dana@acme.com"], ["-t", "acme", "eli@acme.com"]);
    desk.done(way, &[&["member", "suspend"], &dana[..]].concat()).await;
    let shown = desk.json(way, &[&["member", "show"], &dana[..]].concat()).await;
    assert_eq!(member(&shown, "status"), "suspended");
    let by_id = desk.json(way, &["member", "show", "-t", "acme", member(&shown, "id")]).await;
    assert_eq!(by_id, shown);
    desk.done(way, &[&["member", "restore"], &dana[..]].concat()).await;
    let changed = desk.json(way, &[&["member", "update", "--role", "owner"], &dana[..]].concat()).await;
    // Nobody has signed in as Dana, so she is let in as somebody who was invited.
    assert_eq!((member(&changed, "role"), member(&changed, "status")), ("owner", "invited"));
    desk.done(way, &[&["member", "end-sessions"], &dana[..]].concat()).await;
    desk.done(way, &[&["member", "unlink"], &dana[..]].concat()).await;
    desk.done(way, &[&["member", "delete", "--yes"], &eli[..]].concat()).await;
    let gone = desk.run(way, &[&["member", "show"], &eli[..]].concat()).await;
    assert_eq!((gone.code, gone.err.as_str()), (Some(2), "error: acme has no member eli@acme.com\n"));
}

async fn setup_links(desk: &Desk, way: Way) {
    let made = desk.done(way, &["setup-link", "create", "-t", "g", "--valid-for", "2h"]).await;
    assert!(made.out.starts_with("http") && made.out.lines().count() == 1, "{made:?}");
    let listed = desk.json(way, &["setup-link", "list", "-t", "g"]).await;
    let id = member(&listed["items"][0], "id");
    desk.done(way, &["setup-link", "delete", "-t", "g", id, "--yes"]).await;
    assert!(desk.done(way, &["setup-link", "list", "-t", "g"]).await.out.contains("revoked"));
}

async fn console_sessions(desk: &Desk, way: Way) {
    let visitors = [
        Visitor::operator_named(&desk.app.app, "olive@example.com").await,
        Visitor::operator_named(&desk.app.app, "olive@example.com").await,
        Visitor::operator(&desk.app.app).await,
    ];
    let listed = desk.done(way, &["console-session", "list"]).await;
    assert!(visitors.iter().all(|visitor| listed.out.contains(visitor.session_id())), "{listed:?}");
    desk.done(way, &["console-session", "delete", visitors[0].session_id(), "--yes"]).await;
    let ended =
        desk.done(way, &["console-session", "end-all", "--email", "olive@example.com", "--yes"]).await;
    assert!(ended.err.contains("Ended all console sessions of olive@example.com (1)"), "{ended:?}");
    let ended = desk.json(way, &["console-session", "end-all", "--everybody", "--yes"]).await;
    assert_eq!(ended["ended"], 1);
    let refused = desk.run(way, &["console-session", "end-all", "--yes"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

async fn kill_switches(desk: &Desk, way: Way) {
    let on = ["kill-switch", "on", "teamspace", "g", "--reason", "a policy error", "--yes"];
    let thrown = desk.done(way, &on).await;
    assert!(thrown.err.starts_with("The kill switch is on for teamspace g"), "{thrown:?}");
    assert!(desk.done(way, &["kill-switch", "list"]).await.out.contains("a policy error"));
    let unknown = desk.run(way, &["kill-switch", "on", "client", "absent", "--reason", "x", "--yes"]).await;
    assert!(unknown.code == Some(2) && unknown.err.contains("There is no client"), "{unknown:?}");
    desk.done(way, &["kill-switch", "off", "teamspace", "g", "--yes"]).await;
    let again = desk.run(way, &["kill-switch", "off", "teamspace", "g", "--yes"]).await;
    assert!(again.code == Some(2) && again.err.contains("no kill switch is on"), "{again:?}");
}

async fn scim_tokens(desk: &Desk, way: Way) {
    let made = desk.done(way, &["scim-token", "create", "-t", "g", "--name", "Okta"]).await;
    assert!(made.out.starts_with("csi_") && made.out.lines().count() == 1, "{made:?}");
    assert!(made.err.contains("/t/g/scim/v2"), "{made:?}");
    let listed = desk.json(way, &["scim-token", "list", "-t", "g"]).await;
    let id = member(&listed["items"][0], "id");
    assert!(desk.done(way, &["scim-token", "list", "-t", "g"]).await.out.contains("Okta"));
    desk.done(way, &["scim-token", "delete", "-t", "g", id, "--yes"]).await;
    assert_eq!(desk.json(way, &["scim-token", "list", "-t", "g"]).await["items"], json!([]));
}

async fn logs(desk: &Desk, way: Way) {
    let finn = json!({ "sub": "00u1finn", "email": "finn@acme.com" });
    let granted = desk.app.granted(finn.clone()).await;
    let request = granted.header("x-request-id");
    let filter = ["--client-id", CLIENT, "--outcome", "granted", "--person", "finn@acme.com"];
    let listed = desk.done(way, &[&["sign-ins", "list", "-t", "acme"], &filter[..]].concat()).await.out;
    assert!(listed.contains("finn@acme.com") && listed.contains(request), "{listed}");
    assert_eq!(desk.json(way, &["sign-ins", "list"]).await["items"].as_array().unwrap().len(), 1);
    let shown = desk.done(way, &["sign-ins", "show", request]).await.out;
    assert!(shown.contains("policy set") && shown.contains("docs.read"), "{shown}");
    let token = desk.done(way, &["sign-ins", "token", request]).await.out;
    assert!(token.contains("active") && token.contains("introspections"), "{token}");
    desk.done(way, &["sign-ins", "token", request, "-t", "acme"]).await;
    let explain = ["explain", "-t", "acme", "--client-id", CLIENT];
    let assertion = desk.app.assertion(finn);
    let explained = desk.fed(way, &explain, &assertion).await;
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.out.contains("✓ signature") && explained.out.contains("A token would be issued"));
    let bound = desk.fed(way, &[&explain[..], &["--key-bound"]].concat(), &assertion).await;
    assert!(bound.code == Some(0) && bound.out.contains("\"jkt\""), "{bound:?}");
    let refused =
        desk.fed(way, &explain, &desk.app.assertion(json!({ "aud": "https://other.example" }))).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("✗ audience") && refused.out.contains("What to do:"), "{refused:?}");
    assert!(desk.done(way, &["reason", "list"]).await.out.contains("REASON"));
    assert!(desk.done(way, &["reason", "show", "aud_mismatch"]).await.out.contains("what to do"));
    let audit = ["audit", "list", "--action", "teamspace", "-t", "g"];
    let listed = desk.json(way, &audit).await;
    let expected = match way {
        Way::Server => ("commands", "token"),
        Way::Database => ("command line", "command"),
    };
    let latest = &listed["items"][0];
    assert_eq!((member(latest, "actor"), member(latest, "actor_kind")), expected, "{listed}");
    assert!(desk.done(way, &audit).await.out.contains(expected.0));
}

async fn policies(desk: &Desk, way: Way) {
    let shown = desk.json(way, &["policy-set", "show"]).await;
    let hash = member(&shown, "hash");
    assert!(desk.done(way, &["policy-set", "show"]).await.out.contains("console.cedar"));
    assert!(desk.done(way, &["policy-set", "list"]).await.out.contains(hash));
    let set = desk.done(way, &["policy-set", "show", hash]).await.out;
    assert!(set.contains("// console.cedar\n") && set.contains("permit ("), "{set}");
}

async fn deleted(desk: &Desk, way: Way) {
    for args in [["resource", "delete", URL], ["client", "delete", "robot"], ["teamspace", "delete", "g"]] {
        let asked = desk.run(way, &args).await;
        assert_eq!(asked.code, Some(2), "{asked:?}");
        assert!(asked.err.contains("give --yes"), "{asked:?}");
        let done = desk.done(way, &[&args[..], &["--yes"]].concat()).await;
        assert!(done.err.starts_with("Deleted ") && done.out.is_empty(), "{done:?}");
    }
}
