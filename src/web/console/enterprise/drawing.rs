//! Drawn pictures of the forms that an administrator fills in elsewhere: a window with fields, switches and buttons,
//! laid out here and written as SVG. The style sheet gives them their look.

use askama::Template;

/// Width of a picture; narrow, so that its text stays readable on a phone.
const WIDTH: u32 = 400;
/// Distance from the window's edge to its content.
const MARGIN: u32 = 20;
/// Characters of the fixed-width face that fit into a box.
const PER_LINE: usize = 46;
/// Most lines of a value; a longer one is cut.
const MAX_LINES: usize = 3;
const LINE: u32 = 17;

/// A picture of a window.
#[derive(Template)]
#[template(path = "drawing.html")]
pub struct Drawing {
    /// Unique on its page.
    id: &'static str,
    title: String,
    height: u32,
    shapes: Vec<Shape>,
    /// A description of the picture, for people who cannot see it.
    description: String,
}

/// An item in the window, with the position of its top left corner.
enum Shape {
    Heading {
        y: u32,
        text: String,
    },
    Label {
        y: u32,
        text: String,
    },
    /// A box with a value; `ours` are the values that come from Countersign.
    Field {
        y: u32,
        height: u32,
        lines: Vec<(u32, String)>,
        ours: bool,
    },
    Switch {
        y: u32,
        text: String,
    },
    /// A button with an arrow that points to it.
    Button {
        y: u32,
        width: u32,
        text: String,
    },
    Row {
        y: u32,
        text: String,
        action: String,
    },
}

impl Drawing {
    /// An empty window with a title.
    pub fn new(id: &'static str, title: impl Into<String>) -> Self {
        let title = title.into();
        let description = format!("A window with the title {title}.");
        Self { id, title, height: 46, shapes: Vec::new(), description }
    }

    /// A heading within the window.
    pub fn heading(mut self, text: &str) -> Self {
        self.description.push_str(&format!(" Heading: {text}."));
        self.shapes.push(Shape::Heading { y: self.height + 18, text: text.to_owned() });
        self.height += 30;
        self
    }

    /// A field for one of this deployment's values.
    pub fn ours(self, label: &str, value: &str) -> Self {
        self.field(label, value, true)
    }

    /// A field with a value of the other side's, or empty.
    pub fn theirs(self, label: &str, value: &str) -> Self {
        self.field(label, value, false)
    }

    fn field(mut self, label: &str, value: &str, ours: bool) -> Self {
        let shown = if value.is_empty() { "empty" } else { value };
        self.description.push_str(&format!(" Field {label}: {shown}."));
        self.shapes.push(Shape::Label { y: self.height + 14, text: label.to_owned() });
        let top = self.height + 22;
        let lines: Vec<(u32, String)> =
            wrapped(value).into_iter().zip(0..).map(|(text, n)| (top + 18 + n * LINE, text)).collect();
        let height = 11 + LINE * lines.len().max(1).try_into().unwrap_or(1);
        self.shapes.push(Shape::Field { y: top, height, lines, ours });
        self.height = top + height + 10;
        self
    }

    /// A switch that is on.
    pub fn switched_on(mut self, text: &str) -> Self {
        self.description.push_str(&format!(" Switch {text}: on."));
        self.shapes.push(Shape::Switch { y: self.height + 6, text: text.to_owned() });
        self.height += 34;
        self
    }

    /// A line of a list, with its action.
    pub fn row(mut self, text: &str, action: &str) -> Self {
        self.description.push_str(&format!(" Line: {text}, {action}."));
        self.shapes.push(Shape::Row { y: self.height + 4, text: text.to_owned(), action: action.to_owned() });
        self.height += 38;
        self
    }

    /// A button to press.
    pub fn button(mut self, text: &str) -> Self {
        self.description.push_str(&format!(" Button to press: {text}."));
        let characters = u32::try_from(text.chars().count()).unwrap_or(20);
        let width = characters * 8 + 28;
        self.shapes.push(Shape::Button { y: self.height + 8, width, text: text.to_owned() });
        self.height += 48;
        self
    }

    fn width(&self) -> u32 {
        WIDTH
    }

    fn inner(&self) -> u32 {
        WIDTH - 2 * MARGIN
    }

    fn total_height(&self) -> u32 {
        self.height + 12
    }
}

/// A value in lines that fit into a box.
fn wrapped(value: &str) -> Vec<String> {
    let characters: Vec<char> = value.chars().collect();
    let mut lines: Vec<String> = characters.chunks(PER_LINE).map(|line| line.iter().collect()).collect();
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        if let Some(last) = lines.last_mut() {
            last.pop();
            last.push('…');
        }
    }
    lines
}
