//! As much of the shell as the documents use: which commands a block of code runs, as words.

use std::iter::Peekable;
use std::str::Chars;

/// The commands of a script, each as its words. Redirections, comments and here-documents are left out; the commands
/// inside `$(…)` come after the one that uses them.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let script = without_here_documents(script).replace("\\\n", " ");
    let chars = script.chars().peekable();
    let mut reader = Reader { chars, found: Vec::new(), words: Vec::new(), word: None, redirected: false };
    reader.read();
    reader.found
}

/// Here-documents are data.
fn without_here_documents(script: &str) -> String {
    let mut kept = String::new();
    let mut end: Option<String> = None;
    for line in script.lines() {
        match &end {
            Some(word) if line.trim() == word => end = None,
            Some(_) => {}
            None => {
                kept.push_str(line);
                kept.push('\n');
                let begins = line.split_once("<<").map(|(_, rest)| rest.trim_start_matches(['-', ' ']));
                let word = begins.and_then(|rest| rest.split([' ', ';', ')']).next());
                end = word.map(|word| word.trim_matches(['\'', '"']).to_owned());
            }
        }
    }
    kept
}

struct Reader<'t> {
    chars: Peekable<Chars<'t>>,
    found: Vec<Vec<String>>,
    words: Vec<String>,
    word: Option<String>,
    /// Whether the next word is where output goes.
    redirected: bool,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(c) = self.chars.next() {
            match c {
                '\'' => self.quoted('\''),
                '"' => self.quoted('"'),
                '\\' => self.push_next(),
                '#' if self.word.is_none() => while self.chars.next_if(|c| *c != '\n').is_some() {},
                '$' if self.chars.peek() == Some(&'(') => self.substituted(),
                ' ' | '\t' => self.end_word(),
                '\n' | ';' | '|' | '&' | '(' | ')' => self.end_command(),
                '<' | '>' => self.redirect(),
                c => self.push(c),
            }
        }
        self.end_command();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn push_next(&mut self) {
        if let Some(c) = self.chars.next() {
            self.push(c);
        }
    }

    fn quoted(&mut self, quote: char) {
        self.word.get_or_insert_default();
        while let Some(c) = self.chars.next() {
            match c {
                c if c == quote => return,
                '\\' if quote == '"' => self.push_next(),
                '$' if quote == '"' && self.chars.peek() == Some(&'(') => self.substituted(),
                c => self.push(c),
            }
        }
    }

    /// Reads `$(…)`; it becomes the word `$(…)`.
    fn substituted(&mut self) {
        let (mut inside, mut depth) = (String::new(), 0);
        for c in self.chars.by_ref() {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            inside.push(c);
            if depth == 0 {
                break;
            }
        }
        let inside = inside.trim_start_matches('(').trim_end_matches(')');
        self.found.extend(commands(inside));
        self.word.get_or_insert_default().push_str("$(…)");
    }

    fn redirect(&mut self) {
        // The number before it is not a word of the command.
        if self.word.as_ref().is_some_and(|word| word.parse::<u8>().is_ok()) {
            self.word = None;
        }
        self.end_word();
        while self.chars.next_if(|c| ['>', '<', '&', '('].contains(c)).is_some() {}
        self.redirected = true;
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if !std::mem::take(&mut self.redirected) {
            self.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.redirected = false;
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            self.found.push(words);
        }
    }
}

#[test]
fn commands_are_found_as_the_shell_would_run_them() {
    let words = |script: &str| commands(script).iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(words("a b 'c d' \"e\\\"\" # f\ng \\\n  h"), ["a b c d e\"", "g h"]);
    assert_eq!(words("a | b && c; d & e > f 2>&1"), ["a", "b", "c", "d", "e"]);
    assert_eq!(words("T=$(a b \"$(c)\") d"), ["c", "a b $(…)", "T=$(…) d"]);
    assert_eq!(words("cat > f <<'TOML'\nx = 1\nTOML\na"), ["cat", "a"]);
}
