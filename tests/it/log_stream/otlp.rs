//! An OpenTelemetry collector.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign::config::{LogStream, Secret};
use serde_json::{Value, json};

use super::{Running, app_with, count, ids, record, stream, wait_for};
use crate::harness::TestApp;

/// Answers as it is told, then with success; keeps what it has taken.
#[derive(Clone, Default)]
pub struct Collector {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    requests: Arc<Mutex<Vec<(Instant, HeaderMap, Value)>>>,
}

async fn take(State(this): State<Collector>, headers: HeaderMap, body: String) -> Response {
    let body = serde_json::from_str(&body).unwrap();
    this.requests.lock().unwrap().push((Instant::now(), headers, body));
    let (status, text) = this.answers.lock().unwrap().pop_front().unwrap_or((200, "{}"));
    let status = StatusCode::from_u16(status).unwrap();
    match status.is_redirection() {
        true => (status, [("location", "/elsewhere")]).into_response(),
        false => (status, [("retry-after", "2")], text).into_response(),
    }
}

impl Collector {
    /// Starts one and tells its destination.
    pub async fn start(answers: &[(u16, &'static str)]) -> (Self, String) {
        let this =
            Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("otlp+http://{}/v1/logs", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/logs", axum::routing::post(take)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (this, to)
    }

    fn requests(&self) -> Vec<(Instant, HeaderMap, Value)> {
        self.requests.lock().unwrap().clone()
    }

    pub async fn wait_for_requests(&self, number: usize) -> Vec<(Instant, HeaderMap, Value)> {
        let what = format!("{number} requests");
        wait_for(&what, async || Some(self.requests()).filter(|found| found.len() >= number)).await
    }
}

fn records(body: &Value) -> &Vec<Value> {
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap()
}

/// The uids by which a receiver drops repeats.
fn uids<'a>(body: &'a Value) -> Vec<&'a str> {
    let uid = |record: &'a Value| {
        let attribute = &record["attributes"][0];
        assert_eq!(attribute["key"], "log.record.uid");
        attribute["value"]["stringValue"].as_str().unwrap()
    };
    records(body).iter().map(uid).collect()
}

/// A value in OTLP's encoding, back as plain JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().unwrap().iter().next() else { return Value::Null };
    let values = || value["values"].as_array().unwrap().iter();
    match kind.as_str() {
        "intValue" => json!(value.as_str().unwrap().parse::<i64>().unwrap()),
        "arrayValue" => values().map(plain).collect(),
        "kvlistValue" => Value::Object(
            values().map(|pair| (pair["key"].as_str().unwrap().to_owned(), plain(&pair["value"]))).collect(),
        ),
        "stringValue" | "boolValue" | "doubleValue" => value.clone(),
        other => panic!("{other}"),
    }
}

async fn app_to(to: &str) -> TestApp {
    let with_headers = LogStream {
        headers: [("X-Api-Key".to_owned(), Secret::from("key-0123456789".to_owned()))].into(),
        email: true,
        facts: true,
        ..stream("archive", to)
    };
    app_with(with_headers).await
}

#[tokio::test]
async fn rows_are_log_records() {
    let (collector, to) = Collector::start(&[]).await;
    let app = app_to(&to).await;
    record(&app, 0..700).await;
    let running = Running::start(&app);
    let requests = collector.wait_for_requests(2).await;
    running.stop().await;
    let (_, headers, first) = &requests[0];
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-api-key"], "key-0123456789");
    assert_eq!((records(first).len(), records(&requests[1].2).len()), (500, 200));
    assert_eq!([uids(first), uids(&requests[1].2)].concat(), ids(0..700));
    let resource = &first["resourceLogs"][0]["resource"]["attributes"];
    assert_eq!(resource[0], json!({ "key": "service.name", "value": { "stringValue": "countersign" } }));
    let (granted, refused) = (&records(first)[0], &records(first)[1]);
    assert_eq!(granted["timeUnixNano"], "1795348800000000000");
    assert_eq!((&granted["severityNumber"], &refused["severityNumber"]), (&json!(9), &json!(10)));
    let body = plain(&granted["body"]);
    assert_eq!((&body["id"], &body["request_id"], &body["reason"]), (&json!(1), &json!("r-0"), &Value::Null));
    assert_eq!(body["decisions"], json!([{ "action": "TrustIssuer", "policies": ["a"] }]));
    let claims = json!({ "email": "dana@acme.com", "number": 7, "score": 0.5, "ok": true });
    assert_eq!(body["facts"]["claims"], claims);
}

/// A collector that is busy is asked again when it says; one that refuses for good, and one that redirects, later on.
#[tokio::test]
async fn nothing_is_lost_while_the_collector_refuses() {
    let (collector, to) = Collector::start(&[(503, ""), (401, ""), (307, ""), (413, "")]).await;
    let app = app_to(&to).await;
    record(&app, 0..3).await;
    let running = Running::start(&app);
    let requests = collector.wait_for_requests(5).await;
    wait_for("the count", async || (count(&app, "sent_total").await == 3).then_some(())).await;
    running.stop().await;
    assert_eq!(count(&app, "failed_total").await, 4);
    let waited = requests[1].0 - requests[0].0;
    assert!(waited >= Duration::from_secs(2), "Retry-After: {waited:?}");
    for (_, _, body) in &requests {
        assert_eq!(uids(body), ids(0..3));
    }
    assert_eq!(requests.len(), 5, "and not again");
}

/// Too many at once for the receiver: with each failure it is half as many.
#[tokio::test]
async fn batches_shrink_when_they_fail() {
    let (collector, to) = Collector::start(&[(413, ""), (413, "")]).await;
    let app = app_to(&to).await;
    record(&app, 0..500).await;
    let running = Running::start(&app);
    let requests = collector.wait_for_requests(4).await;
    running.stop().await;
    let sizes: Vec<usize> = requests.iter().map(|(_, _, body)| records(body).len()).collect();
    assert_eq!(sizes, [500, 250, 125, 375]);
}

/// Rows that the collector has rejected for good are not sent again, and neither are the others.
#[tokio::test]
async fn a_partial_success_is_a_success() {
    let partial = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}"#;
    let (collector, to) = Collector::start(&[(200, partial), (200, "not JSON")]).await;
    let app = app_to(&to).await;
    record(&app, 0..3).await;
    let running = Running::start(&app);
    collector.wait_for_requests(1).await;
    record(&app, 3..4).await;
    let requests = collector.wait_for_requests(2).await;
    record(&app, 4..5).await;
    collector.wait_for_requests(3).await;
    running.stop().await;
    assert_eq!((uids(&requests[0].2), uids(&requests[1].2)), (vec!["r-0", "r-1", "r-2"], vec!["r-3"]));
    assert_eq!(count(&app, "failed_total").await, 0);
}
