//! The Clients page.

use countersign::model::client::KeySource;
use countersign::random::digest;
use serde_json::Value;

use super::visitor::{Shown, Visitor, has, hidden};
use crate::admin::harness::Harness;

const PATH: &str = "/clients/mcp%2Dclient";

async fn start() -> (Harness, Visitor) {
    let h = Harness::start().await;
    let operator = Visitor::operator(&h.app).await;
    (h, operator)
}

async fn add(operator: &Visitor, id: &str, name: &str) -> Shown {
    let fields = [
        ("client_id", id),
        ("client_name", name),
        ("token_endpoint_auth_method", "client_secret_post"),
        ("groups", " reviewed \n\ndesktop apps"),
    ];
    operator.post("/clients", &fields).await
}

/// The secret that a page shows once.
fn secret_on(page: &str) -> String {
    let after = page.split("Client secret</dt>").nth(1).unwrap();
    after.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_from_beginning_to_end() {
    let (h, operator) = start().await;
    has(&operator.get("/clients").await.page(200), &["There is no client yet", "New client"]);
    has(&operator.get("/clients/new").await.page(200), &["Client ID", "Name", "Authentication", "Groups"]);
    let shown = add(&operator, "mcp-client", "Assistant <b>").await.page(200);
    has(&shown, &["Copy the secret now.", "mcp-client", "/oauth2/token"]);
    let secret = secret_on(&shown);
    let known = h.app.snapshot().client("mcp-client").cloned().unwrap();
    assert_eq!(known.secrets[0].secret_digest, digest(&secret));
    assert_eq!(known.groups, ["reviewed", "desktop apps"]);

    let list = operator.get("/clients").await.page(200);
    has(&list, &["Assistant &#60;b&#62;", "Enabled", "Form fields", "reviewed, desktop apps", PATH]);
    let page = operator.get(PATH).await.page(200);
    has(&page, &["mcp-client", "Secrets", "Add secret", "Disable"]);
    assert!(!page.contains(&secret) && !page.contains(&digest(&secret)), "a secret is shown once");

    let fields = [
        ("client_name", "Helper"),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("dpop_bound_access_tokens", "true"),
    ];
    operator.post(PATH, &fields).await.leads_to(PATH, "The changes were saved.");
    let known = h.app.snapshot().client("mcp-client").cloned().unwrap();
    assert_eq!((known.client_name.as_str(), known.groups.is_empty()), ("Helper", true));
    assert!(known.dpop_bound_access_tokens);
    has(&operator.get(PATH).await.page(200), &["name=\"dpop_bound_access_tokens\" value=\"true\" checked"]);

    operator.post(&format!("{PATH}/disable"), &[]).await.leads_to(PATH, "Helper gets no more tokens.");
    assert!(!h.app.snapshot().client("mcp-client").unwrap().enabled);
    has(&operator.get(PATH).await.page(200), &["Disabled", "Enable"]);
    operator.post(&format!("{PATH}/enable"), &[]).await.leads_to(PATH, "Helper can get tokens again.");

    has(&operator.get(&format!("{PATH}/remove")).await.page(200), &["Remove Helper", "mcp-client"]);
    let refused = operator.post(&format!("{PATH}/remove"), &[("confirm", "mcp")]).await.page(422);
    has(&refused, &["Type mcp-client to confirm.", "value=\"mcp\""]);
    assert!(h.app.snapshot().client("mcp-client").is_some());
    let removed = operator.post(&format!("{PATH}/remove"), &[("confirm", "mcp-client")]).await;
    removed.leads_to("/clients", "Helper was removed.");
    assert!(h.app.snapshot().client("mcp-client").is_none());
    operator.get(PATH).await.page(404);
    let actions = h.operator.get("/audit").await.expect(200);
    let actions = actions["items"].as_array().unwrap().iter().map(|event: &Value| event["action"].as_str());
    assert_eq!(actions.filter(|action| *action == Some("client.update")).count(), 3);
}

/// Two secrets live at a time; each is shown when it is made and never again.
#[tokio::test]
async fn secrets_take_each_others_place() {
    let (h, operator) = start().await;
    let first = secret_on(&add(&operator, "mcp-client", "A").await.page(200));
    let newest = hidden(&operator.get(PATH).await.page(200), "newest");
    let added = operator.post(&format!("{PATH}/secrets"), &[("newest", &newest)]).await.page(200);
    assert_ne!(first, secret_on(&added));
    // The same form once more: a third secret would take the place of one that may be in use.
    let again = operator.post(&format!("{PATH}/secrets"), &[("newest", &newest)]).await.page(422);
    has(&again, &["The client has other secrets by now", "href=\"#secrets\"", "id=\"secrets-error\""]);
    let page = operator.get(PATH).await.page(200);
    has(&page, &["The oldest one goes then."]);
    let secrets = h.app.snapshot().client("mcp-client").unwrap().secrets.clone();
    assert_eq!(secrets.len(), 2);
    let oldest = format!("{PATH}/secrets/{}/remove", secrets[0].id);
    operator.post(&oldest, &[]).await.leads_to(PATH, "The secret was removed.");
    operator.post(&oldest, &[]).await.page(404);
    let left = h.app.snapshot().client("mcp-client").unwrap().secrets.clone();
    assert_eq!(left, secrets[1..]);
}

/// A form with a mistake comes back with what was typed, the reason at the field, and nothing written.
#[tokio::test]
async fn mistakes_come_back_with_what_was_typed() {
    let (h, operator) = start().await;
    add(&operator, "mcp-client", "A").await.page(200);
    let taken = add(&operator, "mcp-client", "Another").await.page(422);
    has(
        &taken,
        &["Nothing was saved.", "href=\"#client_id\"", "id=\"client_id-error\"", "value=\"Another\""],
    );
    let url = add(&operator, "https://client.example", "B").await.page(422);
    has(&url, &["id=\"client_id-error\""]);
    let long = "x".repeat(201);
    let unnamed = operator.post(PATH, &[("client_name", &long)]).await.page(422);
    has(&unnamed, &["href=\"#client_name\"", &long]);
    let twice = operator.post(PATH, &[("client_name", "A"), ("groups", "a\na")]).await.page(422);
    has(&twice, &["id=\"groups-error\""]);
    assert_eq!(h.app.snapshot().clients().count(), 1);
    assert_eq!(h.app.snapshot().client("mcp-client").unwrap().client_name, "A");
}

/// Pages of 50, by id.
#[tokio::test]
async fn long_lists_have_pages() {
    let (_h, operator) = start().await;
    for number in 0..51 {
        add(&operator, &format!("c{number:02}"), "C").await.page(200);
    }
    let first = operator.get("/clients").await.page(200);
    has(&first, &["c49", "/clients?after=c49"]);
    assert!(!first.contains("c50"));
    let second = operator.get("/clients?after=c49").await.page(200);
    has(&second, &["c50", "First page"]);
    assert!(!second.contains("Next page"));
}

#[tokio::test]
async fn only_operators_reach_the_deployments_pages() {
    let (h, operator) = start().await;
    h.teamspace("acme").await;
    let admin = Visitor::by_link(&h.app, "acme").await;
    add(&operator, "mcp-client", "A").await.page(200);
    for path in ["/clients", "/clients/new", PATH, "/resources", "/resources/new", "/policies", "/system"] {
        let refused = admin.get(path).await;
        assert!([403, 404].contains(&refused.status), "{path} {}", refused.status);
        assert!(!refused.body.contains("mcp-client"), "{path}");
    }
    for path in
        ["/clients", &format!("{PATH}/secrets"), &format!("{PATH}/disable"), "/resources", "/system/keys"]
    {
        let refused = admin.post(path, &[("client_id", "b"), ("identifier", "https://b.example")]).await;
        assert!([403, 404].contains(&refused.status), "{path} {}", refused.status);
    }
    let snapshot = h.app.snapshot();
    assert!(snapshot.client("b").is_none() && snapshot.resources().next().is_none());
    let known = snapshot.client("mcp-client").unwrap();
    assert!(known.enabled && known.secrets.len() == 1);
}

/// CLI-07: a client without credentials is what an operator chooses, and nothing that a form does by itself.
#[tokio::test]
async fn a_client_may_do_without_credentials() {
    let (h, operator) = start().await;
    let fields = |method| [("client_id", "mcp-client"), ("token_endpoint_auth_method", method)];
    has(&operator.get("/clients/new").await.page(200), &["<option value=\"none\">None (public)</option>"]);
    let added = operator.post("/clients", &fields("none")).await;
    added.leads_to(PATH, "The client was added. It has no credentials.");
    let page = operator.get(PATH).await.page(200);
    has(&page, &["<option value=\"none\" selected>"]);
    assert!(!page.contains("Add secret"), "{page}");
    has(&operator.get("/clients").await.page(200), &["None (public)"]);
    assert!(h.app.snapshot().client("mcp-client").unwrap().secrets.is_empty());
}

/// A client with keys: added, changed and given a secret instead; a mistake is told at its field.
#[tokio::test]
async fn a_client_signs_its_assertions() {
    let (h, operator) = start().await;
    let jwks = serde_json::json!({ "keys": [crate::idp::Key::es256("k-1").jwk()] });
    let fields = |jwks: &str, uri: &str| {
        [
            ("client_id", "mcp-client".to_owned()),
            ("client_name", "Signer".to_owned()),
            ("token_endpoint_auth_method", "private_key_jwt".to_owned()),
            ("jwks", jwks.to_owned()),
            ("jwks_uri", uri.to_owned()),
        ]
    };
    let post = async |path: &str, fields: [(&str, String); 5]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        operator.post(path, &fields).await
    };
    for (typed, said) in [
        ("", "exactly one of them"),
        ("no json", "alone"),
        (r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "is of another kind"),
    ] {
        let again = post("/clients", fields(typed, "")).await.page(422);
        has(&again, &["Nothing was saved.", "href=\"#jwks\"", "id=\"jwks-error\"", said, "<details open>"]);
    }
    let again = post("/clients", fields("", "http://client.example.com/k")).await.page(422);
    has(&again, &["id=\"jwks_uri-error\"", "must be https"]);
    let added = post("/clients", fields(&jwks.to_string(), "")).await;
    added.leads_to(PATH, "The client was added. It signs its assertions with its own key.");
    // The form once more.
    post("/clients", fields(&jwks.to_string(), "")).await.leads_to(PATH, "The client is registered already");
    let page = operator.get(PATH).await.page(200);
    has(&page, &["Signed assertion", "&#34;kid&#34;: &#34;k-1&#34;", "<details open>"]);
    assert!(!page.contains("Add secret"), "{page}");
    has(&operator.get("/clients").await.page(200), &["Signed assertion"]);
    post(PATH, fields("", "https://client.example.com/k")).await.leads_to(PATH, "The changes were saved.");
    let known = h.app.snapshot().client("mcp-client").cloned().unwrap();
    assert_eq!(known.keys, Some(KeySource::Fetched("https://client.example.com/k".to_owned())));
    let mut to_secret = fields("", "https://client.example.com/k");
    to_secret[2].1 = "client_secret_basic".to_owned();
    post(PATH, to_secret).await.leads_to(PATH, "The changes were saved.");
    has(&operator.get(PATH).await.page(200), &["The client has no secret.", "Add secret"]);
    assert_eq!(h.app.snapshot().client("mcp-client").unwrap().keys, None);
}
