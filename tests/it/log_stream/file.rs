//! JSON lines.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use countersign::config::LogStream;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Running, app_with, count, ids, ids_in, record, stream, wait_for, wait_for_position, wait_for_rows,
};
use crate::harness::{START, TestApp};
use crate::reload::{operator, private};

struct Archive {
    dir: TempDir,
    path: PathBuf,
}

impl Archive {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sign-ins.jsonl");
        Self { dir, path }
    }

    fn stream(&self) -> LogStream {
        stream("archive", &format!("file://{}", self.path.display()))
    }

    async fn app(&self) -> TestApp {
        app_with(self.stream()).await
    }

    /// Waits until the file has these rows.
    async fn wait_for(&self, numbers: std::ops::Range<usize>) -> Vec<String> {
        wait_for_rows(numbers, || ids_in(&self.path)).await
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A real sign-in and its refusal, as the admin API tells them, but for the email.
#[tokio::test]
async fn a_line_is_what_the_admin_api_tells_without_the_email() {
    let archive = Archive::new();
    let app = archive.app().await;
    app.granted(json!({})).await;
    app.refused(json!({ "aud": "https://else.example.com" }), "invalid_grant", "aud_mismatch").await;
    let running = Running::start(&app);
    wait_for("the rows", async || (ids_in(&archive.path).len() == 2).then_some(())).await;
    running.stop().await;
    let mut told = operator(&app, "/sign-ins").await.json["items"].as_array().unwrap().clone();
    told.reverse();
    for row in &mut told {
        assert_eq!(row.as_object_mut().unwrap().remove("email").unwrap(), "dana@acme.com");
    }
    assert_eq!(archive.records(), told);
    assert!(told[0].get("facts").is_none() && told[0]["teamspace"] == "acme");
    assert_eq!(std::fs::metadata(&archive.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((count(&app, "sent_total").await, count(&app, "failed_total").await), (2, 0));
}

#[tokio::test]
async fn email_and_facts_are_sent_where_they_are_asked_for() {
    let archive = Archive::new();
    let app = app_with(LogStream { email: true, facts: true, ..archive.stream() }).await;
    app.granted(json!({})).await;
    let running = Running::start(&app);
    wait_for("the row", async || (!ids_in(&archive.path).is_empty()).then_some(())).await;
    running.stop().await;
    let facts: Value = serde_json::from_str(&app.last_sign_in().await.facts).unwrap();
    let line = archive.records().remove(0);
    assert!(facts.is_object());
    assert_eq!((&line["email"], &line["facts"]), (&json!("dana@acme.com"), &facts));
}

/// A stream goes on where it was, and does not repeat what it knows to be sent.
#[tokio::test]
async fn a_restart_goes_on() {
    let archive = Archive::new();
    let app = archive.app().await;
    record(&app, 0..1200).await;
    let running = Running::start(&app);
    archive.wait_for(0..1200).await;
    running.stop().await;
    record(&app, 1200..1300).await;
    let running = Running::start(&app);
    record(&app, 1300..1310).await;
    assert_eq!(archive.wait_for(0..1310).await, ids(0..1310), "in order, and each once");
    running.stop().await;
}

/// The file is renamed under the stream, as logrotate does.
#[tokio::test]
async fn a_rotated_file_is_followed_by_a_new_one() {
    let archive = Archive::new();
    let app = archive.app().await;
    let running = Running::start(&app);
    record(&app, 0..3).await;
    archive.wait_for(0..3).await;
    let rotated = archive.dir.path().join("sign-ins.jsonl.1");
    std::fs::rename(&archive.path, &rotated).unwrap();
    record(&app, 3..5).await;
    archive.wait_for(3..5).await;
    running.stop().await;
    assert_eq!((ids_in(&rotated), ids_in(&archive.path)), (ids(0..3), ids(3..5)));
}

#[tokio::test]
async fn a_line_that_was_torn_does_not_spoil_the_next_one() {
    let archive = Archive::new();
    std::fs::write(&archive.path, "{\"id\":1}\n{\"id\":2,\"ti").unwrap();
    let app = archive.app().await;
    let running = Running::start(&app);
    record(&app, 0..2).await;
    wait_for("the rows", async || {
        let text = std::fs::read_to_string(&archive.path).unwrap();
        (text.lines().count() == 4).then_some(text)
    })
    .await;
    running.stop().await;
    let text = std::fs::read_to_string(&archive.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["{\"id\":1}", "{\"id\":2,\"ti"]);
    let whole: Vec<Value> = lines[2..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&whole[0]["request_id"], &whole[1]["request_id"]), (&json!("r-0"), &json!("r-1")));
}

/// No directory yet, then a pipe in the file's place: nothing is lost, and sign-ins go on.
#[tokio::test]
async fn a_file_that_cannot_be_written_is_waited_for() {
    let mut archive = Archive::new();
    let directory = archive.dir.path().join("later");
    archive.path = directory.join("sign-ins.jsonl");
    let app = archive.app().await;
    record(&app, 0..3).await;
    app.clock.advance(7);
    let running = Running::start(&app);
    wait_for("the failure", async || (count(&app, "failed_total").await > 0).then_some(())).await;
    assert_eq!(count(&app, "behind_seconds").await, 7);
    assert_eq!(private(&app, "/readyz").await.status, 200);
    app.granted(json!({ "iat": START })).await;
    std::fs::create_dir(&directory).unwrap();
    wait_for("the rows", async || (ids_in(&archive.path).len() == 4).then_some(())).await;
    wait_for("the count", async || (count(&app, "behind_seconds").await == 0).then_some(())).await;
    std::fs::remove_file(&archive.path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&archive.path).status().unwrap();
    assert!(made.success());
    let failed = count(&app, "failed_total").await;
    record(&app, 0..2).await;
    wait_for("the failure", async || (count(&app, "failed_total").await > failed).then_some(())).await;
    std::fs::remove_file(&archive.path).unwrap();
    assert_eq!(archive.wait_for(0..2).await, ids(0..2));
    running.stop().await;
}

/// A stream that another process holds is left to it, until the lease is given back or runs out.
#[tokio::test]
async fn one_process_sends_at_a_time() {
    let archive = Archive::new();
    let app = archive.app().await;
    let (first, mut second) = (Running::start(&app), Running::start(&app));
    record(&app, 0..600).await;
    archive.wait_for(0..600).await;
    wait_for_position(&app).await;
    // Gone without a word, whichever it was that sent: the lease runs out.
    second.tasks.abort_all();
    record(&app, 600..610).await;
    app.clock.advance(20);
    assert_eq!(archive.wait_for(0..610).await, ids(0..610));
    first.stop().await;
    let third = Running::start(&app);
    record(&app, 610..612).await;
    assert_eq!(archive.wait_for(0..612).await, ids(0..612), "a lease that is given back is not waited for");
    third.stop().await;
}
