//! The service in an empty directory.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::ends;
use crate::commands::{countersign, text};
use crate::harness::{Answer, http};
use crate::process::{free_port, until};

/// A service that was started with nothing but variables.
pub struct Service {
    child: Child,
    pub ports: [u16; 2],
    /// The lines of its log until it was ready.
    pub log: Vec<Value>,
}

impl Service {
    pub fn start(dir: &Path, env: &[(&str, &str)]) -> Self {
        let ports = [free_port(), free_port()];
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.env_clear().args(["serve"]).current_dir(dir).stdin(Stdio::null()).stderr(Stdio::piped());
        command.env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{}", ports[0]));
        command.env("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{}", ports[1]));
        command.env("COUNTERSIGN_ISSUER", format!("http://127.0.0.1:{}", ports[0]));
        let mut child = command.envs(env.iter().copied()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log: Vec<Value> = Vec::new();
        for line in lines.by_ref() {
            log.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            if log.last().unwrap()["message"] == "ready" {
                break;
            }
        }
        assert!(log.last().is_some_and(|line| line["message"] == "ready"), "{log:?}");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ports, log }
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let url = format!("http://127.0.0.1:{}{path}", self.ports[0]);
        Answer::of(http().get(url).bearer_auth(token).send().await.unwrap()).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(dir: &Path) -> String {
    let (token, _) = ends(dir, &["admin-token", "create", "--name", "test"], 0);
    token.trim().to_owned()
}

#[tokio::test]
async fn it_serves_in_an_empty_directory_and_says_which_policies_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let first = &service.log[0];
    assert_eq!((&first["policies"], &first["schema"]), (&"built-in".into(), &"built-in".into()), "{first}");
    let token = token(dir.path());
    let shown = service.get("/api/v1/policies", &token).await;
    assert_eq!(
        (&shown.json["directory"], &shown.json["schema_file"]),
        (&"built-in".into(), &"built-in".into())
    );
    let (checked, _) = ends(dir.path(), &["policy", "check", "--format", "json"], 0);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(shown.json["hash"], checked["policy_set"]);
    // A set in the binary does not change, also when it is asked to be read again.
    let was_read = async || {
        let metrics = http().get(format!("http://127.0.0.1:{}/metrics", service.ports[1])).send();
        let metrics = metrics.await.unwrap().text().await.unwrap();
        metrics.contains("countersign_policy_reloads_total{result=\"unchanged\"} 1\n")
    };
    assert!(!was_read().await, "nothing is polled");
    Command::new("kill").args(["-HUP", &service.child.id().to_string()]).status().unwrap();
    until("they are read", was_read).await;
    assert_eq!(service.get("/api/v1/policies", &token).await.json["hash"], checked["policy_set"]);
}

#[tokio::test]
async fn after_init_the_written_policies_are_in_force() {
    let dir = tempfile::tempdir().unwrap();
    ends(dir.path(), &["init"], 0);
    let service = Service::start(dir.path(), &[]);
    assert_eq!(service.log[0]["policies"], "policies", "{}", service.log[0]);
    let shown = service.get("/api/v1/policies", &token(dir.path())).await;
    assert_eq!(shown.json["directory"], "policies");
}

/// A volume that is not mounted must not go unnoticed, where `policy_dir` is not set.
#[tokio::test]
async fn own_policies_that_give_way_to_the_binarys_are_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    ends(dir.path(), &["init"], 0);
    std::fs::remove_file(dir.path().join("countersign.toml")).unwrap();
    let policies = dir.path().join("policies");
    std::fs::write(policies.join("mine.cedar"), std::fs::read("policies/examples/mfa.cedar").unwrap())
        .unwrap();
    let warned = |service: &Service| {
        service.log.iter().any(|line| line["message"].as_str().is_some_and(|m| m.contains("take the place")))
    };
    assert!(!warned(&Service::start(dir.path(), &[])));
    std::fs::remove_dir_all(policies).unwrap();
    assert!(warned(&Service::start(dir.path(), &[])));
    assert!(!warned(&Service::start(dir.path(), &[])), "once");
}

/// `config check` is run beside the running service; but what another program holds is a problem.
#[tokio::test]
async fn an_address_in_use_is_a_problem_unless_the_service_runs() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path(), &[]);
    let [public, management] = service.ports.map(|port| format!("127.0.0.1:{port}"));
    let env = [("COUNTERSIGN_LISTEN", public.as_str()), ("COUNTERSIGN_MANAGEMENT_LISTEN", &management)];
    let out = countersign(dir.path(), &["config", "check"], &env);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    drop(service);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for variable in ["COUNTERSIGN_LISTEN", "COUNTERSIGN_MANAGEMENT_LISTEN"] {
        let out = countersign(dir.path(), &["config", "check"], &[env[0], env[1], (variable, &taken)]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{variable}: {}", text(&out.stdout));
        assert!(error.contains(&taken) && error.contains("another program listens there"), "{error}");
    }
    let env = [("COUNTERSIGN_LISTEN", "0.0.0.0:1234"), ("COUNTERSIGN_MANAGEMENT_LISTEN", "127.0.0.1:1234")];
    let out = countersign(dir.path(), &["config", "check"], &env);
    assert!(text(&out.stderr).contains("overlaps with `listen` = `0.0.0.0:1234`"), "{}", text(&out.stderr));
}
