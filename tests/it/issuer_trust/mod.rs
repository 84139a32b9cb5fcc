//! What is kept of issuers: their keys over a restart, and how the trust in them changed.

mod history;
mod kept;
mod processes;
mod recheck;

use std::sync::Arc;

use axum::http::StatusCode;
use countersign::app::App;
use countersign::config::Config;
use countersign::oauth::request::JWT_BEARER;
use countersign::runtime::Service;
use countersign::store::issuer_keys::{self, StoredKeys};
use serde_json::Value;

use crate::harness::{Answer, CLIENT, SECRET, TestApp, listeners, run};
use crate::idp::{FakeIdp, Key};

fn break_down(idp: &FakeIdp) {
    idp.change(|behaviour| behaviour.status = StatusCode::INTERNAL_SERVER_ERROR);
}

fn recover(idp: &FakeIdp) {
    idp.change(|behaviour| behaviour.status = StatusCode::OK);
}

/// Another process on the same database and clock, as after a restart: it remembers nothing.
struct Restarted {
    url: String,
    _service: Service,
}

async fn restart(app: &TestApp) -> Restarted {
    restart_with(app, |_| {}).await
}

async fn restart_with(app: &TestApp, configure: impl FnOnce(&mut Config)) -> Restarted {
    let (listeners, [url, _]) = listeners().await;
    let mut config = app.app.config.clone();
    configure(&mut config);
    let new = App::start(config, Arc::new(app.clock.clone())).await.unwrap();
    let service = run(&new, listeners);
    Restarted { url, _service: service }
}

impl Restarted {
    /// Exchanges an assertion signed with this key, which is valid at the test's time.
    async fn exchange(&self, app: &TestApp, key: &Key) -> Answer {
        let assertion = key.assertion(&app.claims());
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
        let request = app.http.post(format!("{}/oauth2/token", self.url)).basic_auth(CLIENT, Some(SECRET));
        Answer::of(request.form(&form).send().await.unwrap()).await
    }

    async fn granted(&self, app: &TestApp, key: &Key) {
        let answer = self.exchange(app, key).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", key.kid);
    }

    /// Refused, with nothing written but the log row.
    async fn refused(&self, app: &TestApp, key: &Key, reason: &str) {
        let before = app.written().await;
        let answer = self.exchange(app, key).await;
        app.assert_refused(&answer, before, 400, "invalid_grant", reason).await;
    }

    async fn unreachable(&self, app: &TestApp, key: &Key) {
        let before = app.written().await;
        let answer = self.exchange(app, key).await;
        app.assert_refused(&answer, before, 503, "temporarily_unavailable", "issuer_unreachable").await;
    }
}

/// The stored keys of the test's issuer.
async fn stored(app: &TestApp) -> Option<StoredKeys> {
    let issuer = app.idp.issuer.clone();
    app.app.store.read(move |c| issuer_keys::find(c, &issuer)).await.unwrap()
}

/// An operator at the admin API.
struct Operator<'a> {
    app: &'a TestApp,
    token: String,
}

impl<'a> Operator<'a> {
    async fn of(app: &'a TestApp) -> Self {
        Self { app, token: crate::explain::admin(app, None).await }
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.app.http.get(format!("{}/api/v1{path}", self.app.issuer()));
        let answer = Answer::of(request.bearer_auth(&self.token).send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.app.http.post(format!("{}/api/v1{path}", self.app.issuer()));
        Answer::of(request.bearer_auth(&self.token).json(&body).send().await.unwrap()).await
    }

    /// The changes of trust in a provider of acme, newest first.
    async fn history(&self, provider_id: &str) -> Vec<Value> {
        let path = format!("/teamspaces/acme/identity-providers/{provider_id}/trust-history?limit=200");
        self.get(&path).await["items"].as_array().unwrap().clone()
    }

    /// The rows of the audit log about changed metadata.
    async fn alerts(&self) -> Vec<Value> {
        let found = self.get("/audit?action=identity_provider.metadata_changed").await;
        found["items"].as_array().unwrap().clone()
    }
}

/// The value of a metric of the test's process.
async fn metric(app: &TestApp, name: &str) -> u64 {
    let text =
        app.http.get(format!("{}/metrics", app.management)).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}")).rsplit(' ').next().unwrap().parse().unwrap()
}
