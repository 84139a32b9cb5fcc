//! Connections that died while nobody used them: no request pays for them.

use countersign::config::{Database, Duration};
use countersign::store::{Store, StoreError, connection};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::json;

use super::cluster::Cluster;
use crate::database::TestDatabase;
use crate::harness::TestApp;

/// Ends every session of the service, as a server, a proxy or a firewall does with idle ones.
fn cut(cluster: &Cluster) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND application_name = 'countersign' AND backend_type = 'client backend'";
    let mut connection = connection::open(&cluster.url, &Database::default()).unwrap();
    connection.batch_execute(end).unwrap();
    // Whoever asks next must find it done.
    let left = "SELECT count(*) AS n FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND application_name = 'countersign' AND backend_type = 'client backend'";
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let started = std::time::Instant::now();
    while diesel::sql_query(left).get_result::<Left>(&mut connection).unwrap().n > 0 {
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_pays_for_a_connection_that_was_cut() {
    let cluster = Cluster::start();
    let dir = tempfile::tempdir().unwrap();
    let app = TestApp::start_on(dir, TestDatabase::whole(&cluster.url), |_| {}).await;
    for i in 0..7 {
        tokio::task::block_in_place(|| cut(&cluster));
        // A newcomer is read for, a known one is only written.
        for _ in 0..2 {
            let claims = json!({ "sub": format!("{i}"), "email": format!("p{i}@acme.com") });
            app.granted(claims).await;
        }
        tokio::task::block_in_place(|| cut(&cluster));
        app.change_teamspace(move |teamspace| teamspace.member_limit = Some(100 + i)).await;
    }
}

/// An old connection is replaced, but not while anybody waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_does_not_live_for_ever() {
    #[derive(QueryableByName)]
    struct Session {
        #[diesel(sql_type = BigInt)]
        pid: i64,
    }
    let cluster = Cluster::start();
    Store::migrate(&cluster.url).unwrap();
    let config = Database { max_connection_age: Duration::from_secs(1), writers: 1, ..Database::default() };
    let store = Store::open(&cluster.url, &config).unwrap();
    let session = async || {
        let ask = |c: &mut _| {
            let pid = diesel::sql_query("SELECT pg_backend_pid()::bigint AS pid");
            Ok::<_, StoreError>(pid.get_result::<Session>(c)?.pid)
        };
        store.write(ask).await.unwrap()
    };
    let (first, started) = (session().await, std::time::Instant::now());
    while session().await == first {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "it is used for ever");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
