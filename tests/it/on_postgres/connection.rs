//! The connection itself: TLS, migrations by many at once, time-outs, servers that will not do.

use std::process::Command;

use countersign::config::{Config, Database, Duration};
use countersign::store::{Store, StoreError, connection};
use diesel::connection::SimpleConnection as _;
use serde_json::json;

use super::cluster::Cluster;
use crate::database::TestDatabase;
use crate::harness::TestApp;

/// The server's certificate is checked when that is asked for, and not taken from anybody.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_and_certificates_are_checked() {
    let cluster = Cluster::start_with("", "--no-fsync --tls");
    let certificate = cluster.certificate.clone().unwrap();
    let url = |host: &str, mode: &str| {
        let url = cluster.url.replace("127.0.0.1", host);
        format!("{url}?sslmode={mode}&sslrootcert={certificate}")
    };
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::whole(&url("localhost", "verify-full"));
    let app = TestApp::start_on(dir, database, |_| {}).await;
    app.granted(json!({})).await;
    let error = |url: &str| connection::open(url, &Database::default()).err().unwrap().to_string();
    // The server speaks TLS only.
    assert!(error(&url("localhost", "disable")).contains("no encryption"));
    // The same server under a name that is not in the certificate.
    let elsewhere = format!("{}&hostaddr=127.0.0.1", url("db.example.com", "verify-full"));
    assert!(error(&elsewhere).contains("does not match host name"), "{}", error(&elsewhere));
    let other = Cluster::start_with("", "--no-fsync --tls");
    let strange = url("localhost", "verify-full").replace(&certificate, &other.certificate.clone().unwrap());
    assert!(error(&strange).contains("certificate verify failed"));
}

/// Replicas that are started together migrate once, and all of them go on.
#[test]
fn many_migrate_at_once() {
    let cluster = Cluster::start();
    let migrate = || {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("migrate")
            .env("COUNTERSIGN_DATABASE_URL", &cluster.url)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> = (0..8).map(|_| migrate()).collect();
    let outputs: Vec<_> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let texts: Vec<_> = outputs.iter().map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).collect();
    assert!(outputs.iter().all(|out| out.status.success()), "{outputs:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("0001")).count(), 1, "{texts:?}");
}

/// The service does not migrate a database that others use; it says what to do.
#[test]
fn serving_needs_a_migrated_database() {
    let cluster = Cluster::start();
    let out = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("serve")
        .env("COUNTERSIGN_DATABASE_URL", &cluster.url)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("countersign migrate"), "{out:?}");
}

/// A statement that takes too long ends, and tells the caller; the next one is fine.
#[tokio::test(flavor = "multi_thread")]
async fn statements_time_out() {
    let cluster = Cluster::start();
    let config = Database { timeout: Duration::from_secs(1), ..Database::default() };
    Store::migrate(&cluster.url).unwrap();
    let store = Store::open(&cluster.url, &config).unwrap();
    let started = std::time::Instant::now();
    let slow = store.write(|c| Ok::<_, StoreError>(c.batch_execute("SELECT pg_sleep(10)")?)).await;
    assert!(matches!(slow, Err(StoreError::Database(_) | StoreError::Timeout)), "{slow:?}");
    assert!(started.elapsed() < std::time::Duration::from_secs(3));
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    store.write(|c| Ok::<_, StoreError>(c.batch_execute("SELECT 1")?)).await.unwrap();
}

/// A server that takes no writes is none for us; nor is one that cannot be reached. No password is shown.
#[test]
fn unusable_servers_are_told() {
    let cluster = Cluster::start();
    Store::migrate(&cluster.url).unwrap();
    let standby = cluster.standby();
    let error = connection::open(&standby.url, &Database::default()).err().unwrap().to_string();
    assert!(error.contains("standby"), "{error}");
    let with_password = standby.url.replace("countersign@", "countersign:hunter2@");
    let error = connection::open(&with_password, &Database::default()).err().unwrap().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    let config = Config { database_url: "postgres://u:hunter2@127.0.0.1:9/d".into(), ..Config::default() };
    let error = Store::open(&config.database_url, &config.database).err().unwrap().to_string();
    assert!(error.contains("127.0.0.1:9/d") && !error.contains("hunter2"), "{error}");
}

/// Defaults of a role or server do not make commits less durable.
#[test]
fn commits_are_durable_whatever_the_defaults() {
    #[derive(diesel::QueryableByName)]
    struct Shown {
        #[diesel(sql_type = diesel::sql_types::Text)]
        synchronous_commit: String,
    }
    use diesel::RunQueryDsl as _;
    let cluster = Cluster::start();
    for (default, effective) in
        [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")]
    {
        let mut connection = connection::open(&cluster.url, &Database::default()).unwrap();
        let alter = format!("ALTER ROLE countersign SET synchronous_commit = {default}");
        connection.batch_execute(&alter).unwrap();
        let mut connection = connection::open(&cluster.url, &Database::default()).unwrap();
        let shown: Shown = diesel::sql_query("SHOW synchronous_commit").get_result(&mut connection).unwrap();
        assert_eq!(shown.synchronous_commit, effective, "{default}");
    }
}

/// The service needs no right to make tables, only to use them.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_use_tables_will_do() {
    let cluster = Cluster::start();
    Store::migrate(&cluster.url).unwrap();
    let grant = "CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app; \
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app";
    connection::open(&cluster.url, &Database::default()).unwrap().batch_execute(grant).unwrap();
    let url = cluster.url.replace("countersign@", "app@");
    let store = Store::open(&url, &Database::default()).unwrap();
    store.read(countersign::store::changes::current).await.unwrap();
}

/// A database that is slow once, and then slower than usual, is not taken for one that does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_is_not_a_dead_one() {
    let cluster = Cluster::start();
    let config = Database { timeout: Duration::from_secs(3), writers: 1, ..Database::default() };
    Store::migrate(&cluster.url).unwrap();
    let store = Store::open(&cluster.url, &config).unwrap();
    let sleep = async |seconds: f64| {
        let sleep = format!("SELECT pg_sleep({seconds})");
        store.write(move |c| Ok::<_, StoreError>(c.batch_execute(&sleep)?)).await
    };
    // The only writer is busy for longer than anybody waits.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let busy = store.write(move |_| {
        released.recv().unwrap();
        Ok::<_, StoreError>(())
    });
    let (first, second) = tokio::join!(busy, sleep(0.0));
    assert!(matches!((&first, &second), (Err(StoreError::Timeout), Err(StoreError::Timeout))), "{second:?}");
    release.send(()).unwrap();
    // Callers wait for a short time only until something was done.
    let began = std::time::Instant::now();
    while sleep(0.0).await.is_err() {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "it is still taken for dead");
    }
    // Longer than an impatient caller waits.
    for _ in 0..5 {
        sleep(0.3).await.unwrap();
    }
}

/// A migration that needs a lock which somebody holds does not keep all writers waiting behind it, and is done as soon
/// as it can be.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_lets_others_pass() {
    let cluster = Cluster::start();
    Store::migrate(&cluster.url).unwrap();
    let mut other = connection::open(&cluster.url, &Database::default()).unwrap();
    let back = std::fs::read_to_string("migrations/postgres/0004_sign_in_grounds/down.sql").unwrap();
    let undo =
        format!("BEGIN; {back}; DELETE FROM __diesel_schema_migrations WHERE version = '0004'; COMMIT");
    other.batch_execute(&undo).unwrap();
    // As a long report does.
    other.batch_execute("BEGIN; SELECT count(*) FROM sign_ins").unwrap();
    let url = cluster.url.clone();
    let migration = std::thread::spawn(move || Store::migrate(&url));
    let mut writer = connection::open(&cluster.url, &Database::default()).unwrap();
    let mut slowest = std::time::Duration::ZERO;
    for _ in 0..30 {
        let started = std::time::Instant::now();
        writer.batch_execute("DELETE FROM sign_ins WHERE id < 0").unwrap();
        slowest = slowest.max(started.elapsed());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(slowest < std::time::Duration::from_secs(3), "{slowest:?}");
    assert!(!migration.is_finished(), "nothing was in its way");
    other.batch_execute("COMMIT").unwrap();
    assert_eq!(migration.join().unwrap().unwrap(), ["0004"]);
}
