//! Commands against a service: over HTTP, and on its database.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use countersign::admin::tokens::{self, NewToken};
use serde_json::Value;

use crate::harness::{START, TestApp, http};
use crate::idp::{FakeIdp, Key};

/// How commands reach the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Server,
    Database,
}

pub const WAYS: [Way; 2] = [Way::Server, Way::Database];

/// A service with a second identity provider, and everything that was asked of its admin API over HTTP.
pub struct Desk {
    pub app: TestApp,
    pub idp: FakeIdp,
    pub token: String,
    /// Passes requests on to the service.
    pub server: String,
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub async fn start() -> Self {
        let idp = FakeIdp::start(Key::rsa("idp-2", 1)).await;
        let origin = idp.issuer.clone();
        let app = TestApp::start_with(|config| config.fetch.private_origins.push(origin.into())).await;
        let new = NewToken { name: "commands".to_owned(), teamspace: None, lifetime: None };
        let (token, _) = tokens::create(&app.app.store, new, START).await.unwrap();
        let calls: Arc<Mutex<Vec<_>>> = Arc::default();
        let recorder = Recorder { to: app.issuer().to_owned(), calls: Arc::clone(&calls) };
        let server = serve(Router::new().fallback(pass_on).with_state(recorder)).await;
        Self { app, idp, token, server, calls }
    }

    /// The method and path of every request to the admin API.
    pub fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap().clone()
    }

    pub async fn run(&self, way: Way, args: &[&str]) -> Ended {
        self.fed(way, args, "").await
    }

    /// The same with a text on standard input.
    pub async fn fed(&self, way: Way, args: &[&str], input: &str) -> Ended {
        run(self.command(way, args), input).await
    }

    /// Runs a command that must succeed.
    pub async fn done(&self, way: Way, args: &[&str]) -> Ended {
        let ended = self.run(way, args).await;
        assert_eq!(ended.code, Some(0), "{way:?} {args:?}: {ended:?}");
        ended
    }

    /// The JSON that a command prints, which must succeed.
    pub async fn json(&self, way: Way, args: &[&str]) -> Value {
        let ended = self.done(way, &[args, &["--format", "json"]].concat()).await;
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{args:?}: {error}: {ended:?}"))
    }

    /// A command by one way, in the directory of the test.
    pub fn command(&self, way: Way, args: &[&str]) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = command(self.app.dir.path(), args);
        match way {
            Way::Server => {
                command.env("COUNTERSIGN_SERVER", &self.server).env("COUNTERSIGN_TOKEN", &self.token);
            }
            Way::Database => {
                let origins = serde_json::to_string(&[&self.app.idp.issuer, &self.idp.issuer]).unwrap();
                command
                    .env("COUNTERSIGN_DATABASE_URL", &self.app.database.url)
                    .env("COUNTERSIGN_ISSUER", self.app.issuer())
                    .env("COUNTERSIGN_POLICY_DIR", root.join("policies"))
                    .env("COUNTERSIGN_SCHEMA_FILE", root.join("schema/countersign.cedarschema"))
                    .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", origins);
            }
        }
        command
    }
}

/// A command in a directory, without variables of ours.
pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COUNTERSIGN_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(args).current_dir(dir);
    command
}

/// Runs a command while the services of the test go on.
pub async fn run(mut command: Command, input: &str) -> Ended {
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Serves a router on loopback, and tells its URL.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[derive(Clone)]
struct Recorder {
    to: String,
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

async fn pass_on(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/api/v1").unwrap_or_default().to_owned();
    recorder.calls.lock().unwrap().push((parts.method.to_string(), path));
    let mut passed = http().request(parts.method, format!("{}{}", recorder.to, parts.uri));
    for (name, value) in &parts.headers {
        if !["host", "content-length"].contains(&name.as_str()) {
            passed = passed.header(name, value);
        }
    }
    let answer = passed.body(to_bytes(body, usize::MAX).await.unwrap()).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}
