//! An export is a file that makes the same again.

use serde_json::json;

use super::harness::{Place, Ran, WAYS, Way};
use crate::harness::{CLIENT, SECRET};

const FORMATS: [(&str, &str); 3] = [("yaml", "all.yaml"), ("toml", "all.toml"), ("json", "all.json")];

async fn export(place: &Place, way: Way, args: &[&str]) -> String {
    let ran: Ran = place.run(way, &[&["export"], args].concat()).await;
    ran.expect(0);
    assert!(!ran.out().contains(SECRET));
    ran.out()
}

#[tokio::test]
async fn applying_an_export_on_the_same_service_changes_nothing() {
    let place = Place::start().await;
    place.app.granted(json!({ "email": "came@acme.com" })).await;
    place.app.put_member("invited@acme.com", countersign::model::member::Status::Invited).await;
    place.app.put_member("suspended@acme.com", countersign::model::member::Status::Suspended).await;
    place.app.change_teamspace(|teamspace| teamspace.name = "# \"Acme\": \u{202e}yes".into()).await;
    for (format, name) in FORMATS {
        let both = [
            export(&place, Way::Server, &["--format", format]).await,
            export(&place, Way::Database, &["--format", format]).await,
        ];
        assert_eq!(both[0], both[1]);
        place.write(name, &both[0]);
        for way in WAYS {
            let ran = place.apply(way, &["-f", name, "--prune"], 0).await;
            ran.says(&["Plan: 0 to create, 0 to change, 0 to delete, 5 the same."]);
        }
        if format != "json" {
            assert!(both[0].contains("# client_secret_file"), "{}", both[0]);
            assert!(both[0].contains("or are suspended: 2"), "{}", both[0]);
        }
    }
    let acme = export(&place, Way::Server, &["--teamspace", "acme", "--format", "json"]).await;
    let acme: serde_json::Value = serde_json::from_str(&acme).unwrap();
    assert_eq!(acme.as_object().unwrap().len(), 1);
    assert_eq!(
        acme["teamspaces"][0]["members"],
        json!([{ "email": "invited@acme.com", "role": "developer", "link": null }])
    );
    let absent = place.run(Way::Server, &["export", "--teamspace", "absent"]).await;
    absent.expect(2);
    absent.says(&["teamspaces/absent"]);
}

/// Another service gets the same, once its operator has said where the secrets are.
#[tokio::test]
async fn applying_an_export_on_an_empty_service_makes_the_same() {
    let place = Place::start().await;
    place.app.put_member("invited@acme.com", countersign::model::member::Status::Invited).await;
    let whole = place.exported().await;
    for (format, name) in FORMATS {
        let text = export(&place, Way::Server, &["--format", format]).await;
        // Everything goes, so that the file has to make all of it.
        place.write("nothing.yaml", "resources: []\nclients: []\nteamspaces: []\n");
        place.apply(Way::Server, &["-f", "nothing.yaml", "--prune", "--yes"], 0).await;
        assert!(place.app.app.snapshot().teamspace_config("acme").is_none());
        place.write(name, &text);
        place.apply(Way::Server, &["-f", name], 2).await.says(&["a new one needs its secret"]);
        let text = text
            .replace("# client_secret_file: ", "client_secret_file: ")
            .replace("# client_secret_file = ", "client_secret_file = ")
            .replace("\"client_name\"", "\"client_secret_file\": \"secrets/x\", \"client_name\"");
        std::fs::create_dir_all(place.dir.path().join("secrets")).unwrap();
        place.write(&format!("secrets/{CLIENT}"), SECRET);
        place.write("secrets/x", SECRET);
        place.write(name, &text);
        place.apply(Way::Server, &["-f", name], 0).await.says(&["Done: 5 of 5."]);
        assert_eq!(place.exported().await, whole, "{format}");
        assert!(place.app.app.snapshot().client(CLIENT).unwrap().has_secret(SECRET));
    }
}

/// CLI-07: neither has one without credentials.
#[tokio::test]
async fn a_public_client_needs_no_secret_in_a_file() {
    let place = Place::start().await;
    let file = json!({ "clients": [{ "client_id": "public", "token_endpoint_auth_method": "none" }] });
    place.write("public.json", &file.to_string());
    place.apply(Way::Server, &["-f", "public.json"], 0).await.says(&["Done: 1 of 1."]);
    let known = place.app.app.snapshot().client("public").cloned().unwrap();
    assert_eq!(known.token_endpoint_auth_method.as_str(), "none");
    let text = export(&place, Way::Server, &["--format", "yaml"]).await;
    assert!(!text.contains("secrets/public"), "{text}");
    place.write("all.yaml", &text);
    place
        .apply(Way::Server, &["-f", "all.yaml", "--prune"], 0)
        .await
        .says(&["0 to create, 0 to change, 0 to delete"]);
    let mut with_secret = file;
    with_secret["clients"][0]["client_secret_file"] = json!("public.json");
    place.write("secret.json", &with_secret.to_string());
    place
        .apply(Way::Server, &["-f", "secret.json"], 2)
        .await
        .says(&["has private_key_jwt or none and so no secret"]);
}

/// CLI-03: a client with keys has no secret in a file, and its keys are compared as the service shows them.
#[tokio::test]
async fn keys_of_clients_come_back_as_they_were() {
    let place = Place::start().await;
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "a: b", "x5t#S256": "AAAA", "key_ops": ["verify"], "ext": true });
    let keys = |id: &str, more: serde_json::Value| {
        let mut client = json!({ "client_id": id, "token_endpoint_auth_method": "private_key_jwt" });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let file = |first: serde_json::Value| json!({ "clients": [first, keys("there", json!({ "jwks_uri": "https://client.example.com/k" }))] });
    let with_keys = file(keys("here", json!({ "jwks": { "keys": [jwk] } })));
    place.write("keys.json", &with_keys.to_string());
    place.apply(Way::Server, &["-f", "keys.json"], 0).await.says(&["Done: 2 of 2."]);
    let known = place.app.app.snapshot().client("here").cloned().unwrap();
    assert!(known.secrets.is_empty() && known.keys.is_some());
    for (format, name) in FORMATS {
        let text = export(&place, Way::Server, &["--format", format]).await;
        place.write(name, &text);
        for way in WAYS {
            let ran = place.apply(way, &["-f", name, "--prune"], 0).await;
            ran.says(&["0 to create, 0 to change, 0 to delete"]);
        }
        assert!(!text.contains("client_secret_file: \"secrets/here\""), "{text}");
    }
    // From an address to keys and back is one change each.
    let moved = file(keys("here", json!({ "jwks_uri": "https://client.example.com/new" })));
    place.write("moved.json", &moved.to_string());
    place.apply(Way::Server, &["-f", "moved.json"], 0).await.says(&["1 to change", "jwks_uri"]);
    place.apply(Way::Server, &["-f", "moved.json"], 0).await.says(&["0 to change"]);
    place.apply(Way::Server, &["-f", "keys.json"], 0).await.says(&["1 to change", "jwks"]);
    let secret = file(keys("here", json!({ "jwks": { "keys": [jwk] }, "client_secret_env": "PATH" })));
    place.write("secret.json", &secret.to_string());
    place.apply(Way::Server, &["-f", "secret.json"], 2).await.says(&["so no secret"]);
    place.write("bad.json", &file(keys("here", json!({ "jwks": [] }))).to_string());
    place.apply(Way::Server, &["-f", "bad.json"], 2).await.says(&["a JWK Set"]);
}
