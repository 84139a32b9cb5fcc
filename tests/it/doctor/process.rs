//! The command itself: its output, its exit codes, and that it ends whatever hangs.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use countersign::config::Config;
use serde_json::{Value, json};

use super::resources::mcp_server;
use super::{ENCRYPTION_KEY, config, service, silent};
use crate::commands::{countersign, text};
use crate::harness::TestApp;

/// Runs the command with a configuration file in the test's directory.
async fn doctor(app: &TestApp, config: &Config, args: &[&str]) -> Output {
    let mut written = config.clone();
    written.secret_files.clear();
    // A secret is not shown, so the file gets it as such.
    let mut table: toml::Table = toml::to_string_pretty(&written).unwrap().parse().unwrap();
    if config.keys.encryption_key.is_some() {
        table["keys"]["encryption_key"] = ENCRYPTION_KEY.into();
    }
    let file = app.dir.path().join("countersign.toml");
    std::fs::write(&file, table.to_string()).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    run(app.dir.path(), args).await
}

async fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("doctor").args(args).current_dir(dir).stdin(Stdio::null());
    command.output().await.unwrap()
}

/// A service with everything in order: every line is ok, nothing is written, and scripts can rely on the form.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_order_gets_only_good_lines() {
    let app = service(|config| config.keys.encryption_key = Some(ENCRYPTION_KEY.to_owned().into())).await;
    app.idp.change(|behaviour| behaviour.announces_id_jags = true);
    let url = mcp_server(&app).await;
    app.change_resource(move |resource| {
        (resource.identifier, resource.normalized) = (url.clone(), url);
    })
    .await;
    let mut config = config(&app);
    config.policy_dir = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"));
    app.app.probe().await;
    let before = app.database.contents();
    let out = doctor(&app, &config, &["--format", "json"]).await;
    let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{out:?}"));
    let lines = report["checks"].as_array().unwrap();
    // The tests' cluster syncs nothing, for speed.
    let synced = |line: &&Value| app.database.url.starts_with("sqlite") || line["name"] != "durability";
    let lines: Vec<&Value> = lines.iter().filter(synced).collect();
    let bad: Vec<&&Value> = lines.iter().filter(|line| line["status"] != "ok").collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let code = if lines.len() == report["checks"].as_array().unwrap().len() { 0 } else { 1 };
    assert_eq!(out.status.code(), Some(code));
    for line in &lines {
        let mut members: Vec<&String> = line.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["fix", "group", "message", "name", "status"]);
        assert_eq!(line["fix"], json!(null));
    }
    let groups: Vec<&str> = lines.iter().map(|line| line["group"].as_str().unwrap()).collect();
    for group in
        ["issuer", "clock", "database", "policies", "keys", "identity_providers", "resources", "listeners"]
    {
        assert!(groups.contains(&group), "{group}");
    }
    assert!(app.database.contents() == before, "it changes nothing");
    let human = text(&doctor(&app, &config, &[]).await.stdout);
    assert!(human.starts_with("Issuer\n  ok ") && human.contains("\nIdentity providers\n"), "{human}");
    assert!(
        human.contains(&format!("\n{code} failed, 0 warnings, ")) && !human.contains('\u{1b}'),
        "{human}"
    );
}

/// Everybody takes connections and says nothing: it ends in time, and says who did not answer.
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_whatever_hangs() {
    let app = service(|_| {}).await;
    app.idp.change(|behaviour| behaviour.delay = Duration::from_secs(120));
    let url = silent().await;
    let identifier = format!("{url}/mcp");
    app.change_resource(move |resource| {
        (resource.identifier, resource.normalized) = (identifier.clone(), identifier);
    })
    .await;
    let mut hung = config(&app);
    hung.issuer = url.clone();
    hung.fetch.timeout = countersign::config::Duration::from_secs(60);
    hung.management_listen = url["http://".len()..].parse().unwrap();
    let began = Instant::now();
    let out = doctor(&app, &hung, &[]).await;
    // A process takes a while to start on a busy machine.
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
    let human = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{human}");
    for told in ["metadata", "key_set", "token_endpoint", &app.idp.issuer, &format!("{url}/mcp")] {
        let from = human.find(told).unwrap_or_else(|| panic!("{told}: {human}"));
        assert!(human[from..].contains("did not answer in time"), "{told}: {human}");
    }
    assert!(human.contains("    → "), "{human}");
}

/// A database server that hangs as well takes its part of the time, and no more.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_when_the_database_hangs_as_well() {
    let app = service(|_| {}).await;
    let url = silent().await;
    let mut hung = config(&app);
    hung.issuer = url.clone();
    hung.database_url = format!("postgres://u@{}/d?sslmode=disable", &url["http://".len()..]);
    let began = Instant::now();
    let out = doctor(&app, &hung, &[]).await;
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
    let human = text(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{human}");
    assert!(human.contains("the database cannot be read"), "{human}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_readable_configuration_it_cannot_run() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("countersign.toml"), "isuer = 1").unwrap();
    let out = run(dir.path(), &[]).await;
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("isuer"), "{out:?}");
    std::fs::write(dir.path().join("countersign.toml"), "[fetch]\nca_file = \"none.pem\"").unwrap();
    let out = run(dir.path(), &["--format", "json"]).await;
    assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0));
    assert!(text(&out.stderr).contains("none.pem"), "{out:?}");
}

/// Every file that the configuration reads a secret from; and an empty directory stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn every_file_with_a_secret_is_looked_at() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let secrets = [
        ("key", ENCRYPTION_KEY),
        ("url", "sqlite://none.db"),
        ("client", "a-secret-of-the-console"),
        ("header", "Bearer x"),
    ];
    for (name, secret) in secrets {
        std::fs::write(at(name), secret).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let written = "database_url_file = \"url\"\nlisten = \"127.0.0.1:1\"\nmanagement_listen = \"127.0.0.1:2\"\n\
        issuer = \"http://127.0.0.1:1\"\n[keys]\nencryption_key_file = \"key\"\n\
        [console.oidc]\nissuer = \"https://127.0.0.1:1\"\nclient_id = \"c\"\nclient_secret_file = \"client\"\n\
        [[log_stream]]\nname = \"x\"\nto = \"otlp+http://127.0.0.1:1/\"\nheader_files = { a = \"header\" }\n";
    std::fs::write(at("countersign.toml"), written).unwrap();
    let out = run(dir.path(), &["--format", "json"]).await;
    let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{out:?}"));
    let lines = report["checks"].as_array().unwrap().iter().filter(|line| line["name"] == "secret_files");
    let told: Vec<&str> = lines.map(|line| line["message"].as_str().unwrap()).collect();
    for (name, secret) in secrets {
        assert!(told.iter().any(|message| message.starts_with(&format!("{name} "))), "{name}: {told:?}");
        assert!(name == "url" || !text(&out.stdout).contains(secret), "{name}: {out:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 5, "nothing is made");
}

/// A secret in the configuration file itself counts like one in a file of its own; a file without secrets may be read.
#[test]
fn a_configuration_file_with_a_secret_that_others_can_read_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("countersign.toml");
    let exposed = |content: &str, env: &[(&str, &str)], mode: u32| {
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let out = countersign(dir.path(), &["doctor"], env);
        let said = text(&out.stdout);
        said.contains("countersign.toml holds a secret and has mode 0644")
    };
    let key = format!("[keys]\nencryption_key = \"{ENCRYPTION_KEY}\"\n");
    assert!(exposed(&key, &[], 0o644));
    assert!(!exposed(&key, &[], 0o600));
    assert!(!exposed(
        "[access_token]\nlifetime = \"30m\"\n",
        &[("COUNTERSIGN_KEYS__ENCRYPTION_KEY", ENCRYPTION_KEY)],
        0o644
    ));
}
