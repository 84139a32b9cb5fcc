//! Mistakes in the configuration, and variables in the environment that nobody wrote.

use std::path::Path;

use crate::commands::{countersign, text, write};

/// A directory from which the service could start.
fn ready() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["policies", "schema"] {
        std::os::unix::fs::symlink(root.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

/// Runs `config check` and expects that it finds something.
fn problems(dir: &Path, env: &[(&str, &str)]) -> String {
    let out = countersign(dir, &["config", "check"], env);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    error
}

#[test]
fn every_problem_is_told_at_once_with_its_line_or_variable() {
    let dir = ready();
    let content = "issuer = \"http://auth.example.com\"\nisuer = \"x\"\nlisten = \"localhost:80\"\n\n\
        [access_token]\nlifetime = 3600\nsigning_alg = \"HS256\"\n\n\
        [assertion]\nclock_skew = \"61s\"\n\n[[log_stream]]\nname = \"a\"\nto = \"file:///tmp/a\"\n\n\
        [[log_stream]]\nname = \"A\"\nto = \"file:///tmp/b\"\n";
    write(dir.path(), "countersign.toml", content);
    let env = [("COUNTERSIGN_JWKS__MAX_AGE", "1s"), ("COUNTERSIGN_RATE_LIMIT__NONE", "1")];
    let error = problems(dir.path(), &env);
    for line in [
        "the configuration has 9 problems:",
        "countersign.toml:1: `issuer` = `http://auth.example.com`: must be https",
        "countersign.toml:2: `isuer` is not a key of the configuration; did you mean `issuer`?",
        "countersign.toml:3: `listen` = `localhost:80`: must be an IP address and a port; write it as 127.0.0.1:80",
        "countersign.toml:6: `access_token.lifetime` = `3600`: has no unit; write it as 1h or 3600s",
        "countersign.toml:7: `access_token.signing_alg` = `HS256`: must be one of ES256, EdDSA, RS256",
        "countersign.toml:10: `assertion.clock_skew` = `61s`: must be 60s at the most",
        "countersign.toml:17: `log_stream.name` = `A`: must be 1 to 64 lower-case",
        "COUNTERSIGN_JWKS__MAX_AGE: `jwks.max_age` = `1s`: must be between 1m and 24h",
        "COUNTERSIGN_RATE_LIMIT__NONE: `rate_limit.none` is not a key of the configuration; expected one of",
    ] {
        assert!(error.contains(line), "{line} is not in {error}");
    }
}

#[test]
fn values_of_the_wrong_form_are_told_the_right_one() {
    let dir = ready();
    for (content, expected) in [
        ("listen = 8080", "such as 127.0.0.1:8080"),
        ("listen = \":8080\"", "write it as 0.0.0.0:8080"),
        ("listen = \"nowhere\"", "such as 127.0.0.1:8080 or [::1]:8080"),
        ("keys = \"s3cret\"", "`keys` = `[redacted]`: is a section; write [keys]"),
        ("fetch = true", "`fetch` = `true`: is a section; write [fetch]"),
        ("[fetch]\nprivate_origins = \"https://idp.internal\"", "must be a list"),
        ("[fetch]\nprivate_origins = [\"a\", \"b\"]", "2 problems"),
        (
            "[fetch]\ndns_servers = [\"dns.internal\"]",
            "must be an IP address, such as 10.0.0.2, 10.0.0.2:5353",
        ),
        ("[fetch]\ndns_servers = [\"10.0.0.2:0\"]", "`10.0.0.2:0` must be an IP address"),
        (
            "[fetch]\ndns_servers = [\"::1\", \"[::1]:5\", \"10.0.0.2\", \"10.0.0.3:53\"]",
            "three servers at the most",
        ),
        ("cors_origins = [\"https://app.example.com/\"]", "without a path or a slash at the end"),
        ("cors_origins = [\"*\"]", "must be an origin such as https://app.example.com"),
        ("cors_origins = [\"null\"]", "must be an origin"),
        ("cors_origins = [\"http://app.example.com\"]", "http is for loopback only"),
        ("cors_origins = [\"https://App.example.com\", \"https://a.example:443\"]", "2 problems"),
        ("denial_error = \"forbidden\"", "`denial_error`"),
        ("[rate_limit]\nexchanges_per_subject_per_minute = -1", "a whole number, 0 or more"),
        ("[assertion]\nmax_size = true", "a text such as"),
        ("[keys]\nencryption_key = 5", "`keys.encryption_key` = `[redacted]`: must be a string"),
        ("database_url = 5", "`database_url` = `[redacted]`: must be a string"),
        ("issuer = \"a\"\nissuer = \"b\"", "countersign.toml:2: is not TOML: duplicate key"),
        ("database_url = \"sqlite://x.db?mode=ro\"", "takes no parameters"),
        ("database_url = \"sqlite://:memory:\"", "must name a file"),
        ("database_url = \"sqlite:x.db\"", "must begin with sqlite://"),
        ("database_url = \"mysql://u:s3cret@h/d\"", "is not supported: use sqlite://FILE or postgres://"),
    ] {
        write(dir.path(), "countersign.toml", content);
        let error = problems(dir.path(), &[]);
        assert!(error.contains(expected), "{content}: {expected} is not in {error}");
    }
}

#[test]
fn variables_of_kubernetes_services_are_no_configuration() {
    let dir = ready();
    let env = [
        ("COUNTERSIGN_SERVICE_HOST", "10.0.0.1"),
        ("COUNTERSIGN_SERVICE_PORT", "8080"),
        ("COUNTERSIGN_SERVICE_PORT_HTTP", "8080"),
        ("COUNTERSIGN_PORT", "tcp://10.0.0.1:8080"),
        ("COUNTERSIGN_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("COUNTERSIGN_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("COUNTERSIGN_PORT_8080_TCP_PORT", "8080"),
        ("COUNTERSIGN_PORT_8080_TCP_PROTO", "tcp"),
        ("COUNTERSIGN_MANAGEMENT_SERVICE_HOST", "10.0.0.2"),
        ("COUNTERSIGN_MANAGEMENT_PORT", "udp://10.0.0.2:8081"),
        ("COUNTERSIGN_MANAGEMENT_PORT_8081_UDP_ADDR", "10.0.0.2"),
        // Unset, in effect.
        ("COUNTERSIGN_ISSUER", ""),
        ("COUNTERSIGN_DATABASE__TIMEOUT", ""),
    ];
    let out = countersign(dir.path(), &["config", "check"], &env);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let error = problems(dir.path(), &[("COUNTERSIGN_ISUER", "x"), ("COUNTERSIGN_PORT", "8080")]);
    assert!(
        error.contains("COUNTERSIGN_ISUER: `isuer` is not a key") && error.contains("`COUNTERSIGN_ISSUER`?"),
        "{error}"
    );
    assert!(error.contains("COUNTERSIGN_PORT: `port` is not a key of the configuration"), "{error}");
}

#[test]
fn check_opens_all_that_serve_opens_and_makes_nothing() {
    let dir = ready();
    let out = countersign(dir.path(), &["config", "check"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(!dir.path().join("countersign.db").exists());
    write(
        dir.path(),
        "notes.txt",
        "this is no database, and it is long enough to be taken for one at first sight",
    );
    write(dir.path(), "empty.pem", "");
    let env = [
        ("COUNTERSIGN_DATABASE_URL", "sqlite://notes.txt"),
        ("COUNTERSIGN_POLICY_DIR", "no-policies"),
        ("COUNTERSIGN_FETCH__CA_FILE", "no-roots.pem"),
        ("COUNTERSIGN_POLICY__SHADOW_DIR", "no-shadow"),
        ("COUNTERSIGN_LISTEN", "192.0.2.1:1"),
        ("COUNTERSIGN_LOG_STREAM", "[{name=\"a\",to=\"file:///nowhere/at/all.jsonl\"}]"),
    ];
    let error = problems(dir.path(), &env);
    for word in [
        "`database_url`",
        "notes.txt",
        "not a database",
        "`policy_dir` = `no-policies`: there is no such directory",
        "`fetch.ca_file`",
        "no-roots.pem",
        "`policy.shadow_dir` = `no-shadow`: there is no such directory",
        "`listen` = `192.0.2.1:1`",
        "log stream `a`: there is no directory /nowhere/at",
    ] {
        assert!(error.contains(word), "{word} is not in {error}");
    }
    for (variable, value, expected) in [
        ("COUNTERSIGN_SCHEMA_FILE", "no-schema", "`schema_file` = `no-schema`: there is no such file"),
        ("COUNTERSIGN_DATABASE_URL", "sqlite://no/where.db", "there is no directory no"),
        ("COUNTERSIGN_FETCH__CA_FILE", "empty.pem", "holds no certificate"),
    ] {
        let error = problems(dir.path(), &[(variable, value)]);
        assert!(error.contains(expected), "{variable}: {error}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn an_unreachable_server_is_told_without_its_password() {
    let dir = ready();
    let url = "postgres://app:s3cret@127.0.0.1:1/d?sslmode=disable";
    write(dir.path(), "url", &format!("{url}\n"));
    for (variable, value) in [("COUNTERSIGN_DATABASE_URL", url), ("COUNTERSIGN_DATABASE_URL_FILE", "url")] {
        let error = problems(dir.path(), &[(variable, value)]);
        assert!(error.contains("`database_url`") && error.contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn a_directory_is_no_configuration_file() {
    let dir = ready();
    std::fs::create_dir(dir.path().join("countersign.toml")).unwrap();
    assert!(problems(dir.path(), &[]).contains("countersign.toml is not a file"));
}

#[test]
fn secrets_are_read_from_files() {
    let dir = ready();
    write(dir.path(), "token", "Bearer s3cret\n");
    write(dir.path(), "url", "sqlite://from-a-file.db\n");
    let streams = "[{name=\"a\",to=\"otlp+https://h/v1/logs\",header_files={authorization=\"token\"}}]";
    let env = [("COUNTERSIGN_DATABASE_URL_FILE", "url"), ("COUNTERSIGN_LOG_STREAM", streams)];
    let out = countersign(dir.path(), &["config", "show"], &env);
    let shown = text(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(shown.contains("database_url = \"sqlite://from-a-file.db\""), "{shown}");
    assert!(shown.contains("authorization = \"[redacted]\"") && !shown.contains("s3cret"), "{shown}");
    let both = [("COUNTERSIGN_DATABASE_URL_FILE", "url"), ("COUNTERSIGN_DATABASE_URL", "sqlite://x.db")];
    assert!(problems(dir.path(), &both).contains("`database_url` and `database_url_file` are both set"));
    let missing = problems(dir.path(), &[("COUNTERSIGN_DATABASE_URL_FILE", "nowhere")]);
    assert!(missing.contains("`database_url_file`: cannot read nowhere"), "{missing}");
}
