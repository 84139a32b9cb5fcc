//! Cuts Cedar text into tokens, so that the page can show each kind in its own colour.

/// A piece of a line. The template escapes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    /// Its class in the style sheet; empty where it needs no colour.
    pub class: &'static str,
    pub text: &'t str,
}

/// The lines of a text, each in tokens. Together, all tokens are the text without its line ends.
pub fn lines(text: &str) -> Vec<Vec<Token<'_>>> {
    let (mut lines, mut line, mut rest) = (Vec::new(), Vec::new(), text);
    while !rest.is_empty() {
        let (class, length) = first_token(rest);
        let (token, later) = rest.split_at(length);
        let mut parts = token.split('\n');
        push(&mut line, class, parts.next().unwrap_or_default());
        for part in parts {
            lines.push(std::mem::take(&mut line));
            push(&mut line, class, part);
        }
        rest = later;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Adds a token, and merges it with the last one of the same kind.
fn push<'t>(line: &mut Vec<Token<'t>>, class: &'static str, text: &'t str) {
    let text = text.strip_suffix('\r').unwrap_or(text);
    if !text.is_empty() {
        line.push(Token { class, text });
    }
}

/// The kind and the length of the token at the beginning of a text. The length is never 0.
fn first_token(text: &str) -> (&'static str, usize) {
    let up_to = |is_in: fn(char) -> bool| text.find(|c| !is_in(c)).unwrap_or(text.len());
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match text.chars().next() {
        Some('"') => ("string", string_length(text)),
        Some('/') if text.starts_with("//") => ("comment", text.find('\n').unwrap_or(text.len())),
        Some('@') => {
            let name = text.get(1..).unwrap_or_default();
            ("annotation", 1 + name.find(|c| !is_word(c)).unwrap_or(name.len()))
        }
        Some(c) if c.is_ascii_digit() => ("number", up_to(|c| c.is_ascii_digit())),
        Some(c) if is_word(c) => {
            let (word, after) = text.split_at(up_to(is_word));
            (class_of(word, after), word.len())
        }
        Some(_) => {
            let is_plain = |c: char| !(c.is_alphanumeric() || matches!(c, '"' | '/' | '@' | '_'));
            ("", up_to(is_plain).max(text.chars().next().map_or(1, char::len_utf8)))
        }
        None => ("", 0),
    }
}

/// The length of a string with its quotes, or of the whole rest if it does not end.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn class_of(word: &str, after: &str) -> &'static str {
    match word {
        "permit" => "permit",
        "forbid" => "forbid",
        "principal" | "action" | "resource" | "context" => "variable",
        "when" | "unless" | "if" | "then" | "else" | "in" | "is" | "has" | "like" | "true" | "false" => {
            "keyword"
        }
        "entity" | "type" | "namespace" | "enum" | "appliesTo" | "tags" => "keyword",
        _ if after.starts_with("::") => "type",
        _ => "",
    }
}
