//! JSON lines in a file. The file may be rotated at any time, since it is opened for each batch.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::SendError;
use super::record::Record;

/// A file that grows by a line for each row.
pub(super) struct JsonLines {
    path: PathBuf,
    /// Held while a batch is written, even if nobody waits for it any more: on a hanging file system, attempts must
    /// not pile up.
    writing: Arc<Mutex<()>>,
}

impl JsonLines {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, writing: Arc::default() }
    }

    /// Appends the rows and returns when they are on the disk.
    pub(super) async fn append(&self, records: &[Record]) -> Result<(), SendError> {
        let lines: String = records.iter().map(|record| format!("{}\n", record.fields)).collect();
        let (path, guard) = (self.path.clone(), Arc::clone(&self.writing).lock_owned().await);
        let write = move || {
            let _guard = guard;
            append(&path, lines)
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }
}

fn append(path: &Path, mut lines: String) -> Result<(), SendError> {
    // Only the owner may read a file with personal data.
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(SendError::NotAFile);
    }
    let is_new = file.metadata()?.len() == 0;
    if !is_new && !ends_a_line(&mut file)? {
        // The machine stopped in the middle of a line. That row is written again, on its own line.
        lines.insert(0, '\n');
    }
    file.write_all(lines.as_bytes())?;
    file.sync_data()?;
    if let (true, Some(directory)) = (is_new, path.parent()) {
        // The name of a new file is on the disk once its directory is.
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
