//! A run under way: what is asked, and how each answer is judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Client;
use serde_json::Value;

use super::draft::{AssertionDraft, DraftFacts};
use super::issuer::SuiteIdp;
use super::judged::{CheckedRule, Judged, Judgement};
use super::keys::SuiteKeyError;
use super::requirements::{RequirementLevel, requirement};
use super::target::{KnownClient, TestTarget};
use super::wire::{ClientAuth, Probe, ProbeReply};
use crate::clock::{Clock, UnixSeconds};
use crate::oauth::request::JWT_BEARER;

/// The most answers that one rule is shown with.
const SHOWN: usize = 3;

/// A rule for every answer, and how the answers kept it.
#[derive(Default)]
struct WatchedRule {
    seen: usize,
    broken: Vec<(String, ProbeReply)>,
}

/// Rules for every answer of the token endpoint, with what is expected.
const WATCHED: [(&str, &str); 5] = [
    ("ERR-01", "status 400, but for 401 invalid_client and 405, 413, 415 and 429 of HTTP"),
    (
        "ERR-02",
        "an object of JSON with `error`, in printable ASCII without quotes, and Cache-Control: no-store",
    ),
    ("ERR-04", "the code invalid_grant for a fault of the assertion"),
    ("ERR-05", "neither invalid_client nor unauthorized_client for a fault of the assertion"),
    ("ERR-07", "no status from 500 on, and always an answer"),
];

/// A run under way.
pub struct Suite {
    /// The server under test.
    pub target: TestTarget,
    /// Our identity provider.
    pub idp: SuiteIdp,
    /// The client for every request.
    pub http: Client,
    /// The server's metadata; null if there is none.
    pub metadata: Value,
    /// Its token endpoint.
    pub token_url: String,
    /// The way in which our client authenticates.
    pub auth: ClientAuth,
    clock: Arc<dyn Clock>,
    judged: Vec<Judged>,
    watched: BTreeMap<&'static str, WatchedRule>,
}

impl Suite {
    /// Nothing asked yet.
    pub fn new(target: TestTarget, idp: SuiteIdp, http: Client, clock: Arc<dyn Clock>) -> Self {
        let token_url = target.token_url.clone().unwrap_or_default();
        let auth = target.auth.or(target.profile.client_auth()).unwrap_or(ClientAuth::Basic);
        let (judged, watched) = (Vec::new(), BTreeMap::new());
        Self { target, idp, http, metadata: Value::Null, token_url, auth, clock, judged, watched }
    }

    /// The time.
    pub fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Whether an id is to be tested. Rules for every answer need every answer.
    pub fn wants(&self, id: &str) -> bool {
        self.target.wants(id) || WATCHED.iter().any(|(watched, _)| self.target.wants(watched))
    }

    /// A good assertion of now, which nobody has seen.
    pub fn draft(&self) -> AssertionDraft {
        let target = &self.target;
        let facts = DraftFacts {
            idp: self.idp.issuer().to_owned(),
            stranger: self.idp.stranger(),
            stranger_jwks_uri: self.idp.stranger_jwks_uri(),
            audience: target.issuer.clone(),
            token_url: self.token_url.clone(),
            client_id: target.client.id.clone(),
            resource: target.resource.clone(),
            scope: target.scope.clone(),
            subject: target.subject.clone(),
            email: target.email.clone(),
            now: self.now(),
            alg: target.alg,
            kid: self.idp.keys().trusted(target.alg).kid().to_owned(),
            other_kid: self.idp.keys().trusted(target.alg.other()).kid().to_owned(),
            stranger_jwk: self.idp.keys().untrusted(target.alg).bare_jwk().clone(),
        };
        AssertionDraft::good(&facts)
    }

    /// The text of an assertion after a change.
    pub fn changed(&self, change: impl FnOnce(&mut AssertionDraft)) -> Result<String, SuiteKeyError> {
        let mut draft = self.draft();
        change(&mut draft);
        draft.sign(self.idp.keys())
    }

    /// Sends a form to the token endpoint with our client's credentials.
    pub fn token_probe(&self, form: &[(&str, &str)]) -> Probe {
        self.token_probe_of(&self.target.client, form)
    }

    /// The same with another client's.
    pub fn token_probe_of(&self, client: &KnownClient, form: &[(&str, &str)]) -> Probe {
        match self.auth {
            ClientAuth::Basic => Probe::form(&self.token_url, form).with_basic(&client.id, &client.secret),
            ClientAuth::Post => {
                let mut form = form.to_vec();
                form.extend([("client_id", client.id.as_str()), ("client_secret", &client.secret)]);
                Probe::form(&self.token_url, &form)
            }
        }
    }

    /// Sends a request to the token endpoint, and looks at what every answer must be.
    pub async fn send(&mut self, probe: Probe) -> ProbeReply {
        let reply = probe.send(&self.http).await;
        self.observe(&reply);
        reply
    }

    /// Exchanges an assertion.
    pub async fn exchange(&mut self, assertion: &str) -> ProbeReply {
        self.exchange_with(assertion, &[]).await
    }

    /// The same with further parameters.
    pub async fn exchange_with(&mut self, assertion: &str, more: &[(&str, &str)]) -> ProbeReply {
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion)];
        form.extend_from_slice(more);
        self.send(self.token_probe(&form)).await
    }

    /// Exchanges a good assertion after a change.
    pub async fn exchange_changed(
        &mut self,
        change: impl FnOnce(&mut AssertionDraft),
    ) -> Result<ProbeReply, SuiteKeyError> {
        let assertion = self.changed(change)?;
        Ok(self.exchange(&assertion).await)
    }

    /// Keeps what was found.
    pub fn judge(&mut self, rule: &CheckedRule, judgement: Judgement) {
        let level = rule.level.or_else(|| requirement(rule.id).map(|r| r.level));
        let level = self.target.profile.level(rule.id, level.unwrap_or(RequirementLevel::Own));
        let title = rule.title.clone();
        self.judged.push(Judged { id: rule.id, level, title, judgement });
    }

    /// Says why something was not tested.
    pub fn skip(&mut self, rule: &CheckedRule, reason: impl Into<String>) {
        if self.wants(rule.id) {
            self.judge(rule, Judgement::Skipped { reason: reason.into() });
        }
    }

    /// Judges an answer.
    pub fn expect(&mut self, rule: &CheckedRule, holds: bool, expected: &str, reply: &ProbeReply) {
        let judgement = if reply.is_limited() && !holds {
            Judgement::Skipped {
                reason: "the server answered 429: switch its limits off for the test".into(),
            }
        } else if holds {
            Judgement::Holds
        } else {
            Judgement::fails(expected, reply)
        };
        self.judge(rule, judgement);
    }

    /// Judges an answer, if the rule is to be tested.
    pub fn expect_wanted(&mut self, rule: &CheckedRule, holds: bool, expected: &str, reply: &ProbeReply) {
        if self.wants(rule.id) {
            self.expect(rule, holds, expected, reply);
        }
    }

    /// Judges an answer that must be a token.
    pub fn expect_grant(&mut self, rule: &CheckedRule, reply: &ProbeReply) {
        self.expect(rule, reply.is_grant(), "200 with an access token", reply);
    }

    /// Judges an answer that must turn the caller away, for a fault of the assertion.
    pub fn expect_fault(&mut self, rule: &CheckedRule, reply: &ProbeReply) {
        if reply.is_refusal() && !reply.is_limited() {
            let code = reply.text("error");
            self.watch("ERR-04", code == "invalid_grant", reply);
            self.watch("ERR-05", !["invalid_client", "unauthorized_client"].contains(&code), reply);
        }
        self.expect(rule, reply.is_refusal(), "a refusal (400 invalid_grant)", reply);
    }

    /// Judges an answer that must be one of these errors.
    pub fn expect_error(&mut self, rule: &CheckedRule, errors: &[(u16, &str)], reply: &ProbeReply) {
        let holds = errors.iter().any(|(status, code)| reply.is_error(*status, code));
        let expected: Vec<String> = errors.iter().map(|(status, code)| format!("{status} {code}")).collect();
        self.expect(rule, holds, &expected.join(" or "), reply);
    }

    fn observe(&mut self, reply: &ProbeReply) {
        self.watch("ERR-07", reply.status != 0 && reply.status < 500, reply);
        if (400..500).contains(&reply.status) {
            let is_usual = match reply.status {
                400 | 405 | 413 | 415 | 429 => true,
                401 => reply.text("error") == "invalid_client",
                _ => false,
            };
            self.watch("ERR-01", is_usual, reply);
        }
        if reply.status == 400 || reply.status == 401 {
            self.watch("ERR-02", is_plain_error(reply), reply);
        }
    }

    fn watch(&mut self, id: &'static str, holds: bool, reply: &ProbeReply) {
        let rule = self.watched.entry(id).or_default();
        rule.seen += 1;
        if !holds && rule.broken.len() < SHOWN {
            let found = format!("{} {}", reply.status, reply.text("error"));
            rule.broken.push((found.trim().to_owned(), reply.clone()));
        }
    }

    /// Everything that was found.
    pub fn finish(mut self) -> (TestTarget, Vec<Judged>) {
        for (id, expected) in WATCHED {
            let Some(WatchedRule { seen, broken }) = self.watched.remove(id) else { continue };
            if !self.wants(id) {
                continue;
            }
            let rule = CheckedRule::new(id, format!("each of {seen} answers"));
            match broken.first() {
                None => self.judge(&rule, Judgement::Holds),
                Some(_) => {
                    let found: Vec<&str> = broken.iter().map(|(found, _)| found.as_str()).collect();
                    let transcripts = broken.iter().map(|(_, reply)| reply.transcript.clone()).collect();
                    let (expected, found) = (expected.to_owned(), found.join(", "));
                    self.judge(&rule, Judgement::Fails { expected, found, transcripts });
                }
            }
        }
        (self.target, self.judged)
    }
}

/// RFC 6749 §5.2: the form of an error, and what its texts may consist of.
fn is_plain_error(reply: &ProbeReply) -> bool {
    let is_plain = |text: &str| text.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\');
    let is_text = |name: &str| reply.member(name).is_none_or(|value| value.as_str().is_some_and(is_plain));
    reply.is_json()
        && !reply.text("error").is_empty()
        && is_text("error")
        && is_text("error_description")
        && reply.header_has("cache-control", "no-store")
}
