//! Notices that a directory of policies has changed, and reads it once it is stable.
//!
//! It polls. File system notifications miss what operators do most: a ConfigMap whose symbolic link is swapped, a
//! directory that is replaced as a whole, a change made by another machine on a network file system.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::clock::UnixSeconds;
use crate::policy::authoring::cases::run_directory;
use crate::policy::source::is_listed;
use crate::policy::{LoadError, Policies, PolicyPlace, PolicyProblem, PolicySource};

/// How often a forced reload reads files again that change while they are read.
const TRIES: usize = 20;
/// How long to wait before each.
const PAUSE: Duration = Duration::from_millis(100);
/// Most characters of a failure's message.
const MAX_MESSAGE: usize = 500;

/// Where a policy set is read from.
#[derive(Debug, Clone)]
pub struct PolicyFiles {
    /// Directory of `*.cedar` files.
    pub dir: PolicyPlace,
    /// The schema file.
    pub schema: PolicyPlace,
    /// Whether the directory's own cases, `tests/*.toml`, must pass before a changed set is loaded.
    pub with_cases: bool,
}

/// Metadata that shows whether files changed, without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint(Vec<(PathBuf, Result<Stamp, ErrorKind>)>);

/// The identity of a file and its time of change. That time is the kernel's own: it changes even when a file gets its
/// old size and modification time back, or when permissions change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a set was not loaded: the first problem, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReloadFailure {
    /// The file or directory that it is about.
    pub file: String,
    /// The problem with its line and its remedy, where they are known.
    pub message: String,
}

impl ReloadFailure {
    /// About a file or directory.
    pub fn of(file: &Path, message: &str) -> Self {
        let words: Vec<&str> = message.split_whitespace().collect();
        let message = words.join(" ").chars().take(MAX_MESSAGE).collect();
        Self { file: file.display().to_string(), message }
    }
}

impl From<&PolicyProblem> for ReloadFailure {
    fn from(problem: &PolicyProblem) -> Self {
        let place = problem.place.as_ref().map(|place| format!("line {}: ", place.line)).unwrap_or_default();
        let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        Self::of(&problem.file, &format!("{place}{}{help}", problem.message))
    }
}

impl From<LoadError> for ReloadFailure {
    fn from(error: LoadError) -> Self {
        match error.0.first() {
            Some(problem) => Self::from(problem),
            None => Self::of(Path::new(""), &error.to_string()),
        }
    }
}

impl PolicyFiles {
    fn fingerprint(&self) -> Fingerprint {
        let mut files = Vec::new();
        if let PolicyPlace::Path(schema) = &self.schema {
            files.push((schema.clone(), stamp(schema)));
        }
        if let PolicyPlace::Path(dir) = &self.dir {
            list_files(&mut files, dir, "cedar");
            if self.with_cases {
                list_files(&mut files, &dir.join("tests"), "toml");
            }
        }
        Fingerprint(files)
    }

    /// Whether all of it is in the binary, where nothing ever changes.
    pub fn are_built_in(&self) -> bool {
        self.dir.is_built_in() && self.schema.is_built_in()
    }

    /// The policies, if they pass the directory's own cases (where those are required).
    fn tested(&self, policies: Policies) -> Result<Policies, ReloadFailure> {
        if self.with_cases {
            let tests = self.dir.join("tests");
            let about_cases = |why: &str| ReloadFailure::of(&tests.shown(), why);
            match run_directory(&policies.compiled, &tests) {
                // An operator who requires cases wants to know when they are missing.
                Ok(0) => return Err(about_cases("there are no test cases")),
                Ok(_) => {}
                Err(why) => return Err(about_cases(&why)),
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

/// Links are followed: the file that would be read counts.
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

/// Lists the files with one extension directly in a directory, or the error of reading it.
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

/// A set of files, as they were at the last poll.
#[derive(Debug)]
pub struct Watch {
    place: PolicyFiles,
    /// The files that the last set was read from, or that failed last.
    taken: Option<Fingerprint>,
    /// The files at the last poll, which may still be changing.
    unsettled: Option<Fingerprint>,
}

impl Watch {
    /// Watches files that have not been read yet.
    pub fn new(place: PolicyFiles) -> Self {
        Self { place, taken: None, unsettled: None }
    }

    /// Reads the files for the first time, reporting every problem.
    pub fn begin(place: PolicyFiles, now: UnixSeconds) -> Result<(Self, Policies), LoadError> {
        let seen = place.fingerprint();
        let policies = PolicySource::read(&place.dir, &place.schema)?.compile(now)?;
        Ok((Self { place, taken: Some(seen), unsettled: None }, policies))
    }

    /// Where the set is read from.
    pub fn place(&self) -> &PolicyFiles {
        &self.place
    }

    /// Makes the next poll read the files again, since nobody used the last result.
    pub fn forget(&mut self) {
        self.taken = None;
    }

    /// Reads the files if they have changed since they were last read, and two polls in a row agree: half of a
    /// checkout may be a valid set, but the wrong one.
    pub fn look(&mut self, now: UnixSeconds) -> Option<Result<Policies, ReloadFailure>> {
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

    /// Reads the files whether they have changed or not, waiting while they change.
    pub fn force_reload(&mut self, now: UnixSeconds) -> Result<Policies, ReloadFailure> {
        for _ in 0..TRIES {
            let seen = self.place.fingerprint();
            if let Some(result) = self.read(seen, now) {
                return result;
            }
            std::thread::sleep(PAUSE);
        }
        Err(ReloadFailure::of(&self.place.dir.shown(), "the files keep changing while they are read"))
    }

    /// Nothing when the files changed meanwhile.
    fn read(&mut self, seen: Fingerprint, now: UnixSeconds) -> Option<Result<Policies, ReloadFailure>> {
        let source = PolicySource::read(&self.place.dir, &self.place.schema);
        let after = self.place.fingerprint();
        if after != seen {
            self.unsettled = Some(after);
            return None;
        }
        // Files that were found but could not be read are tried again: descriptors may have run out.
        let again =
            seen.is_whole() && source.as_ref().is_err_and(|e| e.0.iter().any(PolicyProblem::unreadable));
        (self.taken, self.unsettled) = ((!again).then_some(seen), None);
        let compiled = source.and_then(|source| source.compile(now)).map_err(ReloadFailure::from);
        Some(compiled.and_then(|policies| self.place.tested(policies)))
    }
}
