//! Turns Markdown into HTML: headings and the keys of tables become anchors, links between documents lead to their
//! pages, and raw HTML is left out.

use std::collections::HashSet;

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A document as a page.
pub struct Rendered {
    /// The text of its first heading.
    pub title: String,
    /// The whole document as HTML, with links to other documents rewritten for the console.
    pub html: String,
    /// The headings of the second level, for the list of contents.
    pub contents: Vec<SectionHeading>,
}

/// A heading that can be linked to.
pub struct SectionHeading {
    /// The anchor in the page's URL.
    pub id: String,
    /// The heading without markup.
    pub text: String,
}

/// Renders a document. `page_of` gives the page for a link; a link without a page becomes plain text.
pub fn render(markdown: &str, page_of: impl Fn(&str) -> Option<String>) -> Rendered {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = without_html_and_diagrams(events);
    let events = with_links(events, page_of);
    let mut taken = HashSet::new();
    let (events, headings) = with_heading_anchors(events, &mut taken);
    let events = with_row_anchors(events, &mut taken);
    let events = with_column_names(events);
    let mut html = String::new();
    html::push_html(&mut html, in_frames(events).into_iter());
    let text_of = |level| headings.iter().filter(move |(found, _)| *found == level);
    let title = text_of(HeadingLevel::H1).next().map(|(_, heading)| heading.text.clone()).unwrap_or_default();
    let contents = headings.into_iter().filter(|(level, _)| *level == HeadingLevel::H2);
    Rendered { title, html, contents: contents.map(|(_, heading)| heading).collect() }
}

/// Leaves out raw HTML, and diagrams that only some programs can draw.
fn without_html_and_diagrams<'t>(events: impl Iterator<Item = Event<'t>>) -> Vec<Event<'t>> {
    let mut in_diagram = false;
    let kept = events.filter(|event| {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &**language == "mermaid" => {
                in_diagram = true;
            }
            Event::End(TagEnd::CodeBlock) if in_diagram => {
                in_diagram = false;
                return false;
            }
            Event::Html(_) | Event::InlineHtml(_) => return false,
            _ => {}
        }
        !in_diagram
    });
    kept.collect()
}

fn with_links<'t>(events: Vec<Event<'t>>, page_of: impl Fn(&str) -> Option<String>) -> Vec<Event<'t>> {
    // Links do not nest.
    let mut leads_nowhere = false;
    let rewritten = events.into_iter().filter_map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => match page_of(&dest_url) {
            Some(page) => Some(Event::Start(Tag::Link { link_type, dest_url: page.into(), title, id })),
            None => {
                leads_nowhere = true;
                None
            }
        },
        Event::End(TagEnd::Link) if leads_nowhere => {
            leads_nowhere = false;
            None
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            let dest_url = page_of(&dest_url).map_or(dest_url, CowStr::from);
            Some(Event::Start(Tag::Image { link_type, dest_url, title, id }))
        }
        // Alignment would be an inline style.
        Event::Start(Tag::Table(columns)) => {
            Some(Event::Start(Tag::Table(vec![pulldown_cmark::Alignment::None; columns.len()])))
        }
        other => Some(other),
    });
    rewritten.collect()
}

/// Gives each heading the id that common viewers give it, so that links from elsewhere work here too.
fn with_heading_anchors<'t>(
    events: Vec<Event<'t>>,
    taken: &mut HashSet<String>,
) -> (Vec<Event<'t>>, Vec<(HeadingLevel, SectionHeading)>) {
    let mut headings = Vec::new();
    let mut anchored = Vec::with_capacity(events.len());
    let mut rest = events.into_iter().peekable();
    while let Some(event) = rest.next() {
        let Event::Start(Tag::Heading { level, .. }) = event else {
            anchored.push(event);
            continue;
        };
        let mut inside = Vec::new();
        while let Some(event) = rest.next_if(|event| !matches!(event, Event::End(TagEnd::Heading(_)))) {
            inside.push(event);
        }
        let text: String = inside.iter().filter_map(text_of).collect();
        let id = free_id(&slug(&text), taken);
        let tag = Tag::Heading { level, id: Some(id.clone().into()), classes: vec![], attrs: vec![] };
        anchored.push(Event::Start(tag));
        anchored.append(&mut inside);
        headings.push((level, SectionHeading { id, text }));
    }
    (anchored, headings)
}

/// If the first word of a table row is code, it becomes an anchor: a reason, a key, a metric.
fn with_row_anchors<'t>(events: Vec<Event<'t>>, taken: &mut HashSet<String>) -> Vec<Event<'t>> {
    let mut anchored = Vec::with_capacity(events.len());
    let mut cells = 0;
    for event in events {
        match &event {
            Event::Start(Tag::TableRow) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::Code(word) if cells == 1 && is_word(word) && taken.insert(word.to_string()) => {
                anchored.push(Event::InlineHtml(format!("<a id=\"{word}\"></a>").into()));
                cells += 1;
            }
            _ => {}
        }
        anchored.push(event);
    }
    anchored
}

/// Names unnamed table columns: a screen reader announces that there is one.
fn with_column_names(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    const UNNAMED: &str = "<span class=\"visually-hidden\">Column</span>";
    let mut named = Vec::with_capacity(events.len());
    let (mut in_head, mut is_empty) = (false, false);
    for event in events {
        match event {
            Event::Start(Tag::TableHead) => in_head = true,
            Event::End(TagEnd::TableHead) => in_head = false,
            Event::Start(Tag::TableCell) => is_empty = true,
            Event::End(TagEnd::TableCell) if in_head && is_empty => {
                named.push(Event::InlineHtml(UNNAMED.into()))
            }
            _ => is_empty = false,
        }
        named.push(event);
    }
    named
}

/// Wide content scrolls in its own frame, which the keyboard can reach.
fn in_frames(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    const OPEN: &str = "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"";
    let mut framed = Vec::with_capacity(events.len());
    for event in events {
        let name = match event {
            Event::Start(Tag::Table(_)) => Some("Table"),
            Event::Start(Tag::CodeBlock(_)) => Some("Code"),
            _ => None,
        };
        framed.extend(name.map(|name| Event::Html(format!("{OPEN}{name}\">").into())));
        let ends = matches!(event, Event::End(TagEnd::Table | TagEnd::CodeBlock));
        framed.push(event);
        framed.extend(ends.then_some(Event::Html("</div>".into())));
    }
    framed
}

fn text_of<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::SoftBreak => Some(" "),
        _ => None,
    }
}

fn slug(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

fn free_id(wanted: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (1..).map(|n| format!("{wanted}-{n}"));
    let mut ids = std::iter::once(wanted.to_owned()).chain(numbered);
    // There is always a number that is free.
    ids.find(|id| taken.insert(id.clone())).unwrap_or_default()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
