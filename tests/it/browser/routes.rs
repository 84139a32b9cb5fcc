//! Every page of the console, found in its source, so that none is forgotten.

use std::path::Path;

use countersign::store::sign_ins::SignIn;
use serde_json::{Value, json};

use crate::harness::{CLIENT, RESOURCE, TestApp};

/// Paths that are asked for with GET and are no pages, or lead to one.
const NO_PAGES: [&str; 6] =
    ["/", "/assets/{version}/{name}", "/api/{name}", "/set-up", "/sign-in/start", "/sign-in/callback"];

/// Pages that only somebody sees who is not signed in.
const SIGNED_OUT: [&str; 2] = ["/sign-in", "/set-up/{token}"];

/// A set-up link, which leads to the page `/set-up`.
const LINK: &str = "csl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The routes in the console's source: GET or POST, and the path.
pub fn routes() -> Vec<(&'static str, String)> {
    let mut sources = String::new();
    read(Path::new("src/web/console"), &mut sources);
    let mut routes = Vec::new();
    for (path, rest) in sources.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"')) {
        let end = rest.find(".route(").unwrap_or(rest.len()).min(rest.find(['}', ';']).unwrap_or(rest.len()));
        for (method, call) in [("GET", "get("), ("POST", "post(")] {
            if rest[..end].contains(call) {
                routes.push((method, path.to_owned()));
            }
        }
    }
    routes.sort();
    routes.dedup();
    routes
}

/// The paths of pages.
fn paths() -> impl Iterator<Item = String> {
    routes().into_iter().filter(|(method, _)| *method == "GET").map(|(_, path)| path)
}

fn read(dir: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            read(&entry, sources);
        } else if entry.extension().is_some_and(|extension| extension == "rs")
            // The documents are not below the console.
            && !entry.ends_with("documents.rs")
        {
            sources.push_str(&std::fs::read_to_string(entry).unwrap());
        }
    }
}

/// A name for the screenshots of a page: the same whatever its objects' ids are.
fn name_of(path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Every page with something in it, as the browser's script takes them.
pub async fn screens(app: &TestApp) -> Vec<Value> {
    let sign_ins = app.sign_ins().await;
    let refused: &SignIn = sign_ins.iter().find(|row| row.reason == "aud_mismatch").unwrap();
    let member = app.member("dana@acme.com").await.unwrap().id;
    let resource = app.app.snapshot().resource(RESOURCE).unwrap().id.clone();
    let mut screens = Vec::new();
    for path in paths().filter(|path| !NO_PAGES.contains(&&**path) && !path.ends_with("/export")) {
        let id = match path.split("/{id}").next().unwrap() {
            "/clients" => CLIENT,
            "/resources" => &resource,
            "/t/{slug}/members" => &member,
            _ => "id-of-acme",
        };
        let kinds =
            if path.contains("{kind}") { &["okta", "entra", "keycloak", "claude"][..] } else { &[""] };
        for kind in kinds {
            let path = path.replace("{slug}", "acme").replace("{kind}", kind);
            let own = path.replace("{request_id}", &refused.request_id).replace("{token}", LINK);
            screens.push(screen(&path, &own.replace("{id}", id)));
        }
    }
    assert!(screens.len() > 5, "{screens:?}");
    for document in ["/docs", "/docs/policies", "/docs/reference/reasons", "/docs/decisions"] {
        let name = name_of(document);
        screens.push(json!({ "name": name, "path": document, "ours": true, "signed_in": false }));
    }
    screens
}

/// A page by its path in the source, and by the path that is asked for.
fn screen(path: &str, filled: &str) -> Value {
    assert!(!filled.contains('{'), "say in tests/it/browser/routes.rs what to put into {path}");
    json!({
        "name": name_of(path),
        "path": format!("/console{filled}"),
        "ours": path != "/api",
        "signed_in": !SIGNED_OUT.contains(&path),
    })
}
