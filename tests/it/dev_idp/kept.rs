//! What outlives a restart, and TLS.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{DevIdp, countersign, save};
use crate::commands::text;
use crate::harness::TestApp;
use crate::process::{free_port, real_time};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// An assertion from before a kill is good after it, and nobody needs to trust anything anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let app = countersign(port, "http").await;
    let idp = DevIdp::start_at(dir.path(), port, app.issuer(), &[]);
    assert_eq!(save(&app, &idp.issuer, "okta").await.status, 200);
    let (assertion, keys) = (idp.id_jag("dana").await, idp.get("/oauth2/v1/keys").await.body);
    drop(idp);
    let idp = DevIdp::start_at(dir.path(), port, app.issuer(), &[]);
    assert_eq!(idp.get("/oauth2/v1/keys").await.body, keys);
    assert_eq!(app.exchange(&assertion).await.status, 200);
    assert_eq!(mode(&dir.path().join("dev-idp")), 0o700);
    assert_eq!(mode(&dir.path().join("dev-idp/signing-key.der")), 0o600);
}

/// Asks the page with Node, as Claude Code would, and says how that ended.
fn with_node(origin: &str, ca_file: Option<&Path>) -> String {
    let script =
        "fetch(process.argv[1]).then((a) => console.log(a.status), (e) => console.log(e.cause.code))";
    let mut command = Command::new("node");
    command.args(["-e", script, origin]).env_remove("NODE_EXTRA_CA_CERTS");
    command.envs(ca_file.map(|file| ("NODE_EXTRA_CA_CERTS", file)));
    text(&command.output().unwrap().stdout).trim().to_owned()
}

/// Node, curl and Countersign trust its certificate when they are told to, and the printed commands say how.
#[tokio::test(flavor = "multi_thread")]
async fn clients_trust_its_certificate_when_they_are_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let ca_file = dir.path().canonicalize().unwrap().join("dev-idp/tls/ca.pem");
    let app = TestApp::start().await;
    let audience = app.issuer().to_owned();
    drop(app);
    let idp = DevIdp::start_at(dir.path(), port, &audience, &["--tls"]);
    assert!(idp.said.contains(&format!("ca_file = \"{}\"", ca_file.display())), "{}", idp.said);
    assert!(idp.said.contains(&format!("NODE_EXTRA_CA_CERTS=\"{}\"", ca_file.display())), "{}", idp.said);
    assert_eq!(with_node(&idp.origin, Some(&ca_file)), "200");
    let localhost = idp.origin.replace("127.0.0.1", "localhost");
    assert_eq!(with_node(&localhost, Some(&ca_file)), "200");
    assert!(
        with_node(&idp.origin, None).contains("SIGNATURE") || with_node(&idp.origin, None).contains("CERT")
    );

    let paste = format!("{}\nprintf %s \"$ID_JAG\"", idp.said.rsplit_once("\n\n").unwrap().1);
    let pasted = Command::new("bash").args(["-c", &paste]).output().unwrap();
    assert!(text(&pasted.stdout).starts_with("ey"), "{paste}\n{pasted:?}");
    assert_eq!(mode(&dir.path().join("dev-idp/tls/key.pem")), 0o600);

    let certificate = std::fs::read(&ca_file).unwrap();
    drop(idp);
    let app = TestApp::start_with(|config| {
        config.fetch.private_origins.push(format!("https://127.0.0.1:{port}").into());
        config.fetch.ca_file = Some(ca_file.clone());
    })
    .await;
    real_time(&app);
    let idp = DevIdp::start_at(dir.path(), port, app.issuer(), &["--tls"]);
    assert_eq!(std::fs::read(&ca_file).unwrap(), certificate);
    let saved = save(&app, &idp.issuer, "okta").await;
    assert_eq!(saved.status, 200, "{saved:?}");
}

/// BoringSSL, and so Claude Code, refuses an authority with other constraints than of host names (RFC 5280 §4.2.1.10).
#[test]
fn its_authority_has_no_constraint_that_claude_code_refuses() {
    let dir = tempfile::tempdir().unwrap();
    drop(DevIdp::start(dir.path(), "http://127.0.0.1:8080", &["--tls"]));
    let pem = std::fs::read_to_string(dir.path().join("dev-idp/tls/ca.pem")).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    // Permitted is one subtree, and it is a host name.
    let constraints = b"\x04\x11\x30\x0f\xa0\x0d\x30\x0b\x82\x09localhost";
    assert!(der.windows(constraints.len()).any(|window| window == constraints), "{pem}");
}

/// A file that somebody has spoilt: which one, and what to do.
#[test]
fn spoilt_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(DevIdp::start(dir.path(), "http://127.0.0.1:8080", &["--tls"]));
    for file in ["dev-idp/signing-key.der", "dev-idp/tls/key.pem", "dev-idp/tls/certificate.pem"] {
        let (path, before) = (dir.path().join(file), std::fs::read(dir.path().join(file)).unwrap());
        std::fs::write(&path, "spoilt").unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        let out = crate::commands::countersign(dir.path(), &["dev-idp", "--tls", "--listen", &listen], &[]);
        let told = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{file}: {told}");
        assert!(told.contains(file) && told.contains("Delete"), "{told}");
        std::fs::write(&path, before).unwrap();
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let mut old = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    old.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let old = old.self_signed(&key).unwrap();
    std::fs::write(dir.path().join("dev-idp/tls/certificate.pem"), old.pem()).unwrap();
    std::fs::write(dir.path().join("dev-idp/tls/key.pem"), key.serialize_pem()).unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let out = crate::commands::countersign(dir.path(), &["dev-idp", "--tls", "--listen", &listen], &[]);
    assert!(text(&out.stderr).contains("has expired. Delete"), "{}", text(&out.stderr));
}
