//! `countersign dev-idp`: a real process, and everybody who talks to it.

mod assertions;
mod clients;
mod demonstration;
mod guide;
mod input;
mod kept;
mod page;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::explain::admin;
use crate::harness::{Answer, CLIENT, TestApp, decode, http};
use crate::process::{free_port, real_time};

/// A running identity provider. Its client is the one of a `TestApp`.
struct DevIdp {
    child: Child,
    origin: String,
    issuer: String,
    /// Everything that it printed when it started.
    said: String,
}

/// One client, whose id at Countersign is the `TestApp`'s.
fn people() -> String {
    format!(
        "[[people]]\nname = 'dana'\nemail = 'dana@acme.example'\ngroups = ['engineering']\n\
         [[people]]\nname = 'mallory'\nassigned = false\n\
         [[clients]]\nid = 'mcp-client'\nsecret = 'secret-here'\nid_at_audience = '{CLIENT}'\n"
    )
}

impl DevIdp {
    /// Starts it in a directory at a free port.
    fn start(dir: &Path, audience: &str, more: &[&str]) -> Self {
        Self::start_at(dir, free_port(), audience, more)
    }

    fn start_at(dir: &Path, port: u16, audience: &str, more: &[&str]) -> Self {
        std::fs::write(dir.join("people.toml"), people()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(["dev-idp", "--listen", &format!("127.0.0.1:{port}"), "--audience", audience])
            .args(["--people", "people.toml"])
            .args(more)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        // The command to copy is the last thing that it prints.
        for line in lines {
            said.push_str(&(line.clone() + "\n"));
            if line.ends_with(')') {
                break;
            }
        }
        let after = |word: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(word));
            line.unwrap_or_else(|| panic!("no {word}: {said}")).trim().to_owned()
        };
        let (origin, issuer) = (after("page "), after("issuer "));
        Self { child, origin, issuer, said }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        Answer::of(http().post(format!("{}{path}", self.origin)).form(form).send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(http().get(format!("{}{path}", self.origin)).send().await.unwrap()).await
    }

    /// An ID-JAG for a person.
    async fn id_jag(&self, person: &str) -> String {
        let answer = self.post("/id-jag", &[("person", person)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.trim_end().to_owned()
    }
}

impl Drop for DevIdp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Header and claims of a token.
fn read(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    (serde_json::from_slice(&decode(parts[0])).unwrap(), serde_json::from_slice(&decode(parts[1])).unwrap())
}

/// The real time, and an origin that may be private.
async fn countersign(port: u16, scheme: &str) -> TestApp {
    let app = TestApp::start_with(|config| {
        config.fetch.private_origins.push(format!("{scheme}://127.0.0.1:{port}").into());
        config.assertion.max_lifetime = "1h".parse().unwrap();
    })
    .await;
    real_time(&app);
    app
}

/// Saves the issuer at Countersign as an administrator does: with its checks.
async fn save(app: &TestApp, issuer: &str, provider: &str) -> Answer {
    let token = admin(app, None).await;
    let url = format!("{}/api/v1/teamspaces/acme/identity-provider", app.issuer());
    let body = json!({ "provider": provider, "issuer": issuer, "scope": "", "enabled": true });
    Answer::of(app.http.put(url).bearer_auth(token).json(&body).send().await.unwrap()).await
}

/// Shells that people paste into, interactive ones: there, `!` is history, and in zsh `#` is no comment.
fn shells() -> Vec<Vec<&'static str>> {
    let mut shells = vec![vec!["bash", "--noprofile", "--norc", "-i"]];
    if std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join("zsh").is_file()) {
        shells.push(vec!["zsh", "-f", "-i"]);
    }
    shells
}
