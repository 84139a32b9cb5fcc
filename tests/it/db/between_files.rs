//! From one file to another: what both databases have in common.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::store::Store;
use countersign::store::copy::tables::{self, ColumnKind};
use diesel::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    a_copied_chain_is_sound, a_killed_copy_goes_on, begin, connect, copied, copy, everything_is_carried_over,
    fill, run,
};
use crate::commands::text;

/// Two databases: the first with tables, the second not there.
pub struct Files {
    _dir: TempDir,
    pub from: String,
    pub to: String,
}

impl Files {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("sqlite://{}", dir.path().join(name).display());
        let (from, to) = (url("from.db"), url("to.db"));
        Store::migrate(&from).unwrap();
        Self { _dir: dir, from, to }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_everything_is_carried_over() {
    let files = Files::new();
    everything_is_carried_over(&files.from, &files.to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_copied_chain_is_sound() {
    let files = Files::new();
    a_copied_chain_is_sound(&files.from, &files.to).await;
}

#[test]
fn sqlite_a_killed_copy_goes_on() {
    let files = Files::new();
    a_killed_copy_goes_on(&files.from, &files.to);
}

/// Whoever adds a table or a column has it copied.
#[test]
fn sqlite_every_table_and_column_is_copied() {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = diesel::sql_types::Text)]
        found: String,
    }
    let files = Files::new();
    let query = "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.pk AS found
        FROM sqlite_master m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'
            AND m.name <> 'replicas'";
    let mut found: Vec<String> = diesel::sql_query(query)
        .load::<Found>(&mut connect(&files.from))
        .unwrap()
        .into_iter()
        .map(|row| row.found.replace(" INTEGER ", " BIGINT "))
        .collect();
    let mut told: Vec<String> = Vec::new();
    for table in tables::all() {
        let key = table.key().len();
        for (index, column) in table.columns().into_iter().enumerate() {
            let kind = match column.kind {
                ColumnKind::Text => "TEXT",
                ColumnKind::Number => "BIGINT",
                ColumnKind::Boolean => "BOOLEAN",
            };
            let place = if index < key { index + 1 } else { 0 };
            told.push(format!("{} {} {kind} {place}", table.name, column.name));
        }
    }
    found.sort();
    told.sort();
    assert_eq!(found, told);
}

/// The digest is what its documentation says, so that others can make it as well.
#[test]
fn sqlite_a_digest_is_over_lengths_and_texts() {
    let files = Files::new();
    run(&files.from, "INSERT INTO teamspaces VALUES ('é', 's', '', 'p', NULL, -7, 1, 'UTC')");
    let report = copied(&files.from, &files.to);
    let mut bytes = Vec::new();
    for value in [Some("é"), Some("s"), Some(""), Some("p"), None, Some("-7"), Some("1"), Some("UTC")] {
        bytes.extend(value.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
        bytes.extend(value.unwrap_or_default().as_bytes());
    }
    let expected = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let table = &report["tables"][0];
    assert_eq!(table["to"], json!({ "rows": 1, "sha256": URL_SAFE_NO_PAD.encode(expected) }));
}

/// Writes of a service during the copy are missing from it: that is reported, and is a failure unless it was wanted.
#[test]
fn sqlite_a_source_that_is_written_to_is_noticed() {
    for (option, code) in [(None, 1), (Some("--while-serving"), 0)] {
        let files = Files::new();
        fill(&files.from, 30_000);
        let mut args = vec![files.from.as_str(), &files.to, "--json"];
        args.extend(option);
        let child = begin(&args);
        fill(&files.from, 1);
        let out = child.wait_with_output().unwrap();
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{error}");
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(report["moved_on"], json!(true), "{report}");
        assert_eq!(error.contains("FROM was written to meanwhile"), code == 1, "{error}");
    }
}

/// A target that does not keep what it is given: the table is named.
#[test]
fn sqlite_a_difference_is_found() {
    let files = Files::new();
    run(&files.from, "INSERT INTO teamspaces VALUES ('a', 'slug', 'name', 'p', NULL, 1, 0, 'UTC')");
    Store::migrate(&files.to).unwrap();
    run(
        &files.to,
        "CREATE TRIGGER damage AFTER INSERT ON teamspaces BEGIN UPDATE teamspaces SET name = 'nome'; END",
    );
    let out = copy(&[&files.from, &files.to]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    assert_eq!(text(&out.stderr), "error: `teamspaces` is not the same in both databases\n");
    assert!(text(&out.stdout).contains("differs in TO") && !text(&out.stdout).contains("are the same"));
}
