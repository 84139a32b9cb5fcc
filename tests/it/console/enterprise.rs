//! The Enterprise tab: identity providers set up, tested, switched and removed by forms.

use countersign::model::identity_provider::IdentityProvider;
use countersign::store::changes::{self, Changed};
use countersign::store::{AnyConnection, identity_providers};
use serde_json::json;

use super::visitor::{Visitor, has, hidden};
use crate::admin::harness::Harness;

const PATH: &str = "/t/acme/enterprise";

async fn start() -> (Harness, Visitor) {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    (h, operator)
}

fn saved(h: &Harness) -> Vec<IdentityProvider> {
    let snapshot = h.app.snapshot();
    let all = &snapshot.teamspace_config("acme").unwrap().identity_providers;
    all.iter().map(|provider| IdentityProvider::clone(provider)).collect()
}

/// ADM-02, ADM-03
#[tokio::test]
async fn a_provider_from_beginning_to_end_by_its_forms() {
    let (h, operator) = start().await;
    let empty = operator.get(PATH).await.page(200);
    has(
        &empty,
        &["Not configured", "Last assertion received: never", "Configure", "Values to enter in Okta"],
    );
    let form = operator.get(&format!("{PATH}?kind=okta&edit=new")).await.page(200);
    has(
        &form,
        &["Identity provider issuer", "https://your-org.okta.com", "not a custom one", "Save", "Cancel"],
    );
    has(&form, &["Leave it blank to pass through whatever Okta authorizes"]);
    let typed = [("kind", "okta"), ("issuer", h.idp.base.as_str()), ("scope", "")];
    operator.post(PATH, &typed).await.leads_to(&format!("{PATH}?kind=okta"), "Okta is saved");
    // A second press of the same button.
    operator.post(PATH, &typed).await.leads_to(&format!("{PATH}?kind=okta"), "saved already");
    let [provider] = saved(&h).try_into().unwrap();
    let page = operator.get(PATH).await.page(200);
    has(&page, &["Active", &h.idp.base, "What was checked", "names exactly this issuer", "Passed"]);
    let own = format!("{PATH}/{}", provider.id);
    operator.post(&format!("{own}/disable"), &[]).await.leads_to(&format!("{PATH}?kind=okta"), "is disabled");
    assert!(!saved(&h)[0].enabled);
    has(&operator.get(PATH).await.page(200), &["Disabled", "Enable"]);
    operator.post(&format!("{own}/enable"), &[]).await.leads_to(&format!("{PATH}?kind=okta"), "is enabled");
    operator.post(&format!("{own}/test"), &[]).await.leads_to(&format!("{PATH}?kind=okta"), "can sign in");
    has(&operator.get(&format!("{own}/remove")).await.page(200), &["Remove Okta?", "Cancel"]);
    operator.post(&format!("{own}/remove"), &[]).await.leads_to(PATH, "removed");
    operator.post(&format!("{own}/remove"), &[]).await.leads_to(PATH, "removed");
    assert!(saved(&h).is_empty());
    operator.get(&format!("{own}/remove")).await.page(404);
}

/// ADM-02, ADM-03, ADM-04: each mistake is explained at the field, with what should have been entered; what was typed
/// stays, and nothing is written.
#[tokio::test]
async fn each_wrong_issuer_is_explained_where_it_was_typed() {
    let (h, operator) = start().await;
    let slash = h.idp.issuer("slash");
    let with_slash = format!("{slash}/");
    for (kind, issuer, texts) in [
        (
            "okta",
            "https://acme.okta.com/oauth2/default",
            ["custom authorization server", "https://acme.okta.com<mark>/oauth2/default"],
        ),
        ("okta", "https://acme.okta.com/x", ["has no path", "https://acme.okta.com<mark>/x"]),
        ("okta", "http://acme.okta.com", ["must be https", "s://acme.okta.com"]),
        ("oidc", "http://127.0.0.1:9", ["must be https", "must list http://127.0.0.1:9 in the setting"]),
        (
            "entra",
            "https://login.microsoftonline.com/common/v2.0",
            ["shared by all Microsoft tenants", "own issuer"],
        ),
        ("oidc", "https://10.0.0.1", ["not public", "It names no private address"]),
        ("oidc", "https://auth.example.com", ["own issuer", "It is another server"]),
        ("oidc", &h.idp.issuer("html"), ["did not answer with JSON", "status 200, JSON"]),
        ("oidc", &slash, ["only by a trailing slash", "<mark class=\"better\">/</mark>"]),
        ("oidc", &h.idp.issuer("upper"), ["in upper and lower case", "expected"]),
        ("oidc", &h.idp.issuer("no-jwks-uri"), ["has no jwks_uri", "The key set can be fetched"]),
        ("oidc", &h.idp.issuer("no-key"), ["no usable public signing key", "usable signing key"]),
    ] {
        let before = h.generation().await;
        let fields = [("kind", kind), ("issuer", issuer), ("scope", "docs.read"), ("tenant", "t1")];
        let page = operator.post(PATH, &fields).await.page(422);
        has(&page, &[&format!("value=\"{issuer}\""), "value=\"docs.read\"", "value=\"t1\""]);
        has(&page, &["aria-invalid=\"true\"", "id=\"issuer-error\"", "Failed: "]);
        for text in texts {
            assert!(page.contains(text), "{issuer} lacks {text}: {page}");
        }
        assert_eq!(h.generation().await, before, "{issuer}");
    }
    // As the metadata says it.
    operator
        .post(PATH, &[("kind", "oidc"), ("issuer", &with_slash)])
        .await
        .leads_to(&format!("{PATH}?kind=oidc"), "saved");
}

/// The other fields say what is wrong with them too.
#[tokio::test]
async fn each_field_says_what_is_wrong_with_it() {
    let (h, operator) = start().await;
    let issuer = h.idp.issuer("good");
    for (field, value) in [
        ("scope", "openid"),
        ("name", "a\u{1}b"),
        ("tenant", "a\u{1}b"),
        ("groups_claim", "a\u{1}b"),
        ("custom_claims", "level: number"),
        ("custom_claims", "a\na"),
    ] {
        let before = h.generation().await;
        let page =
            operator.post(PATH, &[("kind", "oidc"), ("issuer", &issuer), (field, value)]).await.page(422);
        has(&page, &[&format!("id=\"{field}-error\"")]);
        assert_eq!(h.generation().await, before, "{field}");
    }
    let whole = [
        ("kind", "oidc"),
        ("issuer", issuer.as_str()),
        ("name", "Europe"),
        ("tenant", "t1"),
        ("groups_claim", "roles"),
        ("custom_claims", "department\nlevel: long\nhttps://acme.com/x\n"),
    ];
    operator.post(PATH, &whole).await.leads_to(&format!("{PATH}?kind=oidc"), "Europe is saved");
    let [made] = saved(&h).try_into().unwrap();
    assert_eq!((made.tenant.as_deref(), made.groups_claim.as_str()), (Some("t1"), "roles"));
    assert_eq!(
        json!(made.custom_claims),
        json!(["department", { "name": "level", "type": "long" }, "https://acme.com/x"])
    );
}

/// ADM-09: several of one kind and of several kinds, each with its own card, and an issuer that is another's.
#[tokio::test]
async fn several_providers_have_their_tabs_and_cards() {
    let (h, operator) = start().await;
    for (kind, name) in [("oidc", "one"), ("oidc", "two"), ("claude", "three")] {
        let issuer = h.idp.issuer(name);
        let fields = [("kind", kind), ("issuer", issuer.as_str()), ("name", name)];
        operator.post(PATH, &fields).await.leads_to(&format!("{PATH}?kind={kind}"), "saved");
    }
    let page = operator.get(&format!("{PATH}?kind=oidc")).await.page(200);
    has(
        &page,
        &["Enterprise-Managed Auth (one)", "Enterprise-Managed Auth (two)", "Add another: Custom OIDC"],
    );
    assert!(!page.contains("Enterprise-Managed Auth (three)"));
    has(
        &page,
        &[
            "Claude-issued<span class=\"visually-hidden\">, Active",
            "Okta<span class=\"visually-hidden\">, Not configured",
        ],
    );
    h.teamspace("other").await;
    let link = Visitor::by_link(&h.app, "other").await;
    let before = h.generation().await;
    let taken = [("kind", "oidc"), ("issuer", &*h.idp.issuer("one"))];
    let page = link.post("/t/other/enterprise", &taken).await.page(422);
    has(&page, &["This issuer cannot be saved here; ask the operator."]);
    assert_eq!(h.generation().await, before);
}

/// Whoever saves an old form learns what changed, loses nothing that was typed, and can save it after all.
#[tokio::test]
async fn a_form_that_is_older_than_what_is_there_says_what_changed() {
    let (h, operator) = start().await;
    let issuer = h.idp.issuer("good");
    operator.post(PATH, &[("kind", "oidc"), ("issuer", &issuer), ("name", "Mine")]).await;
    let id = saved(&h)[0].id.clone();
    let old = operator.get(&format!("{PATH}?edit={id}")).await.page(200);
    let seen = hidden(&old, "seen");
    let other = json!({ "scope": "docs.read", "enabled": false });
    h.operator.patch(&format!("/teamspaces/acme/identity-providers/{id}"), other).await.expect(200);
    let before = h.generation().await;
    let fields = |seen| {
        [("kind", "oidc"), ("issuer", &*issuer), ("name", "Yours"), ("scope", "docs.write"), ("seen", seen)]
    };
    let page = operator.post(&format!("{PATH}/{id}"), &fields(&seen)).await.page(422);
    has(
        &page,
        &[
            "Somebody else changed this provider",
            "Scope was blank, and is “docs.read”.",
            "The provider was “on”, and is “off”.",
        ],
    );
    has(&page, &["value=\"Yours\"", "value=\"docs.write\""]);
    assert_eq!(h.generation().await, before);
    let seen = hidden(&page, "seen");
    operator
        .post(&format!("{PATH}/{id}"), &fields(&seen))
        .await
        .leads_to(&format!("{PATH}?kind=oidc"), "Yours is saved");
    let [now] = saved(&h).try_into().unwrap();
    assert_eq!((now.name.as_str(), now.scope.as_str(), now.enabled), ("Yours", "docs.write", false));
    // Without the field nobody knows what was seen.
    operator.post(&format!("{PATH}/{id}"), &[("issuer", &issuer)]).await.page(400);
}

/// Without the enterprise plan there is no form, and none that is older than the plan is saved.
#[tokio::test]
async fn without_the_plan_there_is_no_form() {
    let (h, operator) = start().await;
    h.operator.patch("/teamspaces/acme", json!({ "plan": "pro" })).await.expect(200);
    let page = operator.get(&format!("{PATH}?edit=new")).await.page(200);
    has(&page, &["Not in this plan", "With the enterprise plan"]);
    assert!(!page.contains("id=\"issuer\""));
    let before = h.generation().await;
    let fields = [("kind", "oidc"), ("issuer", &*h.idp.issuer("good"))];
    operator.post(PATH, &fields).await.leads_to(PATH, "Nothing was saved");
    assert_eq!(h.generation().await, before);
}

/// Texts of others stay text.
#[tokio::test]
async fn markup_in_names_stays_text() {
    let (h, operator) = start().await;
    let bad = "<script>alert(1)</script>\"'&";
    let body = json!({ "name": bad, "provider": "oidc", "issuer": h.idp.issuer("good"), "tenant": bad,
        "groups_claim": bad, "custom_claims": [bad] });
    h.operator.post("/teamspaces/acme/identity-providers", body).await.expect(201);
    let resource = json!({ "identifier": "https://mcp.example.com/mcp", "name": bad });
    h.operator.post("/resources", resource).await.expect(201);
    let id = &saved(&h)[0].id;
    for path in
        ["?kind=oidc".to_owned(), format!("?edit={id}"), format!("/{id}/remove"), "/guide/okta".to_owned()]
    {
        let page = operator.get(&format!("{PATH}{path}")).await.page(200);
        assert!(!page.contains("<script>alert"), "{path}");
        has(&page, &["alert(1)"]);
    }
}

/// A guide has this deployment's values, in its text and in its pictures.
#[tokio::test]
async fn the_guides_have_the_values_of_this_deployment() {
    let (h, operator) = start().await;
    let resource = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs", "scopes": [{ "name": "docs.read" }] });
    h.operator.post("/resources", resource).await.expect(201);
    h.operator
        .post("/clients", json!({ "client_id": "mcpclient-at-docs", "client_name": "c" }))
        .await
        .expect(201);
    for kind in ["okta", "claude", "entra", "keycloak"] {
        let page = operator.get(&format!("{PATH}/guide/{kind}")).await.page(200);
        has(
            &page,
            &[
                "role=\"img\"",
                "<desc",
                "https://auth.example.com",
                "https://mcp.example.com/mcp",
                "mcpclient-at-docs",
            ],
        );
        assert!(!page.contains("style="), "{kind}");
    }
    operator.get(&format!("{PATH}/guide/other")).await.page(404);
    // Clients are shared by all teamspaces: their ids are for operators.
    let link = Visitor::by_link(&h.app, "acme").await;
    let page = link.get(&format!("{PATH}/guide/okta")).await.page(200);
    assert!(!page.contains("mcpclient-at-docs"));
    has(&page, &["&#60;client&#62;-at-&#60;resource&#62;"]);
}

/// Nobody sees or changes what is another teamspace's.
#[tokio::test]
async fn another_teamspace_is_not_there() {
    let (h, operator) = start().await;
    operator.post(PATH, &[("kind", "oidc"), ("issuer", &h.idp.issuer("good"))]).await;
    h.teamspace("other").await;
    let id = saved(&h)[0].id.clone();
    let link = Visitor::by_link(&h.app, "other").await;
    let before = h.generation().await;
    link.get(PATH).await.page(404);
    link.get(&format!("{PATH}/guide/okta")).await.page(404);
    for deed in ["", "/test", "/disable", "/enable", "/remove"] {
        link.post(&format!("{PATH}/{id}{deed}"), &[("seen", "{}")]).await.page(404);
    }
    // Nor through the own teamspace's path.
    link.post(&format!("/t/other/enterprise/{id}/disable"), &[]).await.page(404);
    assert_eq!(h.generation().await, before);
}

/// ADM-10: changed metadata are shown at the provider, in its tab and in the list of teamspaces, until somebody confirms
/// the address that they have seen. The history names who did.
#[tokio::test]
async fn changed_metadata_are_shown_and_confirmed() {
    let (h, operator) = start().await;
    let issuer = h.idp.issuer("good");
    let typed = [("kind", "oidc"), ("issuer", issuer.as_str()), ("scope", "")];
    operator.post(PATH, &typed).await.leads_to(&format!("{PATH}?kind=oidc"), "is saved");
    // As if the provider had moved its keys since.
    let [mut provider] = saved(&h).try_into().unwrap();
    let named = provider.jwks_uri.clone();
    provider.jwks_uri = format!("{}/root/jwks", h.idp.base);
    let before = provider.clone();
    let change = move |c: &mut AnyConnection| {
        identity_providers::put(c, &before)?;
        changes::note(c, &Changed::Teamspace(before.teamspace_id), before.updated_at)
    };
    h.app.store.configure(change).await.unwrap();
    h.app.reload().await.unwrap();
    h.app.issuer_keys.look("acme", &provider, 0).await;

    let page = operator.get(PATH).await.page(200);
    has(&page, &["Metadata changed", &named, "still taken from the saved address", "Confirm this address"]);
    has(&page, &["Trust history", "Other metadata", "by the identity provider", "Added"]);
    has(&operator.get("/teamspaces").await.page(200), &["Metadata changed"]);
    let path = format!("{PATH}/{}/confirm", provider.id);
    let back = format!("{PATH}?kind=oidc");
    let other = [("jwks_uri", "https://evil.example/keys")];
    operator.post(&path, &other).await.leads_to(&back, "name another jwks_uri");
    assert_eq!(saved(&h)[0].jwks_uri, provider.jwks_uri);
    operator.post(&path, &[("jwks_uri", &named)]).await.leads_to(&back, "come from the new address");
    assert_eq!(saved(&h)[0].jwks_uri, named);
    let page = operator.get(PATH).await.page(200);
    assert!(!page.contains("Metadata changed") && !page.contains("Confirm this address"), "{page}");
    has(&page, &["Active", "Changed"]);
}
