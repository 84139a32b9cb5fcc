//! Deceptive texts: letters of another script mixed into a word, and invisible characters. A name in any script is
//! fine, and so is a word next to one in another script.

use unicode_security::MixedScript as _;
use unicode_security::confusable_detection::skeleton;
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::policy::source::depth;
use crate::policy::source::problem::{PolicyProblem, Rule};
use crate::policy::source::source_file::SourceFile;

/// Every deceptive text and comment in a file. Characters written as an escape, such as `\u{430}`, are not deceptive.
pub(super) fn deceptive_texts(file: &SourceFile) -> Vec<PolicyProblem> {
    let (mut problems, mut before) = (Vec::new(), ["", ""]);
    for (at, token) in depth::tokens(&file.text).filter(|(_, token)| !token.trim().is_empty()) {
        let is_comment = token.starts_with("//");
        // `@message("…")` is shown, and compared with nothing.
        let is_compared = token.starts_with('"') && !matches!(before, ["@", ..]);
        if !token.is_ascii()
            && let Some((message, odd)) = deception(token, is_compared)
        {
            let help = match is_comment {
                true => "type the comment anew".to_owned(),
                false => format!("type the text anew, or write {} if it is meant", odd.escape_unicode()),
            };
            let problem = PolicyProblem::at(Rule::ConfusableText, file, at..at + token.len(), message);
            problems.push(problem.help(help));
        }
        // The sign and the name before a bracket.
        if !is_comment && token != "(" {
            before = [before[1], token];
        }
    }
    problems
}

/// A deceptive character in a text, and how it deceives.
fn deception(text: &str, is_compared: bool) -> Option<(String, char)> {
    let unseen = |c: &char| is_unseen(*c) || (is_compared && is_odd_blank(*c));
    if let Some(odd) = text.chars().filter(|c| !c.is_ascii()).find(unseen) {
        return Some((format!("the text has the invisible character {}", odd.escape_unicode()), odd));
    }
    let words = text.split(|c: char| !c.is_alphanumeric());
    let word = words.filter(|word| is_compared && !word.is_ascii()).find(|word| is_disguised(word))?;
    let odd = word.chars().find(|c| !c.is_ascii())?;
    Some((format!("the word \"{word}\" has letters that look like those of another script"), odd))
}

/// Whether a character is invisible, or changes the direction of the text around it.
fn is_unseen(c: char) -> bool {
    c.is_control() || skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

/// The ideographic space is as wide as a letter, so it does not look like another space.
fn is_odd_blank(c: char) -> bool {
    c.is_whitespace() && c != '\u{3000}'
}

/// Whether a word has letters of several scripts, or only letters that look like Latin ones and are not.
fn is_disguised(word: &str) -> bool {
    if !word.is_single_script() {
        // Chinese, Japanese and Korean letters next to Latin ones do not look like them.
        let others: String = word.chars().filter(|c| !c.is_ascii()).collect();
        let scripts = AugmentedScriptSet::for_str(&others);
        return !(scripts.hanb || scripts.jpan || scripts.kore);
    }
    let has_latin = word.chars().any(|c| c.is_ascii_alphabetic());
    let has_letters = word.chars().any(char::is_alphabetic);
    has_letters && !has_latin && skeleton(word).all(|c| c.is_ascii_alphanumeric())
}
