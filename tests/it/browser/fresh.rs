//! A service on an empty database, as somebody meets it who has just installed it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign::clock::{Clock as _, SystemClock};
use serde_json::json;

use super::run;
use crate::harness::{CLIENT, RESOURCE, http};
use crate::idp::{FakeIdp, Key};
use crate::process::{free_port, until};

/// A process of the service.
struct Fresh {
    child: Child,
    issuer: String,
}

impl Fresh {
    /// On a database file that is not there yet.
    fn serve(dir: &Path, idp: &FakeIdp) -> Self {
        let issuer = format!("http://127.0.0.1:{}", free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("serve")
            .env("COUNTERSIGN_ISSUER", &issuer)
            .env("COUNTERSIGN_LISTEN", issuer.trim_start_matches("http://"))
            .env("COUNTERSIGN_MANAGEMENT_LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("COUNTERSIGN_DATABASE_URL", format!("sqlite://{}", dir.join("new.db").display()))
            .env("COUNTERSIGN_FETCH__PRIVATE_ORIGINS", format!("[\"{}\"]", idp.issuer))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, issuer }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The set-up token is read where the service has written it; then everything is clicked.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_an_empty_database_is_set_up_by_clicking_until_somebody_gets_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let idp = FakeIdp::start(Key::rsa("idp-1", 0)).await;
    let service = Fresh::serve(dir.path(), &idp);
    let file = dir.path().join("new.db.setup-token");
    let token = || std::fs::read_to_string(&file).unwrap_or_default();
    until("the set-up token is written", async || token().ends_with('\n')).await;
    let sign_in = format!("{}/console/sign-in", service.issuer);
    until("the console answers", async || http().get(&sign_in).send().await.is_ok()).await;
    let now = SystemClock.now();
    let claims = json!({
        "iss": idp.issuer,
        "sub": "00u1dana",
        "aud": service.issuer,
        "client_id": CLIENT,
        "resource": RESOURCE,
        "scope": "docs.read",
        "email": "dana@acme.com",
        "iat": now,
        "exp": now + 300,
        "jti": "IDAAG.first",
    });
    let assertion = idp.key.assertion(claims.as_object().unwrap());
    let given = json!({ "tokens": [token().trim()], "idp": idp.issuer, "client": CLIENT, "resource": RESOURCE,
        "assertion": assertion });
    run("setup.mjs", &service.issuer, given).await;
}
