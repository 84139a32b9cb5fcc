//! Directories of files for a test.

use tempfile::TempDir;

pub fn with(files: &[(&str, impl AsRef<[u8]>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

/// The shipped policies, and more of them.
pub fn with_shipped(more: &[(&str, &str)]) -> TempDir {
    let dir = with(more);
    for name in ["console.cedar", "issuer.cedar", "members.cedar", "grants.cedar", "tools.cedar"] {
        std::fs::copy(std::path::Path::new("policies").join(name), dir.path().join(name)).unwrap();
    }
    dir
}
