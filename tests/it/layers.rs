//! The tree as it is meant: `src/lib.rs` lists the modules in layers, bottom up, as `src/policy/mod.rs` does its own, and
//! nothing is used upwards or in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module by its path, as in `["store", "ledger"]`.
type Module = Vec<String>;

/// The files of a crate by their modules, with the paths that their code uses.
fn uses(root: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut sources = BTreeMap::new();
    read(Path::new(root), &mut Vec::new(), &mut sources);
    let modules: BTreeSet<Module> = sources.keys().cloned().collect();
    let used = |own: &Module, source: &str| {
        let found = paths(own, source);
        found.iter().filter_map(|path| module_of(path, &modules)).filter(|used| used != own).collect()
    };
    sources.iter().map(|(own, source)| (own.clone(), used(own, source))).collect()
}

fn read(dir: &Path, own: &mut Module, sources: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            own.push(name);
            read(&path, own, sources);
            own.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !["lib", "main"].contains(&&*name)
        {
            let module = own.iter().cloned().chain((name != "mod").then_some(name)).collect();
            sources.insert(module, std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The module that a path leads into.
fn module_of(path: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    (1..=path.len()).rev().map(|length| path[..length].to_vec()).find(|start| modules.contains(start))
}

/// The paths in a source that begin with `crate`, `super` or `self`, from the root on.
fn paths(own: &Module, source: &str) -> Vec<Module> {
    let words = words(source);
    let mut found = Vec::new();
    for start in 0..words.len() {
        let continues = words.get(start + 1) == Some(&"::");
        let begins =
            ["crate", "super", "self"].contains(&words[start]) && (start == 0 || words[start - 1] != "::");
        if continues && begins {
            let mut base = if words[start] == "crate" { Vec::new() } else { own.clone() };
            if words[start] == "super" {
                base.pop();
            }
            tree(&words, start + 2, &base, &mut found);
        }
    }
    found
}

/// Adds the paths of a use tree, whose words begin at `at`, and tells where it ends.
fn tree(words: &[&str], mut at: usize, base: &Module, found: &mut Vec<Module>) -> usize {
    let mut path = base.clone();
    loop {
        match words.get(at).copied() {
            Some("super") => drop(path.pop()),
            Some("{") => {
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    at = tree(words, at, &path, found);
                    at += usize::from(words.get(at) == Some(&","));
                }
                return at + 1;
            }
            Some("self") | None => {}
            Some(word) => path.push(word.to_owned()),
        }
        at += 1;
        if words.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.push(path);
    // `as` and the new name.
    if words.get(at) == Some(&"as") { at + 2 } else { at }
}

/// The words and signs of a source without its comments.
fn words(source: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for line in source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()) {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            let (word, after) = rest.split_at(length);
            words.push(word);
            rest = after.trim_start();
        }
    }
    words
}

/// The layers that a file lists, bottom up.
fn layers(file: &str) -> Vec<Vec<String>> {
    let list = std::fs::read_to_string(file).unwrap();
    let groups = list.split("\n\n").map(|group| {
        let modules = group.lines().filter_map(|line| line.strip_suffix(';')?.split_once("mod "));
        modules.map(|(_, name)| name.to_owned()).collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

#[test]
fn modules_use_lower_layers_only() {
    for (file, folder) in [("src/lib.rs", vec![]), ("src/policy/mod.rs", vec!["policy".to_owned()])] {
        let layers = layers(file);
        let layer = |name: &String| layers.iter().position(|layer| layer.contains(name)).unwrap();
        let name =
            |module: &Module| module.starts_with(&folder).then(|| module.get(folder.len()).cloned())?;
        let mut wrong = Vec::new();
        for (own, used) in uses("src") {
            let Some(from) = name(&own) else { continue };
            let upwards = |to: &String| *to != from && layer(to) >= layer(&from);
            for used in used.iter().filter(|used| name(used).is_some_and(|to| upwards(&to))) {
                wrong.push(format!("{} uses {}", own.join("::"), used.join("::")));
            }
        }
        assert!(layers.len() > 5 && wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn within_a_folder_no_files_use_each_other() {
    let circles: Vec<String> = ["src", "tools/load/src"].into_iter().flat_map(circles).collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

fn circles(root: &str) -> Vec<String> {
    // By folder: which of its entries uses which.
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (own, used) in uses(root) {
        for used in used {
            let common = own.iter().zip(&used).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (own.get(common), used.get(common)) {
                let folder = folders.entry(own[..common].to_vec()).or_default();
                folder.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    assert!(!folders.is_empty(), "{root} has no modules");
    let mut circles = Vec::new();
    for (folder, uses) in &folders {
        for (entry, used) in uses {
            for used in used.iter().filter(|used| reached(uses, used).contains(entry)) {
                circles.push(format!(
                    "{root}, {}: {entry} uses {used}, which leads back to it",
                    folder.join("::")
                ));
            }
        }
    }
    circles
}

/// Whatever is used by way of others as well.
fn reached<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = uses.get(from).into_iter().flatten().collect();
    while let Some(entry) = next.pop() {
        if reached.insert(entry) {
            next.extend(uses.get(entry).into_iter().flatten());
        }
    }
    reached
}

/// The reader of sources misses no form in which a module can be named.
#[test]
fn paths_are_found_in_every_form() {
    let own = ["a", "b"].map(str::to_owned).to_vec();
    let source = "use crate::x::{self, y::{One, two}, z as w}; // crate::no\nfn f() { super::c::g(self::d::H) }\n\
        use super::super::e::F;";
    let found: Vec<String> = paths(&own, source).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["x", "x::y::One", "x::y::two", "x::z", "a::c::g", "a::b::d::H", "e::F"]);
}

/// Names that are defined more than once, each with its reason.
const DEFINED_TWICE: [&str; 1] = [
    // Once for each set of databases that is compiled in.
    "ReadableRow",
];

/// The names of the types and traits that a source defines, by itself or by a macro for enumerations and rows. An
/// associated type belongs to its trait, so it does not count.
fn definitions(source: &str) -> Vec<&str> {
    let mut in_macro = false;
    let mut names = Vec::new();
    for line in source.lines() {
        in_macro = match line {
            "text_enum! {" | "row! {" => true,
            "}" => false,
            _ => in_macro,
        };
        names.extend(if in_macro { defined_by_macro(line) } else { defined(line) });
    }
    names
}

fn defined(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let at = words.iter().position(|word| ["struct", "enum", "trait", "type", "union"].contains(word))?;
    let before = words[..at].iter().all(|word| ["", "pub", "crate", "super", "in", "policy"].contains(word));
    let is_associated = words[at] == "type" && line.starts_with(' ') && !line.trim_start().starts_with("pub");
    let name = words.get(at + 1).filter(|name| name.starts_with(char::is_uppercase))?;
    (before && !is_associated).then_some(name)
}

/// The name in `    Name {` and `    Row: Model {`.
fn defined_by_macro(line: &str) -> Option<&str> {
    let name = line.strip_prefix("    ")?.split([':', ' ']).next()?;
    let is_head = line.contains('{') && name.starts_with(char::is_uppercase);
    is_head.then_some(name)
}

#[test]
fn no_type_name_is_used_for_two_things() {
    let mut sources = BTreeMap::new();
    read(Path::new("src"), &mut Vec::new(), &mut sources);
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (module, source) in &sources {
        for name in definitions(source) {
            places.entry(name).or_default().push(module.join("::"));
        }
    }
    assert!(places.len() > 500, "only {} definitions were found", places.len());
    places.retain(|name, places| places.len() > 1 && !DEFINED_TWICE.contains(name));
    assert!(places.is_empty(), "name each of these after what it is: {places:#?}");
}

#[test]
fn definitions_are_found_in_every_form() {
    let source = "pub(in crate::policy) struct One<T>(T);\nenum Two {\n    Variant { a: u8 },\n}\n\
        impl Iterator for X {\n    type Item = u8;\n}\ntext_enum! {\n    /// Doc.\n    Three {\n        A = \"a\",\n    }\n}\n\
        row! {\n    #[derive(Queryable)]\n    Four: Model {\n        id: String,\n    }\n}\ntype Five = u8;\nlet Six = 1;";
    assert_eq!(definitions(source), ["One", "Two", "Three", "Four", "Five"]);
}
