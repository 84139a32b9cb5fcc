//! Servers that keep their connections open and answer nothing: no call waits for ever.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::cluster::Cluster;
use crate::database::TestDatabase;
use crate::harness::TestApp;
use crate::process::{Process, real_time};

async fn start(cluster: &Cluster) -> TestApp {
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |_| {}).await;
    real_time(&app);
    app
}

fn serve(app: &TestApp, url: &str) -> Process {
    Process::serve(app, &format!("COUNTERSIGN_DATABASE_URL='{url}' COUNTERSIGN_DATABASE__TIMEOUT=2s"))
}

fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Presents new assertions until one is granted; tells how long the first answer took.
async fn until_granted(app: &TestApp, process: &Process) -> Duration {
    let (started, mut first) = (Instant::now(), None);
    loop {
        let asked = Instant::now();
        let answer = process.exchange(&app.assertion(json!({}))).await.unwrap();
        let took = *first.get_or_insert(asked.elapsed());
        if answer.status == 200 {
            return took;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(started.elapsed() < Duration::from_secs(60), "no recovery:\n{}", process.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A primary that is frozen, and a standby that takes over: the service goes on with that one, though the frozen one
/// never closes a connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_primary_is_left_for_the_one_that_takes_over() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    let standby = blocking(|| cluster.standby());
    let url = format!(
        "postgres://countersign@127.0.0.1:{},127.0.0.1:{}/countersign?target_session_attrs=read-write",
        cluster.port(),
        standby.port()
    );
    let process = serve(&app, &url);
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    cluster.freeze();
    let asked = Instant::now();
    let refused = process.exchange(&app.assertion(json!({}))).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    // One deadline for what is redeemed and for what is refused then.
    assert!(asked.elapsed() < Duration::from_millis(3500), "{:?}", asked.elapsed());
    blocking(|| standby.promote());
    until_granted(&app, &process).await;
    // A process that starts now does not wait long for the frozen one either.
    let other = serve(&app, &url);
    until_granted(&app, &other).await;
    other.stop();
    process.stop();
    cluster.thaw();
}

/// The same server goes on after it was frozen: nothing that was left waiting is in the way, and no connection stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_that_goes_on_is_used_again() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    let process = serve(&app, &cluster.url);
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    cluster.freeze();
    let frozen = Instant::now();
    while !process.log().contains("the connection is abandoned") {
        let _ = process.exchange(&app.assertion(json!({}))).await;
        assert!(frozen.elapsed() < Duration::from_secs(30), "{}", process.log());
    }
    assert_eq!(process.management("/readyz").await.status, 503);
    cluster.thaw();
    until_granted(&app, &process).await;
    process.stop();
}

/// Commands end as well, and say why.
#[tokio::test(flavor = "multi_thread")]
async fn commands_do_not_wait_for_a_frozen_server() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    cluster.freeze();
    let to = format!("sqlite://{}/copy.db", app.dir.path().display());
    let commands: [&[&str]; 3] = [&["migrate"], &["config", "check"], &["db", "copy", &cluster.url, &to]];
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).env("COUNTERSIGN_DATABASE_URL", &cluster.url).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let started = Instant::now();
    let all = commands.map(run);
    for child in all {
        let out = blocking(|| child.wait_with_output().unwrap());
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("did not answer in time") || said.contains("timeout expired"), "{said}");
    }
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
    cluster.thaw();
}
