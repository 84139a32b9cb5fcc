//! How policies are laid out.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::policy::source;
use crate::policy::source::parse::Placed;
use crate::policy::source::problem::{PolicyProblem, Rule, counted};
use crate::policy::source::source_file::SourceFile;
use crate::policy::source::{depth, parse};

const LAYOUT: Config = Config { line_width: 80, indent_width: 2 };

/// Why a file was not formatted. The file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Unformatted {
    /// It cannot be read, or it has a syntax error.
    #[error("{}", counted(.0.len(), "problem", "problems"))]
    Problems(Vec<PolicyProblem>),
    /// The formatter would change more than the layout.
    #[error("{}: {why}", .file.display())]
    Unsound {
        /// The file that was to be formatted.
        file: PathBuf,
        /// How the new text would differ in meaning.
        why: String,
    },
    /// The new text could not be put in place of the old one.
    #[error("{}: cannot write the file: {cause}", .file.display())]
    Unwritable {
        /// The file that was to be formatted.
        file: PathBuf,
        /// The error from the system.
        cause: std::io::Error,
    },
}

/// Expands paths: each file itself, or the `*.cedar` files directly in a directory, by name, and then those of its `proofs`.
pub fn files(paths: &[PathBuf]) -> Vec<Result<PathBuf, PolicyProblem>> {
    let expand = |path: &PathBuf| if path.is_dir() { in_directory(path) } else { vec![Ok(path.clone())] };
    paths.iter().flat_map(expand).collect()
}

fn in_directory(dir: &Path) -> Vec<Result<PathBuf, PolicyProblem>> {
    let proofs = dir.join("proofs");
    let proofs = match proofs.is_dir().then(|| source::list(&proofs)) {
        Some(Err(problem)) if problem.rule != Rule::Empty => Err(problem),
        Some(Ok(found)) => Ok(found),
        // Policies without invariants are formatted all the same.
        Some(Err(_)) | None => Ok(Vec::new()),
    };
    let each = |listed: Result<Vec<PathBuf>, _>| match listed {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(problem) => vec![Err(problem)],
    };
    [source::list(dir), proofs].into_iter().flat_map(each).collect()
}

/// Formats a file, or with `dry` only checks it. Returns whether the layout differs.
pub fn format(path: &Path, dry: bool) -> Result<bool, Unformatted> {
    let file = source::read_file(path).map_err(|problem| Unformatted::Problems(vec![problem]))?;
    let text = formatted(&file)?;
    let differs = text != *file.text;
    if differs && !dry {
        replace(path, &text).map_err(|cause| Unformatted::Unwritable { file: path.to_owned(), cause })?;
    }
    Ok(differs)
}

/// Replaces the file's text in one step, keeping its permissions and a link to it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let target = path.canonicalize()?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".countersign-fmt-").tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(target.metadata()?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

/// The file's text in the standard layout: the same policies and the same comments.
fn formatted(file: &SourceFile) -> Result<String, Unformatted> {
    let mut problems = Vec::new();
    let policies = parse::policies(file, &mut problems);
    problems.retain(|problem| problem.rule != Rule::Template);
    if !problems.is_empty() {
        return Err(Unformatted::Problems(problems));
    }
    let unsound = |why: String| Unformatted::Unsound { file: file.path.clone(), why };
    let pieces = pieces(&file.text, &policies).into_iter();
    let formatted: Result<Vec<String>, _> =
        depth::with_stack(|| pieces.map(|piece| policies_str_to_pretty(piece, &LAYOUT)).collect());
    let text = formatted.map_err(|error| unsound(format!("{error:#}")))?.join("\n");
    // Without a policy, the text begins with the blank line that would follow it.
    let text = if policies.is_empty() { text.trim_start_matches('\n').to_owned() } else { text };
    if comments(&file.text) != comments(&text) {
        return Err(unsound("formatting would lose a comment; put it before a policy or a line".to_owned()));
    }
    Ok(text)
}

/// Cuts the text after each policy but the last, because the formatter's time grows with the square of the text's
/// length.
fn pieces<'t>(text: &'t str, policies: &[Placed<'_>]) -> Vec<&'t str> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    for (placed, next) in policies.iter().zip(policies.iter().skip(1)) {
        let between = text.get(placed.span.end..next.span.start).unwrap_or_default();
        // A comment after a policy on its last line belongs to that policy.
        let line = between.split_inclusive('\n').next().unwrap_or_default();
        let is_comment = line.trim().is_empty() || line.trim_start().starts_with("//");
        let end = placed.span.end + if is_comment { line.len() } else { between.len() };
        pieces.extend(text.get(from..end));
        from = end;
    }
    pieces.extend(text.get(from..));
    pieces
}

/// The comments of a text in order, without trailing blanks.
fn comments(text: &str) -> Vec<&str> {
    depth::tokens(text).map(|(_, token)| token.trim_end()).filter(|token| token.starts_with("//")).collect()
}

/// Reports a file that is not in the standard layout.
pub(in crate::policy) fn check(file: &SourceFile) -> Option<PolicyProblem> {
    let text = match formatted(file) {
        Ok(text) if text == *file.text => return None,
        Ok(text) => text,
        // Told with its own rule.
        Err(Unformatted::Problems(_)) => return None,
        Err(error) => return Some(PolicyProblem::new(Rule::Format, &file.path, error)),
    };
    let lines = file.text.split_inclusive('\n').zip(text.split_inclusive('\n'));
    let start: usize = lines.take_while(|(is, should)| is == should).map(|(is, _)| is.len()).sum();
    let line = file.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let span = start..start + line.len();
    let problem = PolicyProblem::at(Rule::Format, file, span, "the layout differs from this line on");
    Some(problem.help(format!("run countersign policy fmt {}", file.path.display())))
}
