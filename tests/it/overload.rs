//! More requests at once than can be worked on.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use serde_json::json;

use crate::harness::TestApp;
use crate::process::{Process, real_time};
use crate::subject::futures_all;

/// Requests beyond the bound are refused at once and burn nothing; those within it are answered when the database
/// is free again.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_more_requests_than_places_are_refused_at_once() {
    const REQUESTS: usize = 600;
    const PLACES: usize = 512;
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "");
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    let assertions: Vec<String> = (0..REQUESTS).map(|_| app.assertion(json!({}))).collect();
    let mut other = app.database.connect();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = async |assertion: &String| {
        let answer = process.exchange(assertion).await.unwrap();
        (answer, Instant::now())
    };
    let all = futures_all(assertions.iter().map(refused));
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(1700)).await;
        let unlocked = Instant::now();
        other.batch_execute("ROLLBACK").unwrap();
        unlocked
    };
    let (answers, unlocked) = tokio::join!(all, unlock);
    let granted = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    let turned_away: Vec<_> =
        answers.iter().filter(|(answer, _)| answer.header("retry-after") == "1").collect();
    // Some may have come when the database was free again, and some have waited for it too long.
    assert!((PLACES - 8..REQUESTS - 20).contains(&granted), "{granted} granted");
    assert!(turned_away.len() >= 20 && granted + turned_away.len() >= REQUESTS - 8, "{turned_away:?}");
    for (answer, _) in &turned_away {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.json["error"], "temporarily_unavailable");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert!(turned_away.iter().any(|(_, at)| *at < unlocked), "they waited as the others did");
    let counted = format!("countersign_overload_refusals_total {}", turned_away.len());
    assert!(process.management("/metrics").await.body.contains(&counted));
    assert_eq!(app.written().await.used_assertions as usize, granted + 1);
    // What was turned away is as good as before.
    let index = answers.iter().position(|(answer, _)| answer.status == 503).unwrap();
    assert_eq!(process.exchange(&assertions[index]).await.unwrap().status, 200);
}
