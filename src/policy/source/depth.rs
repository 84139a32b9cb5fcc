//! Measures how deeply expressions are nested, before anything recursive reads them.
//!
//! Cedar's parser has no limit: a hundred and fifty brackets overflow a thread's stack, which ends the process. Its
//! validator and its evaluator have limits: beyond them, the validator leaves the rest of the expression unchecked,
//! and the evaluator fails. So anything too deep for them is refused here.

use super::problem::{PolicyProblem, Rule};
use super::source_file::SourceFile;

/// Most brackets within one another.
const MAX_NESTING: usize = 24;
/// The most levels of an expression. A bracket is one, and so is each operator of `a && b && c`. Measured: the
/// service's threads (2 MiB of stack) evaluate about 400.
const MAX_DEPTH: usize = 200;
/// The stack for parsing and validating expressions within the limits, with room for unoptimized builds.
const STACK: usize = 32 * 1024 * 1024;

/// Runs something recursive, such as Cedar's parser, with enough stack for texts that passed [`check`].
pub(crate) fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, work)
}

/// Refuses a file with an expression that is too deep.
pub(in crate::policy) fn check(file: &SourceFile) -> Result<(), PolicyProblem> {
    let mut tree = Tree::default();
    for (at, token) in tokens(&file.text) {
        tree.meet(token);
        let refuse = |message: String| {
            let help = "split the policy, or write alternatives as a set: [a, b].contains(c)";
            Err(PolicyProblem::at(Rule::Depth, file, at..at + token.len(), message).help(help))
        };
        if tree.around.len() > MAX_NESTING {
            return refuse(format!("more than {MAX_NESTING} brackets within one another"));
        }
        if tree.here.total() > MAX_DEPTH {
            return refuse(format!("the expression has more than {MAX_DEPTH} levels"));
        }
    }
    Ok(())
}

/// Words, strings, comments and signs with their offsets, cut as Cedar's lexer does where it matters here.
pub(in crate::policy) fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = text.len() - rest.len();
        let (token, after) = rest.split_at(length(rest, rest.chars().next()?));
        rest = after;
        Some((at, token))
    })
}

/// The length of the token, comment or string at the beginning of the text.
fn length(text: &str, first: char) -> usize {
    let until = |end: Option<usize>| end.unwrap_or(text.len());
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match first {
        '"' => string_length(text),
        '/' if text.starts_with("//") => until(text.find(['\n', '\r'])),
        '&' | '|' if text.starts_with("&&") || text.starts_with("||") => 2,
        _ if in_word(first) => until(text.find(|c| !in_word(c))),
        _ => first.len_utf8(),
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A bound of how tall the syntax tree is.
#[derive(Default)]
struct Tree {
    /// The height of the innermost bracket, or of the whole text.
    here: Height,
    /// The heights of the brackets around it.
    around: Vec<Height>,
}

/// An upper bound on the height of the syntax tree inside one bracket.
#[derive(Default)]
struct Height {
    /// The tallest of the elements before this one.
    before: usize,
    /// The operators of this element; each may hold everything before it.
    operators: usize,
    /// The tallest bracket among the operands.
    bracket: usize,
    /// The links of the operand's chain `a.b["c"]`, and of the longest one.
    chain: usize,
    longest_chain: usize,
}

impl Height {
    fn link(&mut self) {
        self.chain += 1;
        self.longest_chain = self.longest_chain.max(self.chain);
    }

    fn total(&self) -> usize {
        self.before.max(self.operators + self.bracket + self.longest_chain)
    }
}

impl Tree {
    fn meet(&mut self, token: &str) {
        match token {
            "(" | "{" => self.around.push(std::mem::take(&mut self.here)),
            // It may be an index, `a["b"]["c"]`, which is a chain too.
            "[" => {
                self.here.link();
                self.around.push(std::mem::take(&mut self.here));
            }
            ")" | "]" | "}" => {
                let inner = std::mem::replace(&mut self.here, self.around.pop().unwrap_or_default());
                self.here.bracket = self.here.bracket.max(inner.total() + 1);
            }
            "," => self.here = Height { before: self.here.total(), ..Height::default() },
            ";" => *self = Self::default(),
            "." => self.here.link(),
            // `<` opens a type in a schema.
            "&&" | "||" | "+" | "-" | "*" | "<" | "!" | "if" | "when" | "unless" => {
                self.here.operators += 1;
                self.here.chain = 0;
            }
            _ => {}
        }
    }
}
