//! The parts of the database that others on the machine, and on the way to it, could read.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use countersign::config::Database;
use countersign::store::{Store, connection};

#[cfg(feature = "postgres")]
use crate::commands::{countersign, text};
use crate::harness::TestApp;
use crate::process::Process;

fn mode(file: &Path) -> u32 {
    file.metadata().unwrap_or_else(|e| panic!("{}: {e}", file.display())).permissions().mode() & 0o777
}

/// Runs a command where new files are readable for all, as they are for most users.
fn in_the_open(dir: &Path, args: &str) {
    let program = env!("CARGO_BIN_EXE_countersign");
    let status = Command::new("sh")
        .args(["-c", &format!("umask 000; exec {program} {args}")])
        .current_dir(dir)
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{args}");
}

#[test]
fn sqlite_a_new_database_is_readable_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    in_the_open(dir.path(), "migrate");
    let file = dir.path().join("countersign.db");
    assert_eq!(mode(&file), 0o600);
    let url = format!("sqlite://{}", file.display());
    let _open = Store::open(&url, &Database::default()).unwrap();
    for suffix in ["-wal", "-shm"] {
        assert_eq!(mode(&dir.path().join(format!("countersign.db{suffix}"))), 0o600, "{suffix}");
    }
    in_the_open(dir.path(), "db copy sqlite://countersign.db sqlite://copy.db");
    assert_eq!(mode(&dir.path().join("copy.db")), 0o600);
    in_the_open(dir.path(), "db backup backup.db");
    assert_eq!(mode(&dir.path().join("backup.db")), 0o600);
}

#[test]
fn sqlite_a_new_database_behind_a_link_is_so_too() {
    let dir = tempfile::tempdir().unwrap();
    symlink("volume/data.db", dir.path().join("countersign.db")).unwrap();
    std::fs::create_dir(dir.path().join("volume")).unwrap();
    in_the_open(dir.path(), "migrate");
    assert_eq!(mode(&dir.path().join("volume/data.db")), 0o600);
}

/// Closing another handle of the file would take SQLite's locks off.
#[test]
fn sqlite_a_database_that_is_there_keeps_its_mode_and_its_locks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.db");
    let url = format!("sqlite://{}", file.display());
    Store::migrate(&url).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let mut held = connection::open(&url, &Database::default()).unwrap();
    held.begin_write().unwrap();
    connection::open(&url, &Database::default()).unwrap();
    let program = env!("CARGO_BIN_EXE_countersign");
    let out = Command::new(program)
        .args(["admin-token", "create", "--name", "x"])
        .env("COUNTERSIGN_DATABASE_URL", &url)
        .output();
    assert!(!out.unwrap().status.success(), "the write lock was lost");
    held.roll_back();
    assert_eq!(mode(&file), 0o640);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_start_warns_of_files_that_others_can_read() {
    let app = TestApp::start().await;
    let quiet = Process::serve(&app, "");
    assert!(!quiet.log().contains("chmod"), "{}", quiet.log());
    quiet.stop();
    let file = app.app.config.database_url.strip_prefix("sqlite://").unwrap().to_owned();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loud = Process::serve(&app, "");
    loud.wait_for_log(&format!("chmod 600 {file}\""));
    loud.wait_for_log("0644");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_warns_of_a_plain_key_beside_an_encryption_key() {
    let app = TestApp::start().await;
    assert!(!Process::serve(&app, "").log().contains("plain text"));
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let process = Process::serve(&app, &format!("COUNTERSIGN_KEYS__ENCRYPTION_KEY={key}"));
    process.wait_for_log("plain text");
    process.wait_for_log("key rotate");
    assert!(!process.log().contains(key), "{}", process.log());
}

#[cfg(feature = "postgres")]
fn checked(url: &str, env: &[(&str, &str)]) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let env = [&[("COUNTERSIGN_DATABASE_URL", url)], env].concat();
    let out = countersign(dir.path(), &["config", "show"], &env);
    (out.status.success(), text(&out.stderr))
}

#[cfg(feature = "postgres")]
#[test]
fn a_server_on_another_machine_needs_a_chosen_sslmode() {
    for url in [
        "postgres://u@db.example.com/d",
        "postgres://u:hunter2@10.0.0.7:5432/d",
        "postgres://u@[2001:db8::1]:5432/d",
        "postgres://u@localhost,db.example.com/d",
        "postgres:///d?host=db.example.com",
        "postgres://localhost/d?host=db.example.com",
        "postgres://localhost/d?h%6Fst=db.example.com",
        "postgres://localhost/d?hostaddr=192.0.2.1",
        "postgres:///d?service=remote",
        "postgres://localhost.example.com/d",
        "postgres://db.example.com/d?sslmode=",
    ] {
        let (taken, said) = checked(url, &[]);
        assert!(!taken && said.contains("?sslmode=verify-full"), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (taken, said) = checked("postgres://db.example.com/d?sslmode=verify_full", &[]);
    assert!(!taken && said.contains("sslmode=verify-full"), "{said}");
    assert!(!checked("postgres:///d", &[("PGHOST", "db.example.com")]).0);
}

#[cfg(feature = "postgres")]
#[test]
fn this_machine_needs_no_sslmode_and_a_choice_is_taken() {
    for url in [
        "postgres://u@localhost/d",
        "postgres://u@127.0.0.1:5432,[::1]:5433/d",
        "postgres:///d",
        "postgres:///d?host=/run/postgresql",
        "postgres://%2Frun%2Fpostgresql/d",
        "postgres://db.example.com/d?host=%2Frun%2Fpostgresql",
        "postgres://db.example.com/d?sslmode=verify-full",
        "postgres://a,b/d?target_session_attrs=read-write&sslmode=disable",
        "postgres://db.example.com/d?ssl=true",
    ] {
        let (taken, said) = checked(url, &[]);
        assert!(taken, "{url}: {said}");
    }
    assert!(checked("postgres://db.example.com/d", &[("PGSSLMODE", "require")]).0);
}

/// A copy goes over the same wire.
#[cfg(feature = "postgres")]
#[test]
fn a_copy_needs_a_chosen_sslmode_as_well() {
    let dir = tempfile::tempdir().unwrap();
    in_the_open(dir.path(), "migrate");
    let to = "postgres://u@db.example.com/d";
    let out = countersign(dir.path(), &["db", "copy", "sqlite://countersign.db", to], &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("sslmode=verify-full"), "{}", text(&out.stderr));
}
