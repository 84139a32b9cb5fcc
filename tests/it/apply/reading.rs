//! Files as they are read: what they mean, and every mistake with its line.

use countersign::manifest::{Manifest, ManifestFile, ObjectKind, SecretSource, Syntax, read};
use proptest::prelude::*;
use serde_json::json;

pub fn file(name: &str, text: &str) -> ManifestFile {
    let syntax = if name.ends_with(".toml") { Syntax::Toml } else { Syntax::Yaml };
    ManifestFile { name: name.into(), folder: "folder".into(), syntax, text: text.to_owned() }
}

pub fn manifest(text: &str) -> Manifest {
    read(&[file("a.yaml", text)]).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

#[track_caller]
fn refused(name: &str, text: &str, expected: &[&str]) {
    let said = read(&[file(name, text)]).expect_err(text).to_string();
    expected.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in: {said}"));
}

const YAML: &str = "\
resources:
- identifier: https://mcp.example.com/mcp
  name: ' Docs '
  scopes:
  - name: docs.read
  - {name: docs.write, description: Write}
  default_scopes: [docs.read]
  teamspaces: null
clients:
- client_id: agent
  client_secret_file: secrets/agent
  groups: [partners]
  enabled: true
---
teamspaces:
- slug: acme
  name: \"Acme\"
  plan: enterprise
  member_limit: 100
  email_domains: [Acme.com]
  identity_providers:
  - provider: okta
    issuer: https://acme.okta.com
    scope: 'docs.read  docs.write'
    custom_claims: [department, {name: level, type: long}, {name: unit, type: text}]
  members:
  - email: Dana@acme.com
    role: admin
";

const TOML: &str = "\
[[resources]]
identifier = \"https://mcp.example.com/mcp\"
name = \" Docs \"
scopes = [{ name = \"docs.read\" }, { name = \"docs.write\", description = \"Write\" }]
default_scopes = [\"docs.read\"]

[[clients]]
client_id = \"agent\"
client_secret_file = \"secrets/agent\"
groups = [\"partners\"]
enabled = true

[[teamspaces]]
slug = \"acme\"
name = \"Acme\"
plan = \"enterprise\"
member_limit = 100
email_domains = [\"Acme.com\"]

[[teamspaces.identity_providers]]
provider = \"okta\"
issuer = \"https://acme.okta.com\"
scope = \"docs.read  docs.write\"
custom_claims = [\"department\", { name = \"level\", type = \"long\" }, { name = \"unit\", type = \"text\" }]

[[teamspaces.members]]
email = \"Dana@acme.com\"
role = \"admin\"
";

/// The values are those that the admin API shows, so that they can be compared.
#[test]
fn yaml_and_toml_mean_the_same() {
    let yaml = manifest(YAML);
    let toml = read(&[file("a.toml", TOML)]).unwrap();
    for manifest in [&yaml, &toml] {
        let named = |name: &str| manifest.objects.iter().find(|object| object.name == name).unwrap();
        let resource = named("https://mcp.example.com/mcp");
        assert_eq!(resource.fields["name"], "Docs");
        assert_eq!(resource.fields["scopes"][1], json!({ "name": "docs.write", "description": "Write" }));
        let client = named("agent");
        assert_eq!(client.secret, Some(SecretSource::File("folder/secrets/agent".into())));
        assert!(!client.fields.contains_key("client_secret_file"));
        assert_eq!(named("acme").fields["email_domains"], json!(["acme.com"]));
        let provider = named("Okta");
        assert_eq!((provider.kind, provider.within.as_deref()), (ObjectKind::Provider, Some("acme")));
        assert_eq!(provider.fields["scope"], "docs.read docs.write");
        let claims = json!(["department", { "name": "level", "type": "long" }, "unit"]);
        assert_eq!(provider.fields["custom_claims"], claims);
        assert_eq!(named("dana@acme.com").fields["role"], "admin");
        assert!(manifest.has_list(ObjectKind::Member, Some("acme")));
        assert!(!manifest.has_list(ObjectKind::Member, Some("other")));
    }
    assert_eq!(yaml.objects.len(), toml.objects.len());
}

/// All mistakes of all files come at once, each with file, line and the form that was expected.
#[test]
fn every_mistake_is_told_with_its_line() {
    let one = "teamspaces:\n- slug: Acme\n  name: 2024\n  plan: premium\n  emial_domains: []\n- slug: a\n";
    let two = "[[clients]]\nclient_id = \"c\"\nenabled = \"yes\"\nteamspace = 1\n";
    let said = read(&[file("one.yaml", one), file("two.toml", two)]).unwrap_err().to_string();
    for expected in [
        "8 mistakes:",
        "one.yaml:2: `slug` must be 1 to 63 characters of a-z, 0-9 and -, with no - at its ends; found \"Acme\"",
        "one.yaml:3: `name` must be a text; found 2024; put it in quotes",
        "one.yaml:4: `plan` must be free, pro or enterprise; found \"premium\"",
        "one.yaml:5: unknown field `emial_domains`; did you mean `email_domains`?",
        "one.yaml:6: this teamspace lacks `name`: a text",
        "one.yaml:6: this teamspace lacks `plan`: free, pro or enterprise",
        "two.toml:3: `enabled` must be true or false; found \"yes\"",
        "two.toml:4: unknown field `teamspace`; expected client_id,",
    ] {
        assert!(said.contains(expected), "`{expected}` is not in: {said}");
    }
}

#[test]
fn bad_files_are_refused_with_the_place() {
    refused("a.yaml", "teamspaces:\n- slug: a\n  name: [x\n", &["a.yaml:", "this is not YAML"]);
    refused("a.yaml", "teamspaces:\n- \"slug: a\n", &["a.yaml:", "this is not YAML"]);
    refused("a.toml", "[[teamspaces]]\nslug = \n", &["a.toml:2: this is not TOML"]);
    refused("a.toml", "a = 1\na = 2\n", &["a.toml:2: this is not TOML: duplicate key"]);
    let twice = "clients:\n- client_id: c\n  enabled: true\n  enabled: false\n";
    refused("a.yaml", twice, &["a.yaml:4: `enabled` is here twice; it is in line 3 too"]);
    refused("a.yaml", "clients: {}\n", &["a.yaml:1: `clients` must be a list; found an object"]);
    refused("a.yaml", "clients:\n", &["`clients` must be a list; found nothing; write [] for an empty one"]);
    refused("a.yaml", "clients: [7]\n", &["an entry of `clients` must be an object with fields; found 7"]);
    refused("a.yaml", "just text\n", &["a document must be an object with fields; found \"just text\""]);
    refused("a.yaml", "client:\n- client_id: c\n", &["unknown field `client`; did you mean `clients`?"]);
    let both = "clients:\n- client_id: c\n  client_secret_file: f\n  client_secret_env: E\n";
    refused("a.yaml", both, &["a.yaml:2: `client_secret_file` and `client_secret_env` are both here"]);
    let list = "teamspaces:\n- {slug: a, name: A, plan: pro, email_domains: [a.com, a.com]}\n";
    refused("a.yaml", list, &["a.yaml:2: `email_domains` must be a list of domains"]);
    let secret = "clients:\n- client_id: c\n  client_secret: the-secret-itself-0123\n";
    refused("a.yaml", secret, &["unknown field `client_secret`; did you mean `client_secret_"]);
    let said = read(&[file("a.yaml", secret)]).unwrap_err().to_string();
    assert!(!said.contains("itself"), "{said}");
}

#[test]
fn two_files_cannot_declare_one_object() {
    let one = file("one.yaml", "clients:\n- client_id: c\n");
    let two = file("two.yaml", "\nclients:\n- client_id: c\n");
    let said = read(&[one, two]).unwrap_err().to_string();
    assert_eq!(said, "two.yaml:3: the client `c` is declared twice; it is in one.yaml:2 too");
    // RFC 3986 §6.2.2: these name one resource.
    let text = "resources:\n- {identifier: 'https://a.example', name: A}\n- {identifier: 'HTTPS://a.example:443/', name: B}\n";
    refused("a.yaml", text, &["a.yaml:3: the resource", "declared twice"]);
}

/// A file of a few hundred bytes must not become gigabytes.
#[test]
fn aliases_cannot_explode() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    refused("a.yaml", &bomb, &["this is not YAML"]);
    let deep = format!("clients: {}{}", "[".repeat(5000), "]".repeat(5000));
    refused("a.yaml", &deep, &["this is not YAML"]);
    refused("a.toml", &format!("clients = {}{}", "[".repeat(5000), "]".repeat(5000)), &["this is not TOML"]);
    let shared = "clients:\n- &c {client_id: a, groups: [x]}\n- {<<: *c, client_id: b}\n";
    assert_eq!(manifest(shared).objects[1].fields["groups"], json!(["x"]));
}

/// A mistake in a large file does not become a large message.
#[test]
fn not_more_than_a_hundred_mistakes_are_listed() {
    let text = format!("clients:\n{}", "- client: x\n".repeat(500));
    let said = read(&[file("a.yaml", &text)]).unwrap_err().to_string();
    assert!(said.starts_with("1000 mistakes:") && said.ends_with("and 900 more"), "{said}");
}

/// Every field that the admin API takes is one that files have, or is left out for a reason.
#[test]
fn the_fields_are_those_of_the_admin_api() {
    let schemas = serde_json::to_value(countersign::web::api::description(None)).unwrap();
    let left_out = ["client_secret"];
    for (kind, form) in [
        (ObjectKind::Resource, "NewResource"),
        (ObjectKind::Client, "NewClient"),
        (ObjectKind::Teamspace, "NewTeamspace"),
        (ObjectKind::Provider, "NewProvider"),
        (ObjectKind::Member, "NewMember"),
    ] {
        let properties = schemas["components"]["schemas"][form]["properties"].as_object().unwrap();
        let mut taken: Vec<&str> =
            properties.keys().map(String::as_str).filter(|name| !left_out.contains(name)).collect();
        let mut fields: Vec<&str> = kind.fields().iter().map(|rule| rule.name).collect();
        taken.sort_unstable();
        fields.sort_unstable();
        assert_eq!(fields, taken, "{form}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever a file holds, it is read or refused, and the refusal names the file.
    #[test]
    fn any_text_is_read_or_refused(text in r"([ \n\-:{}\[\]&*!|>'#,a-z0-9=\\]|clients|client_id|enabled){0,60}") {
        for name in ["a.yaml", "a.toml"] {
            if let Err(mistakes) = read(&[file(name, &text)]) {
                let said = mistakes.to_string();
                prop_assert!(said.contains(name), "{}", said);
            }
        }
    }

    /// So is whatever somebody makes of a good file by cutting it or changing a character.
    #[test]
    fn damaged_files_are_read_or_refused(at in 0..YAML.len(), c in any::<char>(), cut in any::<bool>()) {
        for (name, text) in [("a.yaml", YAML), ("a.toml", TOML)] {
            let at = text.floor_char_boundary(at.min(text.len()));
            let (before, after) = text.split_at(at);
            let damaged = if cut { before.to_owned() } else { format!("{before}{c}{after}") };
            let _ = read(&[file(name, &damaged)]);
        }
    }
}
