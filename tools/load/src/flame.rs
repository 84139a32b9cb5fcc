//! A flame graph: stacks that begin alike are drawn as one, as wide as their share of the samples.

use std::collections::BTreeMap;

use inferno::flamegraph::{self, Options};

use crate::Outcome;
use crate::stages::Frame;

/// One line per stack, outermost function first, with its number of samples: what other tools read.
pub fn folded(stacks: &[Vec<Frame>]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for stack in stacks {
        let names: Vec<&str> = stack.iter().rev().map(|frame| frame.function.as_str()).collect();
        *counts.entry(names.join(";")).or_default() += 1;
    }
    counts.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

/// The picture of folded stacks. A browser lets one zoom and search in it.
pub fn svg(folded: &str) -> Outcome<Vec<u8>> {
    let mut options = Options::default();
    options.title = "CPU of the server".to_owned();
    // The same function has the same colour in every picture.
    options.hash = true;
    let mut picture = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut picture)?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_drawn_with_their_functions() {
        let frame = |function: &str| Frame { function: function.to_owned(), in_kernel: false };
        let stack = |leaf: &str| vec![frame(leaf), frame("exchange"), frame("main")];
        let folded = folded(&[stack("verify"), stack("verify"), stack("sign")]);
        assert_eq!(folded, "main;exchange;sign 1\nmain;exchange;verify 2\n");
        let picture = String::from_utf8(svg(&folded).unwrap()).unwrap();
        assert!(picture.contains("<svg") && picture.contains("verify (2 samples, 66.67%)"), "{picture}");
    }
}
