//! SCIM 2.0: requests in the shape that Okta and Entra send, and what comes of them.

mod ending;
mod entra;
mod input;
mod okta;
mod parsers;
mod rules;
mod tokens;

use countersign::active_token::Inactive;
use reqwest::Method;
use serde_json::{Value, json};

use crate::active_token::look;
use crate::admin::effect::{change, start};
use crate::harness::{Answer, TestApp};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A service, and an identity provider with a SCIM token of `acme`.
pub struct Scim {
    pub app: TestApp,
    pub token: String,
}

/// A token of a teamspace, which an operator makes.
pub async fn token_of(app: &TestApp, slug: &str) -> String {
    let path = format!("/teamspaces/{slug}/scim-tokens");
    let made = change(app, Method::POST, &path, json!({ "name": "Okta" })).await;
    assert_eq!(made.json["base_url"], format!("{}/t/{slug}/scim/v2", app.issuer()));
    made.json["token"].as_str().unwrap().to_owned()
}

/// Sends a request to a SCIM endpoint, with a body or without.
pub async fn send(
    http: &reqwest::Client,
    token: &str,
    (method, url): (Method, &str),
    body: Option<&Value>,
) -> Answer {
    let mut request = http.request(method, url).bearer_auth(token);
    if let Some(body) = body {
        let media_type = "application/scim+json; charset=utf-8";
        request = request.header("content-type", media_type).body(body.to_string());
    }
    Answer::of(request.send().await.unwrap()).await
}

impl Scim {
    pub async fn start() -> Self {
        let app = start().await;
        let token = token_of(&app, "acme").await;
        Self { app, token }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/t/acme/scim/v2{path}", self.app.issuer())
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let answer = send(&self.app.http, &self.token, (method, &self.url(path)), body.as_ref()).await;
        if answer.status != 204 {
            assert_eq!(answer.header("content-type"), "application/scim+json", "{answer:?}");
        }
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, None).await
    }

    /// A request that is done.
    pub async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let answer = self.send(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        answer.json
    }

    /// A request that is refused as SCIM says, with this status and `scimType`.
    pub async fn refused(
        &self,
        (method, path): (Method, &str),
        body: Option<Value>,
        (status, scim_type): (u16, &str),
    ) -> Answer {
        let answer = self.send(method, path, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(answer.json["status"], status.to_string());
        assert_eq!(answer.json["scimType"].as_str().unwrap_or_default(), scim_type, "{answer:?}");
        assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.len() > 10));
        answer
    }

    /// A user whom Okta adds; the id.
    pub async fn add(&self, email: &str) -> String {
        let made = self.ok(Method::POST, "/Users", Some(okta::user(email))).await;
        made["id"].as_str().unwrap().to_owned()
    }

    /// Sets `active` as Okta does.
    pub async fn set_active(&self, id: &str, active: bool) -> Value {
        let operations = json!([{ "op": "replace", "value": { "active": active } }]);
        let body = json!({ "schemas": [PATCH_OP], "Operations": operations });
        self.ok(Method::PATCH, &format!("/Users/{id}"), Some(body)).await
    }

    pub async fn status(&self, email: &str) -> &'static str {
        self.app.member(email).await.map_or("unknown", |member| member.status.as_str())
    }

    /// Dana signs in; the token.
    pub async fn sign_in(&self) -> String {
        self.app.granted(json!({})).await.access_token().to_owned()
    }

    /// Dana is refused, with a sign-in from before and with a new one.
    pub async fn is_kept_out(&self) {
        let at_once = self.app.exchange(&self.app.assertion(json!({}))).await;
        assert_eq!(at_once.status, 400, "{at_once:?}");
        // From here on the end of the sessions is past.
        self.app.clock.advance(31);
        self.app.refused(json!({}), "access_denied", "member_inactive").await;
    }

    pub fn is_revoked(&self, token: &str) {
        assert_eq!(look(&self.app, token).unwrap_err(), Inactive::Revoked);
    }

    /// The newest rows of the audit log.
    pub async fn audited(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/audit?limit=20", self.app.issuer());
        let request = self.app.http.get(url).bearer_auth("an-operators-token-0123456789");
        let answer = Answer::of(request.send().await.unwrap()).await;
        answer.json["items"].as_array().unwrap().clone()
    }
}
