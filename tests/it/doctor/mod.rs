//! `countersign doctor` and `countersign healthcheck`: each kind of line, made to fail for real.

mod clients;
mod database;
mod healthcheck;
mod issuer;
mod keys;
mod observed;
mod policies;
mod process;
mod providers;
mod resources;
mod tls;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use countersign::config::Config;
use countersign::doctor::{self, DoctorGroup, DoctorLine, LineStatus};

use crate::harness::TestApp;
use crate::process::real_time;
use crate::reload::Rules;

pub const ENCRYPTION_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// The report of a deployment.
pub struct Examined(pub Vec<DoctorLine>);

impl Examined {
    /// The lines of a name in a group.
    pub fn named(&self, group: DoctorGroup, name: &str) -> Vec<&DoctorLine> {
        self.0.iter().filter(|line| line.group == group && line.name == name).collect()
    }

    /// The only line of that name, which must have this status.
    #[track_caller]
    pub fn line(&self, group: DoctorGroup, name: &str, status: LineStatus) -> &DoctorLine {
        let found = self.named(group, name);
        assert!(found.len() == 1 && found[0].status == status, "{name}: {found:?} of {:#?}", self.0);
        assert_eq!(found[0].fix.is_none(), status == LineStatus::Ok, "{found:?}");
        found[0]
    }

    /// The same, which failed with these words in its message.
    #[track_caller]
    pub fn failed(&self, group: DoctorGroup, name: &str, words: &[&str]) -> &DoctorLine {
        let line = self.line(group, name, LineStatus::Failed);
        for word in words {
            assert!(line.message.contains(word), "{word}: {line:?}");
        }
        line
    }
}

/// The service on its listeners, with the real time.
pub async fn service(configure: impl FnOnce(&mut Config)) -> TestApp {
    let app = TestApp::start_with(configure).await;
    real_time(&app);
    app
}

/// The configuration of a running service, with its real addresses. The policies have no cases, which take a while.
pub fn config(app: &TestApp) -> Config {
    let address = |url: &str| url.trim_start_matches("http://").parse().unwrap();
    let policies = app.dir.path().join("rules");
    if !policies.exists() {
        std::fs::rename(Rules::shipped().policies(), &policies).unwrap();
    }
    let mut config = Config {
        listen: address(app.app.config.console_url().unwrap().trim_end_matches("/console")),
        management_listen: address(&app.management),
        policy_dir: Some(policies),
        schema_file: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/countersign.cedarschema")),
        ..app.app.config.clone()
    };
    // They would need a provider to sign in by.
    config.console.operators.clear();
    config
}

/// Examines with the test's clock.
pub async fn examine_with(app: &TestApp, config: Config) -> Examined {
    Examined(doctor::examine(config, Arc::new(app.clock.clone())).await.unwrap())
}

/// The same, with the service's own configuration.
pub async fn examine(app: &TestApp) -> Examined {
    examine_with(app, config(app)).await
}

/// Runs a server on loopback; its URL.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A server that takes connections and says nothing.
pub async fn silent() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    url
}
