//! Log streams: PostgreSQL gives ids out before it commits.

use std::collections::HashSet;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::cluster::Cluster;
use crate::database::TestDatabase;
use crate::harness::TestApp;
use crate::log_stream::{Running, count, ids, ids_in, record, stream, wait_for, wait_for_rows};

fn insert(connection: &mut PgConnection, number: usize) {
    let unknown = ", ''".repeat(14);
    let row = format!(
        "INSERT INTO sign_ins (at, outcome, request_id, reason, detail, client_id, issuer, subject, email, \
         member_id, resource, scopes_asked, scopes_granted, decisions, policy_set, assertion, token_id) \
         VALUES (1795348800, 'granted', 'r-{number}'{unknown})"
    );
    connection.batch_execute(&row).unwrap();
}

/// Two transactions, of which the one with the lower id commits last, as long after the other one as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_commits_late_is_not_passed_over() {
    let (cluster, dir) = (Cluster::start(), tempfile::tempdir().unwrap());
    let path = dir.path().join("rows");
    let to = stream("archive", &format!("file://{}", path.display()));
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |config| {
        config.database.writers = 1;
        config.log_stream.push(to);
    })
    .await;
    let running = Running::start(&app);
    record(&app, 0..3).await;
    wait_for_rows(0..3, || ids_in(&path)).await;
    let mut slow = PgConnection::establish(&cluster.url).unwrap();
    slow.batch_execute("BEGIN").unwrap();
    insert(&mut slow, 3);
    record(&app, 4..6).await;
    app.clock.advance(3600);
    wait_for("the lag", async || (count(&app, "behind_seconds").await == 3600).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ids_in(&path), ids(0..3), "r-3 may still come");
    // Those who only read, and those who write elsewhere, are not waited for.
    let mut reader = PgConnection::establish(&cluster.url).unwrap();
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM sign_ins; UPDATE generation SET value = value")
        .unwrap();
    slow.batch_execute("COMMIT").unwrap();
    let mut found = wait_for_rows(0..6, || ids_in(&path)).await;
    // A slow machine may have had to send a batch twice.
    let mut seen = HashSet::new();
    found.retain(|id| seen.insert(id.clone()));
    assert_eq!(found, ids(0..6));
    // An id that never comes leaves a gap.
    insert(&mut reader, 6);
    record(&app, 7..8).await;
    reader.batch_execute("ROLLBACK").unwrap();
    wait_for("the last row", async || ids_in(&path).contains(&"r-7".to_owned()).then_some(())).await;
    running.stop().await;
}
