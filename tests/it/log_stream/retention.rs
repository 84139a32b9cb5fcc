//! Rows wait for a stream that is behind, and not for ever.

use countersign::store::StoreError;
use countersign::store::log_streams::{self, Lease};

use super::{app_with, record, stream};
use crate::harness::{START, TestApp};

const DAY: i64 = 24 * 3600;

async fn rows_left(app: &TestApp) -> i64 {
    app.app.prune().await.unwrap();
    app.written().await.sign_ins
}

/// Notes that rows up to an id were sent.
async fn sent(app: &TestApp, from: i64, to: i64) {
    let lease = Lease { holder: "me".to_owned(), now: START, until: START };
    let advance = move |c: &mut _| {
        assert!(log_streams::claim(c, "archive", &lease)?);
        log_streams::advance(c, "archive", (from, to), &lease)
    };
    assert!(app.app.store.write(advance).await.unwrap());
}

#[tokio::test]
async fn without_a_stream_rows_go_when_they_are_old() {
    let app = TestApp::start().await;
    record(&app, 0..600).await;
    app.clock.advance(90 * DAY);
    assert_eq!(rows_left(&app).await, 600);
    app.clock.advance(1);
    assert_eq!(rows_left(&app).await, 0);
}

#[tokio::test]
async fn rows_wait_for_a_stream_that_is_behind_up_to_a_bound() {
    let app = app_with(stream("archive", "syslog+tcp://127.0.0.1:1")).await;
    record(&app, 0..600).await;
    app.clock.advance(90 * DAY + 1);
    assert_eq!(rows_left(&app).await, 600, "none was sent");
    app.clock.advance(7 * DAY - 1);
    assert_eq!(rows_left(&app).await, 600);
    app.clock.advance(1);
    assert_eq!(rows_left(&app).await, 0, "a receiver that is gone for good must not fill the disk");
}

#[tokio::test]
async fn what_was_sent_goes_when_it_is_old() {
    let app = app_with(stream("archive", "syslog+tcp://127.0.0.1:1")).await;
    record(&app, 0..600).await;
    // Requests that began one after another; the margin covers those that ended in another order.
    app.clock.advance(301);
    record(&app, 600..700).await;
    sent(&app, 0, 600).await;
    app.clock.advance(90 * DAY + 1);
    assert_eq!(rows_left(&app).await, 100);
    sent(&app, 600, 700).await;
    assert_eq!(rows_left(&app).await, 0);
}

/// The slowest of several streams counts.
#[tokio::test]
async fn each_stream_is_waited_for() {
    let to = "syslog+tcp://127.0.0.1:1";
    let app = TestApp::start_with(|config| {
        config.log_stream = vec![stream("other", to), stream("archive", to)];
    })
    .await;
    record(&app, 0..5).await;
    sent(&app, 0, 5).await;
    app.clock.advance(90 * DAY + 1);
    assert_eq!(rows_left(&app).await, 5);
    app.clock.advance(7 * DAY);
    assert_eq!(rows_left(&app).await, 0);
}

/// A position is moved only by whoever knows it.
#[tokio::test]
async fn of_two_that_sent_the_same_rows_one_moves_the_position() {
    let app = TestApp::start().await;
    let lease = |holder: &str, now| Lease { holder: holder.to_owned(), now, until: now + 20 };
    let steps = move |c: &mut _| {
        let (one, two) = (lease("one", START), lease("two", START));
        assert!(log_streams::claim(c, "archive", &one)?);
        assert!(log_streams::claim(c, "archive", &one)?, "renewed");
        assert!(!log_streams::claim(c, "archive", &two)?);
        assert!(log_streams::claim(c, "archive", &lease("two", START + 20))?, "it ran out");
        assert!(log_streams::advance(c, "archive", (0, 5), &one)?);
        assert!(!log_streams::advance(c, "archive", (0, 3), &two)?);
        let unsent = log_streams::unsent(c, "archive", 0, 10)?;
        assert_eq!((unsent.position.last_id, unsent.position.holder.as_str()), (5, "one"));
        log_streams::release(c, "archive", "two")?;
        assert!(!log_streams::claim(c, "archive", &two)?, "it is not two's to give back");
        log_streams::release(c, "archive", "one")?;
        assert!(log_streams::claim(c, "archive", &two)?);
        Ok::<_, StoreError>(())
    };
    app.app.store.write(steps).await.unwrap();
}
