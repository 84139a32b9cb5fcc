//! Directories of files for a test.

use tempfile::TempDir;

pub fn with(files: &[(&str, impl AsRef<[u8]>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}
