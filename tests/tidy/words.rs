//! Words that stand nowhere in the repository. They are put together here from halves, so that this
//! file may be read by its own rule.

use crate::tree::Tree;

const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "do it"),
    (concat!("TO", "DO"), "do it"),
    (concat!("XX", "X "), "do it"),
    (concat!("dbg", "!("), "take it out"),
    (concat!("todo", "!("), "do it"),
    (concat!("unimplemented", "!("), "do it"),
    (concat!("#[ign", "ore"), "a test runs or is not there"),
    (concat!("#[should_", "panic"), "say which error is expected"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/op", "t/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("cw-", "target"), "a path of one machine"),
];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in &tree.files {
        if path == "Cargo.lock" || path.starts_with("LICENSE") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let found = FORBIDDEN.iter().filter(|(word, _)| line.contains(word));
            problems.extend(
                found.map(|(word, advice)| format!("{path}:{}: {word}: {advice}", number + 1)),
            );
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forbidden_word_is_found_in_any_file() {
        for (word, _) in FORBIDDEN {
            let text = format!("fine\n{word}");
            let found = problems(&Tree::of(&[("tests/run", text.as_str())]));
            assert!(found[0].starts_with("tests/run:2: "), "{word}");
        }
        assert_eq!(problems(&Tree::of(&[("README.md", "a toad of work")])), [""; 0]);
    }
}
