//! Files with secrets or personal data that other users of this machine can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::store::connection;

/// Everybody but the owner.
const OTHERS: u32 = 0o077;
/// Everyone but the owner and the group. Containers get secrets through the group.
const STRANGERS: u32 = 0o007;

/// A file whose mode should be narrower.
#[derive(Debug)]
pub(crate) struct ExposedFile {
    pub path: PathBuf,
    /// As `chmod` writes it.
    pub mode: String,
    /// The command that mends it.
    pub command: String,
}

/// The files of the embedded database that others can read or write.
pub(crate) fn database_files(config: &Config) -> Vec<ExposedFile> {
    connection::files(&config.database_url).iter().filter_map(|file| exposed(file, OTHERS)).collect()
}

/// The files with secrets that strangers can read or write.
pub(crate) fn secret_files(config: &Config) -> Vec<ExposedFile> {
    config.secret_files.iter().filter_map(|file| exposed(file, STRANGERS)).collect()
}

/// Warns in the log about such files. The start goes on: they may be where nobody else can reach them.
pub(crate) fn warn(config: &Config) {
    for ExposedFile { path, mode, command } in database_files(config).into_iter().chain(secret_files(config))
    {
        tracing::warn!(
            file = %path.display(),
            mode,
            command,
            "others can read or write this file, which has secrets in it; run the command"
        );
    }
}

fn exposed(file: &Path, unwanted: u32) -> Option<ExposedFile> {
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    (mode & unwanted != 0).then(|| ExposedFile {
        path: file.to_owned(),
        mode: format!("{mode:04o}"),
        command: format!("chmod {:03o} {}", mode & !unwanted & 0o666, quoted(file)),
    })
}

/// A path as a shell takes it.
pub(crate) fn quoted(file: &Path) -> String {
    let text = file.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
