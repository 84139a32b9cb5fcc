//! An issuer with https: the end of its certificate, and certificates that nobody trusts.

use std::cell::Cell;
use std::sync::Arc;

use countersign::doctor::{DoctorGroup, LineStatus};
use jiff::{Timestamp, ToSpan as _};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::{examine_with, service};
use crate::harness::TestApp;

/// A certificate for localhost that ends in so many days, in PEM, and a server that has it.
fn certificate(now: i64, days: i64) -> (String, TlsAcceptor) {
    let end = Timestamp::from_second(now).unwrap().checked_add((24 * days).hours()).unwrap();
    let end = end.to_zoned(jiff::tz::TimeZone::UTC);
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(end.year().into(), end.month() as u8, end.day() as u8);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = key.serialize_der().try_into().unwrap();
    let config = config.with_single_cert(vec![made.der().clone()], key).unwrap();
    (made.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// Takes TLS off and passes everything on.
async fn forward(listener: TcpListener, acceptor: TlsAcceptor, upstream: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut service = TcpStream::connect(upstream).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut service).await;
        });
    }
}

/// The service behind such a server. The directory holds the certificate, which it trusts.
async fn encrypted(days: i64) -> (TestApp, TempDir) {
    use countersign::clock::{Clock as _, SystemClock};
    let (pem, acceptor) = certificate(SystemClock.now(), days);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("root.pem");
    std::fs::write(&file, pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let own = Cell::new(String::new());
    let app = service(|config| {
        own.set(std::mem::replace(&mut config.issuer, issuer));
        config.fetch.ca_file = Some(file);
    })
    .await;
    let upstream = own.into_inner().trim_start_matches("http://").to_owned();
    tokio::spawn(forward(listener, acceptor, upstream));
    (app, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate_is_told_in_time() {
    for (days, status) in [(5, LineStatus::Warning), (100, LineStatus::Ok)] {
        let (app, _dir) = encrypted(days).await;
        let examined = examine_with(&app, app.app.config.clone()).await;
        examined.line(DoctorGroup::Issuer, "metadata", LineStatus::Ok);
        let line = examined.line(DoctorGroup::Issuer, "certificate", status);
        // It ends at midnight.
        let told = [days - 1, days].iter().any(|days| line.message.contains(&format!("({days} days)")));
        assert!(told, "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_nobody_trusts_are_found() {
    let (app, _dir) = encrypted(-1).await;
    let examined = examine_with(&app, app.app.config.clone()).await;
    examined.failed(DoctorGroup::Issuer, "metadata", &["certificate has expired"]);
    let (app, _dir) = encrypted(100).await;
    let mut without = app.app.config.clone();
    without.fetch.ca_file = None;
    examine_with(&app, without).await.failed(DoctorGroup::Issuer, "metadata", &["unknown root"]);
}
