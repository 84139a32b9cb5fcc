//! The parts of a policy that can be dropped one at a time: the conditions in its head, its `when` and `unless`, and
//! the parts of those that are joined by `&&`.

use std::ops::Range;

use crate::policy::source::parse::{CedarToken, Placed};

/// Which part of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    /// The head's condition on the principal or the resource.
    Head,
    /// The head's condition on the action.
    Action,
    /// A whole `when`, or one of several parts of it.
    When,
    /// A whole `unless`.
    Unless,
    /// One of several parts of an `unless`.
    UnlessPart,
}

/// A part that can be dropped.
#[derive(Debug)]
pub(super) struct Part {
    pub kind: PartKind,
    /// Where it stands in the file.
    pub span: Range<usize>,
    /// The text that is dropped along with it, such as the `&&` beside it.
    cut: Range<usize>,
    /// The replacement text: a head keeps its variables.
    instead: String,
}

impl Part {
    /// The policy's text without this part.
    pub fn dropped_from(&self, placed: &Placed<'_>) -> String {
        let text = |range: Range<usize>| placed.file.text.get(range).unwrap_or_default();
        let (before, after) = (text(placed.span.start..self.cut.start), text(self.cut.end..placed.span.end));
        format!("{before}{}{after}", self.instead)
    }
}

/// Every part of a policy, in the order of its text.
pub(super) fn parts(placed: &Placed<'_>) -> Vec<Part> {
    let tokens = placed.tokens();
    let mut rest = without_annotations(&tokens);
    let mut parts = Vec::new();
    // `permit` or `forbid`, and the head.
    rest = rest.get(1..).unwrap_or_default();
    let (head, mut rest) = bracketed(rest);
    parts.extend(split(head, ",").into_iter().filter_map(of_head));
    while let [keyword @ (_, "when" | "unless"), conditions @ ..] = rest {
        let (body, after) = bracketed(conditions);
        parts.extend(of_condition(keyword, body, end_of(rest, after)));
        rest = after;
    }
    parts
}

fn without_annotations<'t, 'a>(mut tokens: &'t [CedarToken<'a>]) -> &'t [CedarToken<'a>] {
    while let [(_, "@"), _, rest @ ..] = tokens {
        tokens = match rest {
            [(_, "("), ..] => bracketed(rest).1,
            rest => rest,
        };
    }
    tokens
}

/// Splits the tokens into the contents of the bracket at their beginning, and the rest.
fn bracketed<'t, 'a>(tokens: &'t [CedarToken<'a>]) -> (&'t [CedarToken<'a>], &'t [CedarToken<'a>]) {
    let mut open = 0_usize;
    for (index, (_, token)) in tokens.iter().enumerate() {
        open = nesting(open, token);
        if open == 0 {
            return (tokens.get(1..index).unwrap_or_default(), tokens.get(index + 1..).unwrap_or_default());
        }
    }
    (&[], &[])
}

/// How many brackets are open after a token.
fn nesting(open: usize, token: &str) -> usize {
    match token {
        "(" | "[" | "{" => open + 1,
        ")" | "]" | "}" => open.saturating_sub(1),
        _ => open,
    }
}

/// The tokens between separators that are outside all brackets.
fn split<'t, 'a>(tokens: &'t [CedarToken<'a>], separator: &str) -> Vec<&'t [CedarToken<'a>]> {
    let mut open = 0;
    let is_separator = |(_, token): &CedarToken<'_>| {
        open = nesting(open, token);
        open == 0 && *token == separator
    };
    tokens.split(is_separator).collect()
}

fn span(tokens: &[CedarToken<'_>]) -> Option<Range<usize>> {
    let ((first, _), (last, _)) = (tokens.first()?, tokens.last()?);
    Some(first.start..last.end)
}

/// The end of the tokens that come before others.
fn end_of(all: &[CedarToken<'_>], after: &[CedarToken<'_>]) -> usize {
    let before = all.len().saturating_sub(after.len());
    all.get(..before).and_then(span).map_or(0, |span| span.end)
}

fn of_head(tokens: &[CedarToken<'_>]) -> Option<Part> {
    let [(_, variable), _, ..] = tokens else { return None };
    let span = span(tokens)?;
    let kind = if *variable == "action" { PartKind::Action } else { PartKind::Head };
    Some(Part { kind, cut: span.clone(), span, instead: (*variable).to_owned() })
}

/// A condition as a whole, and each of its parts if there are several. Dropping a whole `when` shows no more than
/// dropping each of its parts.
fn of_condition((start, keyword): &CedarToken<'_>, body: &[CedarToken<'_>], end: usize) -> Vec<Part> {
    let (whole, part) = match *keyword {
        "when" => (PartKind::When, PartKind::When),
        _ => (PartKind::Unless, PartKind::UnlessPart),
    };
    let spans: Vec<Range<usize>> = conjuncts(body).into_iter().filter_map(self::span).collect();
    let span = start.start..end;
    let mut parts = Vec::new();
    if whole == PartKind::Unless || spans.len() < 2 {
        parts.push(Part { kind: whole, cut: span.clone(), span, instead: String::new() });
    }
    for (index, span) in spans.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| spans.get(before));
        let cut = match (before, spans.get(index + 1)) {
            (Some(before), _) => before.end..span.end,
            (None, Some(next)) => span.start..next.start,
            (None, None) => continue,
        };
        parts.push(Part { kind: part, span: span.clone(), cut, instead: String::new() });
    }
    parts
}

/// The parts joined by `&&`, unless an operator binds less tightly.
fn conjuncts<'t, 'a>(body: &'t [CedarToken<'a>]) -> Vec<&'t [CedarToken<'a>]> {
    let is_conditional = body.first().is_some_and(|(_, token)| *token == "if");
    match is_conditional || split(body, "||").len() > 1 {
        true => vec![body],
        false => split(body, "&&"),
    }
}
