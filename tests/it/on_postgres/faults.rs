//! PostgreSQL that goes away, comes back, fills up or becomes another one: clear refusals meanwhile, recovery
//! without a restart, and never two tokens for one assertion. Real processes, a real server each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::cluster::Cluster;
use super::proxy::Proxy;
use crate::database::TestDatabase;
use crate::harness::{Answer, TestApp, Written, written};
use crate::process::{Process, real_time};
use crate::subject::futures_all;

/// How many clients go on at once.
const CLIENTS: usize = 8;

async fn start(cluster: &Cluster) -> TestApp {
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |_| {}).await;
    real_time(&app);
    app
}

fn serve(app: &TestApp, url: &str) -> Process {
    Process::serve(app, &format!("COUNTERSIGN_DATABASE_URL='{url}' COUNTERSIGN_DATABASE__TIMEOUT=2s"))
}

/// The results of one client's exchanges.
#[derive(Default)]
struct Seen {
    granted: usize,
    /// Refused as used, after an answer that was no answer: its token was lost on the way.
    lost: usize,
    unavailable: usize,
    slowest: Duration,
}

/// Exchanges one new assertion after the other until told to end. Each is presented again and again until it
/// is granted or used, and once more then: it must not be granted twice.
async fn client(app: &TestApp, process: &Process, number: usize, end: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut count = 0;
    while !end.load(Ordering::SeqCst) {
        count += 1;
        let person =
            json!({ "sub": format!("{number}-{count}"), "email": format!("p{number}.{count}@acme.com") });
        let assertion = app.assertion(person);
        loop {
            let started = Instant::now();
            let answer = process.exchange(&assertion).await.expect("the process is there all the time");
            seen.slowest = seen.slowest.max(started.elapsed());
            match answer.status {
                200 => seen.granted += 1,
                503 => {
                    assert_unavailable(&answer);
                    seen.unavailable += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                _ => {
                    assert_eq!(answer.json["error"], "invalid_grant", "{answer:?}");
                    seen.lost += 1;
                }
            }
            break;
        }
    }
    seen
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.json["error"], "temporarily_unavailable", "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
}

/// Runs clients while something happens, and some time before and after it.
async fn meanwhile(app: &TestApp, process: &Process, happens: impl Future<Output = ()>) -> Seen {
    let end = AtomicBool::new(false);
    let clients = futures_all((0..CLIENTS).map(|number| client(app, process, number, &end)));
    let script = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        happens.await;
        let back = Instant::now();
        let probe = json!({ "sub": "probe", "email": "probe@acme.com" });
        while process.exchange(&app.assertion(probe.clone())).await.is_none_or(|a| a.status != 200) {
            assert!(back.elapsed() < Duration::from_secs(20), "no recovery:\n{}", process.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        end.store(true, Ordering::SeqCst);
    };
    let (all, ()) = tokio::join!(clients, script);
    let mut sum = Seen::default();
    for seen in all {
        sum.granted += seen.granted;
        sum.lost += seen.lost;
        sum.unavailable += seen.unavailable;
        sum.slowest = sum.slowest.max(seen.slowest);
    }
    sum
}

/// Everybody with a token is a member, and as many assertions are used as tokens were given or lost.
fn check(seen: &Seen, written: Written) {
    assert!(seen.granted > CLIENTS, "{} granted", seen.granted);
    assert!(seen.unavailable > 0, "nobody was refused: nothing happened");
    // The probe is a member too, and was granted at least once.
    assert_eq!(written.members as usize, seen.granted + seen.lost + 1);
    assert!(written.used_assertions as usize > seen.granted + seen.lost);
    // At most the requests under way when it happened.
    assert!(seen.lost <= CLIENTS, "{} lost", seen.lost);
    assert!(seen.slowest < Duration::from_secs(8), "one waited {:?}", seen.slowest);
}

fn blocking(work: impl FnOnce()) {
    tokio::task::block_in_place(work);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_and_started() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    let process = serve(&app, &cluster.url);
    let seen = meanwhile(&app, &process, async {
        blocking(|| cluster.stop());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let ready = process.management("/readyz").await;
        assert_eq!(ready.status, 503, "{ready:?}");
        assert_eq!(process.management("/healthz").await.status, 200);
        blocking(|| cluster.resume(""));
    })
    .await;
    check(&seen, written(&mut app.database.connect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes() {
    let cluster = Cluster::start_with("", "");
    let app = start(&cluster).await;
    let process = serve(&app, &cluster.url);
    let seen = meanwhile(&app, &process, async {
        blocking(|| cluster.crash());
        // One that is back at once is hardly noticed: what had not begun is begun again.
        tokio::time::sleep(Duration::from_secs(1)).await;
        blocking(|| cluster.resume(""));
    })
    .await;
    check(&seen, written(&mut app.database.connect()));
}

/// A standby takes over. With synchronous replication it knows every assertion that was used.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_over() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    let standby = blocking_value(|| cluster.standby());
    let both = format!(
        "postgres://countersign@127.0.0.1:{},127.0.0.1:{}/countersign?target_session_attrs=read-write",
        cluster.port(),
        standby.port()
    );
    let process = serve(&app, &both);
    let early = app.assertion(json!({ "sub": "early", "email": "early@acme.com" }));
    assert_eq!(process.exchange(&early).await.unwrap().status, 200);
    let seen = meanwhile(&app, &process, async {
        blocking(|| cluster.crash());
        tokio::time::sleep(Duration::from_secs(1)).await;
        blocking(|| standby.promote());
    })
    .await;
    let again = process.exchange(&early).await.unwrap();
    assert_eq!((again.status, &again.json["error"]), (400, &json!("invalid_grant")), "{again:?}");
    let mut connection = TestDatabase::whole(&standby.url).connect();
    let mut written = written(&mut connection);
    written.members -= 1;
    written.used_assertions -= 1;
    check(&seen, written);
}

/// A limit on the size of files stands in for a full disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    use diesel::connection::SimpleConnection as _;
    let cluster = Cluster::start_with("ulimit -f 49152;", "--no-fsync");
    let app = start(&cluster).await;
    let process = serve(&app, &cluster.url);
    let seen = meanwhile(&app, &process, async {
        let mut connection = app.database.connect();
        // Up to the limit of 24 MiB, with rows that are easily told apart.
        let fill = "INSERT INTO sign_ins SELECT 1000000 + i, 0, NULL, '', '', repeat('x', 1000), 'filler', '', '', \
            '', '', '', '', '', '', '', '', '', '', '' FROM generate_series(1, 500) AS i";
        for round in 0.. {
            let fill = fill.replace("1000000", &format!("{}", 1_000_000 * (round + 1)));
            if let Err(error) = connection.batch_execute(&fill) {
                assert!(error.to_string().contains("could not"), "{error}");
                break;
            }
            assert!(round < 100, "the disk does not fill up");
        }
        let full = Instant::now();
        while !process.log().contains("File too large") {
            assert!(full.elapsed() < Duration::from_secs(30), "nobody noticed: {}", process.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        blocking(|| {
            cluster.stop();
            cluster.resume("");
        });
    })
    .await;
    check(&seen, written(&mut app.database.connect()));
}

/// Nothing comes through for half a minute, and nobody is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut() {
    let cluster = Cluster::start();
    let app = start(&cluster).await;
    let proxy = Proxy::to(cluster.port());
    let process = serve(&app, &format!("postgres://countersign@127.0.0.1:{}/countersign", proxy.port));
    let seen = meanwhile(&app, &process, async {
        proxy.cut();
        tokio::time::sleep(Duration::from_secs(30)).await;
        proxy.mend();
    })
    .await;
    check(&seen, written(&mut app.database.connect()));
    // Once it is known that the database does not answer, nobody waits long for nothing.
    assert!(seen.unavailable > 100, "{} refusals in half a minute", seen.unavailable);
}

fn blocking_value<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
