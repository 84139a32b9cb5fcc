//! TLS at the listeners, with real processes and certificates of the test's own.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign::config::Tls;
use countersign::oauth::request::JWT_BEARER;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use reqwest::{Certificate, Client, tls};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::commands::{countersign, text};
use crate::harness::{Answer, CLIENT, SECRET, TestApp};
use crate::metrics::sample;
use crate::process::{Process, free_port, real_time, until};

/// The time that a busy machine may need beyond a deadline.
const PATIENCE: Duration = Duration::from_secs(60);
const ISSUER: &str = "https://localhost";

/// A certificate for `localhost`, and its key.
pub struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    /// It is valid until the first day of a year.
    pub fn until(year: i32) -> Self {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    /// Puts both files into a directory; each is complete from its first moment on.
    fn put(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        for (name, content) in [("tls.crt", &self.certificate), ("tls.key", &self.key)] {
            let file = dir.join(name);
            let new = file.with_extension("new");
            std::fs::write(&new, content).unwrap();
            std::fs::set_permissions(&new, PermissionsExt::from_mode(0o600)).unwrap();
            std::fs::rename(new, file).unwrap();
        }
    }

    /// A client that trusts this certificate only, on new connections to this process.
    fn client(&self, process: &Process) -> Client {
        self.client_with(process, |builder| builder)
    }

    fn client_with(
        &self,
        process: &Process,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Client {
        let root = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let builder = Client::builder().no_proxy().tls_certs_only([root]);
        change(builder.resolve("localhost", process.address())).build().unwrap()
    }

    /// Whether the process shows this certificate on a new connection.
    async fn is_shown_by(&self, process: &Process) -> bool {
        let url = format!("https://localhost:{}/oauth2/jwks", process.address().port());
        self.client(process).get(url).send().await.is_ok_and(|answer| answer.status() == 200)
    }
}

/// A directory whose link `live` leads to the files, as a mounted Secret has it.
pub struct Files(TempDir);

impl Files {
    pub fn with(pair: &Pair) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        pair.put(&files.0.path().join("first"));
        files.lead_to("first");
        files
    }

    fn lead_to(&self, version: &str) {
        let new = self.0.path().join("new");
        symlink(version, &new).unwrap();
        std::fs::rename(new, self.live()).unwrap();
    }

    fn live(&self) -> PathBuf {
        self.0.path().join("live")
    }

    pub fn settings(&self) -> Tls {
        let file = |name| Some(self.live().join(name));
        Tls { certificate_file: file("tls.crt"), key_file: file("tls.key") }
    }

    /// Variables for a process with these files.
    fn prefix(&self) -> String {
        let live = self.live();
        let live = live.display();
        format!(
            "export COUNTERSIGN_TLS__CERTIFICATE_FILE={live}/tls.crt COUNTERSIGN_TLS__KEY_FILE={live}/tls.key \
             COUNTERSIGN_ISSUER={ISSUER};"
        )
    }
}

async fn gauge(process: &Process, name: &str) -> f64 {
    sample(&process.management("/metrics").await.body, name)
}

/// OPS-02
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_over_tls_1_2_and_1_3() {
    let (app, pair) = (TestApp::start().await, Pair::until(2090));
    real_time(&app);
    let (files, console) = (Files::with(&pair), free_port());
    let console_listen = format!("export COUNTERSIGN_CONSOLE__LISTEN=127.0.0.1:{console};");
    let process = Process::serve(&app, &(files.prefix() + &console_listen));
    for version in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        let client =
            pair.client_with(&process, |builder| builder.tls_version_min(version).tls_version_max(version));
        let assertion = app.assertion(json!({ "aud": ISSUER }));
        let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
        let url = format!("https://localhost:{}/oauth2/token", process.address().port());
        let answer = client.post(url).basic_auth(CLIENT, Some(SECRET)).form(&form).send().await.unwrap();
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    }
    let at_console = std::net::SocketAddr::from(([127, 0, 0, 1], console));
    let client = pair.client_with(&process, |builder| builder.resolve("localhost", at_console));
    let page = client.get(format!("https://localhost:{console}/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.url().scheme(), "https");
    process.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_and_a_broken_pair_is_not() {
    let app = TestApp::start().await;
    let [first, renewed, broken, swapped] = [2091, 2092, 2093, 2094].map(Pair::until);
    let files = Files::with(&first);
    let process = Process::serve(&app, &files.prefix());
    let url = format!("https://localhost:{}/oauth2/jwks", process.address().port());
    let kept = first.client(&process);
    let get = async || kept.get(&url).send().await.unwrap().bytes().await.unwrap();
    get().await;

    renewed.put(&files.live());
    until("the renewed certificate is shown", async || renewed.is_shown_by(&process).await).await;
    // A connection lives on with the certificate that it began with.
    get().await;

    std::fs::write(files.live().join("tls.crt"), &broken.certificate).unwrap();
    process.wait_for_log("cannot use the changed certificate; the last good one stays");
    process.wait_for_log("does not belong to the certificate");
    assert!(renewed.is_shown_by(&process).await);
    assert_eq!(gauge(&process, "countersign_tls_reload_ok").await, 0.0);

    swapped.put(&files.0.path().join("second"));
    files.lead_to("second");
    until("the swapped certificate is shown", async || swapped.is_shown_by(&process).await).await;
    assert_eq!(gauge(&process, "countersign_tls_reload_ok").await, 1.0);
    let expires = gauge(&process, "countersign_tls_certificate_expiry_timestamp_seconds").await;
    assert_eq!(expires, date_time_ymd(2094, 1, 1).unix_timestamp() as f64);
    process.stop();
}

/// Whoever speaks no TLS gets a clean end, and whoever does not finish the handshake loses the place.
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_holds_no_place() {
    let app = TestApp::start().await;
    let files = Files::with(&Pair::until(2090));
    std::fs::set_permissions(files.live().join("tls.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let process = Process::serve(&app, &files.prefix());
    process.wait_for_log(&format!("chmod 640 {}/tls.key", files.live().display()));
    let connect = async |sent: &[u8]| {
        let mut stream = TcpStream::connect(process.address()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stream
    };
    let ended = async |mut stream: TcpStream| {
        let mut rest = Vec::new();
        let began = Instant::now();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end");
        (read.is_ok(), began.elapsed())
    };
    let (is_clean, took) = ended(connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(is_clean && took < Duration::from_secs(9), "{took:?}");
    // A record of 512 bytes begins, and nothing more comes.
    let (silent, halfway) = (connect(b"").await, connect(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await);
    until("both have a place", async || gauge(&process, "countersign_connections").await == 2.0).await;
    let ((_, silent), (_, halfway)) = tokio::join!(ended(silent), ended(halfway));
    for took in [silent, halfway] {
        assert!(took < Duration::from_secs(40), "{took:?}");
    }
    until("no place is held", async || gauge(&process, "countersign_connections").await == 0.0).await;
    assert_eq!(gauge(&process, "countersign_tls_handshakes_failed_total").await, 3.0);
    process.stop();
}

#[test]
fn wrong_tls_files_are_told_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let (pair, other) = (Pair::until(2090), Pair::until(2091));
    for (name, content) in [
        ("tls.crt", &*pair.certificate),
        ("tls.key", &*pair.key),
        ("other.key", &*other.key),
        ("empty.pem", ""),
    ] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    for (certificate, key, issuer, said) in [
        ("tls.crt", "", ISSUER, "`tls.certificate_file` = `tls.crt`: needs `tls.key_file` as well"),
        ("", "tls.key", ISSUER, "`tls.key_file` = `tls.key`: needs `tls.certificate_file` as well"),
        ("tls.crt", "tls.key", "http://127.0.0.1", "`issuer` = `http://127.0.0.1`: must be https"),
        ("none.crt", "tls.key", ISSUER, "`tls.certificate_file`: cannot read none.crt: No such file"),
        ("tls.crt", "none.key", ISSUER, "`tls.key_file`: cannot read none.key: No such file"),
        ("empty.pem", "tls.key", ISSUER, "`tls.certificate_file`: empty.pem is not a certificate in PEM"),
        ("tls.crt", "empty.pem", ISSUER, "`tls.key_file`: empty.pem is not a private key in PEM"),
        ("tls.crt", "other.key", ISSUER, "other.key does not belong to the certificate in tls.crt"),
    ] {
        let out = countersign(
            dir.path(),
            &["config", "check"],
            &[
                ("COUNTERSIGN_ISSUER", issuer),
                ("COUNTERSIGN_TLS__CERTIFICATE_FILE", certificate),
                ("COUNTERSIGN_TLS__KEY_FILE", key),
            ],
        );
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}\nexpected: {said}");
    }
}

/// The files can change between the check and the start.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_does_not_start_with_wrong_tls_files() {
    let app = TestApp::start().await;
    let out = countersign(
        Path::new("."),
        &["serve"],
        &[
            ("COUNTERSIGN_ISSUER", ISSUER),
            ("COUNTERSIGN_LISTEN", "127.0.0.1:0"),
            ("COUNTERSIGN_MANAGEMENT_LISTEN", "[::1]:0"),
            ("COUNTERSIGN_DATABASE_URL", &app.app.config.database_url),
            ("COUNTERSIGN_TLS__CERTIFICATE_FILE", "none.crt"),
            ("COUNTERSIGN_TLS__KEY_FILE", "none.key"),
        ],
    );
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("cannot read none.crt"), "{}", text(&out.stderr));
}
