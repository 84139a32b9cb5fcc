//! Files with one secret.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Longest file with a secret, in bytes. The rest of a longer one is not read.
const LONGEST: u64 = 4096;

/// Reads a file that holds a secret.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}
