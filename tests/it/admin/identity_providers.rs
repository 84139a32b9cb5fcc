//! Several identity providers of a teamspace, by their ids.

use axum::http::Method;
use countersign::model::identity_provider::IdentityProvider;
use serde_json::{Value, json};

use super::harness::{Api, Harness};

const PATH: &str = "/teamspaces/acme/identity-providers";
const ONLY: &str = "/teamspaces/acme/identity-provider";

fn body(h: &Harness, name: &str) -> Value {
    json!({ "name": name, "provider": "oidc", "issuer": h.idp.issuer(name) })
}

async fn add(api: &Api, body: Value) -> (String, Value) {
    let made = api.post(PATH, body).await.expect(201);
    (format!("{PATH}/{}", made["id"].as_str().unwrap()), made)
}

fn saved(h: &Harness, slug: &str) -> Vec<IdentityProvider> {
    let snapshot = h.app.snapshot();
    let all = &snapshot.teamspace_config(slug).unwrap().identity_providers;
    all.iter().map(|provider| IdentityProvider::clone(provider)).collect()
}

/// ADM-02, ADM-09: each is validated, shown, changed and removed by its id, and the audit log names it.
#[tokio::test]
async fn identity_providers_from_beginning_to_end() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let (okta, made) = add(&acme, body(&h, "okta")).await;
    let whole = json!({ "name": "Entra", "provider": "oidc", "issuer": h.idp.issuer("entra"), "tenant": "t1",
        "scope": "docs.read", "groups_claim": "roles",
        "custom_claims": ["department", { "name": "level", "type": "long" }], "enabled": false });
    let (entra, second) = add(&acme, whole.clone()).await;
    assert_eq!(made["checks"].as_array().unwrap().len(), 8);
    for (name, value) in whole.as_object().unwrap() {
        assert_eq!(second[name], *value, "{name}");
    }
    let listed = acme.get(PATH).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(listed["next_cursor"].is_null());
    assert_eq!(acme.get(&entra).await.expect(200)["name"], "Entra");
    assert_eq!(acme.patch(&entra, json!({ "enabled": true })).await.expect(200)["enabled"], true);
    let checked = acme.call(Method::POST, &format!("{okta}/check"), None).await.expect(200);
    assert_eq!(checked["ok"], true);
    // A whole one takes the place of the other: what is not written is as in a new one.
    let replaced = acme.put(&entra, body(&h, "other")).await.expect(200);
    assert!(replaced["tenant"].is_null() && replaced["custom_claims"] == json!([]), "{replaced}");
    assert_eq!((&replaced["id"], &replaced["scope"]), (&second["id"], &json!("")));
    let events = h.operator.get("/audit").await.expect(200);
    let object = |at: usize| events["items"][at]["object"].as_str().unwrap().to_owned();
    assert_eq!(object(0), format!("acme/{}", second["id"].as_str().unwrap()));
    acme.delete(&entra).await.expect(204);
    acme.delete(&entra).await.problem(404, "not_found");
    acme.put(&entra, body(&h, "other")).await.problem(404, "not_found");
    acme.patch(&entra, json!({ "enabled": true })).await.problem(404, "not_found");
    assert_eq!(saved(&h, "acme").len(), 1);
}

/// The path in the singular is for the only one, with the members that it has always had. Where there are several, it
/// changes nothing.
#[tokio::test]
async fn the_only_one_has_a_path_of_its_own() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let only = json!({ "provider": "oidc", "issuer": h.idp.issuer("good") });
    acme.put(ONLY, only.clone()).await.expect(200);
    let shown = acme.get(ONLY).await.expect(200);
    let mut members: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let before =
        ["created_at", "enabled", "groups_claim", "issuer", "jwks_uri", "provider", "scope", "updated_at"];
    assert_eq!(members, before);
    let id = saved(&h, "acme")[0].id.clone();
    // It does not lose the settings that it does not show.
    let hidden = json!({ "name": "Ours", "tenant": "t", "custom_claims": ["department"] });
    acme.patch(&format!("{PATH}/{id}"), hidden.clone()).await.expect(200);
    acme.put(ONLY, only.clone()).await.expect(200);
    let after = acme.get(&format!("{PATH}/{id}")).await.expect(200);
    for (name, value) in hidden.as_object().unwrap() {
        assert_eq!(after[name], *value, "{name}");
    }
    add(&acme, body(&h, "second")).await;
    let several = (409, "several_identity_providers");
    for (method, path, body) in [
        (Method::GET, ONLY.to_owned(), None),
        (Method::PUT, ONLY.to_owned(), Some(only)),
        (Method::PATCH, ONLY.to_owned(), Some(json!({ "enabled": false }))),
        (Method::DELETE, ONLY.to_owned(), None),
        (Method::POST, format!("{ONLY}/check"), None),
    ] {
        h.refuses(&acme, (method, &path), body, several).await;
    }
}

/// SUB-09, ADM-09: issuer and tenant are one provider's. Several teamspaces share an issuer only if an operator saves
/// it; who may not is told no more than before.
#[tokio::test]
async fn only_operators_let_teamspaces_share_an_issuer() {
    let h = Harness::start().await;
    let (acme, globex) = (h.teamspace("acme").await, h.teamspace("globex").await);
    let (path, _) = add(&acme, body(&h, "good")).await;
    let theirs = "/teamspaces/globex/identity-providers";
    let with = |tenant: Value| json!({ "name": "Shared", "provider": "oidc", "issuer": h.idp.issuer("good"), "tenant": tenant });
    let unavailable = (409, "issuer_unavailable");
    for tenant in [Value::Null, json!("g")] {
        h.refuses(&globex, (Method::POST, theirs), Some(with(tenant)), unavailable).await;
    }
    h.refuses(&h.operator, (Method::POST, theirs), Some(with(Value::Null)), (409, "issuer_taken")).await;
    let shared = h.operator.post(theirs, with(json!("g"))).await.expect(201);
    // A shared provider stays theirs to change, except for the tenant.
    let own = format!("{theirs}/{}", shared["id"].as_str().unwrap());
    globex.patch(&own, json!({ "name": "Ours", "enabled": false })).await.expect(200);
    for (api, path) in [(&globex, &own), (&acme, &path)] {
        let patch = Some(json!({ "tenant": "another" }));
        h.refuses(api, (Method::PATCH, path), patch, unavailable).await;
    }
    // Another teamspace's is not found through one's own path.
    let foreign = format!("{PATH}/{}", shared["id"].as_str().unwrap());
    h.refuses(&acme, (Method::DELETE, &foreign), None, (404, "not_found")).await;
    // Inside a teamspace the same pair is refused as well, and told.
    let twice = json!({ "name": "Twice", "provider": "oidc", "issuer": h.idp.issuer("good") });
    let problem = h.refuses(&acme, (Method::POST, PATH), Some(twice), (409, "issuer_taken")).await;
    assert!(problem["detail"].as_str().unwrap().contains("This teamspace"), "{problem}");
}

/// ADM-10: the keys of an issuer are where it said last, for every provider with it.
#[tokio::test]
async fn a_place_of_keys_is_every_providers() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    h.teamspace("globex").await;
    let with = |tenant: &str| json!({ "name": tenant, "provider": "oidc", "issuer": h.idp.issuer("good"), "tenant": tenant });
    add(&h.operator, with("a")).await;
    let stale =
        IdentityProvider { jwks_uri: "https://moved.example/keys".into(), ..saved(&h, "acme").remove(0) };
    let write = move |c: &mut countersign::store::AnyConnection| {
        countersign::store::identity_providers::put(c, &stale)?;
        let changed = countersign::store::changes::Changed::Teamspace(stale.teamspace_id.clone());
        countersign::store::changes::note(c, &changed, super::harness::NOW)
    };
    h.app.store.configure(write).await.unwrap();
    h.app.reload().await.unwrap();
    assert_eq!(saved(&h, "acme")[0].jwks_uri, "https://moved.example/keys");
    h.operator.post("/teamspaces/globex/identity-providers", with("g")).await.expect(201);
    assert_eq!(saved(&h, "acme")[0].jwks_uri, saved(&h, "globex")[0].jwks_uri);
}

/// SUB-09: of several who save the same issuer and tenant at once, one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn issuer_and_tenant_saved_twice_at_once_are_saved_once() {
    let h = Harness::start().await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        h.teamspace(&format!("t{n}")).await;
        let body = json!({ "provider": "oidc", "issuer": h.idp.issuer("good"), "tenant": "one" });
        let (api, path) = (h.operator.clone(), format!("/teamspaces/t{n}/identity-providers"));
        tasks.push(tokio::spawn(async move { api.post(&path, body).await }));
    }
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            answer if answer.status == 201 => made += 1,
            answer => drop(answer.problem(409, "issuer_taken")),
        }
    }
    assert_eq!(made, 1);
}

/// Impossible values are refused before anybody is asked, and a name belongs to one provider.
#[tokio::test]
async fn members_of_a_provider_are_checked() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    add(&acme, body(&h, "good")).await;
    let twice = json!(["a", { "name": "a", "type": "long" }]);
    let many: Vec<String> = (0..21).map(|n| format!("c{n}")).collect();
    for (member, value, code) in [
        ("name", json!(""), "name_invalid"),
        ("tenant", json!(""), "tenant_invalid"),
        ("tenant", json!("t".repeat(256)), "tenant_invalid"),
        ("tenant", json!("a\nb"), "tenant_invalid"),
        ("custom_claims", twice, "custom_claims_invalid"),
        ("custom_claims", json!(many), "custom_claims_invalid"),
        ("custom_claims", json!([""]), "custom_claims_invalid"),
        ("custom_claims", json!([{ "name": "a", "type": "date" }]), "body_invalid"),
    ] {
        let mut new = body(&h, "other");
        new[member] = value;
        h.refuses(&acme, (Method::POST, PATH), Some(new), (422, code)).await;
    }
    let same = json!({ "name": "good", "provider": "oidc", "issuer": h.idp.issuer("other") });
    h.refuses(&acme, (Method::POST, PATH), Some(same), (409, "name_taken")).await;
}

/// Everything that callers can grow has a bound.
#[tokio::test]
async fn a_teamspace_has_at_most_twenty() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    for n in 0..20 {
        let mut new = body(&h, "good");
        (new["name"], new["tenant"]) = (json!(format!("n{n}")), json!(format!("t{n}")));
        add(&h.operator, new).await;
    }
    let refusal = (409, "too_many_identity_providers");
    h.refuses(&h.operator, (Method::POST, PATH), Some(body(&h, "other")), refusal).await;
}

/// Claims that policies cannot read are reported on saving, and claims that nobody declares are among the unknown
/// names.
#[tokio::test]
async fn custom_claims_are_compared_with_the_schema() {
    let rules = crate::reload::Rules::shipped_and(
        "@id(\"dept\") @reason(\"r\") @error(\"access_denied\") @message(\"m\")\n\
        forbid (principal is User, action, resource) unless { context.claims.custom has department };\n",
    );
    let h = Harness::with_policies(rules.policies()).await;
    let acme = h.teamspace("acme").await;
    let unknown =
        async || h.operator.get("/policies").await.expect(200)["unknown_names"].as_array().unwrap().clone();
    let missing = json!({ "kind": "custom_claim", "name": "department", "policies": ["dept"] });
    assert_eq!(unknown().await, std::slice::from_ref(&missing));
    let mut whole = body(&h, "okta");
    whole["custom_claims"] = json!([{ "name": "department", "type": "texts" }, "site"]);
    let (path, saved) = add(&acme, whole.clone()).await;
    let warnings: Vec<&Value> =
        saved["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "warning").collect();
    let told =
        |at: usize| (warnings[at]["code"].as_str().unwrap(), warnings[at]["message"].as_str().unwrap());
    assert_eq!(warnings.len(), 2, "{saved}");
    assert_eq!(told(0).0, "custom_claim");
    assert!(
        told(0).1.starts_with("\"department\" is declared as texts, and as text in the schema"),
        "{saved}"
    );
    assert!(told(1).1.starts_with("\"site\" is not in the schema"), "{saved}");
    assert_eq!(unknown().await, [missing]);
    whole["custom_claims"] = json!(["department"]);
    let saved = acme.put(&path, whole).await.expect(200);
    assert_eq!(saved["checks"].as_array().unwrap().len(), 8, "{saved}");
    assert_eq!(unknown().await, Vec::<Value>::new());
}
