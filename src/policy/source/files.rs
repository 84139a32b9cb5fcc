//! Policies and schema as text: read from files, within limits, whatever the directory holds.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::place::{PolicyPlace, built_in_files, built_in_text};
use super::problem::{LoadError, PolicyProblem, Rule};
use super::source_file::SourceFile;
use crate::random::digest;

/// Files larger than this are refused: a policy file is read by people.
const MAX_FILE: u64 = 1024 * 1024;
/// Most files of a directory.
const MAX_FILES: usize = 10_000;
/// Most bytes of all files of a directory.
const MAX_TOTAL: u64 = 64 * 1024 * 1024;

/// Reads a regular file. Its type is checked first: opening a pipe would wait for a writer.
pub(in crate::policy) fn read_file(path: &Path) -> Result<SourceFile, PolicyProblem> {
    let refuse = |message: String| PolicyProblem::new(Rule::Read, path, message);
    let cannot = |error: std::io::Error| refuse(format!("cannot read the file: {}", cause(path, &error)));
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(refuse(format!("is {}, not a file", kind(&metadata))));
    }
    let too_large = |size: &str| refuse(format!("the file has {size} bytes; the limit is {MAX_FILE}"));
    if metadata.len() > MAX_FILE {
        return Err(too_large(&metadata.len().to_string()));
    }
    let mut bytes = Vec::new();
    // A file can grow, and the kernel's own files do not report their size.
    File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large("more"));
    }
    decode(path, bytes)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<SourceFile, PolicyProblem> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let file = SourceFile::new(path.to_owned(), String::from_utf8_lossy(error.as_bytes()).into_owned());
        PolicyProblem::at(Rule::Encoding, &file, valid..valid + 1, format!("not UTF-8 at byte {valid}"))
    })?;
    let file = SourceFile::new(path.to_owned(), text);
    if file.text.starts_with('\u{feff}') {
        let message = "the file begins with a byte order mark";
        return Err(
            PolicyProblem::at(Rule::Encoding, &file, 0..3, message).help("save it as UTF-8 without one")
        );
    }
    Ok(file)
}

/// Policies and schema as text, not yet parsed.
pub struct PolicySource {
    pub(in crate::policy) schema: SourceFile,
    pub(in crate::policy) files: Vec<SourceFile>,
    /// Whether the set is no longer in force, and only examined.
    pub(in crate::policy) is_past: bool,
}

impl PolicySource {
    /// Reads the schema and every `*.cedar` file directly in `dir`, by name.
    pub fn read(dir: impl Into<PolicyPlace>, schema: impl Into<PolicyPlace>) -> Result<Self, LoadError> {
        let mut problems = Vec::new();
        let schema = read_place(&schema.into()).map_err(|problem| problems.push(problem)).ok();
        let files = read_dir(&dir.into(), &mut problems);
        match schema {
            Some(schema) if problems.is_empty() => Ok(Self { schema, files, is_past: false }),
            _ => Err(LoadError(problems)),
        }
    }

    /// Adds further files.
    pub fn with(mut self, files: &[PathBuf]) -> Result<Self, LoadError> {
        let mut problems = Vec::new();
        for path in files {
            match read_file(path) {
                Ok(file) => self.files.push(file),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(self) } else { Err(LoadError(problems)) }
    }

    /// Makes a source from texts that are not in a directory, such as a git revision or a past set.
    pub fn of(schema: String, files: Vec<(String, String)>) -> Self {
        let file = |(name, text): (String, String)| SourceFile::new(name.into(), text);
        let schema = file(("countersign.cedarschema".to_owned(), schema));
        Self { schema, files: files.into_iter().map(file).collect(), is_past: false }
    }

    /// Marks a past set: rules that cannot work were not errors then.
    pub fn past(self) -> Self {
        Self { is_past: true, ..self }
    }
}

/// SHA-256 over schema and files.
pub(in crate::policy) fn hash(schema: &SourceFile, files: &[SourceFile]) -> String {
    let mut all = digest(&schema.text);
    for file in files {
        all.push_str(&format!("\n{} {}", file.name(), digest(&file.text)));
    }
    digest(&all)
}

/// Reads a file of the file system or of the binary.
pub(in crate::policy) fn read_place(place: &PolicyPlace) -> Result<SourceFile, PolicyProblem> {
    match place {
        PolicyPlace::Path(path) => read_file(path),
        PolicyPlace::BuiltIn(path) => match built_in_text(path) {
            Some(text) => Ok(SourceFile::new(place.shown(), text)),
            None => Err(PolicyProblem::new(Rule::Read, &place.shown(), "the binary has no such file")),
        },
    }
}

/// Every `*.cedar` file directly in the directory that can be read, by name.
pub(in crate::policy) fn read_dir(dir: &PolicyPlace, problems: &mut Vec<PolicyProblem>) -> Vec<SourceFile> {
    match dir {
        PolicyPlace::Path(dir) => read_path(dir, problems),
        PolicyPlace::BuiltIn(dir) => {
            let files = built_in_files(dir).into_iter().filter(|file| is_listed(file, "cedar"));
            files.filter_map(|file| read_place(&PolicyPlace::BuiltIn(file)).ok()).collect()
        }
    }
}

fn read_path(dir: &Path, problems: &mut Vec<PolicyProblem>) -> Vec<SourceFile> {
    let paths = match list(dir) {
        Ok(paths) => paths,
        Err(problem) => {
            problems.push(problem);
            return Vec::new();
        }
    };
    let (mut files, mut total) = (Vec::new(), 0);
    for path in paths {
        match read_file(&path) {
            Ok(file) => {
                total += file.text.len() as u64;
                files.push(file);
            }
            Err(problem) => problems.push(problem),
        }
        if total > MAX_TOTAL {
            let message = format!("the *.cedar files have more than {MAX_TOTAL} bytes, which is the limit");
            problems.push(PolicyProblem::new(Rule::Read, dir, message));
            break;
        }
    }
    files
}

/// The paths of the `*.cedar` files directly in the directory, by name; at least one. Names that begin with a dot are
/// skipped.
pub(in crate::policy) fn list(dir: &Path) -> Result<Vec<PathBuf>, PolicyProblem> {
    let refuse = |message: String| PolicyProblem::new(Rule::Read, dir, message);
    let cannot = |error: std::io::Error| {
        let problem = refuse(format!("cannot read the directory: {}", cause(dir, &error)));
        match error.kind() {
            ErrorKind::NotFound => problem.help("`countersign init` writes the shipped policies"),
            _ => problem,
        }
    };
    let metadata = std::fs::metadata(dir).map_err(cannot)?;
    if !metadata.is_dir() {
        return Err(refuse(format!("is {}, not a directory of policies", kind(&metadata))));
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if is_listed(&path, "cedar") {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(refuse(format!("there are more than {MAX_FILES} *.cedar files, which is the limit")));
        }
    }
    if paths.is_empty() {
        let message = "no *.cedar file; without a policy nothing would ever be permitted";
        return Err(PolicyProblem::new(Rule::Empty, dir, message));
    }
    paths.sort();
    Ok(paths)
}

/// Whether a file of a directory is read, by its name. Names that begin with a dot belong to editors or version
/// control.
pub(in crate::policy) fn is_listed(path: &Path, extension: &str) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|found| found == extension)
}

/// The error, with a note if it is about a link's target.
fn cause(path: &Path, error: &std::io::Error) -> String {
    match std::fs::read_link(path) {
        Ok(target) => format!("a symbolic link to {}: {error}", target.display()),
        Err(_) => error.to_string(),
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_file() => "a file",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}
