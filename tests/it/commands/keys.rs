//! Clients and credentials of MCP servers with keys, as the command line makes and shows them.

use countersign::model::client::KeySource;
use serde_json::{Value, json};

use super::desk::{Desk, WAYS, Way};
use crate::harness::RESOURCE;
use crate::idp::Key;

const URI: &str = "https://mcp.example.com/keys";
const SECRET: &str = "a-secret-of-ones-own-0123456789";

/// Files with a good key set, and with sets that cannot be.
fn write_files(desk: &Desk) {
    let good = Key::es256("signer").jwk();
    let with = |member: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[member] = value;
        json!({ "keys": [jwk] })
    };
    let symmetric = json!({ "keys": [{ "kid": "s", "kty": "oct", "k": "AAAA" }] });
    for (name, set) in [
        ("good.json", json!({ "keys": [good] })),
        ("private.json", with("d", json!("AAAA"))),
        ("encryption.json", with("use", json!("enc"))),
        ("curve.json", with("crv", json!("P-521"))),
        ("symmetric.json", symmetric),
        ("empty.json", json!({ "keys": [] })),
        ("one.json", good.clone()),
    ] {
        std::fs::write(desk.app.dir.path().join(name), set.to_string()).unwrap();
    }
    std::fs::write(desk.app.dir.path().join("half.json"), "{\"keys\": [").unwrap();
    std::fs::write(desk.app.dir.path().join("secret"), SECRET).unwrap();
}

fn keys_of(desk: &Desk, id: &str) -> KeySource {
    let snapshot = desk.app.app.snapshot();
    let of_client = snapshot.client(id).and_then(|client| client.keys.clone());
    let resource = snapshot.resource_by_credential(id);
    let of_credentials = resource.and_then(|it| it.credential(id)).and_then(|it| it.keys().cloned());
    of_client.or(of_credentials).unwrap_or_else(|| panic!("{id} has no keys"))
}

/// INT-01, CLI-03: with a file, with standard input, with an address; shown without a word about a secret.
#[tokio::test]
async fn keys_come_from_a_file_or_from_an_address() {
    let desk = Desk::start().await;
    write_files(&desk);
    let set = std::fs::read_to_string(desk.app.dir.path().join("good.json")).unwrap();
    for (way, id) in WAYS.into_iter().zip(["one", "two"]) {
        let of = |verb: &'static str| ["resource", "credential", verb, RESOURCE];
        let create = [&of("create")[..], &["--client-id", id, "--jwks-file", "-"]].concat();
        let made = desk.fed(way, &create, &set).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(made.err.starts_with(&format!("Made credentials {id} for {RESOURCE} ")), "{made:?}");
        assert!(!made.err.contains("secret"), "{made:?}");
        let shown: Vec<&str> = made.out.lines().collect();
        assert!(
            shown[0] == format!("client id   {id}") && shown[1] == "method      private_key_jwt",
            "{made:?}"
        );
        assert!(shown[2] == "keys        signer  EC" && shown[3].starts_with("created at  "), "{made:?}");
        let update = desk.done(way, &[&of("update")[..], &[id, "--jwks-uri", URI]].concat()).await;
        assert!(update.out.contains(&format!("keys at     {URI}\ncreated at  ")), "{update:?}");
        let listed = desk.done(way, &of("list")).await.out;
        assert!(listed.lines().any(|line| line.contains(id) && line.contains(URI)), "{listed}");
        desk.app.app.reload().await.unwrap();
        assert_eq!(keys_of(&desk, id), KeySource::Fetched(URI.to_owned()));
        // A secret takes the place of keys, and the other way round.
        let secret =
            desk.done(way, &[&of("update")[..], &[id, "--client-secret-file", "secret"]].concat()).await;
        assert!(secret.out.contains("method      client_secret_basic\ncreated at  "), "{secret:?}");
        let back = desk.json(way, &[&of("update")[..], &[id, "--jwks-file", "good.json"]].concat()).await;
        assert_eq!((&back["jwks"]["keys"][0]["kid"], &back["jwks_uri"]), (&json!("signer"), &Value::Null));

        let client = format!("client-{id}");
        let create = ["client", "create", &client, "--token-endpoint-auth-method", "private_key_jwt"];
        let made = desk.done(way, &[&create[..], &["--jwks-file", "good.json"]].concat()).await;
        assert!(
            made.err.starts_with(&format!("Registered client {client} ")) && !made.err.contains("secret"),
            "{made:?}"
        );
        assert!(made.out.contains("signer  EC\n") && made.out.contains("private_key_jwt\n"), "{made:?}");
        let changed = desk.done(way, &["client", "update", &client, "--jwks-uri", URI]).await;
        assert!(changed.out.contains(URI) && !changed.out.contains("signer"), "{changed:?}");
        desk.app.app.reload().await.unwrap();
        assert_eq!(keys_of(&desk, &client), KeySource::Fetched(URI.to_owned()));
    }
}

/// Keys that cannot be, files that cannot be read, and options that exclude each other: exit 2, and nothing is made.
#[tokio::test]
async fn keys_that_cannot_be_are_refused_in_one_sentence() {
    let desk = Desk::start().await;
    write_files(&desk);
    let credentials = ["resource", "credential", "create", RESOURCE];
    let client = ["client", "create", "c", "--token-endpoint-auth-method", "private_key_jwt"];
    let before = desk.app.database.contents();
    for way in WAYS {
        for create in [&credentials[..], &client] {
            for (options, expected) in [
                (
                    &["--jwks-file", "private.json"][..],
                    "error: jwks: the key \"signer\" is a private key, which nobody should publish. Give public keys",
                ),
                (&["--jwks-file", "encryption.json"], "\"signer\" is not for verifying signatures"),
                (
                    &["--jwks-file", "curve.json"],
                    "\"signer\" is of another kind than RSA, P-256, P-384 and Ed25519",
                ),
                (
                    &["--jwks-file", "symmetric.json"],
                    "\"s\" is of another kind than RSA, P-256, P-384 and Ed25519",
                ),
                (&["--jwks-file", "empty.json"], "a list of 1 to 20 public keys"),
                (&["--jwks-file", "one.json"], "expected an object with `keys` alone"),
                (&["--jwks-file", "half.json"], "error: half.json: expected a JWK Set: EOF while parsing"),
                (&["--jwks-file", "nowhere.json"], "error: nowhere.json: No such file"),
                (&["--jwks-file", "."], "error: .: Is a directory"),
                (&["--jwks-uri", "http://mcp.example.com/keys"], "error: jwks_uri must be https"),
                (&["--jwks-uri", "keys"], "error: jwks_uri is no URL"),
                (&["--jwks-file", "good.json", "--jwks-uri", URI], "cannot be used with '--jwks-uri <URL>'"),
            ] {
                let ended = desk.run(way, &[create, options].concat()).await;
                assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{way:?} {options:?}: {ended:?}");
                assert!(
                    ended.err.contains(expected),
                    "{way:?} {options:?}: {expected} is not in {}",
                    ended.err
                );
            }
        }
        for options in [["--jwks-file", "good.json"], ["--jwks-uri", URI]] {
            let both = [&credentials[..], &options, &["--client-secret-file", "secret"]].concat();
            let ended = desk.run(way, &both).await;
            assert!(ended.code == Some(2) && ended.err.contains("cannot be used with"), "{ended:?}");
        }
        let nothing = desk.run(way, &["resource", "credential", "update", RESOURCE, "x"]).await;
        assert!(nothing.code == Some(2) && nothing.err.contains("nothing to change"), "{nothing:?}");
    }
    let made = desk.json(Way::Database, &["resource", "credential", "list", RESOURCE]).await;
    assert_eq!(made["items"], json!([]));
    let audit = |contents: &[u8]| contents.windows(9).any(|part| part == b"private_k");
    assert_eq!(audit(&before), audit(&desk.app.database.contents()));
}
