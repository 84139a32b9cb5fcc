//! Rules of the plain data: status changes, seats, secrets of clients, turns of signing keys.

use countersign::clock::UnixSeconds;
use countersign::model::client::{AuthMethod, ClientSecret, MAX_SECRETS, RegisteredClient};
use countersign::model::member::{Member, Role, Status};
use countersign::model::seats::{is_seat_free, seats_taken};
use countersign::model::signing_key::{PUBLISH_AFTER, Scheduled, Turn, active, split_retired, turns};
use countersign::model::teamspace::{Plan, Teamspace};
use countersign::store::members::Identity;
use countersign::store::sign_ins::NewSignIn;
use countersign::store::{MemberChange, Redemption, StoreError};
use diesel::connection::SimpleConnection as _;
use proptest::prelude::*;

use crate::harness::{START, TestApp};

const STATUSES: [Status; 4] = [Status::Active, Status::Invited, Status::Suspended, Status::Removed];

/// Administrators suspend and bring back; only a sign-in makes an invited member active, and a removed one comes back
/// by an invitation only.
#[test]
fn an_administrator_sets_no_status_but_active_and_suspended() {
    let allowed = [(Status::Active, Status::Suspended), (Status::Suspended, Status::Active)];
    for from in STATUSES {
        for to in STATUSES {
            let expected = from == to || allowed.contains(&(from, to));
            assert_eq!(from.set_to(to).ok(), expected.then_some(to), "{from:?} to {to:?}");
        }
    }
}

#[test]
fn seats_follow_the_status() {
    assert!(is_seat_free(1_000_000, None));
    for (used, limit, free) in [(0, 0, false), (0, 1, true), (1, 1, false), (2, 1, false), (1, 2, true)] {
        assert_eq!(is_seat_free(used, Some(limit)), free, "{used} of {limit}");
    }
    let moves = [
        (None, Status::Active, 1),
        (None, Status::Suspended, 0),
        (Some(Status::Invited), Status::Active, 0),
        (Some(Status::Active), Status::Suspended, -1),
        (Some(Status::Suspended), Status::Removed, 0),
        (Some(Status::Removed), Status::Invited, 1),
    ];
    for (before, after, taken) in moves {
        assert_eq!(seats_taken(before, after), taken, "{before:?} to {after:?}");
    }
}

fn newcomer(name: &str) -> MemberChange {
    let member = Member {
        status: Status::Active,
        ..Member::invited(
            format!("id-{name}"),
            "id-of-acme".into(),
            format!("{name}@acme.com"),
            Role::Developer,
            START,
        )
    };
    let identity = Identity {
        teamspace_id: "id-of-acme".into(),
        issuer: "https://idp.example.com".into(),
        tenant: String::new(),
        subject: name.to_owned(),
        member_id: member.id.clone(),
    };
    MemberChange::Provision { member, identities: vec![identity], seats_counted: None }
}

/// The database answers whether a seat is free by a condition of its own, which must say the same.
#[tokio::test]
async fn the_database_gives_a_seat_exactly_when_the_rule_says_that_one_is_free() {
    let app = TestApp::start().await;
    let store = &app.app.store;
    for limit in [None, Some(0), Some(1), Some(2)] {
        for used in 0..4 {
            let text = limit.map_or_else(|| "NULL".to_owned(), |limit: i64| limit.to_string());
            let sql = format!("UPDATE teamspaces SET seats_used = {used}, member_limit = {text}");
            store.write(move |c| Ok::<_, StoreError>(c.batch_execute(&sql)?)).await.unwrap();
            let name = format!("of-{text}-{used}").to_lowercase();
            let redemption = Redemption {
                assertion: format!("{name:0<43}"),
                issued_at: START,
                expires_at: START + 300,
                client_assertion: None,
                proof: None,
                generation: app.app.snapshot().generation,
                member: newcomer(&name),
            };
            let row = NewSignIn { at: START, teamspace_id: Some("id-of-acme".into()), ..Default::default() };
            let row = NewSignIn { outcome: "granted".to_owned(), ..row };
            let taken = store.redeem(redemption, row.into()).await.is_ok();
            assert_eq!(taken, is_seat_free(used, limit), "{used} of {limit:?}");
        }
    }
}

/// A removed member is invited under the same id, with the history that the id has.
#[test]
fn a_member_is_invited_again_as_who_they_were() {
    let ann = Member::invited("id".into(), "t".into(), "ann@acme.com".into(), Role::Owner, START);
    let ended = ann.clone().with_sessions_ended(START + 9).with_sessions_ended(START + 5);
    assert_eq!(ended.sessions_ended_at, Some(START + 9), "the time never goes back");
    let again = ended.clone().removed().invited_again(Role::Developer);
    assert_eq!(again, Member { role: Role::Developer, ..ended });
}

#[test]
fn an_email_is_admitted_by_its_whole_domain() {
    let mut acme = Teamspace {
        id: "t".into(),
        slug: "acme".into(),
        name: "Acme".into(),
        plan: Plan::Enterprise,
        member_limit: None,
        email_domains: Vec::new(),
        time_zone: "UTC".to_owned(),
        created_at: START,
    };
    assert!(acme.admits_email("ann@anywhere.example"));
    acme.email_domains = vec!["acme.com".into()];
    for (email, admitted) in
        [("ann@acme.com", true), ("ann@eu.acme.com", false), ("ann@notacme.com", false), ("ann", false)]
    {
        assert_eq!(acme.admits_email(email), admitted, "{email}");
    }
}

/// However many secrets there are, after one more there are two at the most, and the latest ones stay.
#[test]
fn the_oldest_secrets_go_when_one_is_added() {
    let secret = |i: usize| ClientSecret {
        id: i.to_string(),
        client_id: "c".into(),
        secret_digest: String::new(),
        created_at: START,
    };
    for (live, gone) in [(0, 0), (1, 0), (2, 1), (3, 2)] {
        let client = RegisteredClient {
            client_id: "c".into(),
            client_name: "c".into(),
            token_endpoint_auth_method: AuthMethod::Basic,
            grant_types: Vec::new(),
            groups: Vec::new(),
            enabled: true,
            dpop_bound_access_tokens: false,
            created_at: START,
            document_host: None,
            keys: None,
            secrets: (0..live).map(secret).collect(),
        };
        let replaced: Vec<&str> = client.replaced_by_new_secret().iter().map(|s| s.id.as_str()).collect();
        let expected: Vec<String> = (0..gone).map(|i| i.to_string()).collect();
        assert_eq!(replaced, expected, "of {live}");
        assert!(live + 1 - replaced.len() <= MAX_SECRETS);
    }
}

/// A key is its time.
struct Key(UnixSeconds);

impl Scheduled for Key {
    fn signs_from(&self) -> UnixSeconds {
        self.0
    }
}

proptest! {
    /// Whatever keys there are, at most one signs, all before it wait and all after it are past; the one that signs is
    /// never retired, nor is one whose successor signs for less than the longest life of a token.
    #[test]
    fn one_key_signs_and_stays_published_with_its_neighbours(
        mut times in proptest::collection::vec(-20_000..20_000i64, 0..6),
    ) {
        times.sort_by(|a, b| b.cmp(a));
        let keys: Vec<Key> = times.iter().copied().map(Key).collect();
        let seen: Vec<Turn> = turns(&keys, 0).map(|(_, turn)| turn).collect();
        for (key, turn) in turns(&keys, 0) {
            prop_assert_eq!(turn == Turn::Next, key.0 > 0);
        }
        let signs = seen.iter().position(|turn| *turn == Turn::Signs);
        prop_assert_eq!(active(&keys, 0).map(|key| key.0), signs.map(|at| times[at]));
        prop_assert!(seen.iter().filter(|turn| **turn == Turn::Signs).count() <= 1);
        let (published, retired) = split_retired(&keys, 0);
        prop_assert_eq!(published.len() + retired.len(), keys.len());
        prop_assert!(signs.is_none_or(|at| at < published.len()));
        for index in 1..keys.len() {
            prop_assert_eq!(index >= published.len(), times[index - 1] + PUBLISH_AFTER < 0);
        }
    }
}
