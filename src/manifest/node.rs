//! A file as a tree in which every value knows its line.

/// Longest file, in bytes.
pub const LONGEST_FILE: usize = 16 * 1024 * 1024;

/// A value with its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub line: u64,
    pub value: NodeValue,
}

/// The value itself.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number or date that no field takes, as it is shown.
    Other(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(NodeKey, Node)>),
}

/// The name of a member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeKey {
    pub line: u64,
    pub name: String,
}

impl Node {
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn object(&self) -> Option<&[(NodeKey, Node)]> {
        match &self.value {
            NodeValue::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == NodeValue::Null
    }

    /// The value in words, cut to a readable length.
    pub fn shown(&self) -> String {
        match &self.value {
            NodeValue::Null => "nothing".to_owned(),
            NodeValue::Flag(flag) => flag.to_string(),
            NodeValue::Whole(number) => number.to_string(),
            NodeValue::Other(text) => cut(text),
            NodeValue::Text(text) => format!("{:?}", cut(text)),
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Object(_) => "an object".to_owned(),
        }
    }
}

/// Cuts a text to a readable length.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
