//! Members.

use axum::http::Method;
use countersign::model::member::{Member, Role, Status};
use countersign::store::StoreError;
use countersign::store::members::{self, Identity};
use serde_json::{Value, json};

use super::harness::{Api, Harness, NOW};

/// An active member, as a first sign-in makes one.
async fn join(h: &Harness, slug: &str, email: &str) -> String {
    let teamspace_id = h.app.snapshot().teamspace_config(slug).unwrap().teamspace.id.clone();
    let member = Member {
        id: format!("id-{email}"),
        teamspace_id: teamspace_id.clone(),
        email: email.to_owned(),
        role: Role::Developer,
        status: Status::Active,
        provisioned_by: "sign-in".into(),
        created_at: NOW,
        last_sign_in_at: Some(NOW),
        sessions_ended_at: None,
        first_sign_in_at: None,
        link: None,
    };
    let identity = Identity {
        teamspace_id,
        issuer: "https://idp.example.com".into(),
        tenant: String::new(),
        subject: email.to_owned(),
        member_id: member.id.clone(),
    };
    let id = member.id.clone();
    let insert = move |c: &mut countersign::store::AnyConnection| -> Result<(), StoreError> {
        members::insert(c, &member)?;
        Ok(members::bind(c, &identity)?)
    };
    h.app.store.write(insert).await.unwrap();
    id
}

async fn items(api: &Api) -> Vec<Value> {
    let listed = api.get("/teamspaces/acme/members").await.expect(200);
    listed["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_invitation_is_lower_case_and_waits_for_the_first_sign_in() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let invited = acme.post("/teamspaces/acme/members", json!({ "email": "Ann@Acme.com" })).await.expect(201);
    for (name, value) in [
        ("email", json!("ann@acme.com")),
        ("role", json!("developer")),
        ("status", json!("invited")),
        ("provisioned_by", json!("invitation")),
        ("last_sign_in_at", json!(null)),
        ("identities", json!([])),
    ] {
        assert_eq!(invited[name], value, "{name}");
    }
    assert_eq!(items(&acme).await, std::slice::from_ref(&invited));
    let path = format!("/teamspaces/acme/members/{}", invited["id"].as_str().unwrap());
    for status in ["active", "suspended", "removed"] {
        let patch = Some(json!({ "status": status }));
        h.refuses(&acme, (Method::PATCH, &path), patch, (422, "status_invalid")).await;
    }
    let changed = acme.patch(&path, json!({ "role": "admin" })).await.expect(200);
    assert_eq!((&changed["role"], &changed["status"]), (&json!("admin"), &json!("invited")));
    acme.delete(&path).await.expect(204);
    assert!(items(&acme).await.is_empty());
}

#[tokio::test]
async fn invitations_that_cannot_be_are_refused() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    h.operator.patch("/teamspaces/acme", json!({ "email_domains": ["acme.com"] })).await.expect(200);
    join(&h, "acme", "bob@acme.com").await;
    for (body, refusal) in [
        (json!({ "email": "BOB@acme.com" }), (409, "member_exists")),
        (json!({ "email": "bob@evil.com" }), (422, "email_domain_not_allowed")),
        (json!({ "email": "bob@sub.acme.com" }), (422, "email_domain_not_allowed")),
        (json!({ "email": "bob" }), (422, "email_invalid")),
        (json!({ "email": "a@evil.com@acme.com" }), (422, "email_invalid")),
        (json!({ "email": "bób@acme.com" }), (422, "email_invalid")),
        (json!({ "email": "bob(x)@acme.com" }), (422, "email_invalid")),
        (json!({ "email": "\"bob\"@acme.com" }), (422, "email_invalid")),
        (json!({ "email": "bob.@acme.com" }), (422, "email_invalid")),
        (json!({ "email": "c@acme.com", "role": "king" }), (422, "body_invalid")),
        (json!({ "email": "c@acme.com", "status": "active" }), (422, "body_invalid")),
    ] {
        h.refuses(&acme, (Method::POST, "/teamspaces/acme/members"), Some(body), refusal).await;
    }
}

#[tokio::test]
async fn a_member_is_suspended_and_comes_back_while_there_is_a_seat() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let bob = join(&h, "acme", "bob@acme.com").await;
    let path = format!("/teamspaces/acme/members/{bob}");
    h.operator.patch("/teamspaces/acme", json!({ "member_limit": 1 })).await.expect(200);
    h.refuses(&acme, (Method::PATCH, &path), Some(json!({ "status": "invited" })), (422, "status_invalid"))
        .await;
    let suspended = acme.patch(&path, json!({ "status": "suspended" })).await.expect(200);
    assert_eq!(suspended["identities"][0]["subject"], "bob@acme.com");
    let body = json!({ "email": "carol@acme.com" });
    let carol = acme.post("/teamspaces/acme/members", body).await.expect(201);
    let back = Some(json!({ "status": "active" }));
    h.refuses(&acme, (Method::PATCH, &path), back, (409, "member_limit_reached")).await;
    let carol = format!("/teamspaces/acme/members/{}", carol["id"].as_str().unwrap());
    acme.delete(&carol).await.expect(204);
    acme.patch(&path, json!({ "status": "active" })).await.expect(200);
}

#[tokio::test]
async fn a_removed_member_stays_out_until_invited_again() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let bob = join(&h, "acme", "bob@acme.com").await;
    let path = format!("/teamspaces/acme/members/{bob}");
    acme.delete(&path).await.expect(204);
    let kept = bound(&h, &bob).await;
    assert_eq!(kept.len(), 1, "the subject must stay known, to stay out");
    let active = Some(json!({ "status": "active" }));
    h.refuses(&acme, (Method::PATCH, &path), active, (404, "not_found")).await;
    h.refuses(&acme, (Method::DELETE, &path), None, (404, "not_found")).await;
    let body = json!({ "email": "bob@acme.com", "role": "owner" });
    let again = acme.post("/teamspaces/acme/members", body).await.expect(201);
    assert_eq!(
        (&again["id"], &again["status"], &again["role"]),
        (&json!(bob), &json!("invited"), &json!("owner"))
    );
    assert!(bound(&h, &bob).await.is_empty());
}

async fn bound(h: &Harness, id: &str) -> Vec<Identity> {
    let ids = [id.to_owned()];
    h.app.store.read(move |c| members::identities_of(c, &ids)).await.unwrap()
}

#[tokio::test]
async fn sessions_are_ended_now() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let bob = join(&h, "acme", "bob@acme.com").await;
    h.clock.advance(5);
    let path = format!("/teamspaces/acme/members/{bob}/end-sessions");
    acme.call(Method::POST, &path, None).await.expect(204);
    let teamspace_id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let member = h.app.store.read(move |c| members::find(c, &teamspace_id, &bob)).await.unwrap().unwrap();
    assert_eq!(member.sessions_ended_at, Some(NOW + 5));
}

/// Twenty invitations at once for three seats: three succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_seat_limit_holds_under_parallel_invitations() {
    let h = Harness::start_with(|config| config.admin.requests_at_once = 20).await;
    let acme = h.teamspace("acme").await;
    h.operator.patch("/teamspaces/acme", json!({ "member_limit": 3 })).await.expect(200);
    let invite = |n: usize| {
        let acme = acme.clone();
        let body = json!({ "email": format!("p{n}@acme.com") });
        tokio::spawn(async move { acme.post("/teamspaces/acme/members", body).await })
    };
    let mut made = 0;
    for task in (0..20).map(invite).collect::<Vec<_>>() {
        match task.await.unwrap() {
            answer if answer.status == 201 => made += 1,
            answer => drop(answer.problem(409, "member_limit_reached")),
        }
    }
    assert_eq!((made, items(&acme).await.len()), (3, 3));
}

/// Unlinking frees the email for the next subject, at a path of its own too.
#[tokio::test]
async fn a_member_is_unlinked() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let other = h.teamspace("other").await;
    let id = join(&h, "acme", "bob@acme.com").await;
    let path = format!("/teamspaces/acme/members/{id}/identities");
    h.refuses(&other, (Method::DELETE, &path), None, (404, "not_found")).await;
    assert_eq!(bound(&h, &id).await.len(), 1);
    acme.delete(&path).await.expect(204);
    assert!(bound(&h, &id).await.is_empty());
    acme.delete("/teamspaces/acme/members/nobody/identities").await.problem(404, "not_found");
}

/// A search finds the members whose emails begin so, page by page.
#[tokio::test]
async fn members_are_found_by_the_beginning_of_their_emails() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    for email in ["ann@acme.com", "anna@acme.com", "bob@acme.com", "z@acme.com"] {
        join(&h, "acme", email).await;
    }
    let teamspace_id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let search = async |prefix: &'static str, after: Option<&'static str>| {
        let id = teamspace_id.clone();
        let found =
            move |c: &mut countersign::store::AnyConnection| members::search(c, &id, prefix, (1, after));
        let page = h.app.store.list(found).await.unwrap();
        let emails: Vec<String> = page.items.into_iter().map(|(member, _)| member.email).collect();
        (emails.join(" "), page.next_cursor)
    };
    assert_eq!(search("ann", None).await, ("ann@acme.com".into(), Some("ann@acme.com".into())));
    assert_eq!(search("ann", Some("ann@acme.com")).await, ("anna@acme.com".into(), None));
    assert_eq!(search("b", None).await, ("bob@acme.com".into(), None));
    assert_eq!(search("c", None).await, (String::new(), None));
    assert_eq!(search("%", None).await, (String::new(), None));
}

/// The JSON API finds them so as well, page by page.
#[tokio::test]
async fn the_api_finds_members_by_the_beginning_of_their_emails() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    for email in ["ann@acme.com", "anna@acme.com", "bob@acme.com"] {
        join(&h, "acme", email).await;
    }
    let emails = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|member| member["email"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let path = "/teamspaces/acme/members?email_prefix=ANN&limit=1";
    let first = h.operator.get(path).await.expect(200);
    assert_eq!(emails(&first), "ann@acme.com");
    assert_eq!(first["items"][0]["first_sign_in_at"], first["items"][0]["created_at"]);
    let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
    let last = h.operator.get(&next).await.expect(200);
    assert_eq!((emails(&last), &last["next_cursor"]), ("anna@acme.com".to_owned(), &Value::Null));
    let none = h.operator.get("/teamspaces/acme/members?email_prefix=%25").await.expect(200);
    assert_eq!(emails(&none), "");
}
