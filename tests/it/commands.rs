//! The command line, as a user types it.

mod bad_input;
mod desk;
mod journey;
mod keys;
mod reencrypt;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use serde_json::Value;

use crate::docs::assert_generated;

pub fn countersign(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).current_dir(dir).envs(env.iter().copied()).stdin(Stdio::null());
    command.output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn write(dir: &Path, name: &str, content: &str) {
    std::fs::File::create(dir.join(name)).unwrap().write_all(content.as_bytes()).unwrap();
}

/// A directory with a database.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["migrate"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("applied"));
    dir
}

#[test]
fn help_and_completions_are_there() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["demo", "--help"],
        &["dev-idp", "--help"],
        &["doctor", "--help"],
        &["healthcheck", "--help"],
        &["policy", "check", "--help"],
        &["policy", "fmt", "--help"],
        &["policy", "test", "--help"],
        &["policy", "explain", "--help"],
        &["policy", "diff", "--help"],
        &["policy", "shadow", "--help"],
        &["policy", "schema", "--help"],
        &["policy", "prove", "--help"],
        &["key", "rotate", "--help"],
        &["client", "secret", "add", "--help"],
        &["explain", "--help"],
        &["admin-token", "create", "--help"],
        &["config", "--help"],
        &["db", "copy", "--help"],
        &["db", "backup", "--help"],
        &["db", "mark-restored", "--help"],
        &["--version"],
    ] {
        let out = countersign(dir.path(), args, &[]);
        assert_eq!(out.status.code(), Some(0), "{args:?}");
        assert!(!out.stdout.is_empty());
    }
    let out = countersign(dir.path(), &["completions", "bash"], &[]);
    assert!(text(&out.stdout).contains("countersign"));
    assert_eq!(countersign(dir.path(), &["no-such-command"], &[]).status.code(), Some(2));
    assert_eq!(countersign(dir.path(), &[], &[]).status.code(), Some(2));
}

/// Bad configuration: which key, where, why; exit 2.
#[test]
fn bad_configuration_names_key_place_and_cause() {
    let dir = tempfile::tempdir().unwrap();
    for (content, expected) in [
        ("isuer = \"x\"", &["isuer", "countersign.toml"][..]),
        ("[fetch]\nproxy = true", &["proxy", "fetch", "countersign.toml"]),
        ("listen = \"nowhere\"", &["listen", "countersign.toml"]),
        ("issuer = \"http://auth.example.com\"", &["issuer", "https"]),
        ("issuer = \"https://auth.example.com/\"", &["issuer", "slash"]),
        ("issuer = \"https://Auth.example.com\"", &["issuer", "normal form"]),
        ("issuer = \"https://auth.example.com?x\"", &["issuer", "query"]),
        ("issuer = \"https://u:p@auth.example.com\"", &["issuer", "user name"]),
        ("issuer = \"auth\"", &["issuer", "URL"]),
        ("database_url = \"mysql://u:secret@h/d\"", &["database_url", "sqlite://"]),
        ("[access_token]\nlifetime = \"2h\"", &["access_token.lifetime", "1h"]),
        ("[access_token]\nlifetime = \"soon\"", &["lifetime", "soon", "countersign.toml"]),
        ("[access_token]\nsigning_alg = \"HS256\"", &["signing_alg", "HS256"]),
        ("[assertion]\nclock_skew = \"61s\"", &["assertion.clock_skew", "60s"]),
        ("[assertion]\nmax_size = \"16 elephants\"", &["max_size", "elephants"]),
        ("management_listen = \"127.0.0.1:8080\"", &["management_listen", "`listen`"]),
        ("[console]\nidle_timeout = \"10s\"", &["console.idle_timeout", "1m"]),
        ("[console]\nsession_lifetime = \"8d\"", &["console.session_lifetime", "7d"]),
        ("[console]\nlisten = \"0.0.0.0:8082\"", &["console.listen", "console.public_url"]),
        ("[console]\nlisten = \"8082\"", &["console.listen", "127.0.0.1:8080"]),
        ("[console]\nlisten = \"127.0.0.1:8080\"", &["console.listen", "`listen`"]),
        ("[console]\npublic_url = \"https://c.example\"", &["console.public_url", "console.listen"]),
        (
            "[console]\nlisten = \"127.0.0.1:8082\"\npublic_url = \"http://c.example\"",
            &["console.public_url", "https"],
        ),
        ("[database]\nwriters = 0", &["database.writers", "64"]),
        ("[database]\ntimeout = \"2m\"", &["database.timeout", "25s"]),
        ("[retention]\nsign_ins = \"0s\"", &["retention.sign_ins", "1d"]),
        ("[fetch]\nprivate_origins = [\"https://idp.internal/path\"]", &["private_origins", "origin"]),
        (
            "[fetch]\nprivate_origins = [{ origin = \"https://idp.internal/path\", teamspaces = [\"acme\"] }]",
            &["private_origins", "origin"],
        ),
        (
            "[fetch]\nprivate_origins = [{ origin = \"https://idp.internal\", teamspaces = [] }]",
            &["private_origins", "teamspaces"],
        ),
        (
            "[fetch]\nprivate_origins = [{ origin = \"https://idp.internal\", teamspace = \"acme\" }]",
            &["private_origins", "teamspaces"],
        ),
        (
            "[client_documents]\nallowed = [\"https://client.example/a/../b\"]",
            &["client_documents.allowed", "normal form"],
        ),
        (
            "[client_documents]\nallowed = [\"http://client.example/a\"]",
            &["allowed", "https", "private_origins"],
        ),
        (
            "[client_documents]\npublic = [\"https://client.example/a\"]",
            &["client_documents.public", "allowed", "origins"],
        ),
        (
            "[client_documents]\norigins = [\"https://*.com\"]",
            &["client_documents.origins", "https://*.example.com"],
        ),
        (
            "[client_documents]\norigins = [\"http://client.example\"]",
            &["client_documents.origins", "https", "private_origins"],
        ),
        ("[keys]\nencryption_key = \"x\"\nencryption_key_file = \"y\"", &["keys.encryption_key", "both"]),
        ("[keys]\nencryption_key = \"abc\"", &["keys.encryption_key", "32 bytes"]),
        ("[keys]\nencryption_key_file = \"not-there\"", &["keys.encryption_key", "not-there"]),
        ("this is no toml", &["countersign.toml"]),
    ] {
        write(dir.path(), "countersign.toml", content);
        let out = countersign(dir.path(), &["config", "check"], &[]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{content}: {error}");
        for word in expected {
            assert!(error.contains(word), "{content}: {word} is not in {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
    let out = countersign(dir.path(), &["config", "check", "--config", "nowhere.toml"], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("nowhere.toml"));
    std::fs::remove_file(dir.path().join("countersign.toml")).unwrap();
    let out = countersign(dir.path(), &["config", "check"], &[("COUNTERSIGN_JWKS__MAX_AGE", "1s")]);
    assert!(text(&out.stderr).contains("jwks.max_age"));
}

#[test]
fn configuration_is_shown_without_secrets_and_described() {
    let dir = tempfile::tempdir().unwrap();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    write(dir.path(), "key", key);
    let env =
        [("COUNTERSIGN_KEYS__ENCRYPTION_KEY_FILE", "key"), ("COUNTERSIGN_ASSERTION__CLOCK_SKEW", "10s")];
    let out = countersign(dir.path(), &["config", "show"], &env);
    let shown = text(&out.stdout);
    assert!(shown.contains("clock_skew = \"10s\"") && shown.contains("[redacted]"), "{shown}");
    assert!(!shown.contains(key));
    let schema: Value =
        serde_json::from_slice(&countersign(dir.path(), &["config", "schema"], &[]).stdout).unwrap();
    assert!(schema["properties"]["issuer"].is_object());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("examples/config.toml");
    let out = countersign(dir.path(), &["config", "show", "--config", example.to_str().unwrap()], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
}

#[test]
fn the_schema_of_the_configuration_is_generated() {
    let dir = tempfile::tempdir().unwrap();
    let schema = countersign(dir.path(), &["config", "schema"], &[]).stdout;
    assert_generated("schema/config.schema.json", &text(&schema));
}

/// An origin by itself is for all, a table for some; the environment takes both.
#[test]
fn private_origins_are_for_all_or_for_some() {
    let dir = tempfile::tempdir().unwrap();
    let written =
        r#"["https://a.internal", { origin = "https://b.internal:8443", teamspaces = ["acme", "globex"] }]"#;
    write(dir.path(), "countersign.toml", &format!("[fetch]\nprivate_origins = {written}\n"));
    let from_file = countersign(dir.path(), &["config", "show"], &[]);
    std::fs::remove_file(dir.path().join("countersign.toml")).unwrap();
    let env = [("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", written.replace(" = ", "="))];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let from_environment = countersign(dir.path(), &["config", "show"], &env);
    assert_eq!(from_file.status.code(), Some(0), "{}", text(&from_file.stderr));
    assert_eq!(text(&from_file.stdout), text(&from_environment.stdout), "{}", text(&from_environment.stderr));
    let shown: toml::Table = text(&from_file.stdout).parse().unwrap();
    let origins = &shown["fetch"]["private_origins"];
    assert_eq!(origins[0].as_str(), Some("https://a.internal"));
    assert_eq!(origins[1]["teamspaces"].as_array().unwrap().len(), 2);
}

/// Passwords of database URLs: what is shown of those that are taken.
#[cfg(feature = "postgres")]
#[test]
fn database_urls_are_shown_without_passwords() {
    let dir = tempfile::tempdir().unwrap();
    for (url, shown) in [
        ("postgres://app@h/d?sslmode=disable", "postgres://app@h/d?sslmode=disable"),
        ("postgres://app:hunter2@localhost:5432/d", "postgres://app:redacted@localhost:5432/d"),
        ("postgresql://app:hunter2@[::1]:5432/d", "postgresql://app:redacted@[::1]:5432/d"),
        (
            "postgres://app:hunter2@[::1]:5432,localhost:1/d",
            "postgres://app:redacted@[::1]:5432,localhost:1/d",
        ),
        ("postgres://app:hunter2%40%2F@localhost/d", "postgres://app:redacted@localhost/d"),
        ("postgres://localhost/d?password=hunter2", "postgres://localhost/d?password=redacted"),
        ("postgres:///d?host=%2Frun&user=app", "postgres:///d?host=%2Frun&user=app"),
        (
            "postgres://h/d?user=app&sslpassword=hunter2&p%61ssword=hunter2&sslmode=require",
            "postgres://h/d?user=app&sslpassword=redacted&p%61ssword=redacted&sslmode=require",
        ),
        ("sqlite:///data/a@b:c/x.db", "sqlite:///data/a@b:c/x.db"),
    ] {
        let out = countersign(dir.path(), &["config", "show"], &[("COUNTERSIGN_DATABASE_URL", url)]);
        assert_eq!(out.status.code(), Some(0), "{url}: {}", text(&out.stderr));
        let found = text(&out.stdout);
        assert!(found.contains(&format!("database_url = \"{shown}\"\n")), "{url}: {found}");
    }
}

/// URLs that libpq would not understand, and would quote, are refused first and never shown.
#[cfg(feature = "postgres")]
#[test]
fn database_urls_that_would_be_quoted_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (url, why) in [
        ("postgres://app:s3c%ret@h/d", "%25"),
        ("postgres://app:s3cret%@h/d", "%25"),
        ("postgres://app:s3cret%00@h/d", "%25"),
        ("postgres://app:s3/cret@h", "%2F"),
        ("postgres://app:s3?cret@h/d", "%3F"),
        ("postgres://app:s3#cret@h/d", "%23"),
        ("postgres://app:hun@s3cret@h", "%40"),
        ("postgres://app:s3cret@h/d?user=a@b", "%40"),
        ("postgres://app:s3cret/d", "port"),
        ("postgres://h/d?password=s3c%ret", "%25"),
        ("postgres://h/d?password=x&s3cret", "%26"),
        ("postgres://h/d?password=s3=cret", "%3D"),
    ] {
        refuses_database_url(dir.path(), url, why);
    }
}

#[test]
fn database_urls_of_another_form_are_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    for url in ["app:s3cret@h/d", "host=h password=s3cret", "app:s3cret@h://d", "mysql://u:s3cret@h/d"] {
        refuses_database_url(dir.path(), url, "sqlite://");
    }
}

fn refuses_database_url(dir: &Path, url: &str, why: &str) {
    for verb in ["check", "show"] {
        let out = countersign(dir, &["config", verb], &[("COUNTERSIGN_DATABASE_URL", url)]);
        let said = text(&out.stdout) + &text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains("`database_url`") && said.contains(why), "{url}: {said}");
        assert!(!["s3", "cret", "hun"].iter().any(|part| said.contains(part)), "{url}: {said}");
    }
}

/// Every value that the example names for a choice is one that the service takes.
#[test]
fn the_examples_choices_are_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let example =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config.toml")).unwrap();
    let lines = example.lines().skip_while(|line| !line.contains("RightmostXForwardedFor"));
    let sources: Vec<&str> = lines
        .take_while(|line| line.starts_with('#'))
        .flat_map(|line| line.split([' ', ',', '#', '.']))
        .filter(|word| word.len() > 6 && word.starts_with(char::is_uppercase))
        .collect();
    assert!(sources.len() >= 4, "{sources:?}");
    for source in sources {
        let out = countersign(dir.path(), &["config", "show"], &[("COUNTERSIGN_CLIENT_IP_SOURCE", source)]);
        assert_eq!(out.status.code(), Some(0), "{source}: {}", text(&out.stderr));
    }
}

#[test]
fn tokens_and_keys_are_managed_on_the_command_line() {
    let dir = workplace();
    let out = countersign(dir.path(), &["admin-token", "create", "--name", "ci", "--expires", "30d"], &[]);
    let token = text(&out.stdout);
    assert!(token.starts_with("cst_") && token.trim().len() == 47, "the token alone: {token}");
    let stored = std::fs::read(dir.path().join("countersign.db")).unwrap();
    let bytes = token.trim().as_bytes();
    assert!(!stored.windows(bytes.len()).any(|window| window == bytes), "only its digest is stored");
    for args in [
        &["admin-token", "create", "--name", "x", "--teamspace", "nobody"][..],
        &["admin-token", "create", "--name", ""],
        &["admin-token", "create", "--name", "x", "--expires", "never"],
    ] {
        assert_eq!(countersign(dir.path(), args, &[]).status.code(), Some(2), "{args:?}");
    }
    assert!(countersign(dir.path(), &["keys", "list"], &[]).stdout.is_empty());
    let rotated = countersign(dir.path(), &["keys", "rotate", "--now"], &[]);
    let rotated = text(&rotated.stdout);
    let kid = rotated.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    countersign(dir.path(), &["keys", "rotate"], &[]);
    let listed = text(&countersign(dir.path(), &["keys", "list"], &[]).stdout);
    assert_eq!(listed.lines().count(), 3);
    assert!(listed.starts_with("KID") && listed.contains("CREATED AT"), "{listed}");
    assert!(listed.lines().any(|line| line.starts_with(kid) && line.contains("  signs  ")), "{listed}");
    assert!(listed.contains("signs from"), "{listed}");
    assert_eq!(
        countersign(dir.path(), &["keys", "remove", "--yes", kid], &[]).status.code(),
        Some(2),
        "it signs"
    );
    // Keys are ordered by the second from which they sign.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    countersign(dir.path(), &["keys", "rotate", "--now"], &[]);
    assert_eq!(countersign(dir.path(), &["keys", "remove", "--yes", kid], &[]).status.code(), Some(0));
    assert!(!text(&countersign(dir.path(), &["keys", "list"], &[]).stdout).contains(kid));
    assert_eq!(
        countersign(dir.path(), &["keys", "remove", "--yes", kid], &[]).status.code(),
        Some(2),
        "it is gone"
    );
    let out = countersign(dir.path(), &["key", "delete", "--yes", "-hyphen-first"], &[]);
    assert!(text(&out.stderr).contains("there is no such key"), "ids are random: {}", text(&out.stderr));
    let tokens = text(&countersign(dir.path(), &["admin-token", "list"], &[]).stdout);
    let id = tokens.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(tokens.lines().count() == 2 && tokens.contains("  ci    all (operator)  "), "{tokens}");
    assert_eq!(countersign(dir.path(), &["admin-token", "delete", "--yes", id], &[]).status.code(), Some(0));
    assert!(countersign(dir.path(), &["admin-token", "list"], &[]).stdout.is_empty());
    assert_eq!(countersign(dir.path(), &["admin-token", "delete", "--yes", id], &[]).status.code(), Some(2));
}

/// Rule 18: without valid policies, a migrated database or a free port there is no service.
#[test]
fn the_service_refuses_to_start_and_says_why() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = workplace();
    let schema = root.join("schema/countersign.cedarschema");
    let out = countersign(dir.path(), &["serve"], &[("COUNTERSIGN_POLICY_DIR", "rules")]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("rules"), "{}", text(&out.stderr));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let policies = root.join("policies");
    let out = countersign(
        dir.path(),
        &["serve"],
        &[
            ("COUNTERSIGN_SCHEMA_FILE", schema.to_str().unwrap()),
            ("COUNTERSIGN_POLICY_DIR", policies.to_str().unwrap()),
            ("COUNTERSIGN_LISTEN", &address),
        ],
    );
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("`listen`") && text(&out.stderr).contains(&address));
    let out = countersign(
        dir.path(),
        &["keys", "list"],
        &[("COUNTERSIGN_DATABASE_URL", "sqlite:///no/such/dir/x.db")],
    );
    assert_eq!(out.status.code(), Some(2));
    let empty = tempfile::tempdir().unwrap();
    let out = countersign(empty.path(), &["keys", "list"], &[]);
    assert!(text(&out.stderr).contains("countersign migrate"));
}

/// The demonstration is a whole deployment: it must go through by itself, for people and for programs.
#[test]
fn the_demonstration_runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = countersign(dir.path(), &["demo", "--once"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}\n{}", text(&out.stdout), text(&out.stderr));
    assert!(!text(&out.stdout).contains('✗'));
    let out = countersign(dir.path(), &["demo", "--once", "--json"], &[]);
    assert_eq!(out.status.code(), Some(0));
    let steps: Vec<Value> =
        text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(steps.len() >= 15 && steps.iter().all(|step| step["ok"] == true), "{steps:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

/// A command line with everything that a verb needs: policies, cases, a database with a key.
fn furnished() -> tempfile::TempDir {
    let (root, dir) = (Path::new(env!("CARGO_MANIFEST_DIR")), workplace());
    for name in ["policies", "policies/tests", "policies/proofs", "schema"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
        for entry in std::fs::read_dir(root.join(name)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), dir.path().join(name).join(entry.file_name())).unwrap();
            }
        }
    }
    assert_eq!(countersign(dir.path(), &["keys", "rotate", "--now"], &[]).status.code(), Some(0));
    dir
}

/// The code and the complaints of a command whose output goes there.
fn into(dir: &Path, args: &[&str], out: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

/// A pipe that nobody reads.
fn closed() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

/// Every verb ends as it does when somebody reads what it prints.
#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let dir = furnished();
    for args in [
        &["policy", "check"][..],
        &["policy", "check", "--format", "json"],
        &["policy", "check", "--format", "sarif"],
        &["policy", "test"],
        &["policy", "test", "--coverage", "--format", "json"],
        &["policy", "explain", "new people: full"],
        &["policy", "explain", "new people: full", "--format", "json"],
        &["policy", "diff", "policies", "--without-solver"],
        &["policy", "diff", "policies", "--without-solver", "--format", "json"],
        &["policy", "fmt", "--check"],
        &["policy", "prove"],
        &["policy", "shadow"],
        &["policy", "schema"],
        &["policy", "schema", "--format", "json"],
        &["completions", "bash"],
        &["config", "check"],
        &["config", "show"],
        &["config", "schema"],
        &["demo", "--once"],
        &["demo", "--once", "--json"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["admin-token", "list"],
        &["migrate"],
        &["--help"],
    ] {
        let read = countersign(dir.path(), args, &[]);
        let unread = into(dir.path(), args, closed());
        assert_eq!(unread, (read.status.code(), text(&read.stderr)), "{args:?}");
    }
}

/// Nor does one of the complaints.
#[test]
fn nobody_needs_to_read_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for (args, code) in [(&["policy", "check", "nowhere"][..], 2), (&["policy", "test", "nowhere"], 2)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let status = command.args(args).current_dir(dir.path()).stdout(closed()).stderr(closed()).status();
        assert_eq!(status.unwrap().code(), Some(code), "{args:?}");
    }
}

/// A token that nobody reads is lost: that is told, and which one it is.
#[test]
fn a_token_that_nobody_reads_is_told() {
    let dir = furnished();
    let (code, error) = into(dir.path(), &["admin-token", "create", "--name", "x"], closed());
    assert_eq!(code, Some(2));
    let id = error.trim().rsplit(' ').next().unwrap();
    assert!(error.contains("could not be printed"), "{error}");
    assert_eq!(countersign(dir.path(), &["admin-token", "delete", "--yes", id], &[]).status.code(), Some(0));
}

/// Lost output is an error, unless the reader went away.
#[test]
fn output_that_is_lost_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, error) = into(dir.path(), &["config", "schema"], full);
    assert_eq!(code, Some(2));
    assert!(error.contains("cannot write to standard output"), "{error}");
}

#[test]
fn every_file_is_formatted_whoever_reads() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.cedar", "b.cedar", "c.cedar"] {
        write(dir.path(), name, "permit(principal,action,resource);");
    }
    assert_eq!(into(dir.path(), &["policy", "fmt", "."], closed()), (Some(0), String::new()));
    for name in ["a.cedar", "b.cedar", "c.cedar"] {
        let laid_out = std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(laid_out, "permit (principal, action, resource);\n", "{name}");
    }
}

/// A command that only reads creates no database.
#[test]
fn a_database_that_is_not_there_is_not_made() {
    let dir = furnished();
    let nowhere = [("COUNTERSIGN_DATABASE_URL", "sqlite://nowhere.db")];
    for args in [
        &["policy", "explain", "4711"][..],
        &["policy", "explain", "new people: full", "--set", "AAAA"],
        &["policy", "diff", "policies", "--without-solver", "--days", "1"],
        &["policy", "diff", "set:AAAA", "--without-solver"],
        &["policy", "shadow"],
        &["keys", "list"],
        &["admin-token", "list"],
    ] {
        let out = countersign(dir.path(), args, &nowhere);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains("there is no database at nowhere.db"), "{args:?}: {error}");
        assert!(!dir.path().join("nowhere.db").exists(), "{args:?}");
    }
}

#[test]
fn a_failure_is_called_an_error_once_and_counted() {
    let dir = furnished();
    let out = countersign(dir.path(), &["policy", "test", "nowhere"], &[]);
    assert!(text(&out.stderr).starts_with("error: 1 problem in the policies\n"), "{}", text(&out.stderr));
    for verb in [&["policy", "prove"][..], &["policy", "diff", "policies"]] {
        let out = countersign(dir.path(), &[verb, &["--timeout", "0s"]].concat(), &[]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{verb:?}");
        assert!(error.contains("--timeout") && error.contains("must be longer than 0s"), "{error}");
    }
}

/// Commands that write leave everything in the database file, also when they are not the last to close it; `serve`
/// does not migrate where it is not to.
#[test]
fn sqlite_commands_leave_a_file_that_is_complete() {
    let dir = workplace();
    let path = dir.path().join("countersign.db");
    let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query("SELECT count(*) FROM teamspaces").execute(&mut other).unwrap();
    for args in [&["migrate"][..], &["admin-token", "create", "--name", "ci"], &["keys", "rotate"]] {
        assert_eq!(countersign(dir.path(), args, &[]).status.code(), Some(0), "{args:?}");
        let log = std::fs::metadata(dir.path().join("countersign.db-wal"));
        assert!(log.map_or(0, |log| log.len()) == 0, "{args:?} leaves a log");
    }
    let empty = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (policies, schema) = (root.join("policies"), root.join("schema/countersign.cedarschema"));
    let settings = [
        ("COUNTERSIGN_POLICY_DIR", policies.to_str().unwrap()),
        ("COUNTERSIGN_SCHEMA_FILE", schema.to_str().unwrap()),
    ];
    let out = countersign(empty.path(), &["serve", "--no-migrate"], &settings);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("countersign migrate"), "{}", text(&out.stderr));
    assert!(!empty.path().join("countersign.db").exists(), "nothing is made");
}
