//! Policy tests as data: TOML files whose cases are decided by the same function as at the token endpoint.

mod console;
mod coverage;
mod file;
mod kind;
mod mutation;
mod parts;
mod resolve;
mod run;
mod token;
mod written;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub use coverage::{Coverage, coverage};
pub use file::Expectation;
pub use mutation::{Excuse, Mutation, Survivor, mutate};
pub use run::{CaseVerdict, Observed, explain_case, not_applied_to, run};
pub use written::{Age, OneOrMore};

use crate::policy::facts::{ConfigurationFacts, Facts};
use crate::policy::source::{built_in_files, built_in_text, is_listed};
use crate::policy::{Denial, PolicyEngine, PolicyPlace};
use crate::serde_words::SerdeError;
use console::ConsoleQuestions;
use file::CaseFile;
use resolve::CaseResolver;
use token::TokenQuestions;

/// The file with fixtures for all files of a directory.
const SHARED: &str = "fixtures.toml";
/// Larger files are refused: a case file is written by people.
const MAX_FILE: u64 = 1024 * 1024;

/// A mistake in a case file. `line` and `column` begin at 1; both are 0 when it is about the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.place())]
pub struct CaseError {
    /// The case file, as its path was given.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// A sentence that says what is wrong and what was expected.
    pub message: String,
}

/// Every mistake in the case files.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CaseErrors(pub Vec<CaseError>);

/// One case: what is asked, and what is expected of the answer.
#[derive(Debug, Clone)]
pub struct Case {
    /// The test's name, followed by the row's in rows of `each`.
    pub name: String,
    /// The case file that it is in.
    pub file: PathBuf,
    /// The line of its table, or of its row in `each`, from 1.
    pub line: usize,
    offset: usize,
    matter: Matter,
    expect: Expectation,
}

/// The question of a case.
#[derive(Debug, Clone)]
enum Matter {
    Exchange(Box<Facts>),
    /// The assertion does not fit the server: it is refused before policies are asked.
    Unfit(Denial),
    Configuration(ConfigurationFacts),
    Console(ConsoleQuestions),
    Token(Box<TokenQuestions>),
}

impl CaseError {
    fn about(file: &Path, message: impl ToString) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.to_string() }
    }

    fn at(file: &Path, text: &str, offset: usize, message: impl ToString) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        Self { file: file.to_owned(), line, column, message: message.to_string() }
    }

    fn place(&self) -> String {
        match self.line {
            0 => self.file.display().to_string(),
            line => format!("{}:{line}:{}", self.file.display(), self.column),
        }
    }
}

impl Case {
    /// The facts of an exchange, if the case is about one that policies are asked about.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.matter {
            Matter::Exchange(facts) => Some(facts),
            Matter::Unfit(_) | Matter::Configuration(_) | Matter::Console(_) | Matter::Token(_) => None,
        }
    }

    /// Whether its name or file contains a text, in any case.
    pub fn is_about(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        [self.name.as_str(), &self.file.to_string_lossy()]
            .iter()
            .any(|name| name.to_lowercase().contains(&text))
    }
}

/// Reads the `*.toml` files directly in a directory, or one file. A missing directory has no cases.
pub fn read(place: impl Into<PolicyPlace>) -> Result<Vec<Case>, CaseErrors> {
    let place = place.into();
    let files = list(&place).map_err(|error| CaseErrors(vec![error]))?;
    let beside = match place.is_dir() {
        true => place.join(SHARED),
        false => place.beside(SHARED),
    };
    let (mut cases, mut errors) = (Vec::new(), Vec::new());
    let shared = match beside.is_file() {
        true => parse(&beside).map(|(_, file)| file).unwrap_or_else(|error| {
            errors.push(error);
            CaseFile::default()
        }),
        false => CaseFile::default(),
    };
    for file in files.iter().filter(|file| **file != beside) {
        match parse(file) {
            Ok((text, parsed)) => take(
                &file.shown(),
                &text,
                CaseResolver { own: &parsed, shared: &shared },
                &mut cases,
                &mut errors,
            ),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(repeated(&cases));
    if errors.is_empty() { Ok(cases) } else { Err(CaseErrors(errors)) }
}

/// Runs a directory's cases, and reports the first that fails or is malformed.
pub fn run_directory(policies: &PolicyEngine, dir: impl Into<PolicyPlace>) -> Result<usize, String> {
    let cases = read(dir).map_err(|errors| errors.to_string())?;
    for case in &cases {
        if let Some(failure) = run(policies, case).failures.first() {
            let file = case.file.file_name().unwrap_or(case.file.as_os_str()).to_string_lossy();
            return Err(format!("{file}:{}: {}: {failure}", case.line, case.name));
        }
    }
    Ok(cases.len())
}

fn take(
    path: &Path,
    text: &str,
    resolver: CaseResolver<'_>,
    cases: &mut Vec<Case>,
    errors: &mut Vec<CaseError>,
) {
    for found in resolver.own.test.iter().flat_map(|test| resolver.cases(test)) {
        match found {
            Ok(case) => {
                let line = CaseError::at(path, text, case.offset, "").line;
                cases.push(Case { file: path.to_owned(), line, ..case });
            }
            Err((offset, message)) => errors.push(CaseError::at(path, text, offset, message)),
        }
    }
}

/// Reports repeated names: `explain` and reports could not tell the cases apart.
fn repeated(cases: &[Case]) -> Vec<CaseError> {
    let mut seen = HashSet::new();
    let again = cases.iter().filter(|case| !seen.insert((&case.file, &case.name)));
    again
        .map(|case| CaseError {
            file: case.file.clone(),
            line: case.line,
            column: 1,
            message: format!("there is another case named `{}` in this file", case.name),
        })
        .collect()
}

fn list(place: &PolicyPlace) -> Result<Vec<PolicyPlace>, CaseError> {
    match place {
        PolicyPlace::Path(path) => Ok(list_path(path)?.into_iter().map(PolicyPlace::Path).collect()),
        PolicyPlace::BuiltIn(dir) => {
            let files = built_in_files(dir).into_iter().filter(|file| is_listed(file, "toml"));
            Ok(files.map(PolicyPlace::BuiltIn).collect())
        }
    }
}

fn list_path(path: &Path) -> Result<Vec<PathBuf>, CaseError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |error: std::io::Error| CaseError::about(path, format!("cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if is_listed(&file, "toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn parse(place: &PolicyPlace) -> Result<(String, CaseFile), CaseError> {
    let text = match place {
        PolicyPlace::Path(path) => read_text(path)?,
        PolicyPlace::BuiltIn(path) => built_in_text(path).unwrap_or_default(),
    };
    let parsed = toml::from_str(&text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let plain = SerdeError { path: "", text: error.message(), whole: "this" }.plain();
        CaseError::at(&place.shown(), &text, offset, plain)
    })?;
    Ok((text, parsed))
}

fn read_text(path: &Path) -> Result<String, CaseError> {
    let unreadable = |error: std::io::Error| CaseError::about(path, format!("cannot be read: {error}"));
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(CaseError::about(path, "is no file"));
    }
    if about.len() > MAX_FILE {
        return Err(CaseError::about(path, format!("has {} bytes; the limit is {MAX_FILE}", about.len())));
    }
    String::from_utf8(std::fs::read(path).map_err(unreadable)?).map_err(|error| {
        CaseError::about(path, format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
    })
}
