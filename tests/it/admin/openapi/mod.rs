//! The API's description: complete, and true of what is answered.

mod schema;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Method, Request, header};
use countersign::store::sign_ins::NewSignIn;
use countersign::web::api::{CODES, description};
use serde_json::{Value, json};

use super::harness::{Answer, Harness};
use super::logs::{granted, record};
use crate::console::visitor::Visitor;
use crate::docs::assert_generated;
use schema::Document;

fn document() -> Value {
    serde_json::to_value(description(None)).unwrap()
}

/// The operations as method and path.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        methods.map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

#[test]
fn the_file_is_generated() {
    let expected = serde_json::to_string_pretty(&description(None)).unwrap() + "\n";
    assert_generated("schema/openapi.json", &expected);
}

/// Nobody needs a token to read it, and its server is this one.
#[tokio::test]
async fn everybody_may_read_it() {
    let h = Harness::start().await;
    let answer = h.nobody().get("/openapi.json").await;
    assert_eq!(
        (answer.status, &answer.headers[header::CONTENT_TYPE]),
        (200, &"application/json".parse().unwrap())
    );
    let server = &answer.body["servers"][0];
    assert_eq!(server["url"], "{issuer}/api/v1");
    assert_eq!(server["variables"]["issuer"]["default"], "https://auth.example.com");
    assert_eq!(operations(&answer.body), operations(&document()));
}

/// Each path answers a method that nobody has with the list of those that it has.
#[tokio::test]
async fn the_methods_of_each_path_are_those_of_the_router() {
    let h = Harness::start().await;
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in operations(&document()) {
        described.entry(path).or_default().insert(method);
    }
    for (path, methods) in described {
        let request = Request::builder().method(Method::TRACE).body(Body::empty()).unwrap();
        let answer = h.operator.send(&path.replace(['{', '}'], ""), request).await;
        assert_eq!(answer.status, 405, "{path}");
        let allow = answer.headers[header::ALLOW].to_str().unwrap();
        let allowed = allow.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect();
        assert_eq!(methods, allowed, "{path}");
    }
}

/// A route that is added otherwise is not described.
#[test]
fn routes_are_added_together_with_their_description() {
    let source = std::fs::read_to_string("src/web/api/mod.rs").unwrap();
    assert_eq!(source.matches(".route(").count(), 1, "only openapi.json is added by `route`");
    let added = source.split("routes!(").skip(1).filter_map(|rest| rest.split(')').next());
    let added =
        added.flat_map(|handlers| handlers.split(',')).filter(|handler| !handler.trim().is_empty()).count();
    assert_eq!(added, operations(&document()).len());
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path) in operations(&document) {
        let operation = &document["paths"][&path][method.to_lowercase()];
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        let summary = operation["summary"].as_str().unwrap();
        assert!(summary.ends_with('.') && !summary.contains('`'), "{summary}");
    }
}

/// Each code that the API can answer is told by some operation, and none besides.
#[test]
fn every_code_is_told() {
    let document = document();
    let shared = document["components"]["responses"].as_object().unwrap().values();
    let operations = operations(&document).into_iter();
    let own = operations.flat_map(|(method, path)| {
        let responses = &document["paths"][&path][method.to_lowercase()]["responses"];
        responses.as_object().unwrap().values().collect::<Vec<_>>()
    });
    let descriptions = shared.chain(own).filter_map(|response| response["description"].as_str());
    let told: BTreeSet<&str> = descriptions.flat_map(|text| text.split('`').skip(1).step_by(2)).collect();
    let of_the_edge = [
        "unauthorized",
        "body_malformed",
        "body_invalid",
        "body_too_large",
        "content_type_unsupported",
        "query_invalid",
        "limit_invalid",
        "cursor_invalid",
        "hash_ambiguous",
        "authorization_details_malformed",
    ];
    // `issuer_invalid` stands for the code of a check; the others are of commands and of the console.
    let apart = ["issuer_invalid", "key_signs", "setup_link_invalid", "setup_token_invalid"];
    let codes = CODES.iter().map(|(_, code)| *code).chain(of_the_edge);
    let expected: BTreeSet<&str> = codes.filter(|code| !apart.contains(code)).collect();
    assert_eq!(told, expected);
}

/// Sends requests and compares what comes with the description.
struct Driver {
    h: Harness,
    document: Document,
    driven: BTreeSet<(String, String)>,
}

impl Driver {
    /// `path` is the described one; `{…}` in it are replaced by `ids`.
    async fn call(&mut self, request: (&str, &str), ids: &[&str], body: Option<Value>) -> Value {
        let (method, path) = request;
        let mut parts = path.split('/').map(str::to_owned).collect::<Vec<_>>();
        for (part, id) in parts.iter_mut().filter(|part| part.starts_with('{')).zip(ids) {
            *part = (*id).to_owned();
        }
        let Answer { status, body, .. } =
            self.h.operator.call(method.parse().unwrap(), &parts.join("/"), body).await;
        let operation = &self.document.0["paths"][path][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!((200..300).contains(&status) && response.is_object(), "{method} {path}: {status} {body}");
        let form = &response["content"]["application/json"]["schema"];
        match form.is_null() {
            true => assert_eq!(body, Value::Null, "{method} {path}"),
            false => {
                self.document.check(form, &body).unwrap_or_else(|e| panic!("{method} {path}: {e} in {body}"))
            }
        }
        self.driven.insert((method.to_owned(), path.to_owned()));
        body
    }

    async fn get(&mut self, path: &str, ids: &[&str]) -> Value {
        self.call(("GET", path), ids, None).await
    }
}

/// Every operation is driven once, so that whoever adds one adds it here.
#[tokio::test]
async fn answers_have_the_form_that_is_described() {
    let h = Harness::start().await;
    let mut driver = Driver { h, document: Document(document()), driven: BTreeSet::new() };
    drive_what_is_the_deployments(&mut driver).await;
    drive_what_is_a_teamspaces(&mut driver).await;
    for path in ["/policies", "/policies/sets", "/audit", "/reasons", "/sign-ins"] {
        driver.get(path, &[]).await;
    }
    let hash = driver.h.app.policies().hash.clone();
    driver.get("/policies/sets/{id}", &[&hash]).await;
    let shadow = driver.h.operator.get("/policies/shadow").await.problem(404, "not_found");
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    driver.document.check(&problem, &shadow).unwrap();
    // `shadow::the_api_tells_what_the_shadow_set_would_have_decided` drives it.
    driver.driven.insert(("GET".into(), "/policies/shadow".into()));
    assert_eq!(driver.driven, operations(&driver.document.0));
}

async fn drive_what_is_the_deployments(driver: &mut Driver) {
    let body = json!({ "identifier": "https://mcp.example.com/mcp", "name": "Docs",
        "scopes": [{ "name": "docs.read" }], "default_scopes": ["docs.read"] });
    let created = driver.call(("POST", "/resources"), &[], Some(body)).await;
    let id = created["id"].as_str().unwrap();
    driver.get("/resources", &[]).await;
    driver.get("/resources/{id}", &[id]).await;
    driver.call(("PATCH", "/resources/{id}"), &[id], Some(json!({ "name": "Documents" }))).await;
    let made = driver.call(("POST", "/resources/{id}/credentials"), &[id], None).await;
    driver.get("/resources/{id}/credentials", &[id]).await;
    let credentials = [id, made["client_id"].as_str().unwrap()];
    let given = json!({ "client_secret": made["client_secret"] });
    let check = ("POST", "/resources/{id}/credentials/{client_id}/secret/check");
    driver.call(check, &credentials, Some(given)).await;
    let keys = json!({ "jwks_uri": "https://mcp.example.com/keys" });
    driver.call(("PATCH", "/resources/{id}/credentials/{client_id}"), &credentials, Some(keys)).await;
    driver.call(("DELETE", "/resources/{id}/credentials/{client_id}"), &credentials, None).await;
    driver.call(("DELETE", "/resources/{id}"), &[id], None).await;

    driver.call(("POST", "/clients"), &[], Some(json!({ "client_id": "mcp" }))).await;
    driver.get("/clients", &[]).await;
    driver.get("/clients/{id}", &["mcp"]).await;
    driver.call(("PATCH", "/clients/{id}"), &["mcp"], Some(json!({ "groups": ["a"] }))).await;
    let added = driver.call(("POST", "/clients/{id}/secrets"), &["mcp"], None).await;
    // A body that may be left out may be null as well.
    driver.call(("POST", "/clients/{id}/secrets"), &["mcp"], Some(Value::Null)).await;
    let given = json!({ "client_secret": added["client_secret"] });
    driver.call(("POST", "/clients/{id}/secrets/check"), &["mcp"], Some(given)).await;
    let secret = ["mcp", added["id"].as_str().unwrap()];
    driver.call(("DELETE", "/clients/{id}/secrets/{secret_id}"), &secret, None).await;

    let thrown = json!({ "scope": "client", "id": "mcp", "reason": "its secret leaked" });
    let switch = driver.call(("POST", "/kill-switch"), &[], Some(thrown)).await;
    driver.get("/kill-switch", &[]).await;
    driver.call(("DELETE", "/kill-switch/{id}"), &[switch["id"].as_str().unwrap()], None).await;
    driver.call(("DELETE", "/clients/{id}"), &["mcp"], None).await;

    let visitor = Visitor::operator(&driver.h.app).await;
    driver.get("/console-sessions", &[]).await;
    driver.call(("DELETE", "/console-sessions/{id}"), &[visitor.session_id()], None).await;
    driver.call(("POST", "/console-sessions/end"), &[], Some(json!({ "everybody": true }))).await;
}

async fn drive_what_is_a_teamspaces(driver: &mut Driver) {
    let body = json!({ "slug": "acme", "name": "Acme", "plan": "enterprise", "email_domains": ["acme.com"] });
    driver.call(("POST", "/teamspaces"), &[], Some(body)).await;
    driver.get("/teamspaces", &[]).await;
    driver.get("/teamspaces/{slug}", &["acme"]).await;
    driver.call(("PATCH", "/teamspaces/{slug}"), &["acme"], Some(json!({ "member_limit": 5 }))).await;

    drive_providers(driver).await;

    let members = "/teamspaces/{slug}/members";
    let invited = driver.call(("POST", members), &["acme"], Some(json!({ "email": "dana@acme.com" }))).await;
    let member = ["acme", invited["id"].as_str().unwrap()];
    driver.get(members, &["acme"]).await;
    let one = "/teamspaces/{slug}/members/{id}";
    driver.call(("PATCH", one), &member, Some(json!({ "role": "admin" }))).await;
    driver.call(("POST", "/teamspaces/{slug}/members/{id}/end-sessions"), &member, None).await;
    driver.call(("DELETE", "/teamspaces/{slug}/members/{id}/identities"), &member, None).await;
    driver.call(("DELETE", one), &member, None).await;

    let links = "/teamspaces/{slug}/setup-links";
    let made = driver.call(("POST", links), &["acme"], Some(json!({ "valid_for": "7d" }))).await;
    driver.get(links, &["acme"]).await;
    let link = ["acme", made["id"].as_str().unwrap()];
    driver.call(("DELETE", "/teamspaces/{slug}/setup-links/{id}"), &link, None).await;

    let tokens = "/teamspaces/{slug}/scim-tokens";
    let body = json!({ "name": "Okta", "valid_for": "365d" });
    let made = driver.call(("POST", tokens), &["acme"], Some(body)).await;
    driver.get(tokens, &["acme"]).await;
    let token = ["acme", made["id"].as_str().unwrap()];
    driver.call(("DELETE", "/teamspaces/{slug}/scim-tokens/{id}"), &token, None).await;

    driver.get("/teamspaces/{slug}/sign-ins", &["acme"]).await;
    let id = "0123456789abcdef";
    record(&driver.h, Some("acme"), NewSignIn { request_id: id.into(), ..granted() }).await;
    driver.get("/teamspaces/{slug}/sign-ins/{id}/token", &["acme", id]).await;
    driver.get("/sign-ins/{id}/token", &[id]).await;
    let body = json!({ "assertion": "a.b.c", "client_id": "mcp", "all": true });
    driver.call(("POST", "/teamspaces/{slug}/explain"), &["acme"], Some(body)).await;
    driver.call(("DELETE", "/teamspaces/{slug}"), &["acme"], None).await;
}

async fn drive_providers(driver: &mut Driver) {
    let only = "/teamspaces/{slug}/identity-provider";
    let body = json!({ "provider": "oidc", "issuer": driver.h.idp.issuer("good"),
        "custom_claims": ["department", { "name": "level", "type": "long" }] });
    driver.call(("PUT", only), &["acme"], Some(body)).await;
    driver.get(only, &["acme"]).await;
    driver.call(("PATCH", only), &["acme"], Some(json!({ "enabled": false }))).await;
    driver.call(("POST", "/teamspaces/{slug}/identity-provider/check"), &["acme"], None).await;
    let confirmed = json!({ "jwks_uri": format!("{}/jwks", driver.h.idp.issuer("good")) });
    let path = "/teamspaces/{slug}/identity-provider/confirm-jwks-uri";
    driver.call(("POST", path), &["acme"], Some(confirmed.clone())).await;
    driver.get("/teamspaces/{slug}/identity-provider/trust-history", &["acme"]).await;
    driver.call(("DELETE", only), &["acme"], None).await;

    let all = "/teamspaces/{slug}/identity-providers";
    let body = json!({ "provider": "oidc", "issuer": driver.h.idp.issuer("good"), "name": "Europe" });
    let created = driver.call(("POST", all), &["acme"], Some(body.clone())).await;
    let provider = ["acme", created["id"].as_str().unwrap()];
    driver.get(all, &["acme"]).await;
    let one = "/teamspaces/{slug}/identity-providers/{id}";
    driver.get(one, &provider).await;
    driver.call(("PUT", one), &provider, Some(body)).await;
    driver.call(("PATCH", one), &provider, Some(json!({ "scope": "docs.read" }))).await;
    driver.call(("POST", "/teamspaces/{slug}/identity-providers/{id}/check"), &provider, None).await;
    let path = "/teamspaces/{slug}/identity-providers/{id}/confirm-jwks-uri";
    driver.call(("POST", path), &provider, Some(confirmed)).await;
    driver.get("/teamspaces/{slug}/identity-providers/{id}/trust-history", &provider).await;
    driver.call(("DELETE", one), &provider, None).await;
}
