//! Databases of earlier versions go on with what is in them, and processes of earlier versions beside newer ones.

use std::collections::BTreeMap;
use std::path::Path;

use countersign::admin::console::create_setup_token;
use countersign::config::Database;
use countersign::store::Store;
use countersign::store::sign_in_counts::{self, EVERYWHERE};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use serde_json::json;

use crate::database::TestDatabase;
use crate::db::number;
use crate::harness::{START, TestApp};
use crate::sign_in_counts::count;

/// The first migration that lets processes of the version before go on.
const FIRST_BESIDE: &str = "0013";

/// The migrations from a version on, the latest first, each with how it is undone.
fn later(database: &TestDatabase, version: &str) -> Vec<(String, String)> {
    let kind = if database.url.starts_with("sqlite") { "sqlite" } else { "postgres" };
    let all = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind)).unwrap();
    let undo = |dir: std::fs::DirEntry| {
        let (name, down) = (dir.file_name().into_string().unwrap(), dir.path().join("down.sql"));
        (name[..4].to_owned(), std::fs::read_to_string(down).unwrap())
    };
    let mut later: Vec<_> =
        all.map(|dir| undo(dir.unwrap())).filter(|(name, _)| name.as_str() >= version).collect();
    later.sort_by(|a, b| b.cmp(a));
    later
}

/// Makes it a database of the version before the one that brought this migration. Tells which are missing then.
pub fn take_back(database: &TestDatabase, version: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for (version, down) in later(database, version) {
        let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
        database.connect().batch_execute(&format!("BEGIN; {down}; {forget}; COMMIT")).unwrap();
        missing.insert(0, version);
    }
    missing
}

/// The data that an upgrade must keep: members, the log, its counts, and who made each change.
async fn kept(app: &TestApp) -> (crate::harness::Written, [i64; 3]) {
    count(app).await;
    let numbers = [
        "(SELECT sum(number) FROM sign_in_counts WHERE teamspace_id = '*')",
        "(SELECT count(*) FROM admin_events)",
        "(SELECT count(*) FROM admin_events WHERE actor_kind = 'command')",
    ];
    (app.written().await, numbers.map(|expression| number(&app.database.url, expression)))
}

#[tokio::test]
async fn a_filled_database_of_each_version_before_goes_on() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    app.refused(json!({ "aud": "https://other.example" }), "invalid_grant", "aud_mismatch").await;
    create_setup_token(&app.app.store, START).await.unwrap();
    let member = app.member("dana@acme.com").await.unwrap();
    for (version, _) in later(&app.database, FIRST_BESIDE) {
        let before = kept(&app).await;
        let missing = take_back(&app.database, &version);
        assert_eq!(Store::migrate(&app.database.url).unwrap(), missing, "{version}");
        assert_eq!(kept(&app).await, before, "{version}");
        app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
        assert_eq!(app.granted(json!({})).await.claims()["sub"], member.id, "{version}");
    }
}

/// The columns by table and name; whether a new row must give each a value.
fn columns(database: &TestDatabase) -> BTreeMap<(String, String), bool> {
    use diesel::sql_types::{BigInt, Text};
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        of_table: String,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = BigInt)]
        needed: i64,
    }
    let query = if database.url.starts_with("sqlite") {
        "SELECT t.name AS of_table, c.name AS name, (c.\"notnull\" AND c.dflt_value IS NULL) AS needed
             FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
    } else {
        "SELECT table_name::text AS of_table, column_name::text AS name,
             (is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO')::int::bigint AS needed
             FROM information_schema.columns WHERE table_schema = 'public'"
    };
    let columns: Vec<Column> = diesel::sql_query(query).load(&mut database.connect()).unwrap();
    columns.into_iter().map(|column| ((column.of_table, column.name), column.needed != 0)).collect()
}

/// A rolling upgrade: a process of the version before finds everything that it reads, and what it writes fits.
#[test]
fn a_migration_takes_nothing_from_processes_of_the_version_before() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::make(dir.path());
    for (version, _) in later(&database, FIRST_BESIDE) {
        take_back(&database, &version);
        let before = columns(&database);
        Store::migrate(&database.url).unwrap();
        let after = columns(&database);
        let gone: Vec<_> = before.keys().filter(|column| !after.contains_key(column)).collect();
        assert!(gone.is_empty(), "{version} takes {gone:?} away");
        let is_known = |table: &String| before.keys().any(|(known, _)| known == table);
        let needed = after.iter().filter(|(column, needed)| **needed && !before.contains_key(column));
        let unfit: Vec<_> = needed.filter(|((table, _), _)| is_known(table)).collect();
        assert!(unfit.is_empty(), "rows of the version before {version} have no {unfit:?}");
    }
}

/// With two processes: the older one goes on and takes changes over; once stopped, it does not start again.
#[tokio::test]
async fn a_process_goes_on_beside_a_newer_version_until_it_ends() {
    let app = TestApp::start().await;
    app.database.execute("ALTER TABLE members ADD COLUMN nickname TEXT NOT NULL DEFAULT ''");
    app.database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('9001')");
    app.granted(json!({})).await;
    app.granted(json!({ "sub": "erin", "email": "erin@acme.com" })).await;
    app.change_provider(|provider| provider.enabled = false).await;
    app.refused(json!({}), "invalid_grant", "issuer_disabled").await;
    let error = Store::open(&app.database.url, &Database::default()).err().unwrap().to_string();
    assert!(error.contains("newer version") && error.contains("9001"), "{error}");
}

/// Versions before 0022 counted all requests by the hour. A process of such a version may go on with that for a while.
#[tokio::test]
async fn counts_by_the_hour_are_added_up_by_day() {
    let app = TestApp::start().await;
    take_back(&app.database, "0022");
    let day = START - START % 86_400;
    let hours = |from: i64| {
        (from..24).map(move |n| {
            format!("('*', {}, '', 1), ('*', {}, 'expired', 2)", day + n * 3600, day + n * 3600)
        })
    };
    let insert = |rows: Vec<String>| format!("INSERT INTO sign_in_counts VALUES {}", rows.join(", "));
    let yesterday = format!("('*', {}, '', 5)", day - 3600);
    let before = insert(hours(0).chain([yesterday]).collect());
    app.database.connect().batch_execute(&before).unwrap();
    Store::migrate(&app.database.url).unwrap();
    assert_eq!(number(&app.database.url, "(SELECT count(*) FROM sign_in_counts)"), 3);
    app.database.connect().batch_execute(&insert(hours(20).collect())).unwrap();
    let counts = app.app.store.list(move |c| sign_in_counts::by_day(c, EVERYWHERE, 0)).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.day - day, c.reason.as_str(), c.number)).collect();
    assert_eq!(counts, [(-86_400, "", 5), (0, "", 28), (0, "expired", 56)]);
}
