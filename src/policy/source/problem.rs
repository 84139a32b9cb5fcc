//! Problems with policies, each with its place in the file and a stable name.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Report, SourceCode,
};

use super::source_file::{SourceFile, SourcePlace};
use super::spelling::nearest;
use crate::terminal::marked;

/// How much a problem matters: errors keep a set from being used, warnings do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The set cannot be used.
    Error,
    /// The set can be used, and is probably not as it was meant.
    Warning,
}

/// Defines the rules: a stable name, a severity and a sentence for each.
macro_rules! rules {
    ($($rule:ident = $name:literal, $severity:ident, $about:literal;)+) => {
        /// The rule that a problem breaks. The names are stable: pipelines filter by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rule { $(#[doc = $about] $rule),+ }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Its stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$rule => $name),+ }
            }

            /// The severity of every problem of this rule.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$rule => Severity::$severity),+ }
            }

            /// The rule in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$rule => $about),+ }
            }
        }
    };
}

rules! {
    Read = "read", Error, "Files and directories can be read and are within the limits.";
    Empty = "empty", Error, "A directory of policies has policies.";
    Encoding = "encoding", Error, "Files are UTF-8 without a byte order mark.";
    Depth = "depth", Error, "Expressions are shallow enough to be validated and evaluated.";
    Parse = "parse", Error, "Files follow Cedar's grammar.";
    Type = "type", Error, "Policies are valid against the schema in strict mode.";
    AttributeUnknown = "lint/attribute-unknown", Error, "`has` asks for attributes that there can be.";
    IdImpossible = "lint/id-impossible", Error,
        "Ids have the form of their type: a group's is TEAMSPACE/GROUP.";
    Template = "lint/template", Error, "Templates are not supported.";
    IdMissing = "lint/id-missing", Error, "Every policy has an @id.";
    IdDuplicate = "lint/id-duplicate", Error, "No two policies have the same @id.";
    AnnotationMissing = "lint/annotation-missing", Error,
        "A permit has @otherwise; a forbid has @reason, @error and @message.";
    AnnotationUnknown = "lint/annotation-unknown", Warning,
        "No annotation is nearly, but not quite, one that has a meaning.";
    ErrorUnknown = "lint/error-unknown", Error,
        "@error is invalid_grant, invalid_scope, invalid_target, access_denied or insufficient_user_authentication.";
    Lifetime = "lint/lifetime", Error,
        "@lifetime is a duration of 1s to 1h, on a permit about GrantResource, GrantScope or GrantDetail only.";
    StepUp = "lint/step-up", Error,
        "@acr_values and @max_age stand on a forbid about sign-ins or tools, with @error(\"insufficient_user_authentication\").";
    ReasonCase = "lint/reason-case", Error, "@reason and @otherwise are snake_case.";
    CannotMatch = "lint/cannot-match", Warning, "Every permit can match some request.";
    ForbidCannotMatch = "lint/forbid-cannot-match", Error, "Every forbid can match some request.";
    AbsentClaim = "lint/absent-claim", Warning,
        "No forbid is escaped by an assertion that leaves a claim out.";
    ConfusableText = "lint/confusable-text", Warning, "No text looks like another text.";
    UnscopedPolicies = "lint/unscoped-policies", Warning,
        "Few policies are without a resource in their head: those are evaluated in every request.";
    SchemaInvalid = "schema/invalid", Error, "The schema is a valid Cedar schema.";
    SchemaShadows = "schema/shadows", Warning, "No declaration of the schema hides another.";
    SchemaDiffers = "schema/differs", Warning,
        "The schema says what the schema of this version says, for which facts are made.";
    CustomClaim = "schema/custom-claim", Error,
        "CustomClaims has at most 32 claims, each optional and String, Long, Bool or `Set<String>`.";
    Format = "format", Warning, "Files are formatted as `countersign policy fmt` does.";
}

impl Rule {
    /// Whether the rule is about policies that work, but not as their author meant.
    pub(in crate::policy) const fn is_about_sense(self) -> bool {
        matches!(self, Self::AttributeUnknown | Self::IdImpossible | Self::ForbidCannotMatch)
    }
}

/// Something wrong with policies or their schema.
#[derive(Debug)]
pub struct PolicyProblem {
    /// The rule that is broken.
    pub rule: Rule,
    /// The file that it is in.
    pub file: PathBuf,
    /// The place in the file; none if the problem is about the file as a whole.
    pub place: Option<Box<SourcePlace>>,
    /// A sentence that says what is wrong and what was expected.
    pub message: String,
    /// The remedy; none if the message says it all.
    pub help: Option<String>,
    /// The other place involved, such as the first use of an id.
    pub other: Option<Box<PolicyProblem>>,
    /// The line of the file, when there is a place in it.
    text: Option<Arc<str>>,
}

impl PolicyProblem {
    /// About the file as a whole.
    pub(in crate::policy) fn new(rule: Rule, file: &Path, message: impl ToString) -> Self {
        let (file, message) = (file.to_owned(), message.to_string());
        Self { rule, file, place: None, message, help: None, other: None, text: None }
    }

    /// About a part of a file.
    pub(in crate::policy) fn at(
        rule: Rule,
        file: &SourceFile,
        span: Range<usize>,
        message: impl ToString,
    ) -> Self {
        let (place, text) = (Box::new(file.place(span)), Arc::clone(&file.text));
        Self { place: Some(place), text: Some(text), ..Self::new(rule, &file.path, message) }
    }

    /// Cedar's finding about a file.
    pub(in crate::policy) fn diagnosed(rule: Rule, file: &SourceFile, said: &dyn Diagnostic) -> Self {
        let label = said.labels().and_then(|mut labels| labels.next());
        let expected = label.as_ref().and_then(LabeledSpan::label);
        let message = expected.map_or_else(|| said.to_string(), |expected| format!("{said}: {expected}"));
        let message = in_words(&message);
        let problem = match &label {
            Some(label) => {
                let end = label.offset().saturating_add(label.len());
                Self::at(rule, file, label.offset()..end, message)
            }
            None => Self::new(rule, &file.path, message),
        };
        let help = said.help().map(|help| in_words(&help.to_string()));
        Self { help: help.map(|help| problem.checked(help)), ..problem }
    }

    /// Keeps a suggestion only if it is close to the written name: Cedar suggests a name however different it is.
    fn checked(&self, help: String) -> String {
        let suggested = help.strip_prefix("did you mean `").and_then(|rest| rest.strip_suffix("`?"));
        let written = self.text.as_ref().zip(self.place.as_ref());
        let written = written.and_then(|(text, place)| text.get(place.span.clone()));
        match suggested.zip(written) {
            Some((suggested, written))
                if nearest(last_name(written), std::iter::once(last_name(suggested))).is_none() =>
            {
                "`countersign policy schema` shows what there is".to_owned()
            }
            _ => help,
        }
    }

    /// With what to do about it.
    pub(in crate::policy) fn help(self, help: impl ToString) -> Self {
        Self { help: Some(help.to_string()), ..self }
    }

    /// With the other place that it is about.
    pub(in crate::policy) fn and(self, other: Self) -> Self {
        Self { other: Some(Box::new(other)), ..self }
    }

    /// Whether a file or directory could not even be read.
    pub fn unreadable(&self) -> bool {
        self.rule == Rule::Read
    }

    /// Where it is, for people: `file`, or `file:line:column`.
    pub fn location(&self) -> String {
        let file = self.file.display();
        match &self.place {
            Some(place) => format!("{file}:{}:{}", place.line, place.column),
            None => file.to_string(),
        }
    }

    /// The whole problem with an excerpt of the file, for people; in colour if standard error has colours.
    pub fn report(self) -> Report {
        Report::new(Excerpt::of(self))
    }

    /// The excerpt without colours.
    pub fn plain(self) -> String {
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(80);
        // Writing to a String cannot fail.
        let _ = handler.render_report(&mut text, &Excerpt::of(self));
        text
    }
}

/// Cedar's own types, in words.
fn in_words(said: &str) -> String {
    let names = [
        ("OpenRecord{}", "a record"),
        ("OpenRecord", ""),
        ("AnyEntity", "an entity"),
        ("Any", "anything"),
        ("Never", "nothing"),
        ("True", "Bool"),
        ("False", "Bool"),
        ("Union", "one of "),
    ];
    names.iter().fold(said.to_owned(), |said, (name, words)| {
        said.replace(&format!("__cedar::internal::{name}"), words)
    })
}

/// The name at the end of a path or of an entity.
fn last_name(text: &str) -> &str {
    let text = text.trim_end_matches(['"', ']', ')']);
    text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(text)
}

/// All of it in a line.
impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.location(), self.message, self.rule.name())?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// The byte of a line up to which a file is shown: the renderer's padding has 16 bits.
const MAX_LINE: usize = 10_000;

/// A problem in the form that miette renders.
#[derive(Debug)]
struct Excerpt {
    problem: PolicyProblem,
    text: Option<NamedSource<Arc<str>>>,
    other: Option<Box<Excerpt>>,
    /// Whether it only shows the other place of a problem.
    beside: bool,
}

impl Excerpt {
    fn of(mut problem: PolicyProblem) -> Self {
        let long = |text: &Arc<str>| text.lines().any(|line| line.len() > MAX_LINE);
        if problem.text.as_ref().is_some_and(long) {
            let place = problem.place.take();
            let line = place.map(|place| format!("line {}, column {}: ", place.line, place.column));
            problem.message = line.unwrap_or_default() + &problem.message;
            problem.text = None;
        }
        problem.message = marked(&problem.message);
        problem.help = problem.help.map(|help| marked(&help));
        let name = marked(&problem.file.display().to_string());
        let text = problem.text.take().map(|text| NamedSource::new(name, marked(&text).into()));
        let other = problem.other.take().map(|other| Box::new(Self { beside: true, ..Self::of(*other) }));
        Self { problem, text, other, beside: false }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem.place {
            // The excerpt names the file.
            Some(_) => f.write_str(&self.problem.message),
            None => {
                write!(f, "{}: {}", marked(&self.problem.file.display().to_string()), self.problem.message)
            }
        }
    }
}

impl std::error::Error for Excerpt {}

impl Diagnostic for Excerpt {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let severity = match self.problem.rule.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        (!self.beside).then(|| Box::new(format!("{severity}[{}]", self.problem.rule.name())) as _)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.rule.severity() {
            _ if self.beside => miette::Severity::Advice,
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.text.as_ref().map(|text| text as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.problem.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(place.span.clone()))))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let other = self.other.as_deref()?;
        Some(Box::new(std::iter::once(other as _)))
    }
}

/// A number of things, in words that fit it.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Why no policy set could be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{} in the policies", counted(.0.len(), "problem", "problems"))]
pub struct LoadError(pub Vec<PolicyProblem>);
