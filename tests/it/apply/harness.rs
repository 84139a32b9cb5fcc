//! Runs the commands both ways: over HTTP against a service, and on its database.

use std::path::Path;
use std::process::{Output, Stdio};

use countersign::random;
use countersign::store::admin_tokens::{self, AdminToken};
use countersign::store::{AnyConnection, StoreError};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::commands::{text, write};
use crate::harness::{START, TestApp};
use crate::idp::{FakeIdp, Key};
use crate::process::real_time;

/// The way to the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Server,
    Database,
}

pub const WAYS: [Way; 2] = [Way::Server, Way::Database];

/// A running service, with a directory for files.
pub struct Place {
    pub app: TestApp,
    pub dir: TempDir,
    /// An identity provider that no teamspace has yet.
    pub idp: FakeIdp,
    token: String,
}

impl Place {
    pub async fn start() -> Self {
        let idp = FakeIdp::start(Key::es256("idp-2")).await;
        let origin = idp.issuer.clone();
        let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
        real_time(&app);
        let token = random::secret().unwrap();
        let row = AdminToken {
            id: "token".to_owned(),
            name: "ci".to_owned(),
            token_digest: random::digest(&token),
            teamspace_id: None,
            created_at: START,
            expires_at: None,
        };
        let insert = move |c: &mut AnyConnection| Ok::<_, StoreError>(admin_tokens::insert(c, &row)?);
        app.app.store.write(insert).await.unwrap();
        Self { app, dir: tempfile::tempdir().unwrap(), idp, token }
    }

    pub fn write(&self, name: &str, content: &str) {
        write(self.dir.path(), name, content);
    }

    pub fn command(&self, way: Way, args: &[&str]) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null()).kill_on_drop(true);
        let origins = format!("[\"{}\", \"{}\"]", self.app.idp.issuer, self.idp.issuer);
        match way {
            Way::Server => {
                command.env("COUNTERSIGN_SERVER", self.app.issuer()).env("COUNTERSIGN_TOKEN", &self.token)
            }
            Way::Database => command
                .env("COUNTERSIGN_ISSUER", self.app.issuer())
                .env("COUNTERSIGN_DATABASE_URL", &self.app.database.url)
                .env("COUNTERSIGN_POLICY_DIR", root.join("policies"))
                .env("COUNTERSIGN_SCHEMA_FILE", root.join("schema/countersign.cedarschema"))
                .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", origins),
        };
        command
    }

    pub async fn run(&self, way: Way, args: &[&str]) -> Ran {
        Ran(self.command(way, args).output().await.unwrap())
    }

    /// Applies a file, and expects an exit code.
    pub async fn apply(&self, way: Way, args: &[&str], code: i32) -> Ran {
        let ran = self.run(way, &[&["apply"], args].concat()).await;
        ran.expect(code);
        ran
    }

    /// What the service has, as JSON. It takes over first what others have changed, which it does in the background
    /// otherwise.
    pub async fn exported(&self) -> Value {
        self.app.app.reload().await.unwrap();
        let ran = self.run(Way::Server, &["export", "--format", "json"]).await;
        ran.expect(0);
        serde_json::from_str(&ran.out()).unwrap()
    }
}

/// How a command ended.
pub struct Ran(pub Output);

impl Ran {
    pub fn out(&self) -> String {
        text(&self.0.stdout)
    }

    pub fn err(&self) -> String {
        text(&self.0.stderr)
    }

    #[track_caller]
    pub fn expect(&self, code: i32) {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.out(), self.err());
    }

    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        let all = format!("{}{}", self.out(), self.err());
        parts.iter().for_each(|part| assert!(all.contains(part), "`{part}` is not in:\n{all}"));
    }
}

/// The entry of a list of an export by the value of a field.
pub fn entry<'v>(export: &'v Value, list: &str, (field, value): (&str, &str)) -> &'v Value {
    let entries = export[list].as_array().unwrap();
    entries.iter().find(|entry| entry[field] == value).unwrap_or_else(|| panic!("no {value} in {export:#}"))
}
