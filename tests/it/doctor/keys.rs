//! The signing keys and the files with secrets.

use std::os::unix::fs::PermissionsExt as _;

use countersign::doctor::{DoctorGroup, LineStatus};

use super::{ENCRYPTION_KEY, config, examine, examine_with, service};

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_plain_text_and_old_keys_are_found() {
    let app = service(|_| {}).await;
    let examined = examine(&app).await;
    let line = examined.line(DoctorGroup::Keys, "encryption", LineStatus::Warning);
    assert!(line.message.contains("plain text"), "{line:?}");
    // The key was made before it was to be encrypted.
    let mut later = config(&app);
    later.keys.encryption_key = Some(ENCRYPTION_KEY.to_owned().into());
    let examined = examine_with(&app, later).await;
    let line = examined.line(DoctorGroup::Keys, "encryption", LineStatus::Warning);
    assert!(line.message.contains("older than `keys.encryption_key`"), "{line:?}");
    app.database.execute("UPDATE signing_keys SET signs_from = signs_from - 400 * 86400");
    let examined = examine(&app).await;
    let line = examined.line(DoctorGroup::Keys, "signing_key", LineStatus::Warning);
    assert!(line.fix.as_ref().unwrap().contains("countersign key rotate"), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_decrypted_are_found() {
    let app = service(|config| config.keys.encryption_key = Some(ENCRYPTION_KEY.to_owned().into())).await;
    examine(&app).await.line(DoctorGroup::Keys, "encryption", LineStatus::Ok);
    let mut without = config(&app);
    without.keys.encryption_key = None;
    let examined = examine_with(&app, without).await;
    examined.failed(DoctorGroup::Keys, "encryption", &["encrypted", "keys.encryption_key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_can_read_are_found() {
    let app = service(|_| {}).await;
    let file = app.dir.path().join("key");
    std::fs::write(&file, ENCRYPTION_KEY).unwrap();
    let open = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    open(0o644);
    let mut exposed = config(&app);
    exposed.secret_files = vec![file.clone()];
    let examined = examine_with(&app, exposed.clone()).await;
    let line = examined.failed(DoctorGroup::Keys, "secret_files", &["key", "0644"]);
    assert_eq!(line.fix.as_deref(), Some(&*format!("Run `chmod 640 {}`.", file.display())));
    open(0o640);
    examine_with(&app, exposed).await.line(DoctorGroup::Keys, "secret_files", LineStatus::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_a_database_that_others_can_read_is_found() {
    let app = service(|_| {}).await;
    let file = app.database.url.strip_prefix("sqlite://").unwrap();
    assert!(examine(&app).await.named(DoctorGroup::Database, "file_mode").is_empty());
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    examine(&app).await.failed(DoctorGroup::Database, "file_mode", &["0644"]);
}
