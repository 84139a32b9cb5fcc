//! Bad input, refusals of the service, and stops in the middle: one clear text, exit 2, and the next run goes on.

use serde_json::Value;

use super::harness::{Place, WAYS, Way};
use crate::process::until;

#[tokio::test]
async fn files_that_cannot_be_read_are_told_apart() {
    let place = Place::start().await;
    let dir = place.dir.path();
    std::fs::create_dir_all(dir.join("empty/..data")).unwrap();
    place.write("empty/notes.txt", "nothing for apply");
    std::fs::write(dir.join("binary.yaml"), [0xff, 0xfe, 0, 1]).unwrap();
    std::fs::File::create(dir.join("huge.yaml")).unwrap().set_len(64 << 20).unwrap();
    place.write("half.yaml", "teamspaces:\n- slug: new\n  name: \"Ne");
    for (name, expected) in [
        ("empty", "empty: there is no file in it that ends in .yaml, .yml, .json or .toml"),
        ("binary.yaml", "binary.yaml: is not text in UTF-8; expected YAML, JSON or TOML"),
        ("huge.yaml", "huge.yaml: is longer than 16777216 bytes; split it"),
        ("absent.yaml", "absent.yaml: cannot be read: No such file"),
        ("half.yaml", "this is not YAML"),
    ] {
        let ran = place.apply(Way::Server, &["-f", name], 2).await;
        ran.says(&[expected]);
        assert!(ran.out().is_empty() && ran.err().lines().count() < 4, "{}", ran.err());
    }
    place.run(Way::Server, &["apply"]).await.expect(2);
}

/// The order leaves the teamspace made and the rest undone; the next run makes the rest.
#[tokio::test]
async fn an_issuer_that_is_down_stops_the_run_with_its_checks() {
    for way in WAYS {
        let place = Place::start().await;
        let text = format!(
            "teamspaces:\n- slug: globex\n  name: Globex\n  plan: enterprise\n  identity_providers:\n  - provider: oidc\n    \
             issuer: {}\n  members: [{{email: dana@globex.com}}]\n",
            place.idp.issuer
        );
        place.write("g.yaml", &text);
        place.idp.change(|behaviour| behaviour.status = axum::http::StatusCode::BAD_GATEWAY);
        let ran = place.apply(way, &["-f", "g.yaml"], 2).await;
        ran.says(&[
            "create identity provider OpenID Connect of globex (g.yaml:6): ",
            "failed ",
            "1 of 3 were done; these were not begun:",
        ]);
        ran.says(&[
            "  + create member dana@globex.com of globex",
            "Run the same command again to go on from there.",
        ]);
        let ran = place.apply(way, &["-f", "g.yaml", "--format", "json"], 2).await;
        let report: Value = serde_json::from_str(&ran.out()).unwrap();
        assert_eq!(report["steps"][0]["outcome"], "failed");
        assert!(report["steps"][0]["checks"].as_array().unwrap().len() > 1, "{report:#}");
        assert_eq!(report["steps"][1]["outcome"], "not_begun");
        place.idp.change(|behaviour| behaviour.status = axum::http::StatusCode::OK);
        place.apply(way, &["-f", "g.yaml"], 0).await.says(&["Done: 2 of 2."]);
    }
}

#[tokio::test]
async fn refusals_of_the_service_name_the_object_and_its_line() {
    let place = Place::start().await;
    place.app.change_teamspace(|teamspace| teamspace.email_domains = vec!["acme.com".into()]).await;
    for (text, expected) in [
        (
            "teamspaces:\n- {slug: b, name: B, plan: pro, email_domains: [acme.com]}",
            "create teamspace b (f.yaml:2): The domain acme.com is another teamspace's (domain_taken)",
        ),
        (
            "resources:\n- {identifier: 'http://mcp.example.org', name: R}",
            "create resource http://mcp.example.org (f.yaml:2): The identifier must be https",
        ),
        (
            "resources:\n- {identifier: 'https://r.example', name: R, teamspaces: [absent]}",
            "there is no such teamspace",
        ),
        (
            "teamspaces:\n- {slug: acme, name: acme, plan: enterprise, members: [{email: x@other.com}]}",
            "create member x@other.com of acme (f.yaml:2): The email's domain is not one of the teamspace's",
        ),
    ] {
        place.write("f.yaml", text);
        place.apply(Way::Server, &["-f", "f.yaml"], 2).await.says(&[expected]);
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_or_refuses_the_token_is_told() {
    let place = Place::start().await;
    place.write("f.yaml", "clients: []\n");
    for (name, value, expected) in [
        ("COUNTERSIGN_TOKEN", "wrong", "the service does not accept the token"),
        ("COUNTERSIGN_SERVER", "http://127.0.0.1:1", "http://127.0.0.1:1 "),
    ] {
        let mut command = place.command(Way::Server, &["apply", "-f", "f.yaml"]);
        let ran = super::harness::Ran(command.env(name, value).output().await.unwrap());
        ran.expect(2);
        ran.says(&["error: ", expected]);
    }
}

/// A signal lets the steps under way end, and tells what is left.
#[tokio::test]
async fn a_signal_stops_between_two_steps() {
    let place = Place::start().await;
    let provider = |n: usize| {
        format!(
            "- slug: t{n}\n  name: T\n  plan: enterprise\n  identity_providers: [{{provider: oidc, issuer: '{}', tenant: t{n}}}]\n",
            place.idp.issuer
        )
    };
    place.write("f.yaml", &format!("teamspaces:\n{}", (0..20).map(provider).collect::<String>()));
    place.idp.change(|behaviour| behaviour.delay = std::time::Duration::from_secs(3));
    let mut command = place.command(Way::Server, &["apply", "-f", "f.yaml"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id().unwrap().to_string();
    until("the issuer is asked", async || place.idp.metadata_requests() > 0).await;
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ran = super::harness::Ran(child.wait_with_output().await.unwrap());
    ran.expect(2);
    ran.says(&["stopped by a signal", "were done; these were not begun:", "Run the same command again"]);
    place.idp.change(|behaviour| behaviour.delay = std::time::Duration::ZERO);
    place.apply(Way::Server, &["-f", "f.yaml"], 0).await;
    place.apply(Way::Server, &["-f", "f.yaml", "--dry-run"], 0).await;
}
