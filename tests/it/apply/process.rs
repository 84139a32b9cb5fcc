//! The command as it is used: plans, changes, and nothing the second time, both ways.

use serde_json::{Value, json};

use super::harness::{Place, WAYS, Way, entry};

/// A file with an object of each kind. `{idp}` is an issuer.
const ALL: &str = "
resources:
- identifier: https://files.example.com/mcp
  name: Files
  scopes: [{name: files.read, description: Read files}]
  default_scopes: [files.read]
  teamspaces: [globex]
  required_scopes: [files.read]
  forward_auth_credentials: true
  tool_policies: true
  dpop_bound_access_tokens: true
clients:
- client_id: agent
  client_name: Agent
  client_secret_env: AGENT_SECRET
  groups: [partners]
  dpop_bound_access_tokens: true
teamspaces:
- slug: globex
  name: Globex
  plan: enterprise
  member_limit: 5
  email_domains: [globex.com]
  time_zone: Europe/Berlin
  identity_providers:
  - {name: Main, provider: oidc, issuer: '{idp}', scope: files.read, custom_claims: [department]}
  members:
  - {email: Hank@globex.com, role: owner}
  - {email: dana@globex.com}
";

const SECRET: &str = "the-secret-of-the-agent-0123";

async fn place() -> Place {
    let place = Place::start().await;
    place.write("all.yaml", &ALL.replace("{idp}", &place.idp.issuer));
    place
}

#[tokio::test]
async fn files_are_applied_and_the_second_run_changes_nothing() {
    for way in WAYS {
        let place = place().await;
        let run = async |args: &[&str]| {
            let mut command = place.command(way, args);
            super::harness::Ran(command.env("AGENT_SECRET", SECRET).output().await.unwrap())
        };
        let dry = run(&["apply", "-f", "all.yaml", "--dry-run"]).await;
        dry.expect(1);
        dry.says(&["+ create teamspace globex", "+ create resource https://files.example.com/mcp"]);
        dry.says(&["+ create identity provider Main of globex", "+ create member dana@globex.com of globex"]);
        dry.says(&[
            "    client_secret: that in the variable AGENT_SECRET",
            "Plan: 6 to create, 0 to change, 0 to delete",
        ]);
        assert_eq!(place.exported().await["teamspaces"].as_array().unwrap().len(), 1, "nothing was made");

        let first = run(&["apply", "-f", "all.yaml"]).await;
        first.expect(0);
        first.says(&["Done: 6 of 6."]);
        let export = place.exported().await;
        let globex = entry(&export, "teamspaces", ("slug", "globex"));
        assert_eq!((&globex["member_limit"], &globex["time_zone"]), (&json!(5), &json!("Europe/Berlin")));
        assert_eq!(globex["identity_providers"][0]["custom_claims"], json!(["department"]));
        assert_eq!(
            globex["members"][1],
            json!({ "email": "hank@globex.com", "role": "owner", "link": null })
        );
        let resource = entry(&export, "resources", ("identifier", "https://files.example.com/mcp"));
        assert_eq!((&resource["teamspaces"], &resource["tool_policies"]), (&json!(["globex"]), &json!(true)));
        assert_eq!(resource["dpop_bound_access_tokens"], true);
        let agent = place.app.app.snapshot().client("agent").cloned().unwrap();
        assert!(agent.has_secret(SECRET) && agent.dpop_bound_access_tokens);

        let second = run(&["apply", "-f", "all.yaml"]).await;
        second.expect(0);
        second.says(&["Plan: 0 to create, 0 to change, 0 to delete, 6 the same.", "Nothing to do"]);
        run(&["apply", "-f", "all.yaml", "--dry-run"]).await.expect(0);
        for ran in [dry, first, second] {
            assert!(!format!("{}{}", ran.out(), ran.err()).contains(SECRET), "the secret is never shown");
        }
    }
}

#[tokio::test]
async fn changes_are_shown_field_by_field_and_only_they_are_sent() {
    for way in WAYS {
        let place = place().await;
        let acme = "teamspaces:\n- {slug: acme, name: Acme Inc, plan: pro, email_domains: [acme.com]}\n";
        place.write("acme.yaml", acme);
        let ran = place.apply(way, &["-f", "acme.yaml"], 0).await;
        ran.says(&[
            "~ change teamspace acme",
            "    name: \"acme\" → \"Acme Inc\"",
            "    plan: \"enterprise\" → \"pro\"",
        ]);
        ran.says(&["    email_domains: [] → [\"acme.com\"]", "Done: 1 of 1."]);
        let provider = "teamspaces:\n- slug: acme\n  name: Acme Inc\n  plan: pro\n  identity_providers:\n  - name: Okta\n    \
            provider: okta\n    issuer: {}\n    enabled: false\n";
        place.write("acme.yaml", &provider.replace("{}", &place.app.idp.issuer));
        let ran = place.apply(way, &["-f", "acme.yaml", "--format", "json"], 0).await;
        let report: Value = serde_json::from_str(&ran.out()).unwrap();
        let changes = json!([{ "field": "enabled", "old": true, "new": false }]);
        assert_eq!(
            (&report["steps"][0]["changes"], &report["steps"][0]["outcome"]),
            (&changes, &json!("done"))
        );
        assert_eq!((&report["same"], &report["dry_run"]), (&json!(1), &json!(false)));
        let export = place.exported().await;
        let acme = entry(&export, "teamspaces", ("slug", "acme"));
        assert_eq!(acme["identity_providers"][0]["enabled"], false);
        assert_eq!(acme["email_domains"], json!(["acme.com"]), "what the file leaves out stays");
    }
}

/// Deletions need --prune and a yes, and leave people who came by a sign-in.
#[tokio::test]
async fn pruning_deletes_what_is_not_declared() {
    for way in WAYS {
        let place = place().await;
        place.app.granted(json!({ "email": "came@acme.com" })).await;
        place.app.put_teamspace("old").await;
        place.app.put_member("invited@acme.com", countersign::model::member::Status::Invited).await;
        place.write("acme.yaml", "teamspaces: [{slug: acme, name: acme, plan: enterprise, members: []}]\n");
        place.apply(way, &["-f", "acme.yaml"], 0).await.says(&["Nothing to do: everything is as declared."]);
        let dry = place.apply(way, &["-f", "acme.yaml", "--prune", "--dry-run"], 1).await;
        dry.says(&["- delete teamspace old, with its identity providers and all its members"]);
        let refused = place.apply(way, &["-f", "acme.yaml", "--prune"], 2).await;
        refused.says(&["There is no terminal to ask; give --yes"]);
        assert_eq!(place.exported().await["teamspaces"].as_array().unwrap().len(), 2, "nothing was deleted");
        let pruned = place.apply(way, &["-f", "acme.yaml", "--prune", "--yes"], 0).await;
        pruned.says(&["- delete member invited@acme.com of acme", "Done: 2 of 2."]);
        assert!(place.app.member("came@acme.com").await.is_some());
        let export = place.exported().await;
        assert_eq!(export["teamspaces"].as_array().unwrap().len(), 1);
        assert_eq!(
            (export["clients"].as_array().unwrap().len(), export["resources"].as_array().unwrap().len()),
            (1, 1)
        );
        place.apply(way, &["-f", "acme.yaml", "--prune", "--yes"], 0).await.says(&["Nothing to do"]);
    }
}

/// Kubernetes mounts a ConfigMap as links into a hidden directory, which it replaces as a whole.
#[tokio::test]
async fn a_mounted_config_map_is_read_as_a_directory() {
    let place = place().await;
    let data = place.dir.path().join("mounted/..2026_11_28_12_00_00.1234567890");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("globex.yaml"), "teamspaces: [{slug: globex, name: Globex, plan: pro}]\n")
        .unwrap();
    std::fs::write(
        data.join("initech.toml"),
        "[[teamspaces]]\nslug = \"initech\"\nname = \"I\"\nplan = \"pro\"\n",
    )
    .unwrap();
    std::fs::write(data.join("README.md"), "not a manifest").unwrap();
    let mounted = data.parent().unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, mounted.join(name)).unwrap();
    link("..2026_11_28_12_00_00.1234567890", "..data");
    ["globex.yaml", "initech.toml", "README.md"]
        .iter()
        .for_each(|name| link(&format!("..data/{name}"), name));
    let ran = place.apply(Way::Server, &["-f", "mounted"], 0).await;
    ran.says(&["+ create teamspace globex", "+ create teamspace initech", "Done: 2 of 2."]);
    place
        .apply(Way::Database, &["-f", "mounted", "--prune", "--dry-run"], 1)
        .await
        .says(&["- delete teamspace acme"]);
}

#[tokio::test]
async fn standard_input_and_several_files_are_read() {
    let place = place().await;
    place.write("a.yaml", "teamspaces: [{slug: a, name: A, plan: pro}]");
    place.write("b.json", r#"{ "teamspaces": [{ "slug": "b", "name": "B", "plan": "free" }] }"#);
    let mut command = place.command(Way::Server, &["apply", "-f", "a.yaml", "-f", "b.json", "-f", "-"]);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, b"clients: []\n").await.unwrap();
    drop(input);
    let ran = super::harness::Ran(child.wait_with_output().await.unwrap());
    ran.expect(0);
    ran.says(&["+ create teamspace a", "+ create teamspace b", "Plan: 2 to create"]);
}
