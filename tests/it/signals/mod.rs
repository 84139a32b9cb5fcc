//! Signals of identity providers that end sessions.

mod global_revocation;
mod input;
mod logout;
mod replicas;
mod security_events;
mod settings;
mod subject;

use countersign::active_token::Inactive;
use countersign::store::admin_events::{self, AdminEvent, AuditFilter};
use countersign::store::revocations;
use serde_json::{Value, json};

use crate::active_token::look;
use crate::harness::{Answer, TestApp, Written};
use crate::idp::{FakeIdp, Key};

pub const DANA: &str = "dana@acme.com";

/// Everything that a signal may write.
#[derive(Debug, PartialEq, Eq)]
pub struct Footprint {
    rows: Written,
    generation: i64,
    revocations: usize,
    audit: usize,
    ended_at: Option<i64>,
}

/// A service at which Dana has signed in, with her token.
pub struct Signals {
    pub app: TestApp,
    pub token: String,
}

impl Signals {
    pub async fn start() -> Self {
        Self::of(TestApp::start().await).await
    }

    pub async fn of(app: TestApp) -> Self {
        let token = app.granted(json!({})).await.access_token().to_owned();
        app.clock.advance(60);
        app.app.reload().await.unwrap();
        let this = Self { app, token };
        this.is_active();
        this
    }

    pub fn url(&self, slug: &str, endpoint: &str) -> String {
        format!("{}/t/{slug}/{endpoint}", self.app.issuer())
    }

    pub fn now(&self) -> i64 {
        countersign::clock::Clock::now(&self.app.clock)
    }

    /// The claims that Okta's Universal Logout authenticates with.
    pub fn okta_claims(&self) -> Value {
        let now = self.now();
        json!({ "jti": jti(), "iss": self.app.idp.issuer, "sub": "0oa1requestingapp",
            "aud": self.url("acme", "global-token-revocation"), "exp": now + 300, "nbf": now - 300, "iat": now })
    }

    /// Asks to end somebody's sessions.
    pub async fn revoke(&self, slug: &str, token: &str, body: &Value) -> Answer {
        let request = self.app.http.post(self.url(slug, "global-token-revocation"));
        Answer::of(request.bearer_auth(token).json(body).send().await.unwrap()).await
    }

    /// Pushes a security event.
    pub async fn push(&self, slug: &str, token: &str) -> Answer {
        let request = self.app.http.post(self.url(slug, "security-events"));
        let request =
            request.header("content-type", "application/secevent+jwt").header("accept", "application/json");
        Answer::of(request.body(token.to_owned()).send().await.unwrap()).await
    }

    /// Sends a logout token.
    pub async fn log_out(&self, slug: &str, token: &str) -> Answer {
        let request = self.app.http.post(self.url(slug, "backchannel-logout"));
        Answer::of(request.form(&[("logout_token", token)]).send().await.unwrap()).await
    }

    /// A token of these claims with the key of the identity provider.
    pub fn signed(&self, typ: &str, claims: &Value) -> String {
        signed_by(&self.app.idp.key, typ, claims)
    }

    pub fn is_active(&self) {
        look(&self.app, &self.token).unwrap();
    }

    pub fn is_revoked(&self) {
        assert_eq!(look(&self.app, &self.token).unwrap_err(), Inactive::Revoked);
    }

    pub async fn ended_at(&self) -> Option<i64> {
        self.app.member(DANA).await.unwrap().sessions_ended_at
    }

    pub async fn audit(&self) -> Vec<AdminEvent> {
        let list = |c: &mut _| admin_events::list(c, &AuditFilter::default(), 100);
        self.app.app.store.read(list).await.unwrap().items
    }

    pub async fn footprint(&self) -> Footprint {
        let after = |c: &mut _| revocations::page(c, None, 0, 1000);
        self.app.app.reload().await.unwrap();
        Footprint {
            rows: self.app.written().await,
            generation: self.app.app.snapshot().generation.number,
            revocations: self.app.app.store.read(after).await.unwrap().items.len(),
            audit: self.audit().await.len(),
            ended_at: self.ended_at().await,
        }
    }

    /// The sessions were ended once by this cause, at this time, and everything about it was written.
    pub async fn assert_ended(&self, before: &Footprint, answer: &Answer, (cause, at): (&str, i64)) {
        let after = self.footprint().await;
        assert_eq!(after.rows.used_assertions, before.rows.used_assertions + 1, "{answer:?}");
        assert_eq!(after.revocations, before.revocations + 1);
        assert_eq!((after.audit, after.ended_at), (before.audit + 1, Some(at)));
        let member = self.app.member(DANA).await.unwrap();
        let row = self.audit().await.remove(0);
        assert_eq!((row.action.as_str(), &row.object), ("member.end_sessions", &member.id));
        assert_eq!((row.actor_kind.as_str(), row.actor.as_str()), ("identity_provider", "Okta"));
        assert_eq!((row.actor_id.as_str(), row.teamspace_id.as_deref()), ("id-of-acme", Some("id-of-acme")));
        assert_eq!(row.request_id, answer.header("x-request-id"));
        assert!(row.new_value.unwrap().contains(&format!("\"cause\":\"{cause}\"")));
        let after = |c: &mut _| revocations::page(c, None, 0, 1000);
        let revocation = self.app.app.store.read(after).await.unwrap().items.pop().unwrap();
        assert_eq!((revocation.cause.as_str(), &revocation.object), (cause, &member.id));
        assert_eq!(revocation.request_id, answer.header("x-request-id"));
        self.is_revoked();
    }
}

pub fn jti() -> String {
    format!("set-{}", uuid::Uuid::new_v4().simple())
}

/// A token with a type, or none.
pub fn signed_by(key: &Key, typ: &str, claims: &Value) -> String {
    let mut header = json!({ "alg": key.alg(), "kid": key.kid, "typ": typ });
    if typ.is_empty() {
        header.as_object_mut().unwrap().remove("typ");
    }
    key.sign(&header.to_string(), &claims.to_string())
}

/// Claims with some replaced; null removes one.
pub fn changed(mut claims: Value, changes: &Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub fn by_email() -> Value {
    json!({ "sub_id": { "format": "email", "email": DANA } })
}

/// A second teamspace with an identity provider of its own.
pub async fn with_globex() -> (Signals, FakeIdp) {
    let idp = FakeIdp::start(Key::rsa("globex", 1)).await;
    let origin = idp.issuer.clone();
    let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
    app.put_teamspace("globex").await;
    app.put_provider("globex", &idp).await;
    (Signals::of(app).await, idp)
}
