//! Policies that read how many seats are taken: the number is true until the newcomer is in.

use std::collections::HashMap;

use serde_json::json;

use crate::clocks::Replica;
use crate::harness::{Answer, START, TestApp};
use crate::reload::Rules;
use crate::subject::futures_all;

/// Beside the member limit, which the service itself keeps.
const FIVE: &str = r#"@id("five") @reason("five_are_enough") @error("access_denied") @message("Five are enough.")
    forbid (principal, action == Action::"ProvisionMember", resource) when { context.seats_used >= 5 };"#;

fn newcomer(app: &TestApp, i: usize) -> String {
    app.assertion(json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") }))
}

fn counted(answers: &[Answer]) -> HashMap<(u16, String), usize> {
    let mut counted = HashMap::new();
    for answer in answers {
        let error = answer.json["error"].as_str().unwrap_or_default().to_owned();
        *counted.entry((answer.status, error)).or_default() += 1;
    }
    counted
}

/// As many come in as the policy permits, and everybody else is told so: nobody is asked to try again.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_newcomers_at_once_as_many_come_in_as_the_policy_permits() {
    let app = Rules::shipped_and(FIVE).start().await;
    let assertions: Vec<String> = (0..60).map(|i| newcomer(&app, i)).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    let expected = [((200, String::new()), 5), ((400, "access_denied".to_owned()), 55)];
    assert_eq!(counted(&answers), HashMap::from(expected));
    let written = app.written().await;
    assert_eq!((written.members, written.used_assertions, written.sign_ins), (5, 5, 60));
}

/// The same over two replicas, whose newcomers do not wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn the_count_holds_over_replicas() {
    let rules = Rules::shipped_and(FIVE);
    let app = rules.start().await;
    let other = Replica::start(&app, START).await;
    let assertions: Vec<String> = (0..60).map(|i| newcomer(&app, i)).collect();
    let (ours, theirs) = assertions.split_at(30);
    let (ours, theirs) = tokio::join!(
        futures_all(ours.iter().map(|assertion| app.exchange(assertion))),
        futures_all(theirs.iter().map(|assertion| other.exchange(&app, assertion))),
    );
    let answers: Vec<Answer> = ours.into_iter().chain(theirs).collect();
    let expected = [((200, String::new()), 5), ((400, "access_denied".to_owned()), 55)];
    assert_eq!(counted(&answers), HashMap::from(expected));
    assert_eq!(app.written().await.members, 5);
}

/// A rule that lets them in by their number: each sees its own.
#[tokio::test(flavor = "multi_thread")]
async fn newcomers_who_wait_make_progress() {
    let even = FIVE.replace("context.seats_used >= 5", "context.seats_used < 0");
    let app = Rules::shipped_and(&even).start().await;
    // The issuer's keys are there: only so many requests may wait for them.
    app.granted(json!({})).await;
    let assertions: Vec<String> = (0..100).map(|i| newcomer(&app, i)).collect();
    let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
    assert_eq!(counted(&answers), HashMap::from([((200, String::new()), 100)]));
}

/// Where nothing but a free seat matters, nobody waits for a turn.
#[tokio::test]
async fn shipped_policies_need_no_turns() {
    let app = TestApp::start().await;
    assert!(!app.app.policies().compiled.reads_seats_used());
    let counting = Rules::shipped_and(FIVE).start().await;
    assert!(counting.app.policies().compiled.reads_seats_used());
}
