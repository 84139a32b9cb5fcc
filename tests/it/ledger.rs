//! Many requests in one transaction, each of which comes out by itself.

use std::sync::Arc;

use countersign::model::member::{Member, Role, Status};
use countersign::store::changes::{self, Changed};
use countersign::store::members::Identity;
use countersign::store::sign_ins::NewSignIn;
use countersign::store::state::Generation;
use countersign::store::teamspaces;
use countersign::store::{Conflict, MemberChange, RedeemError, Redemption, Store, StoreError};
use diesel::connection::SimpleConnection as _;
use serde_json::json;

use crate::harness::{START, TestApp};
use crate::subject::futures_all;

fn row(teamspace_id: &str) -> Arc<NewSignIn> {
    let row = NewSignIn { at: START, teamspace_id: Some(teamspace_id.to_owned()), ..NewSignIn::default() };
    Arc::new(NewSignIn { outcome: "granted".to_owned(), ..row })
}

fn redemption(assertion: &str, generation: Generation, member_id: &str) -> Redemption {
    Redemption {
        assertion: format!("{assertion:0<43}"),
        issued_at: START,
        expires_at: START + 300,
        client_assertion: None,
        proof: None,
        generation,
        member: MemberChange::Known { member_id: member_id.to_owned() },
    }
}

/// A decision stays valid while another teamspace is changed, but not after a change in its own, or for all.
#[tokio::test]
async fn only_changes_that_matter_are_in_the_way() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let member = app.member("dana@acme.com").await.unwrap().id;
    let generation = app.app.snapshot().generation;
    let note = async |changed: Changed| {
        app.app.store.configure(move |c| changes::note(c, &changed, START)).await.unwrap();
    };
    let redeem = async |name: &str| {
        let redemption = redemption(name, generation, &member);
        app.app.store.redeem(redemption, row("id-of-acme")).await
    };
    assert!(redeem("one").await.is_ok());
    note(Changed::Members("another".to_owned())).await;
    note(Changed::Teamspace("another".to_owned())).await;
    assert!(redeem("two").await.is_ok());
    let before = app.written().await;
    note(Changed::Client("any".to_owned())).await;
    for _ in 0..2 {
        let refused = redeem("three").await;
        assert!(matches!(refused, Err(RedeemError::Conflict(Conflict::ConfigurationChanged))), "{refused:?}");
        note(Changed::Members("id-of-acme".to_owned())).await;
    }
    assert_eq!(app.written().await, before);
}

/// Of entries that are written together each has its own outcome: used, unknown, fine.
#[tokio::test(flavor = "multi_thread")]
async fn each_entry_has_its_own_outcome() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let member = app.member("dana@acme.com").await.unwrap().id;
    let (generation, before) = (app.app.snapshot().generation, app.written().await);
    let store = &app.app.store;
    // Submitted before any of them is waited for.
    let fine = store.redeem(redemption("fine", generation, &member), row("id-of-acme"));
    let again = store.redeem(redemption("fine", generation, &member), row("id-of-acme"));
    let nobody = store.redeem(redemption("nobody", generation, "nobody"), row("id-of-acme"));
    let refusal = store.record(row("id-of-acme"));
    let (fine, again, nobody, refusal) = tokio::join!(fine, again, nobody, refusal);
    // PostgreSQL has several writers, any of which may be first.
    let (used, replayed) = if fine.is_ok() { (fine, again) } else { (again, fine) };
    assert!(used.is_ok() && refusal.is_ok(), "{used:?} {refusal:?}");
    assert!(matches!(replayed, Err(RedeemError::Conflict(Conflict::Replayed))), "{replayed:?}");
    assert!(matches!(nobody, Err(RedeemError::Conflict(Conflict::FactsChanged))), "{nobody:?}");
    let after = app.written().await;
    assert_eq!(after.used_assertions, before.used_assertions + 1, "what was refused is not used");
    assert_eq!(after.sign_ins, before.sign_ins + 2);
}

fn newcomer(name: &str, email: &str, subject: &str) -> MemberChange {
    let member = Member {
        id: format!("id-of-{name}"),
        teamspace_id: "id-of-acme".to_owned(),
        email: email.to_owned(),
        role: Role::Developer,
        status: Status::Active,
        provisioned_by: "sign-in".to_owned(),
        created_at: START,
        last_sign_in_at: Some(START),
        sessions_ended_at: None,
        first_sign_in_at: None,
        link: None,
    };
    let identity = Identity {
        teamspace_id: member.teamspace_id.clone(),
        issuer: "https://idp.example".to_owned(),
        tenant: String::new(),
        subject: subject.to_owned(),
        member_id: member.id.clone(),
    };
    MemberChange::Provision { member, identities: vec![identity], seats_counted: None }
}

/// Of newcomers in one batch who have an email or a subject in common the first comes in; of the others nothing
/// stays, and their seats are free again.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_who_meets_another_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let generation = app.app.snapshot().generation;
    let redeem = |name: &str, email: &str, subject: &str| {
        let member = newcomer(name, email, subject);
        app.app.store.redeem(Redemption { member, ..redemption(name, generation, "") }, row("id-of-acme"))
    };
    let before = app.written().await;
    // SQLite's writer takes the first at once, or all of them: it comes first in either case.
    let first = redeem("first", "a@acme.com", "one");
    let same_subject = redeem("second", "c@acme.com", "one");
    let same_email = redeem("third", "a@acme.com", "three");
    let another = redeem("fourth", "d@acme.com", "four");
    let (first, same_subject, same_email, another) = tokio::join!(first, same_subject, same_email, another);
    // PostgreSQL has several writers: there the two may come in before the one whom both of them meet.
    assert!(first.is_ok() || !app.database.url.starts_with("sqlite"), "{first:?}");
    assert!(another.is_ok(), "{another:?}");
    assert_eq!([same_subject.is_err(), same_email.is_err()], [first.is_ok(); 2]);
    let all = [first, same_subject, same_email, another];
    let granted = all.iter().filter(|outcome| outcome.is_ok()).count() as i64;
    for refused in all.iter().filter(|outcome| outcome.is_err()) {
        assert!(matches!(refused, Err(RedeemError::Conflict(Conflict::FactsChanged))), "{refused:?}");
    }
    let after = app.written().await;
    assert_eq!(after.members, before.members + granted);
    assert_eq!(after.identities, before.identities + granted);
    assert_eq!(after.used_assertions, before.used_assertions + granted, "what was refused is not used");
    assert_eq!(after.sign_ins, before.sign_ins + granted);
    let seats = app.app.store.read(|c| teamspaces::seats_used(c, "id-of-acme")).await.unwrap();
    assert_eq!(seats, after.members);
}

/// However much is written without a pause, the log is carried over and begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_the_log_does_not_grow_for_ever() {
    let app = TestApp::start().await;
    let mut large = NewSignIn::clone(&row("id-of-acme"));
    large.detail = "x".repeat(8000);
    let large = Arc::new(large);
    for _ in 0..90 {
        let rows = (0..200).map(|_| app.app.store.record(Arc::clone(&large)));
        futures_all(rows).await.into_iter().for_each(|written| written.unwrap());
    }
    let path = app.database.url.strip_prefix("sqlite://").unwrap();
    let [file, log] = ["", "-wal"].map(|end| std::fs::metadata(format!("{path}{end}")).unwrap().len());
    // 18,000 rows of two pages and more each.
    assert!(file > 90 << 20, "{file}");
    assert!(log < 80 << 20, "{log}");
}

/// Of entries that are written together one cannot be: the others are, each once.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_what_cannot_be_written_takes_nothing_along() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let member = app.member("dana@acme.com").await.unwrap().id;
    let (generation, before) = (app.app.snapshot().generation, app.written().await);
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON sign_ins WHEN NEW.detail = 'poison' \
        BEGIN SELECT RAISE(ABORT, 'poison'); END";
    app.database.connect().batch_execute(poison).unwrap();
    let store = &app.app.store;
    let commits = store.counts().commits.load(std::sync::atomic::Ordering::Relaxed);
    // The writer is held until all entries are queued.
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let busy = tokio::spawn({
        let store = store.clone();
        async move {
            let hold = move |_: &mut countersign::store::AnyConnection| {
                let _ = started.send(());
                let _ = released.recv();
                Ok::<_, StoreError>(())
            };
            store.write(hold).await
        }
    });
    has_started.await.unwrap();
    let redeem = |name: &str, detail: &str| {
        let row = NewSignIn { detail: detail.to_owned(), ..NewSignIn::clone(&row("id-of-acme")) };
        store.redeem(redemption(name, generation, &member), Arc::new(row))
    };
    let entries = (redeem("one", ""), redeem("two", "poison"), redeem("three", ""));
    release.send(()).unwrap();
    let (busy, one, two, three) = tokio::join!(busy, entries.0, entries.1, entries.2);
    let busy = busy.unwrap();
    assert!(busy.is_ok() && one.is_ok() && three.is_ok(), "{one:?} {three:?}");
    assert!(matches!(two, Err(RedeemError::Store(_))), "{two:?}");
    let after = app.written().await;
    assert_eq!(after.used_assertions, before.used_assertions + 2, "what was not written is not used");
    assert_eq!(after.sign_ins, before.sign_ins + 2);
    // A commit is counted after its answers are given.
    let since = || store.counts().commits.load(std::sync::atomic::Ordering::Relaxed) - commits;
    crate::process::until("both commits are counted", async || since() >= 2).await;
    assert_eq!(since(), 2, "they were written together");
    // Nor is it a burden later.
    assert!(redeem("two", "").await.is_ok());
}

/// A database that is full undoes a whole transaction: nobody is told that it was written, and the next one is.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_transaction_that_is_undone_is_not_the_end() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        // The limit is this connection's: it ends with it.
        let full = |c: &mut countersign::store::AnyConnection| {
            Ok::<_, StoreError>(c.batch_execute("PRAGMA max_page_count = 1")?)
        };
        app.app.store.write(full).await.unwrap();
        let assertion = "x".repeat(100);
        let (mut unavailable, mut last) = (0, None);
        for i in 0..200 {
            let before = app.written().await;
            let claims = json!({ "jti": format!("{assertion}{i}{}", uuid::Uuid::new_v4()) });
            let answer = app.exchange(&app.assertion(claims)).await;
            if answer.status == 503 {
                unavailable += 1;
                // The refusal itself may be in the log: by then there was a new connection.
                assert_eq!(app.written().await.used_assertions, before.used_assertions);
                last = Some(i);
            } else {
                assert_eq!(answer.status, 200, "{answer:?}");
                if last.is_some() {
                    break;
                }
            }
        }
        assert!((1..20).contains(&unavailable), "{unavailable} refusals");
    }
}

/// A process of the version before would not find the keys of this one.
#[tokio::test]
async fn sqlite_older_versions_redeem_nothing_any_more() {
    let app = TestApp::start().await;
    let long = format!("INSERT INTO used_assertions VALUES ('{}', 1)", "x".repeat(43));
    let error = app.database.connect().batch_execute(&long).unwrap_err().to_string();
    assert!(error.contains("newer version"), "{error}");
}

/// Redeemed assertions stay redeemed when the table is rebuilt, in both directions.
#[tokio::test]
async fn sqlite_used_assertions_survive_their_new_table() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    assert_eq!(app.exchange(&assertion).await.status, 200);
    let before = app.written().await;
    let c = &mut app.database.connect();
    let back = std::fs::read_to_string("migrations/sqlite/0008_used_assertions_checked/down.sql").unwrap();
    c.batch_execute(&format!("BEGIN IMMEDIATE; {back}; COMMIT")).unwrap();
    c.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version = '0008'").unwrap();
    assert_eq!(app.written().await, before);
    app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
    assert_eq!(Store::migrate(&app.database.url).unwrap(), ["0008"]);
    app.refused_assertion(&assertion, "invalid_grant", "replayed").await;
    assert_eq!(app.written().await.used_assertions, before.used_assertions);
}

/// Members and identities survive the rebuilding of their tables, in both directions.
#[tokio::test]
async fn sqlite_members_survive_their_new_layout() {
    let app = TestApp::start().await;
    for name in ["dana", "erin"] {
        app.granted(json!({ "sub": name, "email": format!("{name}@acme.com") })).await;
    }
    let before = app.written().await;
    let ids = async || {
        [app.member("dana@acme.com").await.unwrap().id, app.member("erin@acme.com").await.unwrap().id]
    };
    let known = ids().await;
    let c = &mut app.database.connect();
    // 0034 and 0021 add columns, which the layout of before does not have.
    for migration in ["0034_member_links", "0021_first_sign_ins_and_key_numbers", "0005_clustered_members"] {
        let back = std::fs::read_to_string(format!("migrations/sqlite/{migration}/down.sql")).unwrap();
        c.batch_execute(&format!("BEGIN IMMEDIATE; {back}; COMMIT")).unwrap();
        let version = &migration[..4];
        let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'");
        c.batch_execute(&forget).unwrap();
    }
    assert_eq!(app.written().await, before);
    assert_eq!(Store::migrate(&app.database.url).unwrap(), ["0005", "0021", "0034"]);
    assert_eq!((app.written().await, ids().await), (before, known));
    // Whoever was here is the same member still; and goes with the teamspace.
    app.granted(json!({ "sub": "dana", "email": "dana@acme.com" })).await;
    assert_eq!(app.written().await.members, before.members);
    c.batch_execute("DELETE FROM teamspaces").unwrap();
    assert_eq!((app.written().await.members, app.written().await.identities), (0, 0));
}
