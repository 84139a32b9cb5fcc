//! Step 8, the person: who a subject is here, and who becomes a member.

use countersign::model::member::{Member, Status};
use countersign::model::teamspace::Teamspace;
use countersign::store::changes::Changed;
use countersign::store::members;
use countersign::store::teamspaces;
use serde_json::json;

use crate::harness::{START, TestApp};
use crate::idp::{FakeIdp, Key};

/// SUB-02, SUB-06, SUB-11: the first sign-in makes a member, bound to the subject; later ones find it.
#[tokio::test]
async fn the_first_sign_in_provisions_the_member() {
    let app = TestApp::start().await;
    let first = app.granted(json!({ "email": "Dana@Acme.com" })).await.claims();
    let member = app.member("dana@acme.com").await.unwrap();
    assert_eq!((member.status, member.provisioned_by.as_str()), (Status::Active, "sign-in"));
    assert_eq!((member.created_at, member.last_sign_in_at), (START, Some(START)));
    let identities = app.identities(&member).await;
    assert_eq!(identities.len(), 1);
    assert_eq!(
        (identities[0].issuer.as_str(), identities[0].subject.as_str()),
        (app.idp.issuer.as_str(), "00u1dana")
    );
    assert_eq!(first["sub"], json!(member.id));

    app.clock.advance(60);
    let second = app.granted(json!({})).await.claims();
    assert_eq!(second["sub"], first["sub"]);
    assert_eq!(app.member("dana@acme.com").await.unwrap().last_sign_in_at, Some(START + 60));
    assert_eq!(app.written().await.members, 1);
}

/// SUB-02: the email links once; afterwards the subject counts.
#[tokio::test]
async fn a_known_subject_stays_the_same_member_under_another_email() {
    let app = TestApp::start().await;
    let first = app.granted(json!({})).await.claims();
    let renamed = app.granted(json!({ "email": "dana.new@acme.com" })).await.claims();
    let without = app.granted(json!({ "email": null })).await.claims();
    assert_eq!((&renamed["sub"], &without["sub"]), (&first["sub"], &first["sub"]));
    assert_eq!(app.written().await.members, 1);
}

/// SUB-02, SUB-03, SUB-08, rule 9: a new subject does not become a member who is somebody else's.
#[tokio::test]
async fn a_new_subject_with_a_members_email_is_refused() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.refused(json!({ "sub": "00u2other" }), "invalid_grant", "subject_conflict").await;
    app.refused(json!({ "tenant": "t2" }), "invalid_grant", "subject_conflict").await;
    app.granted(json!({ "sub": "00u2other", "email": "other@acme.com" })).await;
    // Two members: the subject of one with the email of the other.
    app.refused(json!({ "email": "other@acme.com" }), "invalid_grant", "subject_conflict").await;
    app.change_member("dana@acme.com", |m| m.status = Status::Suspended).await;
    app.refused(json!({ "sub": "00u3" }), "invalid_grant", "subject_conflict").await;
}

/// SUB-03
#[tokio::test]
async fn aud_sub_must_be_the_same_member() {
    let app = TestApp::start().await;
    let own = app.granted(json!({})).await.claims()["sub"].clone();
    app.granted(json!({ "aud_sub": own })).await;
    // Providers put an id of their own choice there: what names nobody here says nothing.
    app.granted(json!({ "aud_sub": "somebody" })).await;
    let other = json!({ "sub": "00u2", "email": "other@acme.com", "aud_sub": own });
    app.refused(other, "invalid_grant", "subject_conflict").await;
    let other =
        app.granted(json!({ "sub": "00u2", "email": "other@acme.com" })).await.claims()["sub"].clone();
    app.refused(json!({ "aud_sub": other }), "invalid_grant", "subject_conflict").await;
}

/// SUB-01, SUB-09: another customer's identity provider asserts our member's email, and gets its own member.
#[tokio::test]
async fn teamspaces_do_not_see_each_others_members() {
    let idp = FakeIdp::start(Key::rsa("globex", 1)).await;
    let origin = idp.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &idp).await;
    let ours = app.granted(json!({})).await.claims();
    let claims = app.claims_with(json!({ "iss": idp.issuer }));
    let theirs = app.exchange(&idp.key.assertion(&claims)).await.claims();
    assert_eq!((&ours["teamspace"], &theirs["teamspace"]), (&json!("acme"), &json!("globex")));
    assert_ne!(ours["sub"], theirs["sub"]);
    // One issuer in two teamspaces would be ambiguous: the database refuses it.
    let mut provider = app.provider("globex");
    provider.issuer = app.idp.issuer.clone();
    let second = app.app.store.write(move |c| {
        Ok::<_, countersign::store::StoreError>(countersign::store::identity_providers::put(c, &provider)?)
    });
    assert!(second.await.is_err());
}

/// SUB-04: lower case, whole string, no folding; the domain must be the teamspace's.
#[tokio::test]
async fn the_domain_must_be_the_teamspaces() {
    let app = TestApp::start().await;
    app.change_teamspace(|t| t.email_domains = vec!["acme.com".into()]).await;
    for email in ["dana@evil.com", "dana@sub.acme.com", "dana@notacme.com", "dana@acme.com.evil.com"] {
        app.refused(json!({ "email": email }), "access_denied", "email_domain_not_allowed").await;
    }
    app.granted(json!({ "email": "DANA@ACME.COM" })).await;
    app.granted(json!({ "sub": "00u2", "email": "dana+x@acme.com" })).await;
    app.granted(json!({ "sub": "00u3", "email": "d.ana@acme.com" })).await;
    assert_eq!(app.written().await.members, 3);
}

/// SUB-05, JAG-25
#[tokio::test]
async fn without_a_verified_email_nobody_becomes_a_member() {
    let app = TestApp::start().await;
    let answer = app.refused(json!({ "email": null }), "invalid_grant", "email_missing").await;
    assert!(answer.json["error_description"].as_str().unwrap().contains("email"));
    app.refused(json!({ "email_verified": false }), "invalid_grant", "email_unverified").await;
    app.granted(json!({ "email_verified": true })).await;
    // Known by the subject: the email is not needed any more.
    app.granted(json!({ "email": null })).await;
    app.granted(json!({ "email_verified": false })).await;
}

/// SUB-07: a limit of k, n parallel first sign-ins, exactly k members; members still come in.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_never_exceed_the_limit() {
    let app = TestApp::start().await;
    app.change_teamspace(|t| t.member_limit = Some(5)).await;
    let person = |i: usize| json!({ "sub": format!("00u{i}"), "email": format!("p{i}@acme.com") });
    let assertions: Vec<String> = (0..40).map(|i| app.assertion(person(i))).collect();
    let answers = futures_all(assertions.iter().map(|a| app.exchange(a))).await;
    let granted: Vec<usize> = (0..40).filter(|i| answers[*i].status == 200).collect();
    assert_eq!(granted.len(), 5);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.json["error"].as_str()), (400, Some("access_denied")));
    }
    let written = app.written().await;
    assert_eq!((written.members, written.identities, written.used_assertions), (5, 5, 5));
    let reasons: Vec<String> = app.sign_ins().await.into_iter().map(|row| row.reason).collect();
    assert_eq!(reasons.iter().filter(|reason| *reason == "member_limit_reached").count(), 35);
    app.granted(person(granted[0])).await;
    app.refused(person(99), "access_denied", "member_limit_reached").await;
}

/// SUB-07, SUB-08: the same person twice at once is one member.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_of_one_person_make_one_member() {
    let app = TestApp::start().await;
    app.change_teamspace(|t| t.member_limit = Some(1)).await;
    let assertions: Vec<String> = (0..16).map(|_| app.assertion(json!({}))).collect();
    let answers = futures_all(assertions.iter().map(|a| app.exchange(a))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let written = app.written().await;
    assert_eq!((written.members, written.identities, written.used_assertions), (1, 1, 16));
}

/// SUB-08
#[tokio::test]
async fn suspended_and_removed_members_stay_out() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    for status in [Status::Suspended, Status::Removed] {
        app.change_member("dana@acme.com", move |m| m.status = status).await;
        app.refused(json!({}), "access_denied", "member_inactive").await;
    }
    // The removed one's email under another subject is not a way back in either.
    app.refused(json!({ "sub": "00u9" }), "access_denied", "member_inactive").await;
    app.change_member("dana@acme.com", |m| m.status = Status::Active).await;
    app.granted(json!({})).await;
}

/// An invited person becomes active at the first sign-in, bound by a verified email of a known domain.
#[tokio::test]
async fn invited_members_become_active() {
    let app = TestApp::start().await;
    app.change_teamspace(|t| (t.member_limit, t.email_domains) = (Some(1), vec!["acme.com".into()])).await;
    let invited = app.put_member("dana@acme.com", Status::Invited).await;
    app.refused(json!({ "email_verified": false }), "invalid_grant", "email_unverified").await;
    assert_eq!(app.granted(json!({})).await.claims()["sub"], json!(invited.id));
    let member = app.member("dana@acme.com").await.unwrap();
    assert_eq!((member.status, app.identities(&member).await.len()), (Status::Active, 1));
    assert_eq!((member.first_sign_in(), member.created_at), (Some(START), START));
    // The invitation holds the only seat.
    app.refused(json!({ "sub": "x", "email": "x@acme.com" }), "access_denied", "member_limit_reached").await;
    app.put_member("old@other.com", Status::Invited).await;
    app.refused(json!({ "sub": "y", "email": "old@other.com" }), "access_denied", "email_domain_not_allowed")
        .await;
}

/// A member who is invited again and still bound becomes active with the same subject.
#[tokio::test]
async fn a_bound_member_who_is_invited_again_becomes_active() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |m| m.status = Status::Invited).await;
    app.refused(json!({ "sub": "00u9" }), "invalid_grant", "subject_conflict").await;
    app.granted(json!({})).await;
    assert_eq!(app.member("dana@acme.com").await.unwrap().status, Status::Active);
}

/// The first sign-in of somebody who was invited is kept: not the invitation, not a later sign-in, and not the first one
/// after another invitation.
#[tokio::test]
async fn the_first_sign_in_of_a_member_is_kept() {
    let app = TestApp::start().await;
    app.put_member("dana@acme.com", Status::Invited).await;
    let first = async || app.member("dana@acme.com").await.unwrap().first_sign_in();
    assert_eq!(first().await, None);
    app.clock.advance(60);
    app.granted(json!({})).await;
    assert_eq!(first().await, Some(START + 60));
    app.clock.advance(60);
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |m| m.status = Status::Invited).await;
    app.granted(json!({})).await;
    assert_eq!(first().await, Some(START + 60));
    app.granted(json!({ "sub": "lee", "email": "lee@acme.com" })).await;
    let lee = app.member("lee@acme.com").await.unwrap();
    assert_eq!(lee.first_sign_in(), Some(START + 120));
    // As an older version left it.
    let older = |provisioned_by: &str| {
        let provisioned_by = provisioned_by.to_owned();
        Member { first_sign_in_at: None, provisioned_by, ..lee.clone() }.first_sign_in()
    };
    assert_eq!((older("sign-in"), older("invitation")), (Some(START + 120), None));
}

/// REV-06: an ended session needs a new sign-in at the provider.
#[tokio::test]
async fn ended_sessions_need_a_new_sign_in() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.change_member("dana@acme.com", |m| m.sessions_ended_at = Some(START)).await;
    app.clock.advance(60);
    app.refused(json!({ "auth_time": START - 10 }), "invalid_grant", "session_revoked").await;
    app.refused(json!({ "iat": START, "exp": START + 300 }), "invalid_grant", "session_revoked").await;
    app.granted(json!({ "auth_time": START + 31 })).await;
    app.granted(json!({})).await;
}

/// The provider's clock may be ahead by the tolerated difference: what was signed in before the end must not pass for
/// something newer. Nor does an `auth_time` that lies in the future.
#[tokio::test]
async fn ended_sessions_do_not_live_on_a_clock_that_is_ahead() {
    let app = TestApp::start().await;
    let issued_ahead = |seconds: i64| json!({ "iat": START + seconds, "exp": START + 300 });
    app.granted(issued_ahead(25)).await;
    app.change_member("dana@acme.com", |m| m.sessions_ended_at = Some(START)).await;
    for seconds in [0, 25, 30] {
        app.refused(issued_ahead(seconds), "invalid_grant", "session_revoked").await;
    }
    let claims = json!({ "auth_time": START + 100_000 });
    app.refused(claims, "invalid_grant", "session_revoked").await;
    app.clock.advance(31);
    app.refused(issued_ahead(30), "invalid_grant", "session_revoked").await;
    app.granted(issued_ahead(31)).await;
}

/// The same where the write finds out: the sessions of an invited member were ended since the decision.
#[tokio::test]
async fn an_invitation_is_not_accepted_with_a_session_that_was_ended() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let (invited, ended) = (Status::Invited, Some(START));
    app.change_member("dana@acme.com", move |m| (m.status, m.sessions_ended_at) = (invited, ended)).await;
    let ahead = json!({ "iat": START + 25, "exp": START + 300 });
    app.refused(ahead, "invalid_grant", "session_revoked").await;
    assert_eq!(app.member("dana@acme.com").await.unwrap().status, Status::Invited);
    app.clock.advance(31);
    app.granted(json!({})).await;
}

/// A slug may become another customer's; an id never does.
#[tokio::test]
async fn after_a_rename_and_reuse_tokens_tell_two_teamspaces_apart() {
    let idp = FakeIdp::start(Key::rsa("globex", 1)).await;
    let origin = idp.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    let before = app.granted(json!({})).await.claims();
    app.change_teamspace(|t| t.slug = "acme-old".into()).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &idp).await;
    let globex = app.app.snapshot().teamspace_config("globex").unwrap().teamspace.clone();
    let renamed = Teamspace { slug: "acme".into(), ..globex };
    app.configure(Changed::Teamspace(renamed.id.clone()), move |c| Ok(teamspaces::update(c, &renamed)?))
        .await;
    let claims = app.claims_with(json!({ "iss": idp.issuer }));
    let after = app.exchange(&idp.key.assertion(&claims)).await.claims();
    assert_eq!((&before["teamspace"], &after["teamspace"]), (&json!("acme"), &json!("acme")));
    assert!(before["teamspace_id"].is_string() && after["teamspace_id"].is_string());
    assert_ne!(before["teamspace_id"], after["teamspace_id"]);
}

/// Two tenants of one issuer have people of one name, who do not use up each other's rate.
#[tokio::test]
async fn a_subjects_rate_is_its_tenants_own() {
    let app = TestApp::start_with(|config| config.rate_limit.exchanges_per_subject_per_minute = 1).await;
    app.granted(json!({ "tenant": "one" })).await;
    let other = json!({ "tenant": "two", "email": "other@acme.com" });
    app.granted(other.clone()).await;
    assert_eq!(app.exchange(&app.assertion(other)).await.status, 429);
}

/// SUB-12: what is kept of a person.
#[tokio::test]
async fn only_needed_claims_are_stored() {
    let app = TestApp::start().await;
    app.granted(json!({ "name": "Dana Secretname", "phone_number": "+1555", "groups": ["g-secret"] })).await;
    let bytes = app.database.contents();
    for secret in ["Secretname", "+1555", "g-secret"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    let page = app.app.store.read(|c| members::search(c, "id-of-acme", "", (10, None))).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

/// OPS-01: no assertion, secret or token is in the database.
#[tokio::test]
async fn nothing_secret_is_stored() {
    let app = TestApp::start().await;
    let assertion = app.assertion(json!({}));
    let token = app.exchange(&assertion).await.access_token().to_owned();
    app.exchange("not-an-assertion-but-a-secret").await;
    let bytes = app.database.contents();
    let signature = assertion.rsplit('.').next().unwrap();
    let token_signature = token.rsplit('.').next().unwrap();
    let jti = "IDAAG.";
    for secret in [signature, token_signature, crate::harness::SECRET, "not-an-assertion-but-a-secret", jti] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

/// Runs all at once and waits for all.
pub async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<std::pin::Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut left = false;
        for (future, output) in pending.iter_mut().zip(&mut done) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => left = true,
                }
            }
        }
        if left { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// The write checks once more what the decision stood on: a member whom another process has suspended is
/// out at once, before that process's change of configuration is noticed.
#[tokio::test]
async fn a_suspension_by_another_process_counts_at_the_write() {
    use diesel::connection::SimpleConnection as _;
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.granted(json!({})).await;
    let mut other = app.database.connect();
    other.batch_execute("UPDATE members SET status = 'suspended'").unwrap();
    app.refused(json!({}), "access_denied", "member_inactive").await;
    other.batch_execute("UPDATE members SET status = 'active'").unwrap();
    app.granted(json!({})).await;
}

/// A change of configuration by another process is taken over when the generation has risen.
#[tokio::test]
async fn changes_of_other_processes_are_taken_over() {
    use diesel::connection::SimpleConnection as _;
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    let mut other = app.database.connect();
    other.batch_execute("UPDATE teamspaces SET plan = 'pro'").unwrap();
    app.app.reload().await.unwrap();
    app.granted(json!({})).await;
    other.batch_execute("UPDATE generation SET value = value + 1").unwrap();
    app.app.reload().await.unwrap();
    app.refused(json!({}), "access_denied", "plan_not_enterprise").await;
}

/// Rule 9: two subjects that arrive at once with an invited or unlinked member's email do not become one.
#[tokio::test(flavor = "multi_thread")]
async fn two_subjects_at_once_do_not_become_one_member() {
    let app = TestApp::start().await;
    for round in 0..12 {
        let email = format!("p{round}@acme.com");
        let status = if round % 2 == 0 { Status::Invited } else { Status::Active };
        let member = app.put_member(&email, status).await;
        let subjects = ["one", "two", "three", "four"].map(|name| format!("{round}-{name}"));
        let assertions = subjects.map(|sub| app.assertion(json!({ "sub": sub, "email": email })));
        let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        assert_eq!(app.identities(&member).await.len(), 1);
    }
    let conflicts = app.sign_ins().await.iter().filter(|row| row.reason == "subject_conflict").count();
    assert_eq!(conflicts, 36);
}

/// SUB-08: an administrator's word stands above every policy.
#[tokio::test]
async fn no_policy_admits_a_suspended_member() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["issuer", "members", "grants"] {
        std::fs::copy(format!("policies/{name}.cedar"), dir.path().join(format!("{name}.cedar"))).unwrap();
    }
    let rule = r#"@id("lax") @otherwise("x") permit (principal, action == Action::"AdmitMember", resource);"#;
    std::fs::write(dir.path().join("lax.cedar"), rule).unwrap();
    let policies = dir.path().to_owned();
    let app = TestApp::start_with(move |config| config.policy_dir = Some(policies)).await;
    app.granted(json!({})).await;
    for status in [Status::Suspended, Status::Removed] {
        app.change_member("dana@acme.com", move |m| m.status = status).await;
        app.refused(json!({}), "access_denied", "member_inactive").await;
    }
}
