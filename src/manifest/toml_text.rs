//! TOML as a tree of values with their lines.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Node, NodeKey, NodeValue};

/// The tree, or every fault of the syntax with its line.
pub fn parse(text: &str) -> Result<Node, Vec<(u64, String)>> {
    let (table, faults) = DeTable::parse_recoverable(text);
    let lines = LineStarts::of(text);
    if faults.is_empty() {
        return Ok(Node { line: 1, value: lines.object(table.into_inner()) });
    }
    let fault = |fault: &toml::de::Error| {
        (fault.span().map_or(0, |span| lines.of_byte(span.start)), fault.message().to_owned())
    };
    Err(faults.iter().map(fault).collect())
}

/// Where the lines of a text begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, counted from 1.
    fn of_byte(&self, byte: usize) -> u64 {
        self.0.partition_point(|end| *end < byte) as u64 + 1
    }

    fn object(&self, table: DeTable<'_>) -> NodeValue {
        let member = |(name, value): (Spanned<std::borrow::Cow<'_, str>>, Spanned<DeValue<'_>>)| {
            let line = self.of_byte(name.span().start);
            (NodeKey { line, name: name.into_inner().into_owned() }, self.node(value))
        };
        let mut members: Vec<_> = table.into_iter().map(member).collect();
        members.sort_by_key(|(key, _)| key.line);
        NodeValue::Object(members)
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let line = self.of_byte(value.span().start);
        let value = match value.into_inner() {
            DeValue::String(text) => NodeValue::Text(text.into_owned()),
            DeValue::Boolean(flag) => NodeValue::Flag(flag),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(whole) => NodeValue::Whole(whole),
                Err(_) => NodeValue::Other(number.to_string()),
            },
            DeValue::Float(number) => NodeValue::Other(number.as_str().to_owned()),
            DeValue::Datetime(date) => NodeValue::Other(date.to_string()),
            DeValue::Array(items) => NodeValue::List(items.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => self.object(table),
        };
        Node { line, value }
    }
}
