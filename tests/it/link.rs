//! People whom an identity provider's claim links to members (`link_by`): an employee number, or `aud_sub`.

use countersign::model::identity_provider::{ClaimType, CustomClaim, IdentityProvider};
use countersign::model::member::{Member, Status};
use countersign::model::member_link::{LinkBy, MemberLink};
use serde_json::{Value, json};

use crate::admin::harness::Harness;
use crate::console::visitor::{Visitor, has};
use crate::explain::{admin, explain};
use crate::harness::{CLIENT, TestApp};
use crate::idp::{FakeIdp, Key};
use crate::subject::futures_all;

const CLAIM: &str = "employee_number";

fn by_number(provider: &mut IdentityProvider) {
    provider.custom_claims = vec![CustomClaim { name: CLAIM.to_owned(), claim_type: ClaimType::Text }];
    provider.link_by = Some(LinkBy::Claim(CLAIM.to_owned()));
}

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.change_provider(by_number).await;
    app
}

fn link(value: &str) -> Option<MemberLink> {
    Some(MemberLink::new(CLAIM, value).unwrap())
}

fn person(subject: &str, number: &str, email: &str) -> Value {
    json!({ "sub": subject, CLAIM: number, "email": email })
}

/// Somebody invited, whom the identity provider knows by a number.
async fn put_invited(app: &TestApp, email: &str, number: &str) -> Member {
    let member = app.put_member(email, Status::Invited).await;
    let link = link(number);
    app.change_member(email, |member| member.link = link).await;
    member
}

/// SUB-02: the number finds the member whose email differs at the identity provider, once; then the subject counts.
#[tokio::test]
async fn a_number_links_a_member_with_another_email() {
    let app = app().await;
    let lee = put_invited(&app, "lee@acme.com", "E-17").await;
    let first = app.granted(person("s1", "E-17", "l.smith@acme.com")).await.claims();
    assert_eq!(first["sub"], json!(lee.id));
    let bound = app.member("lee@acme.com").await.unwrap();
    assert_eq!((bound.status, app.identities(&bound).await.len()), (Status::Active, 1));
    assert_eq!(app.written().await.members, 1);
    // Known by the subject: twice, since the second is from the cache; another number that is nobody's changes nothing.
    for number in ["E-17", "E-17", "E-99"] {
        assert_eq!(app.granted(person("s1", number, "l.smith@acme.com")).await.claims()["sub"], first["sub"]);
    }
    assert_eq!(app.member("lee@acme.com").await.unwrap().link, link("E-17"));
    // Somebody else with that number, or with a number in other letters.
    app.refused(person("s2", "E-17", "x@acme.com"), "invalid_grant", "subject_conflict").await;
    let other = app.granted(person("s2", "e-17", "x@acme.com")).await.claims();
    assert_ne!(other["sub"], first["sub"]);
    app.refused(person("s1", "e-17", "lee@acme.com"), "invalid_grant", "subject_conflict").await;
}

/// SUB-02, SUB-03: without a member of that number the email links, and the number is recorded then.
#[tokio::test]
async fn the_first_sign_in_records_the_number() {
    let app = app().await;
    app.put_member("ann@acme.com", Status::Invited).await;
    app.granted(person("s1", "E-1", "ann@acme.com")).await;
    app.granted(person("s2", "E-2", "bob@acme.com")).await;
    for (email, number) in [("ann@acme.com", "E-1"), ("bob@acme.com", "E-2")] {
        assert_eq!(app.member(email).await.unwrap().link, link(number));
    }
    // The subject of one with the number of the other, also from the cache.
    app.refused(person("s1", "E-2", "ann@acme.com"), "invalid_grant", "subject_conflict").await;
    // A new account of Ann's at the identity provider, under another address: she stays one person.
    app.refused(person("s3", "E-1", "ann.new@acme.com"), "invalid_grant", "subject_conflict").await;
    // Number and email of two members.
    put_invited(&app, "cho@acme.com", "E-3").await;
    app.refused(person("s4", "E-3", "bob@acme.com"), "invalid_grant", "subject_conflict").await;
    // The email of somebody who is known by another number.
    app.refused(person("s5", "E-4", "cho@acme.com"), "invalid_grant", "subject_conflict").await;
    app.granted(person("s4", "E-3", "c@acme.com")).await;
    // Members from before the setting: the number is recorded with their next sign-in.
    app.change_provider(|provider| provider.link_by = None).await;
    app.granted(person("s6", "E-6", "dee@acme.com")).await;
    assert_eq!(app.member("dee@acme.com").await.unwrap().link, None);
    app.change_provider(by_number).await;
    for _ in 0..2 {
        app.granted(person("s6", "E-6", "dee@acme.com")).await;
        assert_eq!(app.member("dee@acme.com").await.unwrap().link, link("E-6"));
    }
}

/// SUB-08: removed people stay out under their number.
#[tokio::test]
async fn a_removed_member_stays_out_under_the_number() {
    let app = app().await;
    app.granted(person("s1", "E-1", "ann@acme.com")).await;
    app.change_member("ann@acme.com", |member| member.status = Status::Removed).await;
    app.refused(person("s2", "E-1", "new@acme.com"), "access_denied", "member_inactive").await;
    // Somebody else who is bound already is not taken for them, and can go on.
    app.granted(person("s3", "E-3", "bob@acme.com")).await;
    app.granted(person("s3", "E-1", "bob@acme.com")).await;
    assert_eq!(app.member("bob@acme.com").await.unwrap().link, link("E-3"));
}

/// What is needed and no good refuses: nothing is taken for absent.
#[tokio::test]
async fn a_number_that_is_no_good_refuses() {
    let app = app().await;
    app.granted(person("s1", "E-1", "ann@acme.com")).await;
    for (value, detail) in [
        (Value::Null, "missing"),
        (json!(""), "1 to 512 bytes"),
        (json!(17), "got a number"),
        (json!(["E-1"]), "got an array"),
        (json!("x".repeat(513)), "1 to 512 bytes"),
        (json!("E-1\u{0}"), "without NUL"),
        (json!("E-1\n"), "without control characters"),
    ] {
        let claims = json!({ "sub": "s1", "email": "ann@acme.com", CLAIM: value });
        app.refused(claims, "invalid_grant", "link_claim_unusable").await;
        let told = app.last_sign_in().await.detail;
        assert!(told.contains(detail) && !told.contains("E-1"), "{detail}: {told}");
    }
    let token = admin(&app, Some("id-of-acme")).await;
    let body = json!({ "assertion": app.assertion(json!({})), "client_id": CLIENT });
    let told = explain(&app, &token, "acme", body).await;
    assert_eq!(told.json["error"]["reason"], "link_claim_unusable");
    // Without the setting, the claim means nothing.
    app.change_provider(|provider| provider.link_by = None).await;
    app.granted(json!({ "sub": "s1", "email": "ann@acme.com", CLAIM: 17 })).await;
}

/// SUB-01: the number is looked up inside the teamspace alone.
#[tokio::test]
async fn another_teamspaces_number_is_nobodys() {
    let idp = FakeIdp::start(Key::rsa("globex", 1)).await;
    let origin = idp.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.change_provider(by_number).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &idp).await;
    let mut theirs = app.provider("globex");
    by_number(&mut theirs);
    app.save_provider(theirs).await;
    let ours = put_invited(&app, "lee@acme.com", "E-17").await;
    let claims = person("s1", "E-17", "mallory@globex.com");
    let mut claims = app.claims_with(claims);
    claims["iss"] = json!(idp.issuer);
    let made = app.exchange(&idp.key.assertion(&claims)).await.claims();
    assert_ne!(made["sub"], json!(ours.id));
    assert!(app.identities(&ours).await.is_empty());
}

/// SUB-07: one number under several subjects at once makes one member, invited or new.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_first_sign_ins_of_one_number_bind_one_member() {
    let app = app().await;
    for round in 0..6 {
        let number = format!("E-{round}");
        if round % 2 == 0 {
            put_invited(&app, &format!("p{round}@acme.com"), &number).await;
        }
        let one = |i: i32| person(&format!("{round}-{i}"), &number, &format!("p{round}-{i}@acme.com"));
        let assertions: Vec<String> = (0..4).map(|i| app.assertion(one(i))).collect();
        let answers = futures_all(assertions.iter().map(|assertion| app.exchange(assertion))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        let written = app.written().await;
        assert_eq!((written.members, written.identities), (round + 1, round + 1));
    }
    let conflicts = app.sign_ins().await.iter().filter(|row| row.reason == "subject_conflict").count();
    assert_eq!(conflicts, 18);
}

/// JAG-22: with `aud_sub` as the link, the account alone links an unknown subject, and nobody becomes a member.
#[tokio::test]
async fn an_account_here_links_once() {
    let app = TestApp::start().await;
    let lee = app.put_member("lee@acme.com", Status::Invited).await;
    let with = |sub: &str, account: &str, email: &str| json!({ "sub": sub, "aud_tenant": "acme", "aud_sub": account, "email": email });
    // Off by default: then an account only must not be another member's.
    app.refused(with("s1", &lee.id, "l.smith@acme.com"), "invalid_grant", "subject_conflict").await;
    app.change_provider(|provider| provider.link_by = Some(LinkBy::Account)).await;
    for unknown in ["nobody", &uuid::Uuid::new_v4().to_string()] {
        app.refused(with("s1", unknown, "l.smith@acme.com"), "invalid_grant", "account_unknown").await;
        app.refused(with("s1", unknown, "lee@acme.com"), "invalid_grant", "account_unknown").await;
    }
    let mut without = with("s1", &lee.id, "lee@acme.com");
    without["aud_tenant"] = Value::Null;
    app.refused(without, "invalid_grant", "link_claim_unusable").await;
    app.refused(json!({ "aud_tenant": "acme" }), "invalid_grant", "link_claim_unusable").await;
    app.refused(json!({ "aud_tenant": "globex", "aud_sub": lee.id }), "invalid_grant", "tenant_mismatch")
        .await;
    // An email that is another member's.
    app.put_member("dana@acme.com", Status::Invited).await;
    app.refused(with("s1", &lee.id, "dana@acme.com"), "invalid_grant", "subject_conflict").await;
    let first = app.granted(with("s1", &lee.id, "l.smith@acme.com")).await.claims();
    assert_eq!(first["sub"], json!(lee.id));
    app.refused(with("s2", &lee.id, "other@acme.com"), "invalid_grant", "subject_conflict").await;
    for _ in 0..2 {
        app.granted(with("s1", &lee.id, "l.smith@acme.com")).await;
    }
    let written = app.written().await;
    assert_eq!((written.members, written.identities), (2, 1));
    // An account of another teamspace is none here.
    app.put_teamspace("globex").await;
    let theirs = Member { id: "id-of-theirs".into(), teamspace_id: "id-of-globex".into(), ..lee };
    let row = theirs.clone();
    let put = move |c: &mut _| Ok(countersign::store::members::insert(c, &row)?);
    app.configure(countersign::store::changes::Changed::Members("id-of-globex".into()), put).await;
    app.refused(with("s3", &theirs.id, "new@acme.com"), "invalid_grant", "account_unknown").await;
}

#[tokio::test]
async fn administrators_choose_the_claim_and_set_values() {
    let h = Harness::start().await;
    let acme = h.teamspace("acme").await;
    let path = "/teamspaces/acme/identity-providers";
    let new = json!({ "provider": "oidc", "issuer": h.idp.base, "link_by": CLAIM,
        "custom_claims": [CLAIM, { "name": "level", "type": "long" }, "email"] });
    let made = acme.post(path, new).await.expect(201);
    assert_eq!(made["link_by"], CLAIM);
    let path = format!("{path}/{}", made["id"].as_str().unwrap());
    for bad in ["", "level", "undeclared", "email", "sub"] {
        acme.patch(&path, json!({ "link_by": bad })).await.problem(422, "link_by_invalid");
    }
    acme.patch(&path, json!({ "custom_claims": [] })).await.problem(422, "link_by_invalid");
    assert_eq!(acme.patch(&path, json!({ "scope": "" })).await.expect(200)["link_by"], CLAIM);
    assert_eq!(acme.patch(&path, json!({ "link_by": "aud_sub" })).await.expect(200)["link_by"], "aud_sub");
    assert!(acme.patch(&path, json!({ "link_by": null })).await.expect(200)["link_by"].is_null());

    let members = "/teamspaces/acme/members";
    let link = json!({ "claim": CLAIM, "value": "E-1" });
    let ann = acme.post(members, json!({ "email": "ann@acme.com", "link": link })).await.expect(201);
    assert_eq!(ann["link"], link);
    let taken = json!({ "email": "bob@acme.com", "link": link });
    acme.post(members, taken).await.problem(409, "link_taken");
    let bob = acme.post(members, json!({ "email": "bob@acme.com" })).await.expect(201);
    assert!(bob["link"].is_null());
    let (ann, bob) = [ann, bob].map(|one| format!("{members}/{}", one["id"].as_str().unwrap())).into();
    acme.patch(&bob, json!({ "link": link })).await.problem(409, "link_taken");
    for bad in [json!({ "claim": CLAIM }), json!({ "claim": CLAIM, "value": "" }), json!("E-1")] {
        acme.patch(&bob, json!({ "link": bad })).await.problem(422, "body_invalid");
    }
    assert_eq!(acme.patch(&ann, json!({ "role": "admin" })).await.expect(200)["link"], link);
    assert!(acme.patch(&ann, json!({ "link": null })).await.expect(200)["link"].is_null());
    assert_eq!(acme.patch(&bob, json!({ "link": link })).await.expect(200)["link"], link);
    // A removed member keeps the value until somebody else gets it, or they are invited again.
    acme.delete(&bob).await.expect(204);
    assert_eq!(acme.patch(&ann, json!({ "link": link })).await.expect(200)["link"], link);
    let again = acme.post(members, json!({ "email": "bob@acme.com" })).await.expect(201);
    assert!(again["link"].is_null());
    let audit = acme.get("/audit?action=member.update").await.expect(200);
    assert!(audit["items"].as_array().unwrap().iter().any(|row| row["new"]["link"] == link), "{audit}");
}

#[tokio::test]
async fn the_console_takes_and_shows_claim_and_value() {
    let h = Harness::start().await;
    h.teamspace("acme").await;
    let operator = Visitor::operator(&h.app).await;
    let base = h.idp.base.as_str();
    let form = |claim| [("kind", "oidc"), ("issuer", base), ("custom_claims", CLAIM), ("link_by", claim)];
    let wrong = operator.post("/t/acme/enterprise", &form("undeclared")).await.page(422);
    has(&wrong, &["link_by-error", "the name of one of"]);
    operator
        .post("/t/acme/enterprise", &form(CLAIM))
        .await
        .leads_to("/t/acme/enterprise?kind=oidc", "is saved");
    has(
        &operator.get("/t/acme/enterprise?kind=oidc").await.page(200),
        &["Link members by", &format!(">{CLAIM}<")],
    );
    let invite = |email| [("email", email), ("role", "developer")];
    operator.post("/t/acme/members", &invite("ann@acme.com")).await;
    operator.post("/t/acme/members", &invite("bob@acme.com")).await;
    let api = &h.operator;
    let items = api.get("/teamspaces/acme/members").await.expect(200)["items"].clone();
    let page = |at: usize| format!("/t/acme/members/{}", items[at]["id"].as_str().unwrap());
    let (ann, bob) = (page(0), page(1));
    has(&operator.get(&ann).await.page(200), &["Save link", &format!("<option>{CLAIM}</option>")]);
    let value = |value| [("claim", CLAIM), ("link_value", value)];
    operator.post(&format!("{ann}/link"), &value(" E-1 ")).await.leads_to(&ann, "The link is saved.");
    has(&operator.get(&ann).await.page(200), &["Linked by", "employee_number=E-1"]);
    let taken = operator.post(&format!("{bob}/link"), &value("E-1")).await.page(422);
    has(&taken, &["Another member of the teamspace has this link", "value=\"E-1\""]);
    operator.post(&format!("{ann}/link"), &value("")).await.leads_to(&ann, "The link is saved.");
    assert!(!operator.get(&ann).await.page(200).contains("Linked by"));
}
