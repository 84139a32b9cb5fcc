//! The README is short.

use super::markdown::DOCUMENTS;

#[test]
fn the_readme_has_at_most_1200_words() {
    let words = DOCUMENTS["README.md"].text.split_whitespace().count();
    assert!(words <= 1200, "{words} words: move something to docs/");
}

/// The figures of the README are measured ones: docs/performance.md has each of them.
#[test]
fn the_readme_has_the_figures_of_the_measurements() {
    let [readme, measured] =
        ["README.md", "docs/performance.md"].map(|path| DOCUMENTS[path].text.replace(',', ""));
    let (_, speed) = readme.split_once("\n## Speed\n").unwrap();
    let speed = speed.split("\n## ").next().unwrap();
    let is_figure = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let figures: Vec<&str> = speed.split([' ', '\n', '|']).filter(is_figure).collect();
    assert!(figures.len() >= 3, "{speed}");
    for figure in figures {
        let figure = figure.trim_end_matches(['.', ';', ':']);
        assert!(measured.contains(figure), "docs/performance.md does not have {figure}");
    }
}

/// Its policy is the one that the guide develops, tests and explains.
#[test]
fn the_policy_of_the_readme_is_the_guides() {
    let guide = &DOCUMENTS["docs/guides/write-a-policy.md"].text;
    let blocks = DOCUMENTS["README.md"].blocks.iter().filter(|block| block.language == "cedar");
    let texts: Vec<&str> = blocks.map(|block| block.text.as_str()).collect();
    assert!(!texts.is_empty() && texts.iter().all(|text| guide.contains(text)));
}
