//! The database: what keeps the service from using it, and that nothing is done to it.

use countersign::doctor::{DoctorGroup, LineStatus};
use diesel::connection::SimpleConnection as _;

use super::{config, examine, examine_with, service};

const LAST: &str = "DELETE FROM __diesel_schema_migrations WHERE version = \
    (SELECT max(version) FROM __diesel_schema_migrations)";

#[tokio::test(flavor = "multi_thread")]
async fn pending_migrations_are_found_and_not_applied() {
    let app = service(|_| {}).await;
    app.database.execute(LAST);
    let before = app.database.contents();
    let examined = examine(&app).await;
    let line = examined.failed(DoctorGroup::Database, "migrations", &["pending"]);
    assert!(line.fix.as_ref().unwrap().contains("countersign migrate"), "{line:?}");
    // Whatever needs the database says that it was not looked at.
    for (group, name) in [
        (DoctorGroup::Keys, "signing_key"),
        (DoctorGroup::IdentityProviders, "identity_providers"),
        (DoctorGroup::Resources, "resources"),
        (DoctorGroup::Policies, "references"),
    ] {
        let line = examined.line(group, name, LineStatus::Warning);
        assert!(line.message.contains("the database cannot be read"), "{line:?}");
    }
    assert!(app.database.contents() == before, "nothing is applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_found() {
    let app = service(|_| {}).await;
    app.database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('9001')");
    examine(&app).await.failed(DoctorGroup::Database, "migrations", &["newer version", "9001"]);
}

/// A sign-in's row cannot be written, for whatever reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_rows_is_found() {
    let app = service(|_| {}).await;
    let poison = match app.database.url.starts_with("sqlite") {
        true => "CREATE TRIGGER poison BEFORE INSERT ON sign_ins BEGIN SELECT RAISE(ABORT, 'poison'); END",
        false => {
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'poison'; END $$; \
             CREATE TRIGGER poison BEFORE INSERT ON sign_ins EXECUTE FUNCTION poison()"
        }
    };
    app.database.connect().batch_execute(poison).unwrap();
    examine(&app).await.failed(DoctorGroup::Database, "rights", &["No row", "poison"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_database_that_is_not_there_is_not_made() {
    let app = service(|_| {}).await;
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = config(&app);
    nowhere.database_url = format!("sqlite://{}", dir.path().join("none.db").display());
    let examined = examine_with(&app, nowhere).await;
    examined.failed(DoctorGroup::Database, "connection", &["no database at", "none.db"]);
    // An empty file has no tables, and gets none.
    std::fs::write(dir.path().join("empty#%3f.db"), "").unwrap();
    let mut empty = config(&app);
    empty.database_url = format!("sqlite://{}", dir.path().join("empty#%3f.db").display());
    examine_with(&app, empty).await.failed(DoctorGroup::Database, "migrations", &["pending"]);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() == 1 && files[0].metadata().unwrap().len() == 0, "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_another_journal_mode_is_found_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let database = crate::database::TestDatabase::file(dir.path());
    database.connect().batch_execute("PRAGMA journal_mode = DELETE").unwrap();
    let before = database.contents();
    let app = service(|_| {}).await;
    let mut other = config(&app);
    other.database_url = database.url.clone();
    let examined = examine_with(&app, other).await;
    let line = examined.line(DoctorGroup::Database, "durability", LineStatus::Warning);
    assert!(line.message.contains("delete, not WAL"), "{line:?}");
    assert!(database.contents() == before, "it is read as it is");
}

/// Rights on the tables, and settings under which commits are lost.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_lack_on_postgresql_are_found() {
    let app = service(|_| {}).await;
    if app.database.url.starts_with("sqlite") {
        return;
    }
    let role = format!("r{}", uuid::Uuid::new_v4().simple());
    let made = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         REVOKE DELETE ON sign_ins FROM {role}"
    );
    app.database.connect().batch_execute(&made).unwrap();
    let mut other = config(&app);
    let (_, place) = other.database_url.rsplit_once('@').unwrap();
    other.database_url = format!("postgres://{role}@{place}");
    let examined = examine_with(&app, other).await;
    examined.failed(DoctorGroup::Database, "rights", &["may not read and write all tables: sign_ins."]);
    let dropped = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    app.database.connect().batch_execute(&dropped).unwrap();
}
