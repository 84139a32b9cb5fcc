//! The documents as Markdown: their code, links and headings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A file of the repository in Markdown.
pub struct Document {
    /// Its path from the root of the repository.
    pub path: String,
    pub text: String,
    pub blocks: Vec<Block>,
    /// Code inside sentences, with its line.
    pub spans: Vec<(usize, String)>,
    /// Targets of links and pictures, with their lines.
    pub links: Vec<(usize, String)>,
    /// The places that a link can lead to.
    pub anchors: BTreeSet<String>,
}

/// A fenced block of code.
pub struct Block {
    /// The line of its first line of code.
    pub line: usize,
    pub language: String,
    /// What else stands behind the language.
    pub marks: Vec<String>,
    pub text: String,
}

/// Every document by its path.
pub static DOCUMENTS: LazyLock<BTreeMap<String, Document>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    find(Path::new("."), &mut paths);
    let documents = paths.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(".").unwrap().display().to_string();
        (path.clone(), read(path, text))
    });
    documents.collect()
});

/// Directories of others' files.
const NOT_OURS: [&str; 5] = ["node_modules", "target", ".git", ".venv", "site-packages"];

fn find(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = entry.file_name();
        if kind.is_dir() && !NOT_OURS.iter().any(|other| name == *other) {
            find(&path, found);
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

fn read(path: String, text: String) -> Document {
    let mut document = Document {
        path,
        blocks: Vec::new(),
        spans: Vec::new(),
        links: Vec::new(),
        anchors: BTreeSet::new(),
        text: String::new(),
    };
    let line_of = |at: usize| text[..at].lines().count().max(1);
    let (mut heading, mut block): (Option<String>, Option<Block>) = (None, None);
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => document.add_anchor(&heading.take().unwrap_or_default()),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                let line = line_of(range.start) + 1;
                block = Some(Block { line, language, marks: words.collect(), text: String::new() });
            }
            Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push((line_of(range.start), dest_url.to_string()));
            }
            Event::Text(words) if block.is_some() => {
                block.iter_mut().for_each(|block| block.text.push_str(&words));
            }
            Event::Text(words) => heading.iter_mut().for_each(|heading| heading.push_str(&words)),
            Event::Code(code) => {
                heading.iter_mut().for_each(|heading| heading.push_str(&code));
                document.spans.push((line_of(range.start), code.to_string()));
            }
            _ => {}
        }
    }
    document.text = text;
    document
}

impl Document {
    /// Headings of one name are numbered, as viewers do it.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let slug = kept.collect::<String>().trim().to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|n| format!("{slug}-{n}"));
        let free = std::iter::once(slug.clone()).chain(numbered).find(|id| !self.anchors.contains(id));
        self.anchors.extend(free);
    }

    /// Where a line is, for messages.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}
