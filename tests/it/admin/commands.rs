//! What the commands do for administrators, on tokens and signing keys.

use countersign::admin::tokens::{self, NewToken};
use countersign::admin::{AdminError, keys};
use countersign::random::digest;
use countersign::store::{admin_tokens, signing_keys};
use serde_json::{Value, json};

use super::harness::{Harness, NOW};

/// The latest row of the audit log, without its id.
async fn latest(h: &Harness) -> Value {
    let mut row = h.operator.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    row.as_object_mut().unwrap().remove("id");
    row
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
        "old": null,
        "new": null,
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
    let id = h.app.snapshot().tenancy("acme").unwrap().teamspace.id.clone();
    let (secret, made) = tokens::create(store, token(" ci ", Some("acme")), NOW).await.unwrap();
    assert_eq!((made.name.as_str(), made.expires_at), ("ci", Some(NOW + 60)));
    assert_eq!(made.token_digest, digest(&secret));
    assert_eq!(latest(&h).await, row("admin_token.create", &made.id, Some(("acme", &id))));
    assert_eq!(tokens::find_live(store, digest(&secret), NOW + 59).await.unwrap().unwrap(), made);
    assert!(tokens::find_live(store, digest(&secret), NOW + 60).await.unwrap().is_none());

    tokens::delete(store, made.id.clone(), NOW).await.unwrap();
    assert_eq!(latest(&h).await, row("admin_token.delete", &made.id, None));
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
    keys::remove(store, made.kid.clone(), NOW).await.unwrap();
    assert_eq!(latest(&h).await, row("signing_key.remove", &made.kid, None));
    assert_eq!(store.read(signing_keys::all).await.unwrap().len(), 1);
    let made = keys::rotate(store, &h.app.config, true, NOW + 1).await.unwrap();
    let refused = keys::remove(store, made.kid, NOW + 1).await;
    assert!(matches!(refused, Err(AdminError::KeySigns)), "{refused:?}");
}
