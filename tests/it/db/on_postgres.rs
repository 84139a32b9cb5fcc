//! From a file to PostgreSQL and back. `TEST_POSTGRES` names the cluster, as in `database.rs`.

use super::between_files::Files;
use super::{
    a_copied_chain_is_sound, a_killed_copy_goes_on, copied, copy, everything_is_carried_over, number,
    refused, rows, run,
};
use crate::commands::{countersign, text};
use crate::database::TestDatabase;

fn database() -> TestDatabase {
    let cluster = std::env::var("TEST_POSTGRES");
    TestDatabase::in_cluster(cluster.expect("TEST_POSTGRES: scripts/postgres prints a URL for it"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_carried_over_to_a_server() {
    let (files, server) = (Files::new(), database());
    everything_is_carried_over(&files.from, &server.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_carried_back_to_a_file() {
    let (files, server) = (Files::new(), database());
    everything_is_carried_over(&server.url, &files.to).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_carried_over_between_servers() {
    let (from, to) = (database(), database());
    everything_is_carried_over(&from.url, &to.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_copied_to_a_server_is_sound() {
    let (files, server) = (Files::new(), database());
    a_copied_chain_is_sound(&files.from, &server.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_copied_from_a_server_is_sound() {
    let (files, server) = (Files::new(), database());
    a_copied_chain_is_sound(&server.url, &files.to).await;
}

#[test]
fn a_killed_copy_to_a_server_goes_on() {
    let (files, server) = (Files::new(), database());
    a_killed_copy_goes_on(&files.from, &server.url);
}

#[test]
fn a_killed_copy_to_a_file_goes_on() {
    let (files, server) = (Files::new(), database());
    a_killed_copy_goes_on(&server.url, &files.to);
}

/// Tables are made where there are none, and nowhere else.
#[test]
fn an_empty_server_gets_its_tables() {
    let (files, server) = (Files::new(), database());
    run(&server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let report = copied(&files.from, &server.url);
    assert_eq!(report["applied"][0], "0001");
    run(&server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE theirs (id int)");
    assert!(refused(&[&files.from, &server.url]).contains("TO holds tables of something else"));
    assert_eq!(number(&server.url, "(SELECT count(*) FROM pg_tables WHERE schemaname = 'public')"), 1);
}

/// Ours order by bytes: so must the other, whatever the cluster's own order is.
#[test]
fn keys_are_ordered_by_bytes_on_both() {
    let (files, server) = (Files::new(), database());
    for key in ["a", "B", "_", "é", "z", "Z", "-", "~", "\u{1F980}", "aa", "a b", "ab"] {
        run(&files.from, &format!("INSERT INTO used_assertions VALUES ('{key}', 1)"));
        run(&files.from, &format!("INSERT INTO shadow_runs VALUES ('{key}', 'x', 1, 1, 1, 1, 1)"));
        run(&files.from, &format!("INSERT INTO shadow_runs VALUES ('x', '{key}', 1, 1, 1, 1, 1)"));
    }
    copied(&files.from, &server.url);
    // Numbers are not ordered as texts.
    let ids = "INSERT INTO changes VALUES (2, 'x', 'y', 1, 0), (10, 'x', 'y', 1, 0), (100, 'x', 'y', 1, 0)";
    run(&files.from, ids);
    copied(&files.from, &server.url);
}

/// PostgreSQL has no NUL in a text. Old rows of the decision log may have what a caller sent.
#[test]
fn nul_is_replaced_in_the_decision_log_and_told_elsewhere() {
    let (files, server) = (Files::new(), database());
    super::fill(&files.from, 3);
    run(&files.from, "UPDATE sign_ins SET detail = 'a' || char(0) || 'b', issuer = char(0) WHERE id = 2");
    let report = copied(&files.from, &server.url);
    assert_eq!(report["replaced"], 1);
    let kept =
        "(SELECT count(*) FROM sign_ins WHERE id = 2 AND detail = U&'a\\FFFDb' AND issuer = U&'\\FFFD')";
    assert_eq!(number(&server.url, kept), 1);

    run(&files.from, "INSERT INTO email_domains SELECT 'x' || char(0), id FROM teamspaces");
    run(&files.from, "INSERT INTO teamspaces VALUES ('id-7', 's', 'n' || char(0), 'p', NULL, 1, 0, 'UTC')");
    let out = copy(&[&files.from, &server.url]);
    assert_eq!(out.status.code(), Some(1));
    let error = text(&out.stderr);
    assert!(error.contains("`teamspaces`") && error.contains("id-7"), "{error}");
    assert_eq!(rows(&server.url, "teamspaces"), 0);
}

#[test]
fn a_server_is_not_backed_up_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let server = database();
    let out =
        countersign(dir.path(), &["db", "backup", "b.db"], &[("COUNTERSIGN_DATABASE_URL", &server.url)]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("pg_dump"), "{}", text(&out.stderr));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
