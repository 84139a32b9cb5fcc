//! The chains of both logs: whatever is done to sealed rows is found.

use std::collections::BTreeSet;

use countersign::app::{App, Seals};
use countersign::config::{Config, Duration, Secret};
use countersign::model::log::Log;
use countersign::store::AnyConnection;
use countersign::store::copy::tables::{self, ColumnKind};
use countersign::store::log_seals::verify::{Expected, Rules, SealFinding, Verification};
use countersign::store::log_seals::{self, Seal, append};
use serde_json::{Value, json};

use crate::admin::audit::append_at as audit_row;
use crate::commands::{countersign, text};
use crate::database::TestDatabase;
use crate::db::{fill, number, run};
use crate::harness::{START, TestApp};
use crate::log_stream::record;
use crate::process::{Process, real_time, until};

const DAY: i64 = 24 * 3600;

fn rules(app: &App, log: Log) -> Rules {
    let kept_for = match log {
        Log::Decisions => app.config.retention.sign_ins.as_secs(),
        Log::Admin => app.config.retention.audit.as_secs(),
    };
    let pruned_before = Some(app.clock.now() - kept_for);
    Rules { log, key: app.seals.key.clone(), pruned_before, expected: Vec::new() }
}

async fn verify_by(app: &App, rules: Rules) -> Verification {
    let mut chain = Verification::new(rules);
    loop {
        let step = app.store.list(move |c| {
            let is_more = chain.step(c)?;
            Ok((chain, is_more))
        });
        let (stepped, is_more) = step.await.unwrap();
        chain = stepped;
        if !is_more {
            return chain;
        }
    }
}

async fn verify(app: &App, log: Log) -> Verification {
    verify_by(app, rules(app, log)).await
}

/// Asserts that nothing is found.
async fn is_sound(app: &App, log: Log) -> Verification {
    let chain = verify(app, log).await;
    assert_eq!(chain.findings, []);
    chain
}

async fn problems(app: &App, log: Log) -> Vec<SealFinding> {
    verify(app, log).await.findings
}

async fn head(app: &App, log: Log) -> Seal {
    app.store.list(move |c| log_seals::newest(c, log)).await.unwrap().unwrap()
}

/// Rows of the decision log, each so much later than the one before that it gets a seal of its own.
async fn record_apart(app: &TestApp, rows: usize) {
    for row in 0..rows {
        record(app, row..row + 1).await;
        app.clock.advance(100);
    }
}

fn with_key(config: &mut Config) {
    config.keys.encryption_key = Some(Secret::from("A".repeat(43)));
}

#[tokio::test]
async fn what_is_sealed_is_sound_and_the_chain_goes_on() {
    let app = TestApp::start().await;
    record(&app, 0..600).await;
    app.app.seal_logs().await.unwrap();
    let chain = is_sound(&app.app, Log::Decisions).await;
    assert_eq!((chain.rows, chain.seals, chain.authentic), (600, 3, 0), "at most 250 rows under one");
    app.app.seal_logs().await.unwrap();
    assert_eq!(head(&app.app, Log::Decisions).await.number, 3, "nothing new, no seal");
    record(&app, 600..601).await;
    app.app.seal_logs().await.unwrap();
    assert_eq!(is_sound(&app.app, Log::Decisions).await.rows, 601);
}

/// Every column of both tables, each changed in a row of its own.
#[tokio::test]
async fn a_change_of_any_column_is_found_where_it_was_made() {
    for (log, table) in [(Log::Decisions, "sign_ins"), (Log::Admin, "admin_events")] {
        let app = TestApp::start().await;
        let columns = tables::all().find(|known| known.name == table).unwrap().columns();
        match log {
            Log::Decisions => record_apart(&app, columns.len()).await,
            Log::Admin => {
                for row in 0..columns.len() as i64 {
                    audit_row(&app.app.store, START + 100 * row).await;
                }
            }
        }
        app.app.seal_logs().await.unwrap();
        let sealed = is_sound(&app.app, log).await;
        assert_eq!(sealed.seals, columns.len() as u64);
        let first = number(&app.database.url, &format!("(SELECT min(id) FROM {table})"));
        let mut expected = BTreeSet::new();
        // From the last on: the id of a row is changed to one behind all of them.
        for (index, column) in columns.iter().enumerate().rev() {
            let (id, name) = (first + index as i64, column.name);
            let changed = match column.kind {
                ColumnKind::Number => format!("{name} + 1000"),
                _ => format!("coalesce({name}, '') || 'x'"),
            };
            run(&app.database.url, &format!("UPDATE {table} SET {name} = {changed} WHERE id = {id}"));
            expected.insert(index as i64 + 1);
        }
        let found: BTreeSet<i64> =
            problems(&app.app, log).await.into_iter().map(|found| found.seal).collect();
        assert_eq!(found, expected, "{table}");
    }
}

#[tokio::test]
async fn removal_insertion_and_reordering_are_found() {
    for (done, statement, problem) in [
        ("removed", "DELETE FROM sign_ins WHERE id = 2", "10 rows were sealed, and 9 are there"),
        (
            "added",
            "DELETE FROM sign_ins WHERE id = 2; INSERT INTO sign_ins (id, at, outcome, reason, detail, request_id, \
             client_id, issuer, subject, email, member_id, resource, scopes_asked, scopes_granted, decisions, \
             policy_set, assertion, token_id, facts) VALUES (2, 1795348800, 'granted', '', '', 'r-1', '', '', '', '', \
             '', '', '', '', '', '', '', '', '')",
            "changed",
        ),
        (
            "reordered",
            "UPDATE sign_ins SET id = 1000 WHERE id = 2; UPDATE sign_ins SET id = 2 WHERE id = 3; \
             UPDATE sign_ins SET id = 3 WHERE id = 1000",
            "another order",
        ),
        ("all rows removed", "DELETE FROM sign_ins", "10 rows were sealed, and 0 are there"),
        ("decision changed", "UPDATE sign_in_grounds SET decisions = '[]'", "was changed"),
        ("decision removed", "DELETE FROM sign_in_grounds", "is missing"),
        ("seal changed", "UPDATE log_seals SET sealed_at = sealed_at - 1 WHERE log = 'decisions'", "changed"),
        (
            "more under a seal",
            "UPDATE log_seals SET row_count = 9 WHERE log = 'decisions'",
            "9 rows were sealed",
        ),
    ] {
        let app = TestApp::start_with(|config| config.database.writers = 1).await;
        record(&app, 0..10).await;
        app.app.seal_logs().await.unwrap();
        is_sound(&app.app, Log::Decisions).await;
        run(&app.database.url, statement);
        let found = problems(&app.app, Log::Decisions).await;
        assert!(!found.is_empty() && found.iter().all(|found| found.seal == 1), "{done}: {found:?}");
        assert!(found.iter().any(|found| found.problem.contains(problem)), "{done}: {found:?}");
    }
}

/// A row that is put where an id was left out, as after a transaction that was taken back.
#[tokio::test]
async fn a_row_in_a_gap_is_found() {
    let app = TestApp::start().await;
    audit_row(&app.app.store, START).await;
    run(&app.database.url, "UPDATE admin_events SET id = 50");
    app.app.seal_logs().await.unwrap();
    is_sound(&app.app, Log::Admin).await;
    run(
        &app.database.url,
        "INSERT INTO admin_events (id, at, actor, action, object, request_id) VALUES (7, 1, 'x', 'x', 'x', '')",
    );
    assert_eq!(problems(&app.app, Log::Admin).await[0].problem, "1 rows were sealed, and 2 are there");
}

#[tokio::test]
async fn missing_seals_are_found() {
    let app = TestApp::start().await;
    record_apart(&app, 4).await;
    app.app.seal_logs().await.unwrap();
    run(&app.database.url, "DELETE FROM log_seals WHERE log = 'decisions' AND number = 2");
    let found = problems(&app.app, Log::Decisions).await;
    assert_eq!(found[0].problem, "the seals from 2 to 2 are missing");
    run(&app.database.url, "DELETE FROM log_seals WHERE log = 'decisions' AND number = 1");
    assert_eq!(problems(&app.app, Log::Decisions).await[0].problem, "the seals from 1 to 2 are missing");
}

/// Whoever cuts off the end together with its seals leaves a sound chain, which lacks a seal that was noted elsewhere.
#[tokio::test]
async fn an_end_that_was_cut_off_is_found_by_a_seal_that_was_noted() {
    let app = TestApp::start().await;
    record_apart(&app, 4).await;
    app.app.seal_logs().await.unwrap();
    let noted = head(&app.app, Log::Decisions).await;
    let expecting = |digest: &str| Rules {
        expected: vec![Expected { log: Log::Decisions, number: noted.number, digest: digest.to_owned() }],
        ..rules(&app.app, Log::Decisions)
    };
    assert_eq!(verify_by(&app.app, expecting(&noted.digest)).await.findings, []);
    let other = verify_by(&app.app, expecting("other")).await.findings;
    assert!(other[0].problem.contains("made anew"), "{other:?}");
    run(&app.database.url, "DELETE FROM sign_ins WHERE id > 2; DELETE FROM log_seals WHERE number > 2");
    is_sound(&app.app, Log::Decisions).await;
    let found = verify_by(&app.app, expecting(&noted.digest)).await.findings;
    assert!(found[0].problem.contains("the end was cut off"), "{found:?}");
}

/// Whoever can write the database can make the chain anew, but not with the key.
#[tokio::test]
async fn a_chain_that_was_made_anew_is_found_where_there_is_a_key() {
    let app = TestApp::start_with(with_key).await;
    record_apart(&app, 4).await;
    app.app.seal_logs().await.unwrap();
    assert_eq!(is_sound(&app.app, Log::Decisions).await.authentic, 4);
    // As a thief does: with no key, or with one of their own.
    for key in [None, Some("B".repeat(43))] {
        run(&app.database.url, "UPDATE sign_ins SET email = 'x'; DELETE FROM log_seals");
        let mut config = app.app.config.clone();
        config.keys.encryption_key = key.map(Secret::from);
        let thief = Seals::new(&config);
        let make = move |c: &mut AnyConnection| {
            let ends = append::look(c, Log::Decisions)?;
            append::next(c, Log::Decisions, (&ends, i64::MAX), thief.key.as_ref(), START + 1000)
        };
        let seals = app.app.store.list(make).await.unwrap().seals;
        let append = move |c: &mut AnyConnection| append::append(c, &seals, None);
        assert!(app.app.store.write(append).await.unwrap());
        let found = problems(&app.app, Log::Decisions).await;
        assert!(found.iter().any(|found| found.problem.contains("no seal was made")), "{found:?}");
    }
    let key = app.app.seals.key.as_ref().unwrap().id().to_owned();
    run(&app.database.url, &format!("UPDATE log_seals SET key_id = '{key}'"));
    let found = problems(&app.app, Log::Decisions).await;
    assert!(found.len() == 4 && found[0].problem.contains("forged"), "{found:?}");
}

/// A key that is set later authenticates the chain from then on, also when nothing is logged.
#[tokio::test]
async fn a_new_key_is_taken_up_at_once() {
    let app = TestApp::start().await;
    record(&app, 0..3).await;
    app.app.seal_logs().await.unwrap();
    let mut config = app.app.config.clone();
    with_key(&mut config);
    app.clock.advance(60);
    let later = App::start(config, std::sync::Arc::new(app.clock.clone())).await.unwrap();
    later.seal_logs().await.unwrap();
    let chain = is_sound(&later, Log::Decisions).await;
    assert_eq!((chain.rows, chain.seals, chain.authentic), (3, 2, 1));
    run(&app.database.url, "UPDATE log_seals SET key_id = '', code = '' WHERE number = 2");
    assert!(problems(&later, Log::Decisions).await[0].problem.contains("no seal was made"));
}

/// Old rows are deleted by whole seals, and what is left is sound.
#[tokio::test]
async fn pruning_leaves_a_sound_chain() {
    for key in [false, true] {
        let app = TestApp::start_with(|config| {
            if key {
                with_key(config);
            }
        })
        .await;
        record_apart(&app, 3).await;
        record(&app, 3..400).await;
        app.clock.advance(DAY);
        record(&app, 400..500).await;
        app.app.seal_logs().await.unwrap();
        app.clock.advance(89 * DAY + DAY / 2);
        app.app.prune().await.unwrap();
        assert_eq!(app.written().await.sign_ins, 100);
        let chain = is_sound(&app.app, Log::Decisions).await;
        assert_eq!(chain.rows, 100);
        assert_eq!(chain.seals, 2, "of the deleted ones, the last is kept");
        assert!(chain.pruned_to.is_some());
        record(&app, 500..501).await;
        app.app.seal_logs().await.unwrap();
        assert_eq!(is_sound(&app.app, Log::Decisions).await.rows, 101);
        app.clock.advance(91 * DAY);
        app.app.prune().await.unwrap();
        assert_eq!(app.written().await.sign_ins, 0);
        assert_eq!(is_sound(&app.app, Log::Decisions).await.seals, 1);
    }
}

/// Rows are not old because somebody says so.
#[tokio::test]
async fn rows_that_were_removed_as_if_for_their_age_are_found() {
    let app = TestApp::start().await;
    record_apart(&app, 3).await;
    app.app.seal_logs().await.unwrap();
    let now = START + 300;
    let remove = format!(
        "DELETE FROM sign_ins WHERE id = 1; UPDATE log_seals SET pruned_before = {now} WHERE log = 'decisions' AND \
         number = 1"
    );
    run(&app.database.url, &remove);
    let found = problems(&app.app, Log::Decisions).await;
    assert!(found.len() == 1 && found[0].problem.contains("which `retention` keeps"), "{found:?}");
    run(&app.database.url, "UPDATE log_seals SET pruned_before = 1 WHERE log = 'decisions' AND number = 1");
    let found = problems(&app.app, Log::Decisions).await;
    assert!(found.iter().any(|found| found.problem.contains("they were not old")), "{found:?}");
}

/// A database of an older version has rows and no seals; rows that lay open for long are told.
#[tokio::test]
async fn rows_of_an_older_version_are_sealed_and_told() {
    let app = TestApp::start().await;
    record(&app, 0..20).await;
    app.clock.advance(DAY);
    app.app.seal_logs().await.unwrap();
    assert_eq!(is_sound(&app.app, Log::Decisions).await.latest, Some((1, DAY)));
}

/// Processes that seal at once make one chain, while others write.
#[tokio::test(flavor = "multi_thread")]
async fn several_processes_make_one_chain() {
    let app = TestApp::start().await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others
            .push(App::start(app.app.config.clone(), std::sync::Arc::new(app.clock.clone())).await.unwrap());
    }
    for turn in 0..10 {
        app.clock.advance(40);
        let (one, two, three) = (app.app.seal_logs(), others[0].seal_logs(), others[1].seal_logs());
        let written = record(&app, turn * 60..turn * 60 + 60);
        let ((), one, two, three) = tokio::join!(written, one, two, three);
        one.and(two).and(three).unwrap();
    }
    for _ in 0..2 {
        app.clock.advance(40);
        app.app.seal_logs().await.unwrap();
    }
    assert_eq!(is_sound(&app.app, Log::Decisions).await.rows, 600);
}

/// A process that was overtaken, or killed before it could write, leaves nothing.
#[tokio::test]
async fn seals_are_appended_to_the_end_or_not_at_all() {
    let app = TestApp::start().await;
    record_apart(&app, 2).await;
    let now = START + 1000;
    let make = move |c: &mut AnyConnection| {
        let ends = append::look(c, Log::Decisions)?;
        append::next(c, Log::Decisions, (&ends, i64::MAX), None, now)
    };
    let first = app.app.store.list(make).await.unwrap().seals;
    app.app.seal_logs().await.unwrap();
    let append = move |c: &mut AnyConnection| append::append(c, &first, None);
    assert!(!app.app.store.write(append).await.unwrap());
    assert_eq!(is_sound(&app.app, Log::Decisions).await.seals, 2);
}

/// The commands, on the file, on a backup of it and on a copy.
#[tokio::test]
async fn sqlite_the_commands_tell_of_the_chain_and_of_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::file(dir.path());
    let app = TestApp::start_on(dir, database, |_| {}).await;
    record_apart(&app, 3).await;
    app.app.seal_logs().await.unwrap();
    let dir = app.dir.path();
    let call = |url: &str, args: &[&str]| {
        let out = countersign(dir, args, &[("COUNTERSIGN_DATABASE_URL", url)]);
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let url = app.database.url.as_str();
    let (code, heads, _) = call(url, &["audit", "head"]);
    let noted = heads.lines().find(|line| line.starts_with("decisions:3:")).unwrap();
    assert_eq!(code, Some(0));
    let (code, told, _) = call(url, &["audit", "verify", "--expect", noted]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&format!("decisions: 3 rows under 3 seals; {noted}")), "{told}");
    assert_eq!(call(url, &["db", "backup", "copy.db"]).0, Some(0));
    let copy = format!("sqlite://{}", dir.join("copy.db").display());
    assert_eq!(call(&copy, &["audit", "verify", "--expect", noted]).0, Some(0));
    run(&copy, "UPDATE sign_ins SET email = 'x' WHERE id = 2");
    let (code, told, complaint) = call(&copy, &["audit", "verify", "--log", "decisions", "--format", "json"]);
    assert_eq!(code, Some(1));
    let told: Value = serde_json::from_str(&told).unwrap();
    let found = &told[0]["findings"];
    assert_eq!(
        (&found[0]["seal"], &found[0]["rows_after"], &found[0]["rows_to"]),
        (&json!(2), &json!(1), &json!(2))
    );
    assert_eq!((found.as_array().unwrap().len(), complaint.as_str()), (1, ""));
    let (code, _, complaint) = call(&copy, &["audit", "verify"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("decisions seal 2, rows 2 to 2: a row or the seal was changed"),
        "{complaint}"
    );
    for wrong in ["x", "decisions:x:y", "other:1:y"] {
        assert_eq!(call(url, &["audit", "verify", "--expect", wrong]).0, Some(2), "{wrong}");
    }
    assert_eq!(call(url, &["audit", "verify", "--log", "admin", "--expect", noted]).0, Some(2));
}

/// A process that is killed while it seals leaves a sound chain, and the next one goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_seals_leaves_a_sound_chain() {
    const ROWS: u32 = 60_000;
    let app = TestApp::start().await;
    real_time(&app);
    fill(&app.database.url, ROWS);
    let mut process = Process::start(&app);
    let sealed = "(SELECT count(*) FROM log_seals WHERE log = 'decisions')";
    until("something is sealed", async || number(&app.database.url, sealed) > 0).await;
    process.signal("KILL");
    process.ended().await;
    is_sound(&app.app, Log::Decisions).await;
    // Whoever sealed a moment ago would be left to do it.
    app.clock.advance(100);
    app.app.seal_logs().await.unwrap();
    assert_eq!(is_sound(&app.app, Log::Decisions).await.rows, u64::from(ROWS));
}

#[tokio::test]
async fn the_metrics_say_up_to_which_row_logs_are_sealed() {
    let app = TestApp::start_with(|config| config.retention.audit = Duration::from_secs(0)).await;
    record(&app, 0..3).await;
    app.app.seal_logs().await.unwrap();
    let metrics = app.app.render_metrics().unwrap();
    let last = number(&app.database.url, "(SELECT max(id) FROM sign_ins)");
    assert!(
        metrics.contains(&format!("countersign_audit_sealed_id{{log=\"decisions\"}} {last}")),
        "{metrics}"
    );
}
