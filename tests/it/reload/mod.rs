//! Policies that change while the service runs, and the sets that were in force.

mod changes;
mod failures;
mod meanwhile;
mod past_sets;
mod process;

use std::path::{Path, PathBuf};

use countersign::policy::reload::ReloadTrigger;
use countersign::random::{digest, secret};
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{AnyConnection, StoreError};
use tempfile::TempDir;

use crate::harness::{Answer, START, TestApp};

/// The shipped policies and schema in a directory that may be changed.
pub struct Rules {
    pub dir: TempDir,
}

/// Nobody is let in.
pub const CLOSED: &str = r#"@id("closed") @reason("closed") @error("access_denied") @message("Closed.")
    forbid (principal, action == Action::"TrustIssuer", resource);"#;

impl Rules {
    pub fn shipped() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(this.policies()).unwrap();
        for name in ["issuer", "members", "grants"] {
            let name = format!("{name}.cedar");
            std::fs::copy(Path::new("policies").join(&name), this.policies().join(&name)).unwrap();
        }
        std::fs::copy("schema/countersign.cedarschema", this.schema()).unwrap();
        this
    }

    /// The shipped policies with a file more.
    pub fn shipped_and(text: &str) -> Self {
        let this = Self::shipped();
        this.put("rule.cedar", text);
        this
    }

    pub fn policies(&self) -> PathBuf {
        self.dir.path().join("policies")
    }

    pub fn schema(&self) -> PathBuf {
        self.dir.path().join("schema")
    }

    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.policies().join(name), text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.policies().join(name)).unwrap();
    }

    pub async fn start(&self) -> TestApp {
        let (policy_dir, schema_file) = (self.policies(), self.schema());
        TestApp::start_with(|config| {
            (config.policy_dir, config.schema_file) = (Some(policy_dir), Some(schema_file))
        })
        .await
    }
}

/// Two looks, as the service takes them a second apart.
pub async fn settle(app: &TestApp) {
    app.app.follow_policies(ReloadTrigger::IfChanged).await;
    app.app.follow_policies(ReloadTrigger::IfChanged).await;
}

/// `GET` with an operator's token.
pub async fn operator(app: &TestApp, path: &str) -> Answer {
    let token = secret().unwrap();
    let row = AdminToken {
        id: uuid::Uuid::new_v4().to_string(),
        name: "ops".to_owned(),
        token_digest: digest(&token),
        teamspace_id: None,
        created_at: START,
        expires_at: None,
    };
    let insert = move |c: &mut _| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
    app.app.store.write(insert).await.unwrap();
    let request = app.http.get(format!("{}/api/v1{path}", app.issuer())).bearer_auth(token);
    Answer::of(request.send().await.unwrap()).await
}

/// `GET` on the private listener.
pub async fn private(app: &TestApp, path: &str) -> Answer {
    Answer::of(app.http.get(format!("{}{path}", app.management)).send().await.unwrap()).await
}

/// A transaction of another process that keeps this one from writing.
pub fn lock(app: &TestApp) -> AnyConnection {
    use diesel::connection::SimpleConnection as _;
    let mut connection = app.database.connect();
    connection.batch_execute("BEGIN IMMEDIATE").unwrap();
    connection
}

fn hash(app: &TestApp) -> String {
    app.app.policies().hash.clone()
}
