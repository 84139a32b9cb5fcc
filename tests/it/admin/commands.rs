//! The commands for administrators, on tokens and signing keys.

use countersign::admin::tokens::{self, NewToken};
use countersign::admin::{AdminError, keys};
use countersign::model::signing_key::active;
use countersign::random::digest;
use countersign::store::{admin_tokens, signing_keys};
use serde_json::{Value, json};

use super::harness::{Harness, NOW};
use crate::commands::{countersign, text};

/// The latest row of the audit log, without its id and values.
async fn latest(h: &Harness) -> Value {
    let mut row = h.operator.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    let members = row.as_object_mut().unwrap();
    members.retain(|name, _| !["id", "old", "new"].contains(&name.as_str()));
    row
}

/// The values in the latest row, before and after.
async fn values(h: &Harness) -> (Value, Value) {
    let row = h.operator.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    (row["old"].clone(), row["new"].clone())
}

fn row(action: &str, object: &str, teamspace: Option<(&str, &str)>) -> Value {
    json!({
        "time": countersign::clock::rfc3339(NOW),
        "actor": "command line",
        "action": action,
        "object": object,
        "teamspace": teamspace.map(|(slug, _)| slug),
        "teamspace_id": teamspace.map(|(_, id)| id),
        "request_id": "",
        "actor_kind": "command",
        "actor_id": "",
        "address": "",
    })
}

fn token(name: &str, teamspace: Option<&str>) -> NewToken {
    NewToken { name: name.to_owned(), teamspace: teamspace.map(str::to_owned), lifetime: Some(60) }
}

#[tokio::test]
async fn tokens_are_made_and_deleted_with_a_row_of_the_audit_log() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let store = &h.app.store;
    let id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let (secret, made) = tokens::create(store, token(" ci ", Some("acme")), NOW).await.unwrap();
    assert_eq!((made.name.as_str(), made.expires_at), ("ci", Some(NOW + 60)));
    assert_eq!(made.token_digest, digest(&secret));
    assert_eq!(latest(&h).await, row("admin_token.create", &made.id, Some(("acme", &id))));
    let kept = json!({
        "name": "ci",
        "teamspace_id": id,
        "expires_at": countersign::clock::rfc3339(NOW + 60),
    });
    assert_eq!(values(&h).await, (Value::Null, kept.clone()));
    assert_eq!(tokens::find_live(store, digest(&secret), NOW + 59).await.unwrap().unwrap(), made);
    assert!(tokens::find_live(store, digest(&secret), NOW + 60).await.unwrap().is_none());

    tokens::delete(store, made.id.clone(), NOW).await.unwrap();
    assert_eq!(latest(&h).await, row("admin_token.delete", &made.id, Some(("acme", &id))));
    assert_eq!(values(&h).await, (kept, Value::Null));
    assert!(tokens::find_live(store, digest(&secret), NOW).await.unwrap().is_none());
}

/// A refused command leaves nothing, in the audit log neither.
#[tokio::test]
async fn refused_commands_leave_nothing() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let store = &h.app.store;
    let before = (latest(&h).await, store.read(admin_tokens::all).await.unwrap());
    let refused = tokens::create(store, token("x", Some("nobody")), NOW).await;
    assert!(matches!(refused, Err(AdminError::NoSuchTeamspace(_))), "{refused:?}");
    let refused = tokens::create(store, token("two\nlines", None), NOW).await;
    assert!(matches!(refused, Err(AdminError::NameInvalid)), "{refused:?}");
    let refused = tokens::delete(store, "nobody".to_owned(), NOW).await;
    assert!(matches!(refused, Err(AdminError::NoSuchToken)), "{refused:?}");
    let refused = keys::remove(store, "no-key".to_owned(), NOW).await;
    assert!(matches!(refused, Err(AdminError::NoSuchKey)), "{refused:?}");
    let signs = h.app.signer().active(NOW).unwrap().kid().to_owned();
    let refused = keys::remove(store, signs, NOW).await;
    assert!(matches!(refused, Err(AdminError::KeySigns)), "{refused:?}");
    assert_eq!((latest(&h).await, store.read(admin_tokens::all).await.unwrap()), before);
}

/// A key that was to replace another one can be withdrawn before it signs; the one that signs cannot.
#[tokio::test]
async fn keys_are_made_and_withdrawn_with_a_row_of_the_audit_log() {
    let h = Harness::start().await;
    let store = &h.app.store;
    let made = keys::rotate(store, &h.app.config, false, NOW).await.unwrap();
    assert!(made.signs_from > NOW, "verifiers must know it first");
    assert_eq!(latest(&h).await, row("signing_key.rotate", &made.kid, None));
    let (_, kept) = values(&h).await;
    assert_eq!((&kept["alg"], &kept["encrypted"]), (&json!("ES256"), &json!(false)));
    keys::remove(store, made.kid.clone(), NOW).await.unwrap();
    assert_eq!(values(&h).await, (kept, Value::Null));
    assert_eq!(latest(&h).await, row("signing_key.remove", &made.kid, None));
    assert_eq!(store.read(signing_keys::all).await.unwrap().len(), 1);
    let made = keys::rotate(store, &h.app.config, true, NOW + 1).await.unwrap();
    let refused = keys::remove(store, made.kid, NOW + 1).await;
    assert!(matches!(refused, Err(AdminError::KeySigns)), "{refused:?}");
}

/// Of two keys that are made at once in the same second, the newer one signs.
#[tokio::test]
async fn of_keys_of_one_second_the_newest_signs() {
    let h = Harness::start().await;
    let store = &h.app.store;
    for _ in 0..8 {
        let made = keys::rotate(store, &h.app.config, true, NOW).await.unwrap();
        let stored = store.read(signing_keys::all).await.unwrap();
        assert_eq!(active(&stored, NOW).unwrap().kid, made.kid);
    }
}

/// The actions in the audit log of a database, in their order, with the new values.
fn actions(url: &str) -> Vec<(String, Option<String>)> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        action: String,
        #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
        new_value: Option<String>,
    }
    let rows = diesel::sql_query("SELECT action, new_value FROM admin_events ORDER BY id");
    let rows: Vec<Row> = rows.load(&mut crate::db::connect(url)).unwrap();
    rows.into_iter().map(|row| (row.action, row.new_value)).collect()
}

#[test]
fn sqlite_commands_on_the_whole_database_leave_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let out = countersign(dir.path(), args, &[]);
        assert_eq!(out.status.code(), Some(0), "{args:?} {}", text(&out.stderr));
        text(&out.stderr)
    };
    run(&["migrate"]);
    run(&["migrate"]);
    assert_eq!(run(&["db", "backup", "copy.db"]), "");
    run(&["db", "mark-restored"]);
    let url = |name: &str| format!("sqlite://{}", dir.path().join(name).display());
    let found = actions(&url("countersign.db"));
    let names: Vec<&str> = found.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(names, ["database.migrate", "database.backup", "database.mark_restored"]);
    assert!(found[0].1.as_ref().unwrap().contains("\"0015\""), "{found:?}");
    assert_eq!(found[1].1.as_deref(), Some(r#"{"file":"copy.db"}"#));
    assert_eq!(actions(&url("copy.db")), found[..2], "the copy knows of itself");
}

/// A disk on which nothing can be written must not prevent a backup to another one.
#[test]
fn sqlite_a_backup_is_made_though_the_audit_log_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(countersign(dir.path(), &["migrate"], &[]).status.code(), Some(0));
    let url = format!("sqlite://{}", dir.path().join("countersign.db").display());
    crate::db::run(
        &url,
        "CREATE TRIGGER full BEFORE INSERT ON admin_events BEGIN SELECT raise(ABORT, 'full'); END;",
    );
    let out = countersign(dir.path(), &["db", "backup", "copy.db"], &[]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(
        text(&out.stderr).contains("the audit log does not tell of this backup"),
        "{}",
        text(&out.stderr)
    );
}
