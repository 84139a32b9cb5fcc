//! The challenge of a protected resource (RFC 9110 §11.6.1, RFC 9728 §5.1).

/// The value of `resource_metadata` in a `Bearer` challenge, or in one for tokens that are bound to a key (RFC 9449 §7.1);
/// none if there is no such challenge or parameter.
pub fn resource_metadata(header: &str) -> Option<String> {
    let mut rest = header;
    let mut is_ours = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
        match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = value_of(value.trim_start())?;
                if is_ours && word.eq_ignore_ascii_case("resource_metadata") {
                    return Some(value);
                }
                rest = after;
            }
            // A word without a value begins another challenge.
            None => {
                is_ours = ["Bearer", "DPoP"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
                rest = after;
            }
        }
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c)
}

/// A token or a quoted text, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return Some((value.to_owned(), rest));
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}
