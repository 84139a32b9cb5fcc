//! A side of `policy diff`: a directory, a set that was in force once, or a git revision, which is laid out in a
//! temporary directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::render;
use crate::cli::CannotRun;
use crate::config::Config;
use crate::policy::cases::{self, Case};
use crate::policy::{CompiledPolicies, PolicySource, Validated};
use crate::store::{Store, policy_sets};

/// Policies to be compared.
pub(super) struct Side {
    /// As the user named it.
    pub name: String,
    pub validated: Validated,
    pub compiled: CompiledPolicies,
    pub cases: Vec<Case>,
}

impl Side {
    /// Reads a directory, a set of the database (`set:HASH`), or else a git revision of the configured directory.
    pub(super) async fn read(name: &str, config: &Config) -> Result<Self, CannotRun> {
        if let Some(hash) = name.strip_prefix("set:") {
            let source = past_set(&config.database_url, hash).await?;
            return Self::of_source(name, &source, Vec::new());
        }
        if Path::new(name).is_dir() {
            return Self::of(name, Path::new(name), &config.schema_file);
        }
        let revision = Revision::find(name)?;
        let laid_out = tempfile::tempdir()?;
        revision.lay_out(&config.policy_dir, &laid_out)?;
        revision.lay_out(&config.schema_file, &laid_out)?;
        let place = |path: &Path| revision.place(path).map(|inside| laid_out.path().join(inside));
        Self::of(name, &place(&config.policy_dir)?, &place(&config.schema_file)?)
    }

    fn of(name: &str, dir: &Path, schema: &Path) -> Result<Self, CannotRun> {
        let source = PolicySource::read(dir, schema).map_err(|error| format!("{name}: {}", render(error)))?;
        let cases = cases::read(&dir.join("tests")).map_err(|error| format!("{name}: {error}"))?;
        Self::of_source(name, &source, cases)
    }

    fn of_source(name: &str, source: &PolicySource, cases: Vec<Case>) -> Result<Self, CannotRun> {
        let validated = source.validate().map_err(|error| format!("{name}: {}", render(error)))?;
        let compiled = CompiledPolicies::compile(&validated.set, &validated.schema)?;
        Ok(Self { name: name.to_owned(), validated, compiled, cases })
    }
}

/// A set that was in force once, by its hash or how that begins.
pub(super) async fn past_set(url: &str, hash: &str) -> Result<PolicySource, CannotRun> {
    let wanted = hash.to_owned();
    let found = Store::open(url)?.read(move |c| policy_sets::find(c, &wanted)).await?;
    let kept = found.ok_or_else(|| format!("the database has no policy set {hash}"))?;
    Ok(PolicySource::from_content(&kept.content)?)
}

struct Revision {
    commit: String,
    /// The work tree's root.
    root: PathBuf,
}

impl Revision {
    fn find(name: &str) -> Result<Self, CannotRun> {
        let neither = |why: String| format!("{name} is neither a directory nor a git revision: {why}");
        // What begins with a hyphen would be an option of git's.
        if name.starts_with('-') {
            return Err(neither("it begins with a hyphen".to_owned()).into());
        }
        let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let commit = git(None, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]);
        let root = git(None, &["rev-parse", "--show-toplevel"]).map_err(neither)?;
        Ok(Self { commit: line(commit.map_err(neither)?), root: line(root).into() })
    }

    /// A path as it is called within the work tree.
    fn place(&self, path: &Path) -> Result<PathBuf, CannotRun> {
        let absolute = std::path::absolute(path)?;
        // The directory may be gone from the work tree; its parents lead there through links all the same.
        let real = absolute.canonicalize().unwrap_or(absolute);
        let root = self.root.canonicalize()?;
        let inside = real.strip_prefix(&root);
        let inside = inside.map_err(|_| format!("{} is not in {}", path.display(), root.display()))?;
        Ok(inside.to_owned())
    }

    /// Writes a file, or every file below a directory, as it was in the revision.
    fn lay_out(&self, path: &Path, into: &TempDir) -> Result<(), CannotRun> {
        let inside = self.place(path)?;
        let inside = inside.to_str().ok_or("a path is not UTF-8")?;
        let listed =
            git(Some(&self.root), &["ls-tree", "-r", "-z", "--name-only", &self.commit, "--", inside])?;
        let listed = String::from_utf8(listed)?;
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            let content = git(Some(&self.root), &["show", &format!("{}:{name}", self.commit)])?;
            let target = into.path().join(name);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(target, content)?;
        }
        Ok(())
    }
}

/// What git prints, or what it complains of.
fn git(dir: Option<&Path>, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("git");
    command.args(arguments);
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let output = command.output().map_err(|error| format!("cannot run git: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(if told.is_empty() { "git does not know it".to_owned() } else { told })
        }
    }
}
