//! The file of the embedded database. If it is deleted or replaced while open, SQLite gives no error: everything
//! written after that goes into a nameless file and is lost with the process.

use std::fs::metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{StoreError, connection};

/// The place where the database was opened; none for a server.
#[derive(Debug, Clone, Default)]
pub(super) struct Home(Option<Arc<WatchedFile>>);

#[derive(Debug)]
struct WatchedFile {
    path: PathBuf,
    file: Option<FileId>,
    is_lost: AtomicBool,
}

/// Device and inode.
type FileId = (u64, u64);

fn file_at(path: &Path) -> Option<FileId> {
    metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Home {
    /// The file of a database that is open.
    pub fn of(url: &str) -> Self {
        let path = connection::files(url).into_iter().next();
        Self(path.map(|path| {
            Arc::new(WatchedFile { file: file_at(&path), path, is_lost: AtomicBool::new(false) })
        }))
    }

    /// Whether the file is still in its place.
    pub fn check(&self) -> Result<(), StoreError> {
        let Some(place) = &self.0 else { return Ok(()) };
        let is_lost = file_at(&place.path) != place.file;
        let was_lost = place.is_lost.load(Ordering::Relaxed);
        if is_lost != was_lost {
            place.is_lost.store(is_lost, Ordering::Relaxed);
        }
        let path = place.path.display();
        match (was_lost, is_lost) {
            (_, true) => {
                let error = StoreError::Moved(path.to_string());
                if !was_lost {
                    tracing::error!(%error, "no writes are possible any more");
                }
                Err(error)
            }
            (true, false) => {
                tracing::info!(%path, "the database file is back in place");
                Ok(())
            }
            (false, false) => Ok(()),
        }
    }
}
