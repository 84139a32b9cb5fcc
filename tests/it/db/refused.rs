//! Copies that are refused.

use std::time::{Duration, Instant};

use countersign::clock::{Clock as _, SystemClock};
use countersign::store::Store;

use super::between_files::Files;
use super::{connect, copied, copy, furnish, number, refused, rows, run};
use crate::commands::text;
use crate::process::Process;

const TEAMSPACE: &str = "INSERT INTO teamspaces VALUES ('a', 'slug', 'name', 'p', NULL, 1, 0, 'UTC')";

#[test]
fn sqlite_a_target_that_holds_something_else_is_left_alone() {
    for (table, other) in [
        ("teamspaces", "INSERT INTO teamspaces VALUES ('a', 'slug', 'other', 'p', NULL, 1, 0, 'UTC')"),
        ("used_assertions", "INSERT INTO used_assertions VALUES ('x', 1)"),
        ("generation", "UPDATE generation SET value = 7"),
    ] {
        let files = Files::new();
        run(&files.from, TEAMSPACE);
        Store::migrate(&files.to).unwrap();
        run(&files.to, other);
        let held = rows(&files.to, table);
        let error = refused(&[&files.from, &files.to]);
        assert!(error.contains(&format!("TO holds rows of `{table}`")), "{error}");
        assert_eq!(rows(&files.to, table), held);
        assert!(table == "teamspaces" || rows(&files.to, "teamspaces") == 0, "nothing is written");
    }
}

#[test]
fn sqlite_a_target_of_another_make_is_left_alone() {
    let files = Files::new();
    run(&files.to, "CREATE TABLE theirs (id INTEGER)");
    assert!(refused(&[&files.from, &files.to]).contains("TO holds tables of something else"));
    assert_eq!(number(&files.to, "(SELECT count(*) FROM sqlite_master)"), 1);

    let files = Files::new();
    let applied = Store::migrate(&files.to).unwrap().len() as i64;
    run(&files.to, "DELETE FROM __diesel_schema_migrations WHERE version = '0003'");
    assert!(refused(&[&files.from, &files.to]).contains("TO is a database of an older version"));
    assert_eq!(rows(&files.to, "__diesel_schema_migrations"), applied - 1);
}

#[test]
fn sqlite_a_source_must_be_there_and_of_this_version() {
    let files = Files::new();
    let nowhere = format!("{}-not", files.from);
    assert!(refused(&[&nowhere, &files.to]).contains("there is no database at"));
    assert!(refused(&[&files.from, &files.from]).contains("are the same database"));
    run(&files.from, "DELETE FROM __diesel_schema_migrations WHERE version = '0003'");
    assert!(refused(&[&files.from, &files.to]).contains("FROM is a database of an older version"));
    run(&files.from, "INSERT INTO __diesel_schema_migrations (version) VALUES ('0003'), ('9999')");
    assert!(refused(&[&files.from, &files.to]).contains("FROM is a database of a newer version"));
    let made = files.to.strip_prefix("sqlite://").unwrap();
    assert!(!std::path::Path::new(made).exists(), "no target was made for a copy that cannot be");
}

/// A process that says that it serves the source is named; one that has fallen silent does not matter.
#[test]
fn sqlite_a_source_that_is_served_is_refused() {
    let seen = |ago: i64| {
        let at = SystemClock.now() - ago;
        format!("DELETE FROM replicas; INSERT INTO replicas VALUES ('r', 'host-7', '0', 'p', {at}, {at})")
    };
    let files = Files::new();
    run(&files.from, &seen(0));
    let error = refused(&[&files.from, &files.to]);
    assert!(error.contains("is being served by host-7"), "{error}");
    let rehearsal = copy(&[&files.from, &files.to, "--while-serving"]);
    assert_eq!(rehearsal.status.code(), Some(0), "{}", text(&rehearsal.stderr));
    run(&files.from, &seen(16));
    copied(&files.from, &files.to);
}

/// The real service says that it is there, and that it goes.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_service_must_stop_first() {
    let files = Files::new();
    let app = furnish(&files.from).await;
    let process = Process::serve(&app, "");
    let started = Instant::now();
    while number(&files.from, "(SELECT count(*) FROM replicas WHERE id <> 'gone')") == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "it says nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(refused(&[&files.from, &files.to]).contains("is being served by"));
    process.stop();
    copied(&files.from, &files.to);
}

#[test]
fn sqlite_a_failed_write_leaves_whole_batches_and_is_told() {
    let files = Files::new();
    run(&files.from, TEAMSPACE);
    Store::migrate(&files.to).unwrap();
    let mut other = connect(&files.to);
    other.begin_write().unwrap();
    let error = refused(&[&files.from, &files.to]);
    assert!(error.contains("locked"), "{error}");
    other.roll_back();
    copied(&files.from, &files.to);
}

/// Neither in messages nor in reports.
#[test]
fn no_password_is_shown() {
    let files = Files::new();
    let url = "postgres://u:hunter2@127.0.0.1:1/d?password=hunter3";
    for args in [[url, &files.to], [&files.from, url]] {
        let error = refused(&args);
        assert!(!error.contains("hunter") && error.contains("error: "), "{error}");
    }
}
