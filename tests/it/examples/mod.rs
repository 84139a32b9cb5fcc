//! The example MCP servers, started as their readers start them, with the packages that they name. `scripts/test`
//! installs those.

mod bound;
pub mod clients;
mod following;
mod limits;
mod refusals;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::OnceCell;

use crate::harness::{Answer, http};
use crate::interop::package;
use crate::process::{free_port, until};

#[derive(Clone, Copy, Debug)]
enum Example {
    Python,
    TypeScript,
    Rust,
}

impl Example {
    const ALL: [Self; 3] = [Self::Python, Self::TypeScript, Self::Rust];

    /// The command that its README names, without what starts a process between.
    async fn command(self) -> Command {
        match self {
            Self::Python => {
                let mut command = Command::new(python());
                command.arg("examples/mcp-python/server.py");
                command
            }
            Self::TypeScript => {
                let mut command = Command::new("node");
                command.args(["--import", "tsx", "server.ts"]);
                command.current_dir(package("examples/mcp-typescript"));
                command
            }
            Self::Rust => Command::new(rust_server().await),
        }
    }
}

/// The interpreter that has the Python packages of the tests.
pub fn python() -> PathBuf {
    let set = std::env::var_os("TEST_PYTHON").map(PathBuf::from);
    let path = set.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python"));
    assert!(path.exists(), "run ./scripts/test: it installs the Python packages");
    path
}

/// The Rust example, built with the features that the tests have, so that nothing but itself is compiled.
async fn rust_server() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let features = [("prove", cfg!(feature = "prove")), ("postgres", cfg!(feature = "postgres"))];
        let features: Vec<&str> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let mut cargo = tokio::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--bin", "mcp-rust", "--features"]);
        let status = cargo.arg(features.join(",")).current_dir(env!("CARGO_MANIFEST_DIR")).status().await;
        assert!(status.unwrap().success(), "examples/mcp-rust does not compile");
        Path::new(env!("CARGO_BIN_EXE_countersign")).with_file_name("mcp-rust")
    };
    BUILT.get_or_init(build).await
}

/// A running example.
struct ExampleServer {
    child: Child,
    /// Its resource identifier, where it also is.
    url: String,
    metadata_url: String,
    http: reqwest::Client,
    log: NamedTempFile,
}

/// The URL of an example that listens at a port.
fn url_at(port: u16) -> String {
    format!("http://127.0.0.1:{port}/mcp")
}

impl ExampleServer {
    async fn start(example: Example, issuer: &str) -> Self {
        Self::start_at(free_port(), example, issuer, &[]).await
    }

    /// Starts it at a port, with more variables.
    async fn start_at(port: u16, example: Example, issuer: &str, variables: &[(&str, &str)]) -> Self {
        let (url, http, log) = (url_at(port), http(), NamedTempFile::new().unwrap());
        let mut command = example.command().await;
        command.env("ISSUER", issuer).env("RESOURCE", &url).env("PORT", port.to_string());
        command.envs(variables.iter().copied()).env("NO_PROXY", "127.0.0.1");
        command.stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap());
        let metadata_url = format!("http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp");
        let this = Self { child: command.spawn().unwrap(), url, metadata_url, http, log };
        let ready = async || {
            this.http.get(&this.metadata_url).send().await.is_ok_and(|answer| answer.status() == 200)
        };
        until("the example is ready", ready).await;
        this
    }

    /// Calls its tool.
    async fn call(&self, token: Option<&str>) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "whoami", "arguments": {} } });
        let request = self.http.post(&self.url).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        let mut request = request.header("mcp-protocol-version", "2025-11-25");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Answer::of(request.send().await.unwrap()).await
    }
}

impl Drop for ExampleServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = self.log.reopen().and_then(|mut log| std::io::copy(&mut log, &mut std::io::stderr()));
        }
    }
}

/// Blank lines do not count. The Rust one has its verifiers in files of their own, since rmcp has none.
#[test]
fn each_server_has_at_most_sixty_lines() {
    for file in [
        "mcp-python/server.py",
        "mcp-python/revocations.py",
        "mcp-python/limits.py",
        "mcp-typescript/server.ts",
        "mcp-typescript/revocations.ts",
        "mcp-typescript/limits.ts",
        "mcp-rust/src/main.rs",
        "mcp-rust/src/limits.rs",
    ] {
        let text = std::fs::read_to_string(Path::new("examples").join(file)).unwrap();
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 60, "{file} has {lines} lines");
    }
}

#[test]
fn the_types_of_the_typescript_example_are_right() {
    let dir = package("examples/mcp-typescript");
    let output = Command::new("npm").args(["run", "check"]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
