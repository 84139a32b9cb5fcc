//! The real process, and the files that it is given.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{CLOSED, Rules};
use crate::harness::{Answer, http};
use crate::process::free_port;

/// The real process, with the management listener's address.
struct Process {
    child: Child,
    management: String,
}

impl Process {
    fn serve(rules: &Rules) -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        let (listen, management) = (address(), address());
        let database = format!("sqlite://{}", rules.dir.path().join("test.db").display());
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("serve")
            .current_dir(rules.dir.path())
            .env("COUNTERSIGN_LISTEN", &listen)
            .env("COUNTERSIGN_MANAGEMENT_LISTEN", &management)
            .env("COUNTERSIGN_DATABASE_URL", database)
            .env("COUNTERSIGN_POLICY_DIR", "policies")
            .env("COUNTERSIGN_SCHEMA_FILE", "schema")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, management: format!("http://{management}") }
    }

    /// Waits until `/readyz` says something.
    async fn wait(&self, what: &str, told: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            if let Ok(response) = http().get(format!("{}/readyz", self.management)).send().await {
                let answer = Answer::of(response).await.json;
                if told(&answer) {
                    return answer;
                }
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{what} did not come");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_process_follows_its_files() {
    let rules = Rules::shipped();
    let mut process = Process::serve(&rules);
    let first = process.wait("the start", |told| told["policy_set"].is_string()).await;
    rules.put("closed.cedar", CLOSED);
    let second = process.wait("the change", |told| told["policy_set"] != first["policy_set"]).await;
    rules.put("closed.cedar", "forbid");
    let broken = process.wait("the failure", |told| told["policy_error"].is_object()).await;
    assert_eq!(broken["policy_set"], second["policy_set"]);
    rules.remove("closed.cedar");
    let last = process.wait("the old set", |told| told["policy_set"] == first["policy_set"]).await;
    assert_eq!(last["policy_error"], Value::Null);
    // A signal has them read though nothing has changed.
    let count = async || {
        let metrics = http().get(format!("{}/metrics", process.management)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        text.contains("countersign_policy_reloads_total{result=\"unchanged\"} 1\n")
    };
    assert!(!count().await);
    process.signal("HUP");
    let started = Instant::now();
    while !count().await {
        assert!(started.elapsed() < Duration::from_secs(30), "SIGHUP did nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}
