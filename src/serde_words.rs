//! Says serde's errors plainly: which field, what is wrong with it, and what was expected.

/// An error of serde with the field that it is about.
#[derive(Debug, Clone, Copy)]
pub struct SerdeError<'a> {
    /// The field's path, such as `scopes[0].name`; `.` or nothing for the whole.
    pub path: &'a str,
    /// The error as serde says it.
    pub text: &'a str,
    /// The whole in words, such as `the body`.
    pub whole: &'a str,
}

/// The longest part of a value that is repeated, in characters.
const LONGEST: usize = 60;

impl SerdeError<'_> {
    /// The error as a sentence without a full stop.
    pub fn plain(self) -> String {
        let text = without_position(self.text);
        let about = |words: &str| format!("{} {words}", self.subject(self.path));
        if let Some(name) = quoted(text, "missing field `") {
            return format!("{} is missing", self.subject(&self.below(name)));
        }
        if let Some(name) = quoted(text, "duplicate field `") {
            return format!("{} is there twice", self.subject(&self.below(name)));
        }
        if let Some(name) = quoted(text, "unknown field `") {
            let known = choices(text);
            return format!("{} is unknown{}", self.subject(&self.below(name)), hint(name, &known));
        }
        if let Some(variant) = quoted(text, "unknown variant `") {
            let path = self.path.strip_suffix(variant).map_or(self.path, |path| path.trim_end_matches('.'));
            let known = one_of(&choices(text));
            return format!("{} must be {known}; found \"{}\"", self.subject(path), cut(variant));
        }
        match text {
            "invalid digit found in string" => about("must be a whole number"),
            "provided string was not `true` or `false`" => about("must be true or false"),
            "expected value" | "trailing characters" => about("has a value of the wrong type"),
            _ if text.starts_with("data did not match any variant") => {
                about("has none of the expected forms")
            }
            _ => self.of_type(text).unwrap_or_else(|| self.as_it_is(text)),
        }
    }

    /// A text that says what is wrong by itself, after the field if that is known.
    fn as_it_is(self, text: &str) -> String {
        match self.path {
            "" | "." => text.to_owned(),
            path => format!("{}: {text}", self.subject(path)),
        }
    }

    /// `invalid type: string "x", expected u32` and its like.
    fn of_type(self, text: &str) -> Option<String> {
        let (found, expected) = text.rsplit_once(", expected ")?;
        let found = match found.strip_prefix("invalid ")?.split_once(": ") {
            Some(("type" | "value", found)) => found_words(found),
            _ => format!("{} entries", found.strip_prefix("invalid length ")?),
        };
        Some(format!("{} must be {}; found {found}", self.subject(self.path), expected_words(expected)))
    }

    fn subject(self, path: &str) -> String {
        if path.is_empty() || path == "." { self.whole.to_owned() } else { format!("`{}`", cut(path)) }
    }

    /// The path of a field that the error names, which may be in the path already.
    fn below(self, name: &str) -> String {
        let is_named = self.path == name || self.path.ends_with(&format!(".{name}"));
        match self.path {
            "" | "." => name.to_owned(),
            path if is_named => path.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}

/// The expected type in words.
pub fn expected_words(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "path string" => "a path",
        "string or map" | "variant identifier" | "a borrowed string" => "a string",
        structure if structure.starts_with("struct ") => "an object",
        list if list.starts_with("tuple ") => "a list",
        other => other,
    }
    .to_owned()
}

/// The value that came, in words: short, since it may be anything.
fn found_words(found: &str) -> String {
    let inner = |kind: &str| Some(found.strip_prefix(kind)?.trim_matches('`').to_owned());
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" => "null".to_owned(),
        _ => match (inner("integer "), inner("floating point "), inner("boolean ")) {
            (Some(number), ..) | (_, Some(number), _) => format!("the number {}", cut(&number)),
            (.., Some(flag)) => flag,
            _ if found.starts_with("string ") => format!("the {}", cut(found)),
            _ => cut(found),
        },
    }
}

/// The text without the line and column that serde_json adds: bodies of requests are in one line.
fn without_position(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((error, place)) if place.contains(" column ") => error,
        _ => text,
    }
}

/// The name behind a beginning, up to the next backquote.
fn quoted<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(start)?;
    // The name may hold a backquote; what serde says after it begins with a comma.
    Some(rest.split_once("`, ").map_or_else(|| rest.trim_end_matches('`'), |(name, _)| name))
}

/// The names that serde says were expected.
fn choices(text: &str) -> Vec<&str> {
    let listed = text.rsplit_once(", expected ").map_or("", |(_, listed)| listed);
    listed.split('`').skip(1).step_by(2).collect()
}

fn one_of(known: &[&str]) -> String {
    match known {
        [] => "something else".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The end of the sentence about an unknown field: the one that was probably meant, or all that there are.
fn hint(name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::osa_distance(&name.to_lowercase(), known), *known)).min();
    match near {
        Some((distance, known)) if distance <= 2.max(name.len() / 4) => format!("; did you mean `{known}`?"),
        Some(_) => format!("; expected {}", one_of(known)),
        None => String::new(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
