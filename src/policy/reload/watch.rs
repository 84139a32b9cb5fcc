//! Whether a directory of policies has changed, and reading it once it has come to rest.
//!
//! It is polled. File system notifications see none of what operators do most: a ConfigMap whose symbolic link
//! is swapped, a directory that is replaced as a whole, a change on another machine of a network file system.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::clock::UnixSeconds;
use crate::policy::authoring::cases::run_directory;
use crate::policy::source::is_listed;
use crate::policy::{LoadError, Policies, PolicySource, Problem};

/// How often files that change while they are read are read again when a reload is asked for.
const TRIES: usize = 20;
/// How long to wait before each.
const PAUSE: Duration = Duration::from_millis(100);
/// Most characters of a failure's message.
const MAX_MESSAGE: usize = 500;

/// Where a policy set is read from.
#[derive(Debug, Clone)]
pub struct PolicyFiles {
    /// Directory of `*.cedar` files.
    pub dir: PathBuf,
    /// The schema file.
    pub schema: PathBuf,
    /// Whether the directory's own cases, `tests/*.toml`, must pass before a changed set is taken.
    pub with_cases: bool,
}

/// Metadata that tells whether files changed, without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint(Vec<(PathBuf, Result<Stamp, ErrorKind>)>);

/// Which file it is, and as of when. The time of change is the kernel's own: it tells also of a file that was
/// given its old size and time of modification, and of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a set was not taken: the first problem, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The file or directory that it is about.
    pub file: String,
    /// The problem with its line and its remedy, where they are known.
    pub message: String,
}

impl Failure {
    /// About a file or directory.
    pub fn of(file: &Path, message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        let message = words.join(" ").chars().take(MAX_MESSAGE).collect();
        Self { file: file.display().to_string(), message }
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let place = problem.place.as_ref().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        Self::of(&problem.file, &format!("{place}{}{help}", problem.message))
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error.0.first() {
            Some(problem) => Self::from(problem),
            None => Self::of(Path::new(""), &error.to_string()),
        }
    }
}

impl PolicyFiles {
    fn fingerprint(&self) -> Fingerprint {
        let mut files = vec![(self.schema.clone(), stamp(&self.schema))];
        list_files(&mut files, &self.dir, "cedar");
        if self.with_cases {
            list_files(&mut files, &self.dir.join("tests"), "toml");
        }
        Fingerprint(files)
    }

    /// The policies, if they pass the directory's own cases, where those belong to what is watched.
    fn tested(&self, policies: Policies) -> Result<Policies, Failure> {
        let tests = self.dir.join("tests");
        if self.with_cases {
            match run_directory(&policies.compiled, &tests) {
                // Whoever wants cases to pass wants to be told when they are gone.
                Ok(0) => return Err(Failure::of(&tests, "there are no test cases")),
                Ok(_) => {}
                Err(why) => return Err(Failure::of(&tests, &why)),
            }
        }
        Ok(policies)
    }
}

impl Fingerprint {
    fn is_whole(&self) -> bool {
        self.0.iter().all(|(_, stamp)| stamp.is_ok())
    }
}

/// Links are followed: what matters is the file that would be read.
fn stamp(path: &Path) -> Result<Stamp, ErrorKind> {
    let file = std::fs::metadata(path).map_err(|error| error.kind())?;
    Ok(Stamp {
        device: file.dev(),
        inode: file.ino(),
        size: file.size(),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

/// The files of one extension directly in a directory, or that it cannot be read.
fn list_files(files: &mut Vec<(PathBuf, Result<Stamp, ErrorKind>)>, dir: &Path, extension: &str) {
    let listed: io::Result<Vec<PathBuf>> =
        std::fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    match listed {
        Err(error) => files.push((dir.to_owned(), Err(error.kind()))),
        Ok(mut paths) => {
            paths.retain(|path| is_listed(path, extension));
            paths.sort();
            files.extend(paths.into_iter().map(|path| (path.clone(), stamp(&path))));
        }
    }
}

/// A place, as it was when it was looked at last.
#[derive(Debug)]
pub struct Watch {
    place: PolicyFiles,
    /// The files that the last set was read from, or that failed last.
    taken: Option<Fingerprint>,
    /// The files at the last poll, which may still be changing.
    unsettled: Option<Fingerprint>,
}

impl Watch {
    /// Watches a place from which nothing was read yet.
    pub fn new(place: PolicyFiles) -> Self {
        Self { place, taken: None, unsettled: None }
    }

    /// Reads the place for the first time, telling every problem.
    pub fn begin(place: PolicyFiles, now: UnixSeconds) -> Result<(Self, Policies), LoadError> {
        let seen = place.fingerprint();
        let policies = PolicySource::read(&place.dir, &place.schema)?.compile(now)?;
        Ok((Self { place, taken: Some(seen), unsettled: None }, policies))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.place.dir
    }

    /// Has the files read once more, since nobody took what came of it.
    pub fn forget(&mut self) {
        self.taken = None;
    }

    /// Reads the files if they have changed since they were read last, and have not since the last look: half
    /// of a checkout may be a valid set, and a wrong one.
    pub fn look(&mut self, now: UnixSeconds) -> Option<Result<Policies, Failure>> {
        let seen = self.place.fingerprint();
        if self.taken.as_ref() == Some(&seen) {
            self.unsettled = None;
            return None;
        }
        if self.unsettled.as_ref() != Some(&seen) {
            self.unsettled = Some(seen);
            return None;
        }
        self.read(seen, now)
    }

    /// Reads the files whether they have changed or not; it waits while they are changing.
    pub fn force_reload(&mut self, now: UnixSeconds) -> Result<Policies, Failure> {
        for _ in 0..TRIES {
            let seen = self.place.fingerprint();
            if let Some(result) = self.read(seen, now) {
                return result;
            }
            std::thread::sleep(PAUSE);
        }
        Err(Failure::of(&self.place.dir, "the files keep changing while they are read"))
    }

    /// Nothing when the files changed meanwhile.
    fn read(&mut self, seen: Fingerprint, now: UnixSeconds) -> Option<Result<Policies, Failure>> {
        let source = PolicySource::read(&self.place.dir, &self.place.schema);
        let after = self.place.fingerprint();
        if after != seen {
            self.unsettled = Some(after);
            return None;
        }
        // What could be found but not read is tried again: it may be for want of file descriptors.
        let again = seen.is_whole() && source.as_ref().is_err_and(|e| e.0.iter().any(Problem::unreadable));
        (self.taken, self.unsettled) = ((!again).then_some(seen), None);
        let compiled = source.and_then(|source| source.compile(now)).map_err(Failure::from);
        Some(compiled.and_then(|policies| self.place.tested(policies)))
    }
}
