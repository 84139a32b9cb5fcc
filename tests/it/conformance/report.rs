//! The command: its formats, its exit codes, and what it never shows.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use countersign::conformance::{ConformanceProfile, RuleState, SuiteKeys, TestTarget};
use serde_json::Value;

use super::server::{self, Fault, NOW};
use super::{examine, idp, target};
use crate::commands::{countersign, text};
use crate::harness::{CLIENT, RESOURCE, SECRET, TestApp, TestClock};
use crate::process::{free_port, real_time};

/// A service that trusts the keys which the command finds in its directory.
async fn service(dir: &Path) -> (TestApp, String) {
    let issuer = format!("http://127.0.0.1:{}", free_port());
    SuiteKeys::kept_in(&dir.join("conformance-keys.json")).unwrap();
    let trusted = issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(trusted.into())).await;
    let (iss, jwks_uri) = (issuer.clone(), format!("{issuer}/jwks"));
    app.change_provider(move |provider| (provider.issuer, provider.jwks_uri) = (iss, jwks_uri)).await;
    real_time(&app);
    (app, issuer)
}

/// Runs the command beside the service of this process.
async fn run(dir: &Path, (app, idp): &(TestApp, String), secret: &str, more: &[&str]) -> Output {
    let listen = idp.strip_prefix("http://").unwrap();
    let mut args = vec!["conformance", "--issuer", app.issuer(), "--client-id", CLIENT, "--listen", listen];
    args.extend(["--resource", RESOURCE, "--scope", "docs.read docs.write", "--email", "dana@acme.com"]);
    args.extend(more);
    let (dir, secret) = (dir.to_owned(), secret.to_owned());
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    let run = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        countersign(&dir, &args, &[("CONFORMANCE_CLIENT_SECRET", &secret)])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reports_in_each_format() {
    let dir = tempfile::tempdir().unwrap();
    let service = service(dir.path()).await;
    let told = run(dir.path(), &service, SECRET, &[]).await;
    assert_eq!(told.status.code(), Some(0), "{}{}", text(&told.stdout), text(&told.stderr));
    let human = text(&told.stdout);
    assert!(human.contains("  ok      JAG-07   MUST    ") && human.contains("MUST    "), "{human}");
    assert!(!human.contains(SECRET));

    let json = run(dir.path(), &service, SECRET, &["--format", "json", "--only", "JAG-07,META"]).await;
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["conforms"], &json["profile"]), (&true.into(), &"ema".into()));
    let ids = json["requirements"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap());
    assert!(ids.clone().all(|id| id == "JAG-07" || id.starts_with("META")) && ids.count() == 15, "{json}");

    let junit = run(dir.path(), &service, SECRET, &["--format", "junit", "--only", "JAG-07"]).await;
    let junit = text(&junit.stdout);
    assert!(junit.contains("<testsuite name=\"JAG-07 ") && junit.contains("failures=\"0\""), "{junit}");
    let badge = run(dir.path(), &service, SECRET, &["--format", "badge", "--only", "JAG-07"]).await;
    let badge = text(&badge.stdout);
    assert!(badge.contains("conformance%20ema-1%2F1%20MUST-brightgreen"), "{badge}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_nothing_fails_and_is_not_praised() {
    let dir = tempfile::tempdir().unwrap();
    let service = service(dir.path()).await;
    let told = run(dir.path(), &service, "not-the-secret-of-this-client", &[]).await;
    let human = text(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{human}");
    assert!(human.contains("FAILED  RSP-01") && human.contains("401 invalid_client"), "{human}");
    assert!(human.contains("the good assertion was not accepted"), "{human}");
    assert!(!human.contains("  ok      JAG-"), "nothing of the assertion was tested: {human}");
    let only = run(dir.path(), &service, "not-the-secret-of-this-client", &["--only", "JAG-07"]).await;
    assert_eq!(only.status.code(), Some(1));
}

#[test]
fn what_cannot_run_says_why() {
    let dir = tempfile::tempdir().unwrap();
    for (args, told) in [
        (&["--issuer", "auth.example.com"][..], "--issuer: expected a URL"),
        (&["--issuer", "https://auth.example.com", "--only", "NOPE"], "neither an id nor a chapter"),
        (&["--issuer", "https://auth.example.com", "--ca-file", "absent.pem"], "--ca-file absent.pem"),
        (&["--issuer", "https://auth.example.com", "--listen", "192.0.2.1:1"], "name another address"),
    ] {
        let args = [&["conformance", "--client-id", "x"], args].concat();
        let out = countersign(dir.path(), &args, &[("CONFORMANCE_CLIENT_SECRET", "x")]);
        let said = text(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(told), "{args:?}: {said}");
    }
    let args = ["conformance", "--client-id", "x", "--issuer", "https://auth.example.com"];
    let out = countersign(dir.path(), &args, &[]);
    assert!(
        out.status.code() == Some(2) && text(&out.stderr).contains("CONFORMANCE_CLIENT_SECRET"),
        "{out:?}"
    );
    std::fs::write(dir.path().join("conformance-keys.json"), "{}").unwrap();
    let args = ["conformance", "--client-id", "x", "--issuer", "https://auth.example.com", "--print-setup"];
    let out = countersign(dir.path(), &args, &[]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("remove it"), "{out:?}");
}

/// What `--print-setup` says; it runs until it is killed.
fn setup(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).current_dir(dir).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = String::new();
    for line in lines {
        said.push_str(&(line.clone() + "\n"));
        if line.contains("countersign provider create") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn the_setup_names_all_that_a_server_must_know() {
    let dir = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let args =
        ["conformance", "--print-setup", "--issuer", "https://auth.example.com", "--client-id", "suite"];
    let more = [
        "--listen",
        &listen,
        "--resource",
        RESOURCE,
        "--scope",
        "docs.read",
        "--idp-url",
        "https://idp.example",
    ];
    let all = [&args[..], &more].concat();
    let said = setup(dir.path(), &all);
    for part in
        ["https://idp.example/jwks", "\"kty\":\"RSA\"", "\"kty\":\"EC\"", "suite", RESOURCE, "docs.read"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("\"d\":"), "{said}");
    assert_eq!(said, setup(dir.path(), &all), "the keys are the same the next time");
}

/// A failure is explained with what was sent and what came back; secrets are cut, and assertions opened.
#[tokio::test]
async fn a_failure_is_explained_without_secrets() {
    let idp = idp().await;
    let tiny = server::start(&idp, Some(Fault::TokenUrlAsAudience)).await;
    let target =
        TestTarget { only: vec!["JAG-07".to_owned()], ..target(&tiny.issuer, ConformanceProfile::Ema) };
    let report = examine(target, idp, std::sync::Arc::new(TestClock::at(NOW))).await;
    assert_eq!(report.rule("JAG-07").unwrap().state, RuleState::Fails);
    assert!(!report.conforms());
    let told = report.to_text();
    for part in [
        "JAG-07 (MUST): the token endpoint as aud",
        "expected a refusal (400 invalid_grant)",
        "found    200 with an access token",
        "> POST http://127.0.0.1:",
        "> assertion claims: {\"iss\":\"http://127.0.0.1:",
        "/token\",\"client_id\"",
        "< 200",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let junit = report.to_junit().unwrap();
    assert!(junit.contains("<failure message=\"MUST: expected a refusal"), "{junit}");
    assert!(report.to_badge().contains("-red)"), "{}", report.to_badge());
    let json = report.to_json().to_string();
    for text in [&told, &junit, &json] {
        assert!(!text.contains(SECRET));
        let is_whole = |word: &str| word.starts_with("eyJ") && word.len() > 40;
        assert!(!text.split(|c: char| !c.is_ascii_graphic() || "=&\"".contains(c)).any(is_whole), "{text}");
    }
}
