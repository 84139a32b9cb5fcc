//! `countersign db`: the whole database in another one, or in a file.

mod backup;
mod between_files;
mod guide;
#[cfg(feature = "postgres")]
mod on_postgres;
mod refused;

use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::app::App;
use countersign::model::member::Status;
use countersign::oauth::request::JWT_BEARER;
use countersign::runtime::Service;
use countersign::store::AnyConnection;
use countersign::store::connection;
use countersign::store::sign_ins::{self, SignIn};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::commands::{countersign, text};
use crate::harness::{self, Answer, CLIENT, SECRET, START, TestApp};

/// The other tables to copy, which no exchange fills.
const MORE: &str = "
    INSERT INTO email_domains VALUES ('acme.com', 'id-of-acme');
    INSERT INTO shadow_differences
        (at, request_id, teamspace_id, policy_set, shadow_set, actual, shadow, policies, facts)
        VALUES (1, 'r', NULL, 'a', 'b', '{}', '{}', '{}', '{\"name\":\"Zoë 🦀\"}');
    INSERT INTO shadow_runs VALUES ('b', 'a', 1, 2, 3, 1, 0), ('b', 'A', 1, 2, 3, 0, 0);
    INSERT INTO sign_in_counts VALUES ('*', 3600, '', 2), ('*', 3600, 'expired', 1);
    INSERT INTO member_exchanges VALUES (202611, 'm', 'c', 2);
    INSERT INTO last_assertions VALUES ('id-of-acme', 1, '', 'r', NULL);
    INSERT INTO policy_counts VALUES (86400, 'issuer.own', 2, 0);
    INSERT INTO provider_checks VALUES ('id-of-acme', 1, '[]');
    INSERT INTO issuer_keys VALUES ('https://acme.example', 'https://acme.example/keys', '{}', 1, 600);
    INSERT INTO trust_changes VALUES ('id-of-acme', 9, 1, 'enabled', 'ops', '', NULL, '{}');
    INSERT INTO log_streams (name, last_id, updated_at) VALUES ('file', 2, 3);
    INSERT INTO admin_tokens VALUES ('t', 'ci', 'digest', 'id-of-acme', 1, NULL);
    INSERT INTO admin_events (at, actor, action, object, teamspace_id, request_id, old_value, new_value)
        VALUES (1, 'ops', 'x', 'y', NULL, '', NULL, '');
    INSERT INTO console_sessions VALUES ('s1', 'digest', 'operator', 'ops@corp.example', 'Ops', NULL, '', '127.0.0.1', 1, 1, 2, '[]', 'Firefox on Linux');
    INSERT INTO console_finished_sign_ins VALUES ('digest', 2);
    INSERT INTO setup_links VALUES ('l', 'digest', 'id-of-acme', 'ops', 1, 2, NULL, '', NULL);
    INSERT INTO revocations VALUES (1, 2, 'member', 'm', 'm', 'id-of-acme', NULL, 3, 4, 'scim', '');
    INSERT INTO token_uses VALUES ('jti', 1, 2, 3, 4, 5);
    INSERT INTO resource_credentials SELECT 'rs', MIN(id), 'digest', 1, NULL, NULL FROM resources;
    INSERT INTO kill_switches VALUES ('k', 'client', 'c', 'leaked', 'ops', 1);
    INSERT INTO scim_tokens VALUES ('st', 'id-of-acme', 'Okta', 'digest', 1, NULL, NULL);
    INSERT INTO scim_users VALUES ('m', 'id-of-acme', 'dana', NULL, '{}', 1, 2, FALSE);
    INSERT INTO console_setup_tokens VALUES ('digest', 1, 2, NULL);
    INSERT INTO log_seals VALUES ('admin', 1, 1, 1, 1, 1, 2, 'digest', '', '', NULL);
    INSERT INTO replicas VALUES ('gone', 'gone', '0', 'p', 1, 2);";

pub fn connect(url: &str) -> AnyConnection {
    connection::open(url, &countersign::config::Database::default()).unwrap()
}

pub fn run(url: &str, statements: &str) {
    connect(url).batch_execute(statements).unwrap();
}

pub fn number(url: &str, expression: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let query = format!("SELECT CAST({expression} AS BIGINT) AS n");
    diesel::sql_query(query).get_result::<Number>(&mut connect(url)).unwrap().n
}

pub fn rows(url: &str, table: &str) -> i64 {
    number(url, &format!("(SELECT count(*) FROM {table})"))
}

pub fn copy(args: &[&str]) -> Output {
    countersign(std::path::Path::new("."), &[&["db", "copy"], args].concat(), &[])
}

/// Copies, which must go well.
pub fn copied(from: &str, to: &str) -> Value {
    let out = copy(&[from, to, "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}{}", text(&out.stderr), text(&out.stdout));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Copies, which must end with 2; what is said.
pub fn refused(args: &[&str]) -> String {
    let out = copy(args);
    assert_eq!(out.status.code(), Some(2), "{}{}", text(&out.stderr), text(&out.stdout));
    assert!(out.stdout.is_empty());
    text(&out.stderr)
}

/// A service on a database with rows of every kind. `TestApp::database` is another one.
pub async fn furnish(url: &str) -> TestApp {
    let database_url = url.to_owned();
    let app = TestApp::start_with(|config| config.database_url = database_url).await;
    app.granted(json!({})).await;
    app.granted(json!({ "sub": "two", "email": "two@acme.com" })).await;
    app.exchange("no assertion").await;
    app.put_member("invited@acme.com", Status::Invited).await;
    run(url, MORE);
    app
}

/// The service on another database: the same issuer, at another address.
pub struct Moved {
    app: Arc<App>,
    url: String,
    _service: Service,
}

impl Moved {
    pub async fn start(app: &TestApp, database: &str) -> Self {
        let config =
            countersign::config::Config { database_url: database.to_owned(), ..app.app.config.clone() };
        let moved = App::start(config, Arc::new(app.clock.clone())).await.unwrap();
        let (listeners, [url, _]) = harness::listeners().await;
        let service = harness::run(&moved, listeners);
        Self { app: moved, url, _service: service }
    }

    pub async fn last_sign_in(&self) -> SignIn {
        let newest = self.app.store.read(|c| sign_ins::list(c, &Default::default(), 1));
        newest.await.unwrap().items.remove(0)
    }

    pub async fn exchange(&self, app: &TestApp, assertion: &str) -> Answer {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = app.http.post(format!("{}/oauth2/token", self.url)).basic_auth(CLIENT, Some(SECRET));
        Answer::of(request.form(&form).send().await.unwrap()).await
    }
}

/// JAG-14, JAG-15: whoever signed in before the move goes on as if there had been none.
pub async fn everything_is_carried_over(from: &str, to: &str) {
    let app = furnish(from).await;
    let redeemed = app.assertion(json!({}));
    let before = app.exchange(&redeemed).await;
    // The last row is gone, and its id is not given again.
    let last = number(from, "(SELECT max(id) FROM sign_ins)");
    run(from, &format!("DELETE FROM sign_ins WHERE id = {last}"));
    let report = copied(from, to);
    for table in report["tables"].as_array().unwrap() {
        assert_eq!(table["from"], table["to"], "{table}");
        assert!(table["from"]["rows"].as_i64().unwrap() > 0, "nothing was to be copied: {table}");
        assert_eq!(table["from"]["rows"], json!(rows(to, table["name"].as_str().unwrap())));
    }
    assert_eq!(rows(to, "replicas"), 0);
    let again = copied(from, to);
    let copied_again = |table: &Value| table["name"] != "generation" && table["copied"] != 0;
    assert!(!again["tables"].as_array().unwrap().iter().any(copied_again), "{again}");

    let moved = Moved::start(&app, to).await;
    let keys = app.http.get(format!("{}/oauth2/jwks", moved.url)).send().await.unwrap();
    crate::token::verify(before.access_token(), &Answer::of(keys).await.json);
    let replay = moved.exchange(&app, &redeemed).await;
    assert_eq!((replay.status, &replay.json["error"]), (400, &json!("invalid_grant")), "{replay:?}");
    let row = moved.last_sign_in().await;
    assert_eq!((row.reason.as_str(), row.id > last), ("replayed", true), "{row:?}, behind {last}");
    let after = moved.exchange(&app, &app.assertion(json!({}))).await;
    assert_eq!(after.claims()["sub"], before.claims()["sub"], "the same member");
    // A database that has gone on is not the beginning of the old one.
    assert!(refused(&[from, to]).contains("TO holds rows of"));
}

/// Both chains hold in a copy, up to the seals that were noted before, and go on from there. A change is found there too.
pub async fn a_copied_chain_is_sound(from: &str, to: &str) {
    let database_url = from.to_owned();
    let app = TestApp::start_with(|config| config.database_url = database_url).await;
    fill(from, 600);
    app.granted(json!({})).await;
    let audited =
        "INSERT INTO admin_events (at, actor, action, object, request_id) VALUES (1, 'ops', 'x', 'y', '')";
    run(from, audited);
    app.app.seal_logs().await.unwrap();
    let dir = app.dir.path();
    let call = |url: &str, args: &[&str]| {
        let out = countersign(dir, &[&["audit"], args].concat(), &[("COUNTERSIGN_DATABASE_URL", url)]);
        (out.status.code(), format!("{}{}", text(&out.stdout), text(&out.stderr)))
    };
    let heads = call(from, &["head"]).1;
    let noted: Vec<&str> = heads.lines().flat_map(|head| ["--expect", head]).collect();
    assert_eq!(noted.len(), 4, "both logs are sealed: {heads}");
    copied(from, to);
    let verify = [&["verify"][..], &noted].concat();
    let (code, told) = call(to, &verify);
    assert_eq!(code, Some(0), "{told}");
    let moved = Moved::start(&app, to).await;
    moved.exchange(&app, &app.assertion(json!({}))).await;
    // Whoever sealed a moment ago is left to do it.
    app.clock.advance(100);
    moved.app.seal_logs().await.unwrap();
    let (code, told) = call(to, &verify);
    assert!(code == Some(0) && told.contains("602 rows"), "{told}");
    run(to, "UPDATE sign_ins SET email = 'x' WHERE id = 300");
    assert_eq!(call(to, &verify).0, Some(1));
}

/// Rows that take a while to be copied.
pub fn fill(url: &str, rows: u32) {
    run(
        url,
        &format!(
            "INSERT INTO sign_ins (at, outcome, reason, detail, request_id, client_id, issuer, subject, email,
                member_id, resource, scopes_asked, scopes_granted, decisions, policy_set, assertion, token_id)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             SELECT {START} + i, 'refused', 'x', '', CAST(i AS TEXT), '', '', '', '', '', '', '', '', '', '', '', ''
             FROM n"
        ),
    );
}

/// A copy that runs, and has written rows of the decision log but not all.
pub fn begin(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["db", "copy"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let started = Instant::now();
    while number_if_any(args[1]) == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing is copied");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// Before the migration there is no table.
fn number_if_any(url: &str) -> i64 {
    if connection::missing(url).is_some() || connect(url).batch_execute("SELECT 1 FROM sign_ins").is_err() {
        return 0;
    }
    rows(url, "sign_ins")
}

/// SIGKILL in the middle; the second run goes on behind what is there.
pub fn a_killed_copy_goes_on(from: &str, to: &str) {
    const ROWS: u32 = 60_000;
    fill(from, ROWS);
    let mut child = begin(&[from, to]);
    child.kill().unwrap();
    child.wait().unwrap();
    let there = rows(to, "sign_ins");
    assert!(there > 0 && there < i64::from(ROWS), "killed at {there}");
    let report = copied(from, to);
    let table =
        report["tables"].as_array().unwrap().iter().find(|table| table["name"] == "sign_ins").unwrap();
    assert_eq!((&table["to"]["rows"], &table["copied"]), (&json!(ROWS), &json!(i64::from(ROWS) - there)));
    assert_eq!(table["from"], table["to"]);
}
