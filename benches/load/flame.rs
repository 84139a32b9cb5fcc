//! A flame graph: stacks that begin alike are drawn as one, as wide as their share of the samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::stages::{Frame, stage};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
/// Narrower ones, in pixels, are left out.
const LEAST: f64 = 0.4;
/// Pixels of a character.
const CHARACTER: f64 = 6.6;

#[derive(Default)]
struct Node<'a> {
    samples: usize,
    stage: &'a str,
    callees: BTreeMap<&'a str, Node<'a>>,
}

/// One line per stack, outermost function first, with its number of samples: what other tools read.
pub fn folded(stacks: &[Vec<Frame>]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for stack in stacks {
        let names: Vec<&str> = stack.iter().rev().map(|frame| frame.function.as_str()).collect();
        *counts.entry(names.join(";")).or_default() += 1;
    }
    counts.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

/// The picture; a pointer that rests on a box shows its function and share.
pub fn svg(stacks: &[Vec<Frame>]) -> String {
    let mut root = Node::default();
    for stack in stacks {
        root.samples += 1;
        let mut node = &mut root;
        for (index, frame) in stack.iter().enumerate().rev() {
            node = node.callees.entry(frame.function.as_str()).or_default();
            node.samples += 1;
            node.stage = stage(stack.get(index..).unwrap_or_default());
        }
    }
    let height = (depth(&root) + 1) as f64 * ROW;
    let mut boxes = String::new();
    let scale = WIDTH / root.samples.max(1) as f64;
    draw(&root, (0.0, height), scale, &mut boxes);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n{boxes}</svg>\n"
    )
}

/// Of what is drawn.
fn depth(node: &Node<'_>) -> usize {
    node.callees.values().map(|callee| 1 + depth(callee)).max().unwrap_or(0)
}

/// Draws what a function calls, above it.
fn draw(node: &Node<'_>, (mut x, y): (f64, f64), scale: f64, boxes: &mut String) {
    for (name, callee) in &node.callees {
        let width = callee.samples as f64 * scale;
        if width >= LEAST {
            let top = y - ROW;
            let (full, short) = (escaped(name), escaped(&shortened(name, width)));
            let (colour, percent) = (colour(callee.stage), width * 100.0 / WIDTH);
            let (baseline, inner) = (y - 5.0, x + 2.0);
            // Writing to a String does not fail.
            let _ = writeln!(
                boxes,
                "<g><title>{full} ({percent:.2}%)</title><rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{ROW}\" fill=\"{colour}\" stroke=\"white\" stroke-width=\"0.5\"/>\
                 <text x=\"{inner:.1}\" y=\"{baseline:.1}\">{short}</text></g>"
            );
            draw(callee, (x, top), scale, boxes);
        }
        x += width;
    }
}

/// As much of a name as fits.
fn shortened(name: &str, width: f64) -> String {
    let fits = (width / CHARACTER) as usize;
    if fits < 4 { String::new() } else { name.chars().take(fits).collect() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One colour for each stage.
fn colour(stage: &str) -> String {
    let hue = stage.bytes().fold(7_u32, |hue, byte| (hue * 31 + u32::from(byte)) % 360);
    format!("hsl({hue},65%,72%)")
}
