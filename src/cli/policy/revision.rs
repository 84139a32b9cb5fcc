//! A side of `policy diff`: a directory, a set that was once in force, or a git revision, which is written to a
//! temporary directory.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::render;
use crate::cli::CommandError;
use crate::config::{Config, DEFAULT_POLICY_DIR, DEFAULT_SCHEMA_FILE, Database};
use crate::policy::authoring::cases::{self, Case};
use crate::policy::{CompiledPolicies, PolicyPlace, PolicySource, Validated};
use crate::store::{Store, policy_sets};

/// The name of the policies in the binary.
const BUILT_IN: &str = "built-in";

/// Policies to be compared.
pub(super) struct PolicySide {
    /// As the user named it.
    pub name: String,
    pub validated: Validated,
    pub compiled: CompiledPolicies,
    pub cases: Vec<Case>,
}

impl PolicySide {
    /// Reads a directory, a set of the database (`set:HASH`), or else a git revision of the configured directory.
    pub(super) async fn read(name: &str, config: &Config) -> Result<Self, CommandError> {
        if let Some(hash) = name.strip_prefix("set:") {
            let source = past_set(&config.database_url, hash).await?;
            return Self::of_source(name, &source, Vec::new());
        }
        let schema = PolicyPlace::of_schema(config);
        if Path::new(name).is_dir() {
            return Self::of(name, &Path::new(name).into(), &schema);
        }
        if name == BUILT_IN {
            return Self::of(name, &PolicyPlace::built_in(), &schema);
        }
        let laid_out = tempfile::tempdir()?;
        let (dir, schema) = Revision::find(name, config)?.lay_out(laid_out.path())?;
        Self::of(name, &dir.into(), &schema)
    }

    fn of(name: &str, dir: &PolicyPlace, schema: &PolicyPlace) -> Result<Self, CommandError> {
        // `check` reports policies that make no sense, and the other side may be the fix: so only errors that prevent
        // reading count here.
        let source =
            PolicySource::read(dir, schema).map_err(|error| format!("{name}: {}", render(error)))?.past();
        let cases = cases::read(dir.join("tests")).map_err(|error| format!("{name}: {error}"))?;
        Self::of_source(name, &source, cases)
    }

    fn of_source(name: &str, source: &PolicySource, cases: Vec<Case>) -> Result<Self, CommandError> {
        let validated = source.validate().map_err(|error| format!("{name}: {}", render(error)))?;
        let compiled =
            CompiledPolicies::compile(&validated.set, &validated.schema, validated.declared.clone())?;
        Ok(Self { name: name.to_owned(), validated, compiled, cases })
    }
}

/// Reads a set that was once in force, by its hash or the beginning of it.
pub(super) async fn past_set(url: &str, hash: &str) -> Result<PolicySource, CommandError> {
    let wanted = hash.to_owned();
    let found = Store::open(url, &Database::default())?.read(move |c| policy_sets::find(c, &wanted)).await?;
    let kept = found.ok_or_else(|| format!("the database has no policy set {hash}"))?;
    Ok(PolicySource::from_content(&kept.content)?)
}

/// A commit of the work tree that contains the policy directory.
struct Revision {
    /// As the user named it.
    name: String,
    commit: String,
    /// The work tree's root.
    root: PathBuf,
    /// The configured directory of policies.
    policy_dir: PathBuf,
    /// The configured schema; none if it is left to the default.
    schema_file: Option<PathBuf>,
}

impl Revision {
    fn find(name: &str, config: &Config) -> Result<Self, CommandError> {
        let neither = |why: String| format!("{name} is neither a directory nor a git revision: {why}");
        // git would take a name with a leading hyphen for an option.
        if name.starts_with('-') {
            return Err(neither("it begins with a hyphen".to_owned()).into());
        }
        // Whether the work tree still has these does not count.
        let policy_dir = config.policy_dir.clone().unwrap_or_else(|| DEFAULT_POLICY_DIR.into());
        let schema_file = config.schema_file.clone();
        let within = standing(&policy_dir)?;
        let commit = format!("{name}^{{commit}}");
        let line = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        let root = git(&within, &["rev-parse", "--show-toplevel"]).map_err(neither)?;
        let commit = git(&within, &["rev-parse", "--verify", "--quiet", &commit]).map_err(neither)?;
        let (commit, root) = (line(commit), line(root).into());
        Ok(Self { name: name.to_owned(), commit, root, policy_dir, schema_file })
    }

    /// Writes the schema, the policy directory and its tests/ as they were in the revision.
    fn lay_out(&self, into: &Path) -> Result<(PathBuf, PolicyPlace), CommandError> {
        let (policies, schema) = (into.join("policies"), into.join("countersign.cedarschema"));
        let tree = self.object(&self.policy_dir)?;
        let listed = git(&self.root, &["ls-tree", "-r", "-z", "--full-tree", &tree])
            .map_err(|why| format!("{} of {}: {why}", self.policy_dir.display(), self.name))?;
        let listed = String::from_utf8_lossy(&listed);
        let entries: Vec<TreeEntry<'_>> =
            listed.split_terminator('\0').filter_map(TreeEntry::parse).collect();
        // Reading a directory follows links, so skipping one would compare another set.
        if let Some(link) = entries.iter().find(|entry| entry.mode == "120000" && entry.is_looked_for()) {
            return Err(format!(
                "{} of {} is a symbolic link, which cannot be compared",
                link.path, self.name
            )
            .into());
        }
        let files = entries.iter().filter(|entry| entry.mode.starts_with("100") && entry.is_looked_for());
        let object = match &self.schema_file {
            Some(named) => Some(self.object(named)?),
            None => self.object(Path::new(DEFAULT_SCHEMA_FILE)).ok(),
        };
        let mut objects: Vec<_> = object.map(|object| (object, schema.clone())).into_iter().collect();
        let schema = match objects.is_empty() {
            true => PolicyPlace::built_in_schema(),
            false => schema.into(),
        };
        objects.extend(files.map(|entry| (entry.object.to_owned(), policies.join(entry.path))));
        std::fs::create_dir(&policies)?;
        for (content, (_, target)) in self.contents(&objects)?.into_iter().zip(&objects) {
            target.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(target, content)?;
        }
        Ok((policies, schema))
    }

    /// The id of a file or directory in the revision. Links are followed as they were then, not as they are in the
    /// work tree.
    fn object(&self, path: &Path) -> Result<String, CommandError> {
        let inside = self.inside(path)?;
        let inside = inside.to_str().ok_or("a path is not UTF-8")?;
        let mut asked = tempfile::tempfile()?;
        writeln!(asked, "{}:{inside}", self.commit)?;
        asked.rewind()?;
        let told =
            run(command(&self.root, &["cat-file", "--batch-check", "--follow-symlinks"]).stdin(asked))?;
        let told = String::from_utf8_lossy(&told);
        match told.lines().next().unwrap_or_default().split(' ').collect::<Vec<_>>().as_slice() {
            [id, "blob" | "tree", _] => Ok((*id).to_owned()),
            _ => Err(format!("{} has no {}", self.name, path.display()).into()),
        }
    }

    /// A path relative to the root of the work tree.
    fn inside(&self, path: &Path) -> Result<PathBuf, CommandError> {
        let (absolute, root) = (std::path::absolute(path)?, self.root.canonicalize()?);
        let above = absolute.ancestors().find(|parent| parent.canonicalize().is_ok_and(|real| real == root));
        let inside = above.and_then(|above| absolute.strip_prefix(above).ok());
        let outside = || format!("{} is not in {}", path.display(), root.display());
        Ok(inside.ok_or_else(outside)?.to_owned())
    }

    /// The bytes of files as committed: no attribute or setting changes them.
    fn contents(&self, objects: &[(String, PathBuf)]) -> Result<Vec<Vec<u8>>, CommandError> {
        // This is a file because git may stop reading before everything is written into a pipe.
        let mut asked = tempfile::tempfile()?;
        objects.iter().try_for_each(|(id, _)| writeln!(asked, "{id}"))?;
        asked.rewind()?;
        let told = run(command(&self.root, &["cat-file", "--batch"]).stdin(asked))?;
        let mut rest = told.as_slice();
        let contents = objects.iter().map(|_| take(&mut rest)).collect::<Option<_>>();
        Ok(contents.ok_or_else(|| format!("git did not tell every file of {}", self.name))?)
    }
}

/// A line of `git ls-tree`.
struct TreeEntry<'a> {
    mode: &'a str,
    object: &'a str,
    path: &'a str,
}

impl<'a> TreeEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (about, path) = line.split_once('\t')?;
        let mut about = about.split(' ');
        Some(Self { mode: about.next()?, object: about.nth(1)?, path })
    }

    /// Whether the file is in a directory that policies or cases are read from, and has their extension.
    fn is_looked_for(&self) -> bool {
        let (name, extension) = match self.path.strip_prefix("tests/") {
            Some(name) => (name, ".toml"),
            None => (self.path, ".cedar"),
        };
        !name.contains('/') && !name.starts_with('.') && name.ends_with(extension)
    }
}

/// The next file of what `git cat-file --batch` prints: `ID blob SIZE`, a line end, the bytes, a line end.
fn take(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = (rest.get(..end)?, rest.get(end + 1..)?);
    let mut head = std::str::from_utf8(head).ok()?.split(' ');
    let size: usize = (head.nth(1)? == "blob").then(|| head.next()?.parse().ok())??;
    let content = body.get(..size)?.to_vec();
    *rest = body.get(size + 1..)?;
    Some(content)
}

/// The nearest directory that exists in the work tree itself: the path may be gone, or a link to somewhere else.
fn standing(path: &Path) -> Result<PathBuf, CommandError> {
    let absolute = std::path::absolute(path)?;
    let found = absolute.ancestors().find(|parent| parent.is_dir() && !parent.is_symlink());
    Ok(found.ok_or_else(|| format!("{} is nowhere", path.display()))?.to_owned())
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(arguments);
    // git sets these for hooks, relative to its own directory.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    command
}

/// The output of git, or its complaint.
fn git(dir: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    run(&mut command(dir, arguments))
}

fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("cannot run git: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(if told.is_empty() { "git does not know it".to_owned() } else { told })
        }
    }
}
