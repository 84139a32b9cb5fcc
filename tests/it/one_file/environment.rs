//! The environment alone, as a container has it.

use std::path::Path;

use super::service::Service;
use crate::commands::{countersign, text};

/// What `config show` tells, as a table.
fn shown(dir: &Path, env: &[(&str, &str)]) -> toml::Table {
    let out = countersign(dir, &["config", "show"], env);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    text(&out.stdout).parse().unwrap()
}

fn problem(env: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["config", "check"], env);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stdout));
    text(&out.stderr)
}

/// Every kind of value, and a service that takes them.
#[tokio::test]
async fn variables_alone_are_enough() {
    let dir = tempfile::tempdir().unwrap();
    let log = format!("file://{}/log.jsonl", dir.path().display());
    let env = [
        ("COUNTERSIGN_DATABASE_URL", "sqlite://data.db"),
        ("COUNTERSIGN_CONSOLE__OIDC__ISSUER", "https://login.example.com"),
        // It looks like a number, and is a name.
        ("COUNTERSIGN_CONSOLE__OIDC__CLIENT_ID", "1234567890"),
        ("COUNTERSIGN_CONSOLE__OIDC__CLIENT_SECRET", "true"),
        ("COUNTERSIGN_CONSOLE__OPERATORS", "ops@example.com, group:admins"),
        ("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", "https://a.internal,https://b.internal:8443"),
        ("COUNTERSIGN_FETCH__DNS_SERVERS", "10.0.0.2"),
        ("COUNTERSIGN_LOG_STREAM__0__NAME", "archive"),
        ("COUNTERSIGN_LOG_STREAM__0__TO", &log),
        ("COUNTERSIGN_LOG_STREAM__0__EMAIL", "true"),
        ("COUNTERSIGN_LOG_STREAM__1__NAME", "123"),
        ("COUNTERSIGN_LOG_STREAM__1__TO", "otlp+https://logs.example.com/v1/logs"),
        ("COUNTERSIGN_LOG_STREAM__1__HEADERS__AUTHORIZATION", "Bearer s3cret"),
        ("COUNTERSIGN_POLICY__TEST_ON_RELOAD", "true"),
        ("COUNTERSIGN_RATE_LIMIT__EXCHANGES_PER_SUBJECT_PER_MINUTE", "90"),
    ];
    let config = shown(dir.path(), &env);
    let console = &config["console"];
    assert_eq!(console["oidc"]["client_id"].as_str(), Some("1234567890"));
    let operators = console["operators"].as_array().unwrap();
    assert_eq!(
        operators.iter().map(|o| o.as_str().unwrap()).collect::<Vec<_>>(),
        ["ops@example.com", "group:admins"]
    );
    let origins = config["fetch"]["private_origins"].as_array().unwrap();
    assert_eq!(origins[1].as_str(), Some("https://b.internal:8443"));
    assert_eq!(config["fetch"]["dns_servers"].as_array().unwrap().len(), 1);
    let streams = config["log_stream"].as_array().unwrap();
    assert_eq!(streams[0]["email"].as_bool(), Some(true));
    assert_eq!(streams[1]["name"].as_str(), Some("123"));
    assert_eq!(streams[1]["headers"]["authorization"].as_str(), Some("[redacted]"));
    let service = Service::start(dir.path(), &env);
    assert_eq!(service.log[0]["policies"], "built-in");
    assert!(dir.path().join("data.db").exists());
}

/// A list of the environment takes the place of the file's.
#[test]
fn a_list_replaces_the_files_list() {
    let dir = tempfile::tempdir().unwrap();
    let file = "[[log_stream]]\nname = \"a\"\nto = \"file:///tmp/a\"\n[[log_stream]]\nname = \"b\"\nto = \"file:///tmp/b\"\n";
    std::fs::write(dir.path().join("countersign.toml"), file).unwrap();
    let env = [("COUNTERSIGN_LOG_STREAM__0__NAME", "c"), ("COUNTERSIGN_LOG_STREAM__0__TO", "file:///tmp/c")];
    let streams = shown(dir.path(), &env)["log_stream"].clone();
    assert_eq!(streams.as_array().unwrap().len(), 1);
    assert_eq!(streams[0]["name"].as_str(), Some("c"));
}

#[test]
fn mistakes_in_variables_are_told_as_variables() {
    for (variable, value, expected) in [
        ("COUNTERSIGN_JWKS__MAX_AGES", "10m", "did you mean `COUNTERSIGN_JWKS__MAX_AGE`?"),
        ("COUNTERSIGN_ACCESS_TOKEN_LIFETIME", "1h", "did you mean `COUNTERSIGN_ACCESS_TOKEN__LIFETIME`?"),
        ("COUNTERSIGN_CLOCK_SKEW", "10s", "did you mean `COUNTERSIGN_ASSERTION__CLOCK_SKEW`?"),
        ("COUNTERSIGN_LOG_STREAM__0__NAMES", "x", "did you mean `COUNTERSIGN_LOG_STREAM__0__NAME`?"),
        ("COUNTERSIGN_LOG_STREAM__1__NAME", "x", "numbered from 0"),
        (
            "COUNTERSIGN_LOG_STREAM__0__NAME",
            "x",
            "COUNTERSIGN_LOG_STREAM__0__NAME: `log_stream` = `[redacted]`: lacks `to`",
        ),
        ("COUNTERSIGN_CONSOLE__ENABLED", "yes", "must be true or false"),
        ("COUNTERSIGN_DATABASE__WRITERS", "many", "must be a whole number"),
        ("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", "[\"https://a.internal\"", "must be a list"),
    ] {
        let error = problem(&[(variable, value)]);
        assert!(error.contains(variable) && error.contains(expected), "{variable}: {error}");
    }
}

/// A key in the wrong section, which is what happens to a key that is added at the end of the file.
#[test]
fn a_key_in_the_wrong_section_is_told_the_right_one() {
    for (file, expected) in [
        (
            "[fetch]\nlisten = \"127.0.0.1:1\"\n",
            "countersign.toml:2: `fetch.listen` is not a key of the configuration; did you mean `listen` above the first section?",
        ),
        ("clock_skew = \"10s\"\n", "did you mean `clock_skew` in the section [assertion]?"),
        ("access_token_lifetime = \"1h\"\n", "did you mean `lifetime` in the section [access_token]?"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("countersign.toml"), file).unwrap();
        let out = countersign(dir.path(), &["config", "check"], &[]);
        assert!(text(&out.stderr).contains(expected), "{}", text(&out.stderr));
    }
}
