//! `countersign db backup`.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Output;

use countersign::store::copy::tables;
use serde_json::{Value, json};

use super::between_files::Files;
use super::{Moved, fill, furnish, rows, run};
use crate::commands::{countersign, text};

fn backup(dir: &Path, database: &str, args: &[&str]) -> Output {
    let args = [&["db", "backup"], args].concat();
    countersign(dir, &args, &[("COUNTERSIGN_DATABASE_URL", database)])
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// JAG-14: taken while the service runs, and put in its place: everybody goes on, no assertion is good twice.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_backup_is_put_in_place_and_served() {
    let source = Files::new();
    let app = furnish(&source.from).await;
    let redeemed = app.assertion(json!({}));
    assert_eq!(app.exchange(&redeemed).await.status, 200);
    let dir = tempfile::tempdir().unwrap();
    let out = backup(dir.path(), &source.from, &["it's a copy.db", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(files(dir.path()), ["it's a copy.db"], "nothing else is left");
    let file = dir.path().join("it's a copy.db");
    let found = file.metadata().unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["bytes"], json!(found.len()));
    for table in report["tables"].as_array().unwrap() {
        assert_eq!(table[1], json!(rows(&source.from, table[0].as_str().unwrap())), "{table}");
    }
    assert_eq!(report["tables"].as_array().unwrap().len(), tables::all().count());

    // The backup does not know later uses.
    let since = app.assertion(json!({}));
    assert_eq!(app.exchange(&since).await.status, 200);
    app.clock.advance(20);
    let moved = Moved::start(&app, &format!("sqlite://{}", file.display())).await;
    for used in [&redeemed, &since] {
        let replay = moved.exchange(&app, used).await;
        assert_eq!((replay.status, &replay.json["error"]), (400, &json!("invalid_grant")), "{replay:?}");
    }
    let row = moved.last_sign_in().await;
    assert_eq!(row.reason, "expired");
    assert!(row.detail.contains("restored backup"), "{row:?}");
    // So is what an issuer whose clock is ahead may have issued before the start.
    app.clock.advance(30);
    assert_eq!(moved.exchange(&app, &app.assertion(json!({}))).await.json["error"], "invalid_grant");
    app.clock.advance(1);
    // The second start is like any other.
    let moved = Moved::start(&app, &format!("sqlite://{}", file.display())).await;
    assert_eq!(moved.exchange(&app, &app.assertion(json!({}))).await.status, 200);
}

/// Writers do not wait for it, and it is one state: of two rows that are written together it has both or none.
#[test]
fn sqlite_a_backup_is_one_state_while_others_write() {
    let source = Files::new();
    fill(&source.from, 30_000);
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let ends = scope.spawn(|| {
            (0..3).for_each(|n| {
                let out = backup(dir.path(), &source.from, &[&format!("{n}.db")]);
                assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
            });
        });
        let mut n = 0;
        while !ends.is_finished() {
            n += 1;
            run(
                &source.from,
                &format!(
                    "BEGIN IMMEDIATE; INSERT INTO used_assertions VALUES ('{n}', 1); \
                     INSERT INTO changes VALUES ({n}, 'x', 'y', 1, 0); COMMIT"
                ),
            );
        }
        assert!(n > 3, "{n} writes");
    });
    for n in 0..3 {
        let file = format!("sqlite://{}", dir.path().join(format!("{n}.db")).display());
        assert_eq!(rows(&file, "used_assertions"), rows(&file, "changes"));
    }
}

#[test]
fn sqlite_a_backup_replaces_nothing_and_leaves_nothing_unfinished() {
    let source = Files::new();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("there"), "mine").unwrap();
    let out = backup(dir.path(), &source.from, &["there"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("there exists already"), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(dir.path().join("there")).unwrap(), b"mine");
    assert_eq!(backup(dir.path(), &source.from, &["not/there.db"]).status.code(), Some(2));
    let out = backup(dir.path(), "sqlite://nowhere.db", &["b.db"]);
    assert!(text(&out.stderr).contains("there is no database at nowhere.db"), "{}", text(&out.stderr));

    // Damaged in the middle.
    fill(&source.from, 10_000);
    run(&source.from, "PRAGMA wal_checkpoint(TRUNCATE)");
    let path = source.from.strip_prefix("sqlite://").unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2 / 4096 * 4096;
    file.write_all_at(&[0xFF; 4096], middle).unwrap();
    let out = backup(dir.path(), &source.from, &["b.db"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stdout));
    assert!(text(&out.stderr).contains("malformed"), "{}", text(&out.stderr));
    assert_eq!(files(dir.path()), ["there"]);
}
