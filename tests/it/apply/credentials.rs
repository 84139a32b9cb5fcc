//! Credentials of resources: what MCP servers ask about tokens with.

use serde_json::{Value, json};

use super::harness::{Place, Ran, WAYS, Way, entry};
use crate::harness::{CLIENT, SECRET};
use crate::idp::Key;

const URL: &str = "https://new.example.com/mcp";
const NEXT: &str = "the-next-secret-of-the-server-01";

fn jwks(kid: &str) -> Value {
    let mut jwk = Key::es256(kid).jwk();
    jwk["key_ops"] = json!(["verify"]);
    json!({ "keys": [jwk] })
}

/// A file with one resource and these credentials.
fn resource(credentials: Value) -> String {
    json!({ "resources": [{ "identifier": URL, "name": "New", "credentials": credentials }] }).to_string()
}

fn by_address() -> Value {
    json!({ "client_id": "by-keys", "jwks_uri": "https://new.example.com/keys" })
}

fn by_secret() -> Value {
    json!({ "client_id": "by-secret", "client_secret_file": "secret.txt" })
}

async fn apply(place: &Place, way: Way, more: &[&str], parts: &[&str]) -> Ran {
    let ran = place.apply(way, &[&["-f", "r.json", "--yes"][..], more].concat(), 0).await;
    ran.says(parts);
    place.app.app.reload().await.unwrap();
    ran
}

/// What a service has of the credentials, as an export shows it.
async fn exported(place: &Place) -> Value {
    let export = place.exported().await;
    let mut all = entry(&export, "resources", ("identifier", URL))["credentials"].as_array().unwrap().clone();
    // The oldest come first, and a second may pass between two of one run.
    all.sort_by_key(|one| one["client_id"].to_string());
    all.into()
}

fn has_secret(place: &Place, secret: &str) -> bool {
    let snapshot = place.app.app.snapshot();
    snapshot.resource_by_credential("by-secret").is_some_and(|it| it.has_credential("by-secret", secret))
}

async fn audited(place: &Place) -> Vec<Value> {
    let ran = place.run(Way::Server, &["audit", "list", "--limit", "50", "--format", "json"]).await;
    ran.expect(0);
    assert!(!ran.out().contains(SECRET) && !ran.out().contains(NEXT));
    let listed: Value = serde_json::from_str(&ran.out()).unwrap();
    let of_credentials = |row: &&Value| row["action"].as_str().unwrap().starts_with("resource.credentials");
    listed["items"].as_array().unwrap().iter().filter(of_credentials).cloned().collect()
}

/// INT-01: made with their resource in one run, changed, removed; each once, and with a row in the audit log.
#[tokio::test]
async fn credentials_are_made_changed_and_removed() {
    for way in WAYS {
        let place = Place::start().await;
        place.write("secret.txt", &format!("{SECRET}\n"));
        place.write("r.json", &resource(json!([by_address(), by_secret()])));
        let dry = place.apply(way, &["-f", "r.json", "--dry-run"], 1).await;
        dry.says(&[
            "+ create credential by-keys of https://new.example.com/mcp\n",
            "+ create credential by-secret of https://new.example.com/mcp\n    client_secret: that in secret.txt\n",
            "Plan: 3 to create, 0 to change, 0 to delete, 0 the same.",
        ]);
        assert!(place.app.app.snapshot().resource_by_credential("by-keys").is_none());
        apply(&place, way, &[], &["Done: 3 of 3."]).await;
        assert!(has_secret(&place, SECRET));
        apply(&place, way, &[], &["Nothing to do"]).await;

        // Keys instead of their address: one change. The same id proves itself otherwise.
        let keys = jwks("first");
        let by_keys = json!({ "client_id": "by-keys", "jwks": keys });
        place.write("r.json", &resource(json!([by_keys, by_secret()])));
        let parts =
            ["    jwks: null → {", "    jwks_uri: \"https://new.example.com/keys\" → null\n", "1 to change"];
        apply(&place, way, &[], &parts).await;
        let secret = json!({ "client_id": "by-secret", "jwks": null, "jwks_uri": null });
        let expected = json!([{ "client_id": "by-keys", "jwks": keys, "jwks_uri": null }, secret]);
        assert_eq!(exported(&place).await, expected);
        apply(&place, way, &[], &["Nothing to do"]).await;

        // Another secret in the file takes the place of the one before.
        place.write("secret.txt", NEXT);
        let ran =
            apply(&place, way, &["--format", "json"], &["\"client_secret\": \"that in secret.txt\""]).await;
        let plan: Value = serde_json::from_str(&ran.out()).unwrap();
        let step = &plan["steps"][0];
        assert_eq!(
            (&step["kind"], &step["resource"], &step["teamspace"], &step["outcome"]),
            (&json!("resource_credential"), &json!(URL), &Value::Null, &json!("done"))
        );
        assert!(has_secret(&place, NEXT) && !has_secret(&place, SECRET));
        apply(&place, way, &[], &["Nothing to do"]).await;

        // What the file does not declare goes with `--prune` only, and only from a list that it has.
        place.write("r.json", &json!({ "resources": [{ "identifier": URL, "name": "New" }] }).to_string());
        apply(&place, way, &[], &["Nothing to do"]).await;
        place.write("r.json", &resource(json!([by_keys])));
        apply(&place, way, &[], &["Nothing to do"]).await;
        assert!(has_secret(&place, NEXT));
        let parts = [
            "- delete credential by-secret of https://new.example.com/mcp\n",
            "- delete resource https://mcp.example.com/mcp, with its credentials\n",
        ];
        apply(&place, way, &["--prune"], &parts).await;
        apply(&place, way, &["--prune"], &["Nothing to do"]).await;
        assert!(!has_secret(&place, NEXT));

        let rows = audited(&place).await;
        let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
        let [gone, secret, keys, made, also_made] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!((*gone, *secret), ("resource.credentials.delete", "resource.credentials.update"));
        assert_eq!((*keys, *made), ("resource.credentials.update", "resource.credentials.create"));
        assert_eq!(made, also_made);
        assert!(rows[1]["new"].to_string().contains("has_new_secret"), "{}", rows[1]);
        let contents = place.app.database.contents();
        assert!(
            ![SECRET, NEXT].iter().any(|it| contents.windows(it.len()).any(|part| part == it.as_bytes()))
        );
    }
}

/// An export says everything but the secret, in every language; elsewhere it makes the same.
#[tokio::test]
async fn an_export_makes_the_same_credentials_again() {
    let place = Place::start().await;
    place.write("secret.txt", SECRET);
    let by_keys = json!({ "client_id": "by-own-keys", "jwks": jwks("a: b") });
    place.write("r.json", &resource(json!([by_address(), by_secret(), by_keys])));
    apply(&place, Way::Server, &[], &["Done: 4 of 4."]).await;
    let whole = exported(&place).await;
    for (format, name) in [("yaml", "all.yaml"), ("toml", "all.toml"), ("json", "all.json")] {
        let text = {
            let ran = place.run(Way::Server, &["export", "--format", format]).await;
            ran.expect(0);
            ran.out()
        };
        assert!(!text.contains(SECRET) && !text.contains(&countersign::random::digest(SECRET)), "{text}");
        place.write(name, &text);
        for way in WAYS {
            let ran = place.apply(way, &["-f", name, "--prune"], 0).await;
            ran.says(&["0 to create, 0 to change, 0 to delete"]);
        }
        if format != "json" {
            assert!(text.contains("# Secrets are not shown. To make this credential elsewhere"), "{text}");
            assert!(!text.contains("secrets/by-keys") && !text.contains("secrets/by-own-keys"), "{text}");
        }
        place.write("r.json", "{\"resources\": []}");
        apply(
            &place,
            Way::Server,
            &["--prune"],
            &["delete resource https://new.example.com/mcp, with its credentials"],
        )
        .await;
        let ran = place.apply(Way::Server, &["-f", name], 2).await;
        ran.says(&["no credential `by-secret` of this resource, and a new one needs keys or a secret"]);
        let text = text
            .replace("# client_secret_file: \"secrets/by-secret", "client_secret_file: \"secrets/by-secret")
            .replace("# client_secret_file = \"secrets/by-secret", "client_secret_file = \"secrets/by-secret")
            .replace(
                "\"client_id\": \"by-secret\"",
                "\"client_secret_file\": \"secret.txt\", \"client_id\": \"by-secret\"",
            );
        std::fs::create_dir_all(place.dir.path().join("secrets")).unwrap();
        place.write("secrets/by-secret", SECRET);
        place.write(name, &text);
        place.apply(Way::Server, &["-f", name], 0).await;
        assert_eq!(exported(&place).await, whole, "{format}");
        assert!(has_secret(&place, SECRET));
    }
}

/// Everything that is wrong with the files is told before anything is done; what only the service knows stops the run.
#[tokio::test]
async fn nonsense_is_refused() {
    let place = Place::start().await;
    place.write("secret.txt", SECRET);
    place.write("r.json", &resource(json!([by_address()])));
    apply(&place, Way::Server, &[], &["Done: 2 of 2."]).await;
    let before = place.exported().await;
    let both = json!({ "client_id": "x", "jwks": jwks("k"), "jwks_uri": "https://new.example.com/keys" });
    let mut with_secret = by_address();
    with_secret["client_secret_env"] = json!("SECRET");
    let private = {
        let mut jwks = jwks("k");
        jwks["keys"][0]["d"] = json!("AAAA");
        json!({ "client_id": "x", "jwks": jwks })
    };
    for (credentials, expected) in [
        (
            json!([{ "client_id": "x" }]),
            "no credential `x` of this resource, and a new one needs keys or a secret",
        ),
        (json!([both]), "`x` has more than one of `jwks`, `jwks_uri` and a secret; keep one"),
        (json!([with_secret]), "in the variable SECRET: which is not set"),
        (
            json!([{ "client_id": "by-keys", "jwks_uri": null }]),
            "the keys of the credential `by-keys` are taken away, and nothing takes their place",
        ),
        (json!([{ "client_id": "x", "jwks": [] }]), "`jwks` must be a JWK Set"),
        (
            json!([{ "jwks_uri": "https://new.example.com/keys" }]),
            "this credential lacks `client_id`: a text",
        ),
        (
            json!([{ "client_id": "x", "client_secret": SECRET }]),
            "unknown field `client_secret`; did you mean `client_secret_",
        ),
        (json!([by_address(), by_address()]), "the credential `by-keys` is declared twice"),
        (json!({}), "`credentials` must be a list; found an object"),
        // What only the service knows.
        (
            json!([private]),
            "create credential x of https://new.example.com/mcp (r.json:1): jwks: the key \"k\" is a private key",
        ),
        (json!([{ "client_id": "x", "jwks_uri": "http://keys.example" }]), "jwks_uri must be https"),
        (json!([{ "client_id": "a b", "jwks_uri": "https://keys.example" }]), "client_id_invalid"),
        (json!([{ "client_id": CLIENT, "jwks_uri": "https://keys.example" }]), "client_id_taken"),
    ] {
        place.write("r.json", &resource(credentials));
        let ran = place.apply(Way::Server, &["-f", "r.json"], 2).await;
        ran.says(&[expected]);
        assert!(!ran.err().contains(SECRET));
        assert_eq!(place.exported().await, before, "{expected}");
    }
    // A client's id is no credential's, in one file either.
    let clients = json!([{ "client_id": "by-keys", "client_secret_file": "secret.txt" }]);
    let file = json!({ "clients": clients, "resources": [{ "identifier": URL, "name": "New", "credentials": [by_address()] }] });
    place.write("r.json", &file.to_string());
    place.apply(Way::Server, &["-f", "r.json"], 2).await.says(&["`by-keys` is declared twice"]);
}

/// A server that moves keeps its credentials: the resource with the old URL gives them up before the new one takes them.
#[tokio::test]
async fn credentials_move_to_another_resource_in_one_run() {
    let place = Place::start().await;
    place.write("secret.txt", SECRET);
    place.write("r.json", &resource(json!([by_address(), by_secret()])));
    apply(&place, Way::Server, &[], &["Done: 3 of 3."]).await;
    let moved = "https://moved.example.com/mcp";
    place.write("r.json", &resource(json!([by_secret(), by_address()])).replace(URL, moved));
    apply(&place, Way::Server, &["--prune"], &["Plan: 3 to create, 0 to change, 2 to delete"]).await;
    assert!(has_secret(&place, SECRET));
    let snapshot = place.app.app.snapshot();
    assert_eq!(snapshot.resource_by_credential("by-keys").unwrap().identifier, moved);
    // Between two that stay.
    let two = |one: Value, other: Value| {
        let named = |url: &str, credentials: Value| json!({ "identifier": url, "name": "N", "credentials": credentials });
        json!({ "resources": [named(moved, one), named(URL, other)] }).to_string()
    };
    place.write("r.json", &two(json!([by_address()]), json!([by_secret()])));
    apply(&place, Way::Server, &["--prune"], &["- delete credential by-secret of https://moved"]).await;
    assert!(has_secret(&place, SECRET));
    assert_eq!(exported(&place).await[0]["client_id"], "by-secret");
    apply(&place, Way::Server, &["--prune"], &["Nothing to do"]).await;
}
