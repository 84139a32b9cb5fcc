//! Files with secrets or personal data that other users of this machine can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::Config;
use crate::store::connection;

/// Everybody but the owner.
const OTHERS: u32 = 0o077;
/// Everyone but the owner and the group. Containers get secrets through the group.
const STRANGERS: u32 = 0o007;

/// Warns in the log about files that should have a narrower mode. The start goes on: the files may be where nobody
/// else can reach them.
pub(super) fn warn(config: &Config) {
    for file in connection::files(&config.database_url) {
        warn_of(&file, OTHERS);
    }
    for file in [&config.keys.encryption_key_file, &config.tls.key_file].into_iter().flatten() {
        warn_of(file, STRANGERS);
    }
}

fn warn_of(file: &Path, unwanted: u32) {
    let Ok(found) = file.metadata() else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & unwanted != 0 {
        let command = format!("chmod 600 {}", quoted(file));
        tracing::warn!(
            file = %file.display(),
            mode = format!("{mode:04o}"),
            command,
            "others can read or write this file, which has secrets in it; run the command"
        );
    }
}

/// A path as a shell takes it.
pub(super) fn quoted(file: &Path) -> String {
    let text = file.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
