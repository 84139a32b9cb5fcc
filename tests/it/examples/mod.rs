//! The example MCP servers, started as their readers start them, with the packages that they name. `scripts/test`
//! installs those.

mod clients;
mod refusals;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::NamedTempFile;
use tokio::sync::OnceCell;

use crate::harness::http;
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
fn python() -> PathBuf {
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
    log: NamedTempFile,
}

impl ExampleServer {
    async fn start(example: Example, issuer: &str) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/mcp");
        let log = NamedTempFile::new().unwrap();
        let mut command = example.command().await;
        command.env("ISSUER", issuer).env("RESOURCE", &url).env("PORT", port.to_string());
        command.env("NO_PROXY", "127.0.0.1").stdout(log.reopen().unwrap()).stderr(log.reopen().unwrap());
        let metadata_url = format!("http://127.0.0.1:{port}/.well-known/oauth-protected-resource/mcp");
        let this = Self { child: command.spawn().unwrap(), url, metadata_url, log };
        let http = http();
        let ready =
            async || http.get(&this.metadata_url).send().await.is_ok_and(|answer| answer.status() == 200);
        until("the example is ready", ready).await;
        this
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

/// Blank lines do not count. The Rust one has its verifier in a file of its own, since rmcp has none.
#[test]
fn each_server_has_at_most_sixty_lines() {
    for file in ["mcp-python/server.py", "mcp-typescript/server.ts", "mcp-rust/src/main.rs"] {
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
