//! More requests at once than can be worked on.

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use serde_json::json;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::explain::admin;
use crate::harness::{Answer, TestApp, http};
use crate::process::{Process, real_time};
use crate::subject::futures_all;

/// An administrator asks a process.
async fn administer(process: &Process, token: &str) -> Answer {
    let url = process.url.replace("/oauth2/token", "/api/v1/teamspaces");
    Answer::of(http().get(url).bearer_auth(token).send().await.unwrap()).await
}

/// Requests beyond the bound are refused at once and burn nothing; those within it are answered when the database
/// is free again.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_more_requests_than_places_are_refused_at_once() {
    let places = 256 * std::thread::available_parallelism().unwrap().get();
    let requests = places + 88;
    let app = TestApp::start().await;
    real_time(&app);
    let token = admin(&app, None).await;
    let process = Process::serve(&app, "");
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    let assertions: Vec<String> = (0..requests).map(|_| app.assertion(json!({}))).collect();
    let mut other = app.database.connect();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = async |assertion: &String| {
        let answer = process.exchange(assertion).await.unwrap();
        (answer, Instant::now())
    };
    let all = futures_all(assertions.iter().map(refused));
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let full = process.management("/metrics").await.body;
        assert!(!full.contains("countersign_overload_refusals_total 0"), "the places are not taken yet");
        assert_eq!(administer(&process, &token).await.status, 200, "administrators have their own places");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let unlocked = Instant::now();
        other.batch_execute("ROLLBACK").unwrap();
        unlocked
    };
    let (answers, unlocked) = tokio::join!(all, unlock);
    let granted = answers.iter().filter(|(answer, _)| answer.status == 200).count();
    let turned_away: Vec<_> =
        answers.iter().filter(|(answer, _)| answer.header("retry-after") == "1").collect();
    // Some may have come when the database was free again, and some have waited for it too long.
    assert!((places - 8..requests - 20).contains(&granted), "{granted} granted");
    assert!(turned_away.len() >= 20 && granted + turned_away.len() >= requests - 8, "{turned_away:?}");
    for (answer, _) in &turned_away {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.json["error"], "temporarily_unavailable");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert!(turned_away.iter().any(|(_, at)| *at < unlocked), "they waited as the others did");
    let counted = format!("countersign_overload_refusals_total {}", turned_away.len());
    assert!(process.management("/metrics").await.body.contains(&counted));
    assert_eq!(app.written().await.used_assertions as usize, granted + 1);
    // An assertion that was turned away is as good as before.
    let index = answers.iter().position(|(answer, _)| answer.status == 503).unwrap();
    assert_eq!(process.exchange(&assertions[index]).await.unwrap().status, 200);
}

/// A process on one core, which others use as well, is asked for far more than it can do. Every answer is a token or a
/// 503 that says when to come back; whoever does gets in, and every assertion was used once.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_back_gets_in() {
    const REQUESTS: usize = 700;
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(&app, "taskset -pc 0 $$ >&2; renice -n 12 $$ >&2;");
    // The issuer's keys are known then: of those who wait for them, few may.
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    let mut waiting: Vec<String> = (0..REQUESTS).map(|_| app.assertion(json!({}))).collect();
    let mut turned_away = 0;
    for _ in 0..60 {
        let answers = futures_all(waiting.iter().map(|assertion| process.exchange(assertion))).await;
        let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.expect("an answer")).collect();
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            let told = (answer.status, answer.header("retry-after"), answer.json["error"].as_str());
            assert_eq!(told, (503, "1", Some("temporarily_unavailable")), "{answer:?}");
        }
        let refused = answers.iter().map(|answer| answer.status == 503);
        waiting = waiting.into_iter().zip(refused).filter(|(_, refused)| *refused).map(|(a, _)| a).collect();
        turned_away += waiting.len();
        if waiting.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(waiting.is_empty(), "{} still wait", waiting.len());
    assert!(turned_away > 0, "it was not too much");
    let written = app.written().await;
    assert_eq!((written.used_assertions as usize, written.sign_ins as usize), (REQUESTS + 1, REQUESTS + 1));
    let counted = format!("countersign_overload_refusals_total {turned_away}");
    assert!(process.management("/metrics").await.body.contains(&counted));
}

/// Whoever sends a body slowly holds no place, and is told so after ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_keep_nobody_out() {
    const SLOW: usize = 600;
    let app = TestApp::start().await;
    real_time(&app);
    let token = admin(&app, None).await;
    let process = Process::serve(&app, "");
    let address = process.url.trim_start_matches("http://").trim_end_matches("/oauth2/token");
    let form = "Content-Type: application/x-www-form-urlencoded";
    let mut slow = Vec::with_capacity(SLOW);
    let began = Instant::now();
    for index in 0..SLOW {
        let path = if index % 2 == 0 { "/oauth2/token" } else { "/api/v1/teamspaces" };
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{form}\r\nContent-Length: 9\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{head}x").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(process.get("/oauth2/jwks").await.status, 200);
    assert_eq!(process.get("/.well-known/oauth-authorization-server").await.status, 200);
    assert_eq!(process.exchange(&app.assertion(json!({}))).await.unwrap().status, 200);
    assert_eq!(administer(&process, &token).await.status, 200);
    assert!(began.elapsed() < Duration::from_secs(9), "they were dropped already");
    for stream in slow.iter_mut().take(2) {
        let mut answer = [0; 1024];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer[..read.unwrap().unwrap()]).to_lowercase();
        assert!(answer.starts_with("http/1.1 408 "), "{answer}");
        assert!(
            answer.contains("x-request-id") && answer.contains(r#""error":"invalid_request""#),
            "{answer}"
        );
    }
    assert!(process.management("/metrics").await.body.contains("countersign_overload_refusals_total 0"));
}

/// Whoever has no good token, or one teamspace's, keeps no operator out, and nobody keeps the documents from others.
#[tokio::test]
async fn nobody_takes_the_places_of_others() {
    let app = TestApp::start().await;
    let (operator, of_teamspace) = (admin(&app, None).await, admin(&app, Some("id-of-acme")).await);
    let ask = async |token: &str| {
        let request = app.http.get(format!("{}/api/v1/teamspaces/acme", app.issuer())).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    let take_all = |token: &str| {
        let request = axum::http::Request::get("/api/v1/teamspaces").header("authorization", token);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let places: Vec<_> = std::iter::from_fn(|| app.app.gate.enter(&request).ok()).take(1000).collect();
        assert!(places.len() < 1000, "there is a bound");
        places
    };
    // From then on it is known whose they are.
    assert_eq!((ask(&operator).await, ask(&of_teamspace).await, ask("wrong").await), (200, 200, 401));
    let strangers = take_all("Bearer wrong");
    assert_eq!((ask(&operator).await, ask(&of_teamspace).await, ask("wrong").await), (200, 200, 503));
    let teamspaces = take_all(&format!("Bearer {of_teamspace}"));
    assert_eq!((ask(&operator).await, ask(&of_teamspace).await), (200, 503));
    let operators = take_all(&format!("bearer  {operator}"));
    assert_eq!(ask(&operator).await, 503);
    for path in [
        "/oauth2/jwks",
        "/.well-known/oauth-authorization-server",
        "/resources/none/protected-resource-metadata",
        "/oauth2/authorize",
    ] {
        assert_ne!(app.get(path).await.status, 503, "{path}");
    }
    app.granted(json!({})).await;
    drop((strangers, teamspaces, operators));
    assert_eq!((ask(&operator).await, ask("wrong").await), (200, 401));
}
