//! Examples that follow the list of revocations: how soon a token is refused that is over, and what happens while nobody
//! knows. They follow a real process, which stops and comes back.

use std::time::{Duration, Instant};

use countersign::clock::{Clock as _, SystemClock};
use countersign::model::revocation::{Revocation, RevocationCause, RevocationKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Example, ExampleServer, url_at};
use crate::admin::effect::{change, with_operator};
use crate::harness::{Answer, CLIENT, TestApp, http, resource};
use crate::introspection::{SERVER_SECRET, put_credentials};
use crate::process::{Process, free_port, real_time, until};
use crate::subject::futures_all;

const CAUSE: RevocationCause = RevocationCause::KillSwitch;
/// How long the examples go on without an answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// The examples beside a service whose tokens they take.
struct Stage {
    app: TestApp,
    servers: Vec<ExampleServer>,
}

/// A token of one person for each example.
struct Tokens {
    tokens: Vec<String>,
    claims: Vec<Value>,
}

/// The id of the credentials of an example.
fn credential_of(example: Example) -> String {
    format!("resource-{example:?}")
}

async fn start_following(example: Example, port: u16, issuer: &str) -> ExampleServer {
    let (id, patience) = (credential_of(example), PATIENCE.as_secs().to_string());
    let variables = [
        ("RESOURCE_CREDENTIAL_ID", id.as_str()),
        ("RESOURCE_CREDENTIAL_SECRET", SERVER_SECRET),
        ("MAX_STALENESS", &patience),
    ];
    ExampleServer::start_at(port, example, issuer, &variables).await
}

impl Tokens {
    async fn of(app: &TestApp, person: &str, urls: &[String]) -> Self {
        real_time(app);
        let (mut tokens, mut claims) = (Vec::new(), Vec::new());
        for url in urls {
            let email = format!("{person}@acme.com");
            let answer = app.granted(json!({ "sub": person, "email": email, "resource": url })).await;
            tokens.push(answer.access_token().to_owned());
            claims.push(answer.claims());
        }
        Self { tokens, claims }
    }

    fn member_path(&self) -> String {
        format!("/teamspaces/acme/members/{}", self.claims[0]["sub"].as_str().unwrap())
    }

    /// The times of the first and of the last of them.
    fn issued(&self) -> (i64, i64) {
        let times = self.claims.iter().map(|claims| claims["iat"].as_i64().unwrap());
        (times.clone().min().unwrap(), times.max().unwrap())
    }

    /// What ends each of them by itself.
    fn revocations(&self) -> Vec<Revocation> {
        let of = |claims: &Value| {
            let token = (claims["jti"].as_str().unwrap(), claims["iat"].as_i64().unwrap());
            Revocation::of_token(token, "id-of-acme", None, CAUSE, SystemClock.now())
        };
        self.claims.iter().map(of).collect()
    }
}

async fn suspend(app: &TestApp, tokens: &Tokens) {
    change(app, Method::PATCH, &tokens.member_path(), json!({ "status": "suspended" })).await;
}

fn is_unavailable(answer: &Answer) -> bool {
    answer.status >= 500 && answer.header("www-authenticate").is_empty()
}

impl Stage {
    fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.url.clone()).collect()
    }

    async fn tokens_of(&self, person: &str) -> Tokens {
        Tokens::of(&self.app, person, &self.urls()).await
    }

    /// What each example answers as soon as it knows. A slow machine may keep it from knowing for a moment.
    async fn answers(&self, tokens: &Tokens) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (server, token) in self.servers.iter().zip(&tokens.tokens) {
            let patience = Instant::now() + Duration::from_secs(60);
            let mut answer = server.call(Some(token)).await;
            while is_unavailable(&answer) {
                assert!(Instant::now() < patience, "it never knows: {answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                answer = server.call(Some(token)).await;
            }
            answers.push(answer);
        }
        answers
    }

    async fn assert_taken(&self, tokens: &Tokens) {
        for answer in self.answers(tokens).await {
            assert!(answer.status == 200 && answer.body.contains("acme"), "{answer:?}");
        }
    }

    async fn assert_over(&self, tokens: &Tokens) {
        for answer in self.answers(tokens).await {
            let challenge = answer.header("www-authenticate");
            assert!(answer.status == 401 && challenge.contains("error=\"invalid_token\""), "{answer:?}");
        }
    }

    async fn assert_unavailable(&self, tokens: &Tokens) {
        for (server, token) in self.servers.iter().zip(&tokens.tokens) {
            let answer = server.call(Some(token)).await;
            assert!(is_unavailable(&answer), "{answer:?}");
        }
    }

    /// Waits until all refuse a token, and says when each did.
    async fn refused_after(&self, tokens: &Tokens, started: Instant) -> Vec<Duration> {
        let refused = self.servers.iter().zip(&tokens.tokens).map(|(server, token)| async move {
            while server.call(Some(token)).await.status != 401 {
                assert!(started.elapsed() < Duration::from_secs(60), "{} takes it still", server.url);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            started.elapsed()
        });
        futures_all(refused).await
    }

    /// Writes revocations as another process would.
    async fn revoke(&self, revocations: Vec<Revocation>) {
        self.app.app.revoke(revocations).await.unwrap();
    }
}

/// Nothing passes without the list, and nothing that is over passes while only its first portion is known.
async fn they_start_closed_until_the_end_of_the_list() -> (Stage, Process) {
    let issuer = format!("http://127.0.0.1:{}", free_port());
    let app = with_operator(TestApp::start_with(|config| config.issuer = issuer.clone()).await).await;
    real_time(&app);
    let ports = Example::ALL.map(|_| free_port());
    let urls = ports.map(url_at);
    for url in &urls {
        app.put_resource(resource(url, &["docs.read"])).await;
    }
    let process = Process::serve_issuer(&app);
    let others = (0..2100).map(|i| Revocation::of_client(&format!("c{i}"), CAUSE, SystemClock.now()));
    app.app.revoke(others.collect()).await.unwrap();
    let (eve, dana) = (Tokens::of(&app, "eve", &urls).await, Tokens::of(&app, "dana", &urls).await);
    suspend(&app, &eve).await;
    let starting = Example::ALL.into_iter().zip(ports);
    let servers = futures_all(starting.map(|(example, port)| start_following(example, port, &issuer))).await;
    let stage = Stage { app, servers };
    stage.assert_unavailable(&eve).await;
    stage.assert_unavailable(&dana).await;
    for (example, url) in Example::ALL.into_iter().zip(&urls) {
        put_credentials(&stage.app, url, &credential_of(example)).await;
    }
    stage.assert_over(&eve).await;
    stage.assert_taken(&dana).await;
    (stage, process)
}

/// From the request that suspends a member to the refusal of their token; nobody else notices.
async fn a_suspended_member_is_refused_soon(stage: &Stage) {
    let dana = stage.tokens_of("dana").await;
    let mut best = vec![Duration::MAX; stage.servers.len()];
    for person in ["ann", "ben", "cid"] {
        let tokens = stage.tokens_of(person).await;
        stage.assert_taken(&tokens).await;
        let refused = stage.refused_after(&tokens, Instant::now());
        let (times, ()) = tokio::join!(refused, suspend(&stage.app, &tokens));
        println!("refused after {times:?}");
        best = best.into_iter().zip(times).map(|(best, time)| best.min(time)).collect();
        stage.assert_over(&tokens).await;
        stage.assert_taken(&dana).await;
    }
    // A machine that does not get on may be late once, not always.
    assert!(best.iter().all(|time| *time < Duration::from_secs(2)), "{best:?}");
}

/// The same for an object that no token names. All tokens have everything in common.
fn of_another(kind: &Revocation) -> Option<Revocation> {
    let other = || "other".to_owned();
    let revocation =
        Revocation { object: other(), name: other(), teamspace_id: Some(other()), ..kind.clone() };
    (kind.kind != RevocationKind::Everything).then_some(revocation)
}

/// Tokens that were issued at or after `not_before` are not over, nor are those that name another object. An item with an
/// earlier time takes nothing back.
async fn each_kind_of_item_ends_what_was_issued_before(stage: &Stage) {
    let member = stage.app.member("dana@acme.com").await.unwrap();
    let acme = stage.app.app.snapshot().teamspace_config("acme").unwrap().teamspace.clone();
    let now = SystemClock.now();
    for kind in [
        Revocation::of_member(&member, CAUSE, now),
        Revocation::of_provider(&stage.app.provider("acme"), CAUSE, now),
        Revocation::of_client(CLIENT, CAUSE, now),
        Revocation::of_teamspace(&acme, CAUSE, now),
        Revocation::of_everything(CAUSE, now),
    ] {
        let up_to = |issued_until: i64| Revocation { issued_until, ..kind.clone() };
        let (tokens, single) = (stage.tokens_of("dana").await, stage.tokens_of("dana").await);
        let (first, last) = tokens.issued();
        // When the single ones are over, the items before theirs are known.
        let of_others = of_another(&up_to(last)).into_iter().collect();
        stage.revoke([of_others, vec![up_to(first - 1)], single.revocations()].concat()).await;
        stage.refused_after(&single, Instant::now()).await;
        stage.assert_taken(&tokens).await;
        stage.revoke(vec![up_to(last), up_to(last - 100)]).await;
        stage.refused_after(&tokens, Instant::now()).await;
        until("new tokens are later than these", async || SystemClock.now() > last).await;
    }
}

/// Without the service, they go on for as long as they were told. A database that has lost its revocations takes nothing
/// back either.
async fn an_outage_ends_in_refusals_and_a_reset_forgets_nothing(stage: &Stage, process: Process) {
    let (fay, dana) = (stage.tokens_of("fay").await, stage.tokens_of("dana").await);
    suspend(&stage.app, &fay).await;
    stage.refused_after(&fay, Instant::now()).await;
    let stopped = Instant::now();
    process.stop();
    stage.assert_taken(&dana).await;
    for (server, token) in stage.servers.iter().zip(&dana.tokens) {
        let is_closed = async || is_unavailable(&server.call(Some(token)).await);
        until("it is closed", is_closed).await;
        assert!(stopped.elapsed() > PATIENCE / 2, "{:?}", stopped.elapsed());
    }
    stage.assert_unavailable(&fay).await;
    lose_revocations(&stage.app).await;
    let _process = Process::serve_issuer(&stage.app);
    let url = format!("{}/oauth2/revocations?since=1.1", stage.app.issuer());
    let list = http().get(url).basic_auth(credential_of(Example::Rust), Some(SERVER_SECRET));
    let list = Answer::of(list.send().await.unwrap()).await.json;
    assert_eq!((&list["reset"], &list["items"]), (&json!(true), &json!([])));
    stage.assert_taken(&dana).await;
    stage.assert_over(&fay).await;
}

async fn lose_revocations(app: &TestApp) {
    use diesel::prelude::*;
    let mut connection = app.database.connect();
    let delete = move || diesel::sql_query("DELETE FROM revocations").execute(&mut connection).unwrap();
    assert!(tokio::task::spawn_blocking(delete).await.unwrap() > 2100);
}

/// REV-08
#[tokio::test(flavor = "multi_thread")]
async fn examples_that_follow_the_list_refuse_what_is_over() {
    let (stage, process) = they_start_closed_until_the_end_of_the_list().await;
    a_suspended_member_is_refused_soon(&stage).await;
    each_kind_of_item_ends_what_was_issued_before(&stage).await;
    an_outage_ends_in_refusals_and_a_reset_forgets_nothing(&stage, process).await;
}
