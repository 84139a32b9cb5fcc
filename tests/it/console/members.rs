//! The Members page, and what can be done about one of them.

use countersign::clock::month_of;
use countersign::model::member::{Member, Role, Status};
use countersign::store::members::{self, Identity};
use countersign::store::{AnyConnection, StoreError};
use diesel::connection::SimpleConnection as _;
use serde_json::json;

use super::visitor::{Visitor, has};
use crate::admin::harness::{Harness, NOW};
use crate::harness::TestApp;
use crate::sign_in_counts::count;

const PATH: &str = "/t/acme/members";

async fn start() -> (Harness, Visitor) {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    (h, operator)
}

/// An active member, as a first sign-in makes one.
async fn join(h: &Harness, email: &str) -> String {
    let teamspace_id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let member = Member {
        id: format!("id-{}", email.len()),
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
        subject: format!("00u-{email}"),
        member_id: member.id.clone(),
    };
    let id = member.id.clone();
    let insert = move |c: &mut AnyConnection| -> Result<(), StoreError> {
        members::insert(c, &member)?;
        Ok(members::bind(c, &identity)?)
    };
    h.app.store.write(insert).await.unwrap();
    id
}

async fn find(h: &Harness, id: &str) -> Member {
    let teamspace_id = h.app.snapshot().teamspace_config("acme").unwrap().teamspace.id.clone();
    let id = id.to_owned();
    h.app.store.read(move |c| members::find(c, &teamspace_id, &id)).await.unwrap().unwrap()
}

#[tokio::test]
async fn somebody_is_invited_and_mistakes_are_explained() {
    let (h, operator) = start().await;
    h.operator
        .patch("/teamspaces/acme", json!({ "email_domains": ["acme.com"], "member_limit": 2 }))
        .await
        .expect(200);
    has(&operator.get(PATH).await.page(200), &["Nobody yet", "0 of 2 seats"]);
    join(&h, "dana@acme.com").await;
    let invite = [("email", "Ann@acme.com"), ("role", "admin")];
    operator.post(PATH, &invite).await.leads_to(PATH, "is invited");
    // A second press of the same button.
    operator.post(PATH, &invite).await.leads_to(PATH, "is invited");
    let page = operator.get(PATH).await.page(200);
    has(
        &page,
        &["ann@acme.com", "no subject yet", "Invited", "2 of 2 seats", "No seat is free", "dana@acme.com"],
    );
    for (email, text) in [
        ("nonsense", "plain email address"),
        ("x@other.com", "not one of the teamspace"),
        ("dana@acme.com", "already has a member with this email"),
        ("bob@acme.com", "at its member limit"),
        ("\"><script>alert(1)</script>", "plain email address"),
    ] {
        let before = h.generation().await;
        let page = operator.post(PATH, &[("email", email), ("role", "owner")]).await.page(422);
        has(&page, &["id=\"email-error\"", text, "value=\"owner\" selected"]);
        assert!(!page.contains("<script>alert"));
        assert_eq!(h.generation().await, before, "{email}");
    }
}

/// Each button does what it says, once or twice.
#[tokio::test]
async fn each_button_does_what_it_says() {
    let (h, operator) = start().await;
    h.operator.patch("/teamspaces/acme", json!({ "member_limit": 1 })).await.expect(200);
    let id = join(&h, "dana@acme.com").await;
    let own = format!("{PATH}/{id}");
    let page = operator.get(&own).await.page(200);
    has(
        &page,
        &[
            "dana@acme.com",
            "00u-dana@acme.com",
            "<dt>First sign-in</dt><dd>just now</dd>",
            "Suspend",
            "End sessions",
            "Unlink",
            "Remove",
        ],
    );
    operator.post(&format!("{own}/suspend"), &[]).await.leads_to(&own, "suspended");
    operator.post(&format!("{own}/suspend"), &[]).await.leads_to(&own, "suspended");
    assert_eq!(find(&h, &id).await.status, Status::Suspended);
    has(&operator.get(&own).await.page(200), &["Suspended", "Resume"]);
    // The seat was taken by somebody else.
    operator.post(PATH, &[("email", "ann@acme.com")]).await.leads_to(PATH, "invited");
    has(&operator.post(&format!("{own}/resume"), &[]).await.page(422), &["at its member limit"]);
    h.operator.patch("/teamspaces/acme", json!({ "member_limit": 2 })).await.expect(200);
    operator.post(&format!("{own}/resume"), &[]).await.leads_to(&own, "active again");
    operator.post(&format!("{own}/role"), &[("role", "owner")]).await.leads_to(&own, "is owner now");
    assert_eq!(find(&h, &id).await.role, Role::Owner);
    operator.post(&format!("{own}/role"), &[("role", "king")]).await.page(400);
    operator.post(&format!("{own}/end-sessions"), &[]).await.leads_to(&own, "ended");
    assert_eq!(find(&h, &id).await.sessions_ended_at, Some(NOW));
    operator.post(&format!("{own}/unlink"), &[]).await.leads_to(&own, "unlinked");
    has(&operator.get(&own).await.page(200), &["No subject is bound yet"]);
    has(&operator.get(&format!("{own}/remove")).await.page(200), &["stays out until invited again"]);
    operator.post(&format!("{own}/remove"), &[]).await.leads_to(PATH, "removed");
    operator.post(&format!("{own}/remove"), &[]).await.leads_to(PATH, "removed");
    operator.get(&own).await.page(404);
}

/// The list goes on page by page, and is searched by the beginning of the email.
#[tokio::test]
async fn the_list_is_in_pages_and_searched() {
    let (h, operator) = start().await;
    for n in 0..27 {
        let email = format!("p{n:02}@acme.com");
        h.operator.post("/teamspaces/acme/members", json!({ "email": email })).await.expect(201);
    }
    let first = operator.get(PATH).await.page(200);
    has(&first, &["p00@acme.com", "p24@acme.com", "after=p24%40acme%2Ecom"]);
    assert!(!first.contains("p25@acme.com"));
    let second = operator.get(&format!("{PATH}?q=&after=p24%40acme%2Ecom")).await.page(200);
    has(&second, &["p25@acme.com", "p26@acme.com", "First page"]);
    let found = operator.get(&format!("{PATH}?q=P1")).await.page(200);
    has(&found, &["p10@acme.com", "p19@acme.com"]);
    assert!(!found.contains("p20@acme.com"));
    has(&operator.get(&format!("{PATH}?q=%3Cb%3E")).await.page(200), &["begins with “&#60;b&#62;”"]);
}

/// A set-up link is for the identity provider alone, and no one sees another teamspace's people.
#[tokio::test]
async fn members_of_another_teamspace_are_not_there() {
    let (h, _) = start().await;
    let id = join(&h, "dana@acme.com").await;
    h.teamspace("other").await;
    let link = Visitor::by_link(&h.app, "other").await;
    let before = h.generation().await;
    link.get(PATH).await.page(404);
    for path in [PATH.to_owned(), format!("{PATH}/{id}/suspend"), format!("{PATH}/{id}/remove")] {
        link.post(&path, &[("email", "x@acme.com")]).await.page(404);
    }
    assert_eq!(h.generation().await, before);
}

/// Exchanges are counted for each member; from 80 percent of Okta's meter on the page warns.
#[tokio::test]
async fn exchanges_of_the_month_are_metered() {
    let app = TestApp::start().await;
    app.granted(json!({})).await;
    app.granted(json!({})).await;
    count(&app).await;
    let operator = Visitor::operator(&app.app).await;
    has(&operator.get(PATH).await.page(200), &[">2 <span class=\"muted\">of 250</span>", "Okta's meter"]);
    let month = month_of(app.app.clock.now());
    let more = move |c: &mut AnyConnection| -> Result<(), StoreError> {
        let set = format!("UPDATE member_exchanges SET number = 200 WHERE month = {month}");
        Ok(c.batch_execute(&set)?)
    };
    app.app.store.write(more).await.unwrap();
    has(&operator.get(PATH).await.page(200), &["of 250, near the limit", "class=\"near\" width=\"80\""]);
}
