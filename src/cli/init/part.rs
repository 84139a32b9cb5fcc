//! A file or directory that `countersign init` writes: whole, or not at all.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The beginning of a name under which something is written before it gets its own.
const TEMPORARY: &str = ".countersign-init-";

/// Why nothing can be written, or nothing more.
#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    /// Something else has the name.
    #[error("{} is in the way: it is not {expected}; move it, or name another directory", .path.display())]
    InTheWay { path: PathBuf, expected: &'static str },
    /// A link has the name, and its target is missing.
    #[error("{} is a symbolic link that leads nowhere; remove it, or make its target", .0.display())]
    LeadsNowhere(PathBuf),
    /// The system refused.
    #[error("cannot write to {}: {source}; make it writable, or name another directory", .path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// One thing to write, by its path in the directory.
pub(super) struct InitPart {
    pub name: &'static str,
    pub content: PartContent,
}

/// Text, or files with their texts.
pub(super) enum PartContent {
    File(String),
    Directory(Vec<(String, String)>),
}

impl InitPart {
    /// Whether it stands already. A directory without any entry does not count.
    pub(super) fn stands_in(&self, dir: &Path) -> Result<bool, InitError> {
        let path = dir.join(self.name);
        let refused = |source| InitError::Unwritable { path: path.clone(), source };
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let path = path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(dir).to_owned();
                return Err(InitError::InTheWay { path, expected: "a directory" });
            }
            Err(error) => return Err(refused(error)),
            Ok(_) => {}
        }
        let Ok(found) = path.metadata() else { return Err(InitError::LeadsNowhere(path)) };
        match &self.content {
            PartContent::File(_) if found.is_file() => Ok(true),
            PartContent::File(_) => Err(InitError::InTheWay { path, expected: "a file" }),
            PartContent::Directory(_) if !found.is_dir() => {
                Err(InitError::InTheWay { path, expected: "a directory" })
            }
            PartContent::Directory(_) => {
                let is_empty = fs::read_dir(&path).map_err(refused)?.next().is_none();
                Ok(path.is_symlink() || !is_empty)
            }
        }
    }

    /// Writes it under another name, and then renames it. Returns whether it was written: something that has the name
    /// by now is kept.
    pub(super) fn write_in(&self, dir: &Path) -> Result<bool, InitError> {
        let path = dir.join(self.name);
        let above = path.parent().unwrap_or(dir);
        let written = fs::create_dir_all(above).and_then(|()| match &self.content {
            PartContent::File(text) => write_file(above, &path, text),
            PartContent::Directory(files) => write_directory(above, &path, files),
        });
        match written {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
                Ok(false)
            }
            Err(source) => Err(InitError::Unwritable { path: above.to_owned(), source }),
        }
    }

    /// How much it is, for people.
    pub(super) fn size(&self) -> String {
        match &self.content {
            PartContent::File(_) => String::new(),
            PartContent::Directory(files) => format!(" ({} files)", files.len()),
        }
    }
}

/// The mode is what the user's umask leaves of it.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY).permissions(Permissions::from_mode(mode));
    builder
}

fn write_file(above: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = temporary(0o666).tempfile_in(above)?;
    file.write_all(text.as_bytes())?;
    // This fails where something has the name by now.
    file.persist_noclobber(path)?;
    Ok(())
}

fn write_directory(above: &Path, path: &Path, files: &[(String, String)]) -> io::Result<()> {
    let new = temporary(0o777).tempdir_in(above)?;
    for (name, text) in files {
        let file = new.path().join(name);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, text)?;
    }
    // This fails where a directory that holds something has the name by now.
    fs::rename(new.path(), path)?;
    let _ = new.keep();
    Ok(())
}
