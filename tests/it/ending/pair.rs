//! Two processes on one database, each with its own memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::active_token::{Inactive, active_token};
use countersign::app::App;
use countersign::oauth::request::JWT_BEARER;
use countersign::runtime::{self, Options, Service};
use serde_json::json;

use crate::admin::effect::with_operator;
use crate::harness::{self, Answer, CLIENT, RESOURCE, SECRET, TestApp, TestClock};
use crate::introspection::{SERVER, SERVER_SECRET, put_credentials};
use crate::process::until;

/// The process where changes are made, and another one that hears of them from the database only.
pub struct Pair {
    pub app: TestApp,
    pub other: Arc<App>,
    url: String,
    _service: Service,
}

/// Whether a token is active at the resource that it was issued for. Nobody is asked about a resource that is gone.
pub fn is_active(app: &App, token: &str) -> bool {
    let snapshot = app.snapshot();
    let Some(resource) = snapshot.resource_named(RESOURCE) else { return false };
    match active_token(app, token, resource) {
        Ok(_) => true,
        Err(Inactive::NotKnowable) => panic!("the revocations are not known"),
        Err(_) => false,
    }
}

impl Pair {
    pub async fn start() -> Self {
        Self::beside(with_operator(TestApp::start().await).await).await
    }

    /// Starts the other process.
    pub async fn beside(app: TestApp) -> Self {
        let clock = app.clock.clone();
        Self::with_clock(app, clock).await
    }

    /// Starts the other process, which has a clock of its own.
    pub async fn with_clock(app: TestApp, clock: TestClock) -> Self {
        put_credentials(&app, RESOURCE, SERVER).await;
        let other = App::start(app.app.config.clone(), Arc::new(clock)).await.unwrap();
        let (listeners, [url, _]) = harness::listeners().await;
        let _service = runtime::start(&other, listeners, Options::default()).unwrap();
        Self { app, other, url, _service }
    }

    /// Exchanges a new assertion of Dana's in the other process.
    pub async fn exchange_at_other(&self) -> Answer {
        self.send_to_other(&self.app.assertion(json!({}))).await
    }

    pub async fn send_to_other(&self, assertion: &str) -> Answer {
        let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
        let request = self.app.http.post(format!("{}/oauth2/token", self.url));
        Answer::of(request.basic_auth(CLIENT, Some(SECRET)).form(&form).send().await.unwrap()).await
    }

    /// A token of Dana's that both processes know as active.
    pub async fn active_token(&self) -> String {
        let token = self.app.granted(json!({})).await.access_token().to_owned();
        assert!(is_active(&self.app.app, &token));
        until("the other process knows it", async || is_active(&self.other, &token)).await;
        token
    }

    /// What the other process tells the resource server; none where it has no such resource.
    pub async fn introspect_at_other(&self, token: &str) -> Option<bool> {
        let url = self.url.clone() + "/oauth2/introspect";
        let request = self.app.http.post(url).basic_auth(SERVER, Some(SERVER_SECRET));
        Answer::of(request.form(&[("token", token)]).send().await.unwrap()).await.json["active"].as_bool()
    }

    /// How long it takes until a token that was ended in the first process is inactive in the other one.
    pub async fn seconds_until_inactive(&self, token: &str) -> Duration {
        let ended = Instant::now();
        assert!(!is_active(&self.app.app, token), "in force before the answer");
        until("it ends in the other process", async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            !is_active(&self.other, token)
        })
        .await;
        let took = ended.elapsed();
        assert_ne!(self.introspect_at_other(token).await, Some(true));
        took
    }

    /// Waits until the other process issues tokens again.
    pub async fn wait_for_other(&self) {
        until("it issues tokens again", async || self.exchange_at_other().await.status == 200).await;
    }
}
