//! The page: what it shows, that it is escaped, and how it looks.

use std::io::Write as _;

use serde_json::json;

use super::DevIdp;
use crate::browser::{root, run};
use crate::harness::{Answer, http};

/// A person who is called like a script is shown as text, and no script of a page could run.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_page_is_markup_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    let markup = "<script>alert(1)</script>";
    for form in [
        [("person", markup), ("scope", "")],
        [("person", "dana"), ("scope", markup)],
        [("person", "dana"), ("client", "\"><script>alert(1)</script>")],
        [("person", "dana"), ("resource", "\"'><script>alert(1)</script>")],
    ] {
        let page = idp.post("/", &form).await;
        assert!(!page.body.contains("<script>"), "{form:?}: {}", page.body);
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(page.header("cache-control"), "no-store");
    }
    let page = idp.post("/", &[("person", "mallory")]).await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("No ID-JAG.") && page.body.contains("Not for production"), "{}", page.body);
}

/// The page's commands are what a shell takes, whatever stands in them.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_can_be_pasted() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    let client = "it's a client; $(touch broken) `touch broken` !";
    let form = [("person", "dana"), ("client", client), ("scope", "docs.read docs.write")];
    let page = idp.post("/", &form).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let command = page.body.split("data-copy=\"ID_JAG=").nth(1).unwrap().split('"').next().unwrap();
    let mut command = format!("ID_JAG={command}\nprintf '%s\\n' \"$ID_JAG\"\n");
    for (escaped, plain) in [("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#38;", "&")]
    {
        command = command.replace(escaped, plain);
    }
    for shell in crate::dev_idp::shells() {
        let mut child = std::process::Command::new(shell[0])
            .args(&shell[1..])
            .current_dir(dir.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(command.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let token =
            said.lines().find(|line| line.starts_with("ey")).unwrap_or_else(|| panic!("{shell:?}: {out:?}"));
        let (_, claims) = super::read(token);
        assert_eq!(
            (&claims["client_id"], &claims["scope"]),
            (&json!(client), &json!("docs.read docs.write"))
        );
    }
    assert!(!dir.path().join("broken").exists());
}

/// Light and dark, 1280 and 360 px wide; screenshots are in `target/screenshots`.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_sound_in_a_browser() {
    let dir = tempfile::tempdir().unwrap();
    let idp = DevIdp::start(dir.path(), "http://127.0.0.1:8080", &[]);
    let login = format!(
        "{}/oauth2/v1/authorize?response_type=code&client_id=mcp-client&redirect_uri=http://127.0.0.1:1/x\
         &code_challenge=x&code_challenge_method=S256",
        idp.origin
    );
    assert_eq!(Answer::of(http().get(&login).send().await.unwrap()).await.status, 200);
    let given = json!({ "screenshots": root().join("target/screenshots"), "login": login });
    run("dev_idp.mjs", &idp.origin, given).await;
}
