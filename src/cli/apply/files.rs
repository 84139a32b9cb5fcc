//! The files to apply.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::manifest::{FilePlace, LONGEST_FILE, ManifestFile, Mistakes, Syntax};
use crate::terminal::out::inline;

/// Most files of a directory.
const MOST_FILES: usize = 10_000;
/// Longest that all files together may be, in bytes.
const LONGEST_TOGETHER: usize = 4 * LONGEST_FILE;

/// Reads every file that is named, and those in the directories that are named.
pub(super) fn read(named: &[PathBuf]) -> Result<Vec<ManifestFile>, Mistakes> {
    let (mut files, mut mistakes, mut together) = (Vec::new(), Mistakes::default(), 0);
    for named in named {
        let paths = match named.is_dir() {
            true => in_directory(named),
            false => Ok(vec![named.clone()]),
        };
        let paths = paths.unwrap_or_else(|error| {
            mistakes.add(place(named), error);
            Vec::new()
        });
        for path in paths {
            let text = text_of(&path);
            together += text.as_ref().map_or(0, String::len);
            match text {
                Ok(_) if together > LONGEST_TOGETHER => {
                    let text = format!("all files together are longer than {LONGEST_TOGETHER} bytes");
                    mistakes.add(place(&path), text);
                    return mistakes.or(files);
                }
                Ok(text) => files.push(file(&path, text)),
                Err(error) => mistakes.add(place(&path), error),
            }
        }
    }
    mistakes.or(files)
}

fn place(path: &Path) -> FilePlace {
    FilePlace { file: name(path), line: 0 }
}

fn name(path: &Path) -> Arc<str> {
    match is_input(path) {
        true => "standard input".into(),
        false => inline(&path.display().to_string()).into(),
    }
}

fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn file(path: &Path, text: String) -> ManifestFile {
    let folder = if is_input(path) { Path::new("") } else { path.parent().unwrap_or(Path::new("")) };
    let syntax = if extension(path) == "toml" { Syntax::Toml } else { Syntax::Yaml };
    ManifestFile { name: name(path), folder: folder.to_owned(), syntax, text }
}

fn extension(path: &Path) -> String {
    path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase()
}

/// The files of a directory by name. Those whose names begin with a dot are not meant: Kubernetes keeps the real files
/// of a mounted ConfigMap in `..data` and links to them.
fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && ["yaml", "yml", "json", "toml"].contains(&&*extension(&path)) && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    match paths.len() {
        0 => Err("there is no file in it that ends in .yaml, .yml, .json or .toml".to_owned()),
        1..=MOST_FILES => Ok(paths),
        more => Err(format!("{more} files are in it; expected at most {MOST_FILES}")),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let bytes = match is_input(path) {
        true => limited(io::stdin()),
        false => File::open(path).and_then(limited),
    };
    let bytes = bytes.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > LONGEST_FILE {
        return Err(format!("is longer than {LONGEST_FILE} bytes; split it"));
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8; expected YAML, JSON or TOML".to_owned())
}

fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LONGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
