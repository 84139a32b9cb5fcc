//! The console while its PostgreSQL server is away.

use super::cluster::Cluster;
use crate::console::bad_input::{TYPED, assert_kept};
use crate::console::browser::Browser;
use crate::database::TestDatabase;
use crate::harness::TestApp;
use crate::process::until;

/// Pages say so with the request's id, and a form is kept, to be sent again once the server is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_a_page_and_loses_no_form() {
    let cluster = Cluster::start();
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |_| {}).await;
    let operator = Browser::operator(&app).await;
    cluster.crash();
    let answer = operator.get("/teamspaces").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains("Temporarily unavailable"), "{}", answer.body);
    assert!(answer.body.contains(answer.header("x-request-id")), "{}", answer.body);
    assert_kept(&operator.post("/teamspaces", &TYPED).await);
    cluster.resume("");
    until("the form is taken", async || operator.post("/teamspaces", &TYPED).await.status == 303).await;
    assert!(app.app.snapshot().teamspace_config("globex").is_some());
}
