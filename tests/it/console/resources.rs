//! The Resources page.

use std::sync::Arc;

use countersign::model::resource::Resource;
use countersign::random::digest;

use super::visitor::{Visitor, has};
use crate::admin::harness::Harness;

const IDENTIFIER: &str = "https://mcp.example.com/mcp";

async fn start() -> (Harness, Visitor) {
    let h = Harness::start().await;
    let operator = Visitor::operator(&h.app).await;
    (h, operator)
}

fn only(h: &Harness) -> Arc<Resource> {
    Arc::clone(h.app.snapshot().resources().next().unwrap())
}

#[tokio::test]
async fn a_resource_from_beginning_to_end() {
    let (h, operator) = start().await;
    h.teamspace("acme").await;
    has(&operator.get("/resources").await.page(200), &["There is no resource yet", "New resource"]);
    let fields = [
        ("identifier", IDENTIFIER),
        ("name", "Docs <i>"),
        ("scopes", "docs.read Read documents\r\n\r\ndocs.write"),
        ("default_scopes", "docs.read"),
        ("required_scopes", "docs.read docs.write"),
        ("forward_auth_credentials", "true"),
        ("tool_policies", "true"),
        ("dpop_bound_access_tokens", "true"),
        ("offered", "all"),
        ("teamspaces", ""),
    ];
    let added = operator.post("/resources", &fields).await;
    let resource = only(&h);
    let path = format!("/resources/{}", resource.id);
    added.leads_to(&path, "Docs <i> was registered.");
    assert_eq!(resource.scopes[0].description, "Read documents");
    assert_eq!((resource.scopes.len(), &resource.teamspaces), (2, &None));
    assert_eq!(
        (resource.required_scopes.len(), resource.forward_auth_credentials, resource.tool_policies),
        (2, true, true)
    );

    let list = operator.get("/resources").await.page(200);
    has(&list, &["Docs &#60;i&#62;", IDENTIFIER, "docs.read docs.write", "Every teamspace", &path]);
    let page = operator.get(&path).await.page(200);
    has(
        &page,
        &[
            "docs.read Read documents\ndocs.write",
            "value=\"docs.read docs.write\"",
            "name=\"forward_auth_credentials\" value=\"true\" checked",
            "name=\"tool_policies\" value=\"true\" checked",
            "name=\"dpop_bound_access_tokens\" value=\"true\" checked",
            "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"",
            "&#34;authorization_servers&#34;",
            &format!("{path}/protected-resource-metadata"),
        ],
    );

    let fields =
        [("identifier", IDENTIFIER), ("name", "Docs"), ("offered", "some"), ("teamspaces", "acme, acme2")];
    let unknown = operator.post(&path, &fields).await.page(422);
    has(&unknown, &["href=\"#teamspaces\"", "acme, acme2"]);
    assert_eq!(only(&h), resource, "nothing was written");
    let fields = [("identifier", IDENTIFIER), ("name", "Docs"), ("offered", "some"), ("teamspaces", "acme")];
    operator.post(&path, &fields).await.leads_to(&path, "The changes were saved.");
    let changed = only(&h);
    assert_eq!(
        (changed.name.as_str(), changed.teamspaces.as_deref()),
        ("Docs", Some(&["acme".to_owned()][..]))
    );
    assert!(changed.scopes.is_empty() && changed.required_scopes.is_empty());
    assert!(resource.dpop_bound_access_tokens && !changed.dpop_bound_access_tokens);
    assert!(!changed.forward_auth_credentials && !changed.tool_policies);

    let refused = operator.post(&format!("{path}/remove"), &[("confirm", "Docs")]).await.page(422);
    has(&refused, &["to confirm"]);
    let removed = operator.post(&format!("{path}/remove"), &[("confirm", IDENTIFIER)]).await;
    removed.leads_to("/resources", "Docs was removed.");
    assert!(h.app.snapshot().resources().next().is_none());
    operator.get(&path).await.page(404);
}

#[tokio::test]
async fn mistakes_come_back_with_what_was_typed() {
    let (h, operator) = start().await;
    for (field, value) in [
        ("identifier", "http://mcp.example.com"),
        ("identifier", "mcp"),
        ("name", ""),
        ("scopes", "openid Sign in"),
        ("default_scopes", "other"),
        ("required_scopes", "other"),
        ("teamspaces", "nobody"),
    ] {
        let mut fields = vec![
            ("identifier", IDENTIFIER),
            ("name", "Docs"),
            ("scopes", "docs.read"),
            ("default_scopes", ""),
            ("offered", "some"),
            ("teamspaces", ""),
        ];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let page = operator.post("/resources", &fields).await.page(422);
        let (link, error) = (format!("href=\"#{field}\""), format!("id=\"{field}-error\""));
        has(&page, &["Nothing was saved.", &link, &error, value]);
    }
    assert!(h.app.snapshot().resources().next().is_none());
}

/// Credentials are shown once, live beside each other while a server changes over, and go one by one.
#[tokio::test]
async fn credentials_are_added_and_removed() {
    let (h, operator) = start().await;
    let fields = [("identifier", IDENTIFIER), ("name", "Docs"), ("offered", "all")];
    operator.post("/resources", &fields).await;
    let path = format!("/resources/{}", only(&h).id);
    has(&operator.get(&path).await.page(200), &["Credentials", "There are none.", "Add credentials"]);
    let shown = operator.post(&format!("{path}/credentials"), &[]).await.page(200);
    has(&shown, &["Copy the secret now.", "/oauth2/introspect"]);
    let known = only(&h).credentials[0].clone();
    let after = shown.split("Client secret</dt>").nth(1).unwrap();
    let secret = after.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap();
    let kept = known.secret_digest().unwrap();
    assert_eq!(kept, digest(secret));
    has(&shown, &[&known.client_id]);
    let page = operator.get(&path).await.page(200);
    has(&page, &[&known.client_id]);
    assert!(!page.contains(secret) && !page.contains(kept), "a secret is shown once");

    for _ in 0..3 {
        operator.post(&format!("{path}/credentials"), &[]).await.page(200);
    }
    has(&operator.get(&path).await.page(200), &["Remove one before you add another."]);
    let full = operator.post(&format!("{path}/credentials"), &[]).await.page(422);
    has(&full, &["A resource has at most 4 credentials.", "href=\"#credentials\""]);
    let remove = format!("{path}/credentials/{}/remove", known.client_id);
    operator
        .post(&remove, &[])
        .await
        .leads_to(&path, "The credentials were removed. A server that still uses them gets no more answers.");
    assert!(only(&h).credentials.iter().all(|left| left.client_id != known.client_id));
    operator.post(&remove, &[]).await.page(404);

    // A chosen id may have any printable character.
    let (odd, api) = ("docs/server?a=%2F&b#c", format!("{path}/credentials"));
    h.operator.post(&api, serde_json::json!({ "client_id": odd })).await.expect(201);
    let encoded = format!("{path}/credentials/docs%2Fserver%3Fa%3D%252F%26b%23c/remove");
    has(&operator.get(&path).await.page(200), &[&format!("action=\"/console{encoded}\"")]);
    operator.post(&encoded, &[]).await.leads_to(&path, "The credentials were removed.");
    assert!(only(&h).credential(odd).is_none());
}
