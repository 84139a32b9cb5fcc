//! The sets that were in force.

use countersign::policy::PolicySource;
use countersign::store::{StoreError, policy_sets};
use serde_json::{Value, json};

use super::{CLOSED, Rules, hash, lock, operator, settle};
use crate::harness::START;

/// The policies behind a sign-in can be restored for as long as the sign-in is kept.
#[tokio::test]
async fn past_sets_are_kept_and_rebuilt() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    app.clock.advance(60);
    rules.put("clösed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    for hash in [&open, &closed] {
        let prefix = hash[..10].to_owned();
        let set = app.app.store.read(move |c| policy_sets::find(c, &prefix)).await.unwrap().unwrap();
        let rebuilt = PolicySource::from_content(&set.content).unwrap().compile(0).unwrap();
        assert_eq!((&rebuilt.hash, &set.hash), (hash, hash));
    }
    let listed = operator(&app, "/policies/sets").await.json;
    let items = listed["items"].as_array().unwrap();
    let hashes: Vec<_> = items.iter().map(|item| (&item["hash"], &item["in_force"])).collect();
    assert_eq!(hashes, [(&json!(closed), &json!(true)), (&json!(open), &json!(false))]);
    assert_eq!(items[0]["first_loaded_at"], "2026-11-22T12:01:00Z");
    let shown = operator(&app, &format!("/policies/sets/{closed}")).await.json;
    assert!(shown["schema"].as_str().unwrap().contains("entity Teamspace"));
    let file = &shown["files"].as_array().unwrap()[0];
    assert_eq!(file, &json!(["clösed.cedar", CLOSED]));
    let page = operator(&app, "/policies/sets?limit=1").await.json;
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = operator(&app, &format!("/policies/sets?limit=1&cursor={cursor}")).await.json;
    assert_eq!((&next["items"][0]["hash"], &next["next_cursor"]), (&json!(open), &Value::Null));
    assert_eq!(operator(&app, "/policies/sets/none").await.status, 404);
}

#[tokio::test]
async fn a_prefix_of_two_hashes_names_neither() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let keep = |c: &mut _| {
        policy_sets::keep(c, "same-1", "{}", START)?;
        Ok::<_, StoreError>(policy_sets::keep(c, "same-2", "{}", START)?)
    };
    app.app.store.write(keep).await.unwrap();
    let error = app.app.store.read(|c| policy_sets::find(c, "same-")).await.unwrap_err();
    assert_eq!(error.to_string(), "several policy sets have a hash that begins with same-");
    let answer = operator(&app, "/policies/sets/same-").await;
    assert_eq!((answer.status, &answer.json["code"]), (400, &json!("hash_ambiguous")));
    assert_eq!(operator(&app, "/policies/sets/same-1").await.status, 200);
}

#[tokio::test]
async fn past_sets_go_with_their_sign_ins() {
    const DAY: i64 = 24 * 3600;
    let rules = Rules::shipped();
    let app = rules.start().await;
    let open = hash(&app);
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let kept = async || {
        app.app.prune().await.unwrap();
        let sets = app.app.store.read(policy_sets::list).await.unwrap();
        sets.into_iter().map(|set| set.hash).collect::<Vec<_>>()
    };
    app.clock.advance(90 * DAY + 300);
    assert_eq!(kept().await.len(), 2, "the last sign-ins under it may be minutes younger");
    app.clock.advance(1);
    assert_eq!(kept().await, [hash(&app)], "the one in force stays");
    rules.remove("closed.cedar");
    settle(&app).await;
    assert_eq!(kept().await.len(), 2);
    assert_eq!(hash(&app), open);
}

/// A set comes into force also when the database cannot be written, and is kept as soon as it can.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_set_is_kept_later_when_the_database_is_busy() {
    let rules = Rules::shipped();
    let app = rules.start().await;
    let held = lock(&app);
    rules.put("closed.cedar", CLOSED);
    settle(&app).await;
    let closed = hash(&app);
    let stored = async || {
        let closed = closed.clone();
        app.app.store.read(move |c| policy_sets::find(c, &closed)).await.unwrap().is_some()
    };
    assert!(app.app.policies().files.iter().any(|file| file.name == "closed.cedar"));
    assert!(!stored().await);
    drop(held);
    app.app.keep_sets().await;
    assert!(stored().await);
}
