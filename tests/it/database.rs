//! A database for each test: a file, or with `TEST_POSTGRES=postgres://…` one in that cluster, so
//! that the same tests tell what both do.

use std::path::Path;

use countersign::config::Database;
use countersign::store::{AnyConnection, Store, connection};
use diesel::prelude::*;

/// It goes with its test.
pub struct TestDatabase {
    pub url: String,
    /// Where it was made, and is to be dropped.
    cluster: Option<String>,
}

impl TestDatabase {
    /// An empty one, migrated; a file is made in `dir`.
    pub fn make(dir: &Path) -> Self {
        match std::env::var("TEST_POSTGRES") {
            Ok(cluster) => Self::in_cluster(cluster),
            Err(_) => Self::file(dir),
        }
    }

    /// The same, a file in any case.
    pub fn file(dir: &Path) -> Self {
        let url = format!("sqlite://{}", dir.join("test.db").display());
        Store::migrate(&url).unwrap();
        Self { url, cluster: None }
    }

    /// The same, in a cluster.
    pub fn in_cluster(cluster: String) -> Self {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        administer(&cluster, &format!("CREATE DATABASE {name} TEMPLATE {}", template(&cluster)));
        Self { url: named(&cluster, &name), cluster: Some(cluster) }
    }

    /// A whole server's, migrated.
    #[cfg(feature = "postgres")]
    pub fn whole(url: &str) -> Self {
        Store::migrate(url).unwrap();
        Self { url: url.to_owned(), cluster: None }
    }

    /// Everything that is in it: the bytes of the file and its log, or the rows of the tables.
    pub fn contents(&self) -> Vec<u8> {
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            let parts = [path.to_owned(), format!("{path}-wal")];
            return parts.iter().flat_map(|part| std::fs::read(part).unwrap_or_default()).collect();
        }
        #[derive(QueryableByName)]
        struct Rows {
            #[diesel(sql_type = diesel::sql_types::Text)]
            rows: String,
        }
        let every = "SELECT coalesce(string_agg(table_to_xml(tablename::regclass, true, true, '')::text, '' \
            ORDER BY tablename), '') AS rows FROM pg_tables WHERE schemaname = 'public'";
        diesel::sql_query(every).get_result::<Rows>(&mut self.connect()).unwrap().rows.into_bytes()
    }

    /// Runs a statement that both databases understand.
    pub fn execute(&self, statement: &str) {
        diesel::sql_query(statement).execute(&mut self.connect()).unwrap();
    }

    /// A connection of its own, as another process has one.
    pub fn connect(&self) -> AnyConnection {
        connection::open(&self.url, &Database::default()).unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(cluster) = &self.cluster {
            let name = self.url.split('?').next().unwrap().rsplit('/').next().unwrap();
            administer(cluster, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// The URL of another database of a cluster.
fn named(cluster: &str, name: &str) -> String {
    let (base, query) = cluster.split_once('?').map_or((cluster, None), |(base, query)| (base, Some(query)));
    let (server, _) = base.rsplit_once('/').unwrap();
    format!("{server}/{name}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
}

fn administer(cluster: &str, statement: &str) {
    let mut connection = connection::open(cluster, &Database::default()).unwrap();
    diesel::sql_query(statement).execute(&mut connection).unwrap();
}

/// One that is migrated once, and copied then.
fn template(cluster: &str) -> &'static str {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("template_{}", uuid::Uuid::new_v4().simple());
        administer(cluster, &format!("CREATE DATABASE {name}"));
        Store::migrate(&named(cluster, &name)).unwrap();
        name
    })
}

/// A version that knows less than the database serves nothing, and says what it does not know.
#[tokio::test]
async fn a_newer_database_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::make(dir.path());
    let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9001'), ('9002')";
    diesel::sql_query(insert).execute(&mut database.connect()).unwrap();
    for error in [
        Store::open(&database.url, &Database::default()).err().unwrap().to_string(),
        Store::migrate(&database.url).err().unwrap().to_string(),
    ] {
        assert!(error.contains("newer version") && error.contains("9001, 9002"), "{error}");
    }
}
