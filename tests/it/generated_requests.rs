//! Requests that schemathesis generates from the API's description, sent to a real process: nothing is answered that is
//! not described, nothing that breaks the description is taken, and nothing fails inside.

use std::path::Path;
use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use crate::commands::{countersign, text};
use crate::harness::{Answer, CLIENT, TestApp};
use crate::packages::python_tool;
use crate::process::{Process, real_time};

/// An operator at the admin API of a process.
struct Operator<'p> {
    process: &'p Process,
    token: String,
}

/// A new admin token: an operator's, or one that options confine.
fn token(app: &TestApp, options: &[&str]) -> String {
    let env = [("COUNTERSIGN_DATABASE_URL", app.app.config.database_url.as_str())];
    let args = [&["admin-token", "create", "--name", "generated"], options].concat();
    let out = countersign(app.dir.path(), &args, &env);
    assert!(out.status.success(), "{}", text(&out.stderr));
    text(&out.stdout).trim().to_owned()
}

impl Operator<'_> {
    fn url(&self) -> String {
        format!("http://{}/api/v1", self.process.address())
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = crate::harness::http().request(method, self.url() + path).bearer_auth(&self.token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json
    }

    /// What is there, so that requests come further than to a 404.
    async fn what_is_there(&self) -> String {
        let invited = json!({ "email": "dana@acme.com" });
        let member = self.call(Method::POST, "/teamspaces/acme/members", invited).await;
        let secret = self.call(Method::POST, &format!("/clients/{CLIENT}/secrets"), Value::Null).await;
        let resources = self.call(Method::GET, "/resources", Value::Null).await;
        let providers = self.call(Method::GET, "/teamspaces/acme/identity-providers", Value::Null).await;
        let policies = self.call(Method::GET, "/policies", Value::Null).await;
        let of_resource = format!("/resources/{}/credentials", resources["items"][0]["id"].as_str().unwrap());
        let credentials = self.call(Method::POST, &of_resource, Value::Null).await;
        let mut settings = format!(
            "[parameters]\nslug = \"acme\"\nsecret_id = {}\n\"path.client_id\" = {}\n",
            secret["id"], credentials["client_id"]
        );
        for (paths, id) in [
            ("^/clients/", &json!(CLIENT)),
            ("^/resources/", &resources["items"][0]["id"]),
            ("/members/", &member["id"]),
            ("/identity-providers/", &providers["items"][0]["id"]),
            ("^/policies/sets/", &policies["hash"]),
        ] {
            assert!(id.is_string(), "{paths}");
            settings +=
                &format!("[[operations]]\ninclude-path-regex = '{paths}'\nparameters = {{ id = {id} }}\n");
        }
        settings
    }

    /// Sends requests of one sequence, always the same, with a token.
    async fn attack(&self, token: &str, settings: &str, options: &str) -> Output {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.toml");
        std::fs::write(&file, settings).unwrap();
        let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/openapi.json");
        let mut command = tokio::process::Command::from(python_tool("schemathesis"));
        command.arg("--config-file").arg(&file).arg("run").arg(description).args(["--url", &self.url()]);
        command.args(["-H", &format!("Authorization: Bearer {token}")]);
        command.args(["--seed", "1", "--continue-on-failure", "--no-color"]);
        // A form does not say that a name is taken, or which issuers answer: what fits it may be refused.
        command.args(["--exclude-checks", "positive_data_acceptance"]).args(options.split(' '));
        command.current_dir(dir.path()).kill_on_drop(true).output().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_requests_get_only_answers_that_are_described() {
    let app = TestApp::start().await;
    real_time(&app);
    let process = Process::serve(
        &app,
        "export COUNTERSIGN_ADMIN__OPERATOR_REQUESTS_PER_MINUTE=0 COUNTERSIGN_ADMIN__REQUESTS_PER_MINUTE=0 \
         COUNTERSIGN_ADMIN__CHANGES_PER_MINUTE=0;",
    );
    let operator = Operator { process: &process, token: token(&app, &[]) };
    let confined = token(&app, &["--teamspace", "acme"]);
    let settings = operator.what_is_there().await;
    // Deletions come last, since the others need what they delete.
    let rounds = [
        (&operator.token, &*settings, "--phases coverage,fuzzing --max-examples 5 --exclude-method DELETE"),
        (&operator.token, "", "--phases fuzzing --max-examples 3"),
        (&confined, &*settings, "--phases fuzzing --max-examples 3 --exclude-method DELETE"),
        (&operator.token, &*settings, "--phases coverage,fuzzing --max-examples 3 --include-method DELETE"),
    ];
    for (token, settings, options) in rounds {
        let out = operator.attack(token, settings, options).await;
        let said = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.success() && said.contains("Fuzzing"), "{options}\n{said}");
    }
    assert!(!process.log().contains("panicked"), "{}", process.log());
    process.stop();
}
