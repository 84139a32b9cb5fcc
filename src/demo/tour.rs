//! The demonstration itself: a whole sign-in with a tool call, then every kind of refusal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::narrator::Narrator;
use super::seed::admin;
use super::{CLIENT, DemoError, DemoParts, IDP_CLIENT};
use crate::oauth::request::JWT_BEARER;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// An answer: its status and its JSON.
pub(super) type HttpAnswer = (StatusCode, Value);

/// The demonstration's steps, and who takes them.
pub(super) struct Tour<'a> {
    pub(super) http: &'a Client,
    pub(super) stage: &'a DemoParts,
}

/// Performs and tells everything but the rule that changes and the console.
pub(super) async fn sign_ins(tour: &Tour<'_>, narrator: &mut Narrator) -> Result<(), DemoError> {
    narrator.heading("Dana of Acme signs in, for the first time");
    let used = tour.whole_sign_in(narrator).await?;
    narrator.heading("Who does not get in, and why");
    tour.refusals(narrator, &used).await?;
    narrator.heading("Access ends where it is governed: at the identity provider and in the teamspace");
    tour.endings(narrator).await?;
    narrator.heading("The decision log has a reason for each");
    tour.decision_log(narrator).await
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Tour<'_> {
    async fn whole_sign_in(&self, narrator: &mut Narrator) -> Result<String, DemoError> {
        let (status, id_jag) = self.id_jag(&self.stage.acme.0, "dana").await?;
        let assertion = text(&id_jag, "access_token").to_owned();
        narrator.step("the identity provider issues an ID-JAG", status == StatusCode::OK, &id_jag);

        let (status, token) = self.exchange(&assertion).await?;
        let granted = status == StatusCode::OK && text(&token, "token_type") == "Bearer";
        narrator.step("Countersign exchanges it for an access token", granted, &token);

        let access_token = text(&token, "access_token");
        let who = self.call_tool(access_token, "whoami", json!({})).await?;
        narrator.step("the MCP server takes the token: whoami", text(&who, "teamspace") == "acme", &who);
        let sum = self.call_tool(access_token, "add", json!({ "a": 2, "b": 3 })).await?;
        narrator.step("and works: add 2 and 3", sum.get("sum") == Some(&json!(5)), &sum);
        Ok(assertion)
    }

    async fn refusals(&self, narrator: &mut Narrator, used: &str) -> Result<(), DemoError> {
        let expect = |narrator: &mut Narrator, what: &str, error: &str, (status, body): HttpAnswer| {
            let refused = status == StatusCode::BAD_REQUEST && text(&body, "error") == error;
            narrator.refusal(what, refused, &body);
        };
        let (acme, globex) = (&self.stage.acme.0, &self.stage.globex.0);
        expect(narrator, "the same assertion a second time", "invalid_grant", self.exchange(used).await?);
        expect(narrator, "a tampered assertion", "invalid_grant", self.exchange(&tampered(used)?).await?);
        let mallory = self.id_jag(acme, "mallory").await?;
        expect(narrator, "Mallory is not assigned at the identity provider", "access_denied", mallory);
        let sam = self.sign_in(acme, "sam").await?;
        narrator.step("Sam takes the second and last seat", sam.0 == StatusCode::OK, &sam.1);
        expect(narrator, "Lee finds no free seat", "access_denied", self.sign_in(acme, "lee").await?);
        expect(narrator, "Robin has no email", "invalid_grant", self.sign_in(acme, "robin").await?);
        expect(
            narrator,
            "Eve's email is of another domain",
            "access_denied",
            self.sign_in(acme, "eve").await?,
        );
        expect(
            narrator,
            "Hank's teamspace has no enterprise plan",
            "access_denied",
            self.sign_in(globex, "hank").await?,
        );
        let (status, _) = self.call_mcp("not-a-token", "whoami", json!({})).await?;
        let shown = json!({ "status": status.as_u16() });
        narrator.refusal(
            "the MCP server is called with something that is no token",
            status == StatusCode::UNAUTHORIZED,
            &shown,
        );
        Ok(())
    }

    async fn endings(&self, narrator: &mut Narrator) -> Result<(), DemoError> {
        let acme = &self.stage.acme;
        acme.1.unassign("sam", &self.stage.issuer);
        let (status, body) = self.id_jag(&acme.0, "sam").await?;
        narrator.refusal(
            "Sam is unassigned, and asks for a new assertion",
            status == StatusCode::BAD_REQUEST,
            &body,
        );

        let members = self.admin(Method::GET, "/teamspaces/acme/members", Value::Null).await?;
        let items = members.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let dana =
            items.iter().find(|m| text(m, "email") == "dana@acme.example").ok_or("Dana is no member")?;
        let path = format!("/teamspaces/acme/members/{}", text(dana, "id"));
        self.admin(Method::PATCH, &path, json!({ "status": "suspended" })).await?;
        let (status, body) = self.sign_in(&acme.0, "dana").await?;
        let refused = status == StatusCode::BAD_REQUEST && text(&body, "error") == "access_denied";
        narrator.refusal("Dana is suspended, and tries at once", refused, &body);
        self.admin(Method::PATCH, &path, json!({ "status": "active" })).await?;
        let (status, body) = self.sign_in(&acme.0, "dana").await?;
        narrator.step("Dana is active again", status == StatusCode::OK, &body);
        Ok(())
    }

    async fn decision_log(&self, narrator: &mut Narrator) -> Result<(), DemoError> {
        let path = "/teamspaces/acme/sign-ins?limit=50";
        let page = self.admin(Method::GET, path, Value::Null).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        narrator.say(&format!(
            "curl -sS '{}/api/v1{path}' -H \"Authorization: Bearer $ADMIN_TOKEN\"",
            self.stage.issuer
        ));
        let reasons: Vec<&str> = items.iter().map(|item| text(item, "reason")).collect();
        for expected in
            ["replayed", "signature_bad", "member_limit_reached", "email_missing", "member_inactive"]
        {
            let found = items.iter().find(|item| text(item, "reason") == expected);
            let shown = found.map_or(json!({ "reasons": reasons }), |row| {
                json!({ "email": text(row, "email"), "request_id": text(row, "request_id"), "policies": row["policy_ids"] })
            });
            narrator.step(expected, found.is_some(), &shown);
        }
        Ok(())
    }

    /// Calls the admin API.
    pub(super) async fn admin(&self, method: Method, path: &str, body: Value) -> Result<Value, DemoError> {
        admin(self.http, self.stage, method, path, body).await
    }

    async fn id_jag(&self, idp: &str, user: &str) -> Result<HttpAnswer, DemoError> {
        self.id_jag_for(idp, user, "tools.read tools.call").await
    }

    /// Leg 1: the person signs in and the client asks the identity provider (RFC 8693).
    pub(super) async fn id_jag_for(
        &self,
        idp: &str,
        user: &str,
        scope: &str,
    ) -> Result<HttpAnswer, DemoError> {
        let login =
            self.http.post(format!("{idp}/login")).json(&json!({ "user": user, "client_id": IDP_CLIENT.0 }));
        let login: Value = login.send().await?.json().await?;
        let form = [
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", &self.stage.issuer),
            ("resource", &self.stage.mcp_url),
            ("scope", scope),
            ("subject_token", text(&login, "id_token")),
            ("subject_token_type", ID_TOKEN),
        ];
        let request =
            self.http.post(format!("{idp}/oauth2/v1/token")).basic_auth(IDP_CLIENT.0, Some(IDP_CLIENT.1));
        let response = request.form(&form).send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// Leg 2: the assertion for an access token (RFC 7523).
    pub(super) async fn exchange(&self, assertion: &str) -> Result<HttpAnswer, DemoError> {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = self.http.post(format!("{}/oauth2/token", self.stage.issuer));
        let response = request.basic_auth(CLIENT.0, Some(CLIENT.1)).form(&form).send().await?;
        Ok((response.status(), response.json().await?))
    }

    async fn sign_in(&self, idp: &str, user: &str) -> Result<HttpAnswer, DemoError> {
        let (_, id_jag) = self.id_jag(idp, user).await?;
        self.exchange(text(&id_jag, "access_token")).await
    }

    async fn call_mcp(&self, token: &str, tool: &str, arguments: Value) -> Result<HttpAnswer, DemoError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments } });
        let request = self.http.post(&self.stage.mcp_url).bearer_auth(token);
        let request = request.header("accept", "application/json, text/event-stream");
        let response = request.header("mcp-protocol-version", "2025-11-25").json(&body).send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn call_tool(&self, token: &str, tool: &str, arguments: Value) -> Result<Value, DemoError> {
        let (_, body) = self.call_mcp(token, tool, arguments).await?;
        Ok(body.pointer("/result/structuredContent").cloned().unwrap_or(body))
    }
}

/// Another person's email in the payload, under the old signature.
fn tampered(assertion: &str) -> Result<String, DemoError> {
    let mut parts = assertion.split('.');
    let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("the assertion has not three parts".into());
    };
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    if let Some(members) = claims.as_object_mut() {
        members.insert("email".into(), json!("owner@acme.example"));
    }
    Ok(format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())))
}
