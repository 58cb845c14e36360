//! The kinds of step: each is written down in the places that CONTRIBUTING.md's table names.

use std::collections::BTreeSet;

use crate::tree::Tree;

const LIST: &str = "src/flow/kind/mod.rs";
const GUIDE: &str = "CONTRIBUTING.md";

/// The folders in which each kind has a file, in the order of the table's columns.
const PLACES: &[&str] = &["src/flow/kind/", "src/call/step/", "tests/"];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let (Some(list), Some(guide)) = (tree.files.get(LIST), tree.files.get(GUIDE)) else {
        return vec![format!("{LIST} or {GUIDE} is missing")];
    };
    let kinds = kinds(list);
    let mut problems: Vec<String> =
        kinds.iter().flat_map(|kind| missing(tree, guide, kind)).collect();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let strangers = rows.filter(|name| !kinds.contains(*name));
    problems.extend(strangers.map(|name| format!("{GUIDE}: there is no kind `{name}`")));
    problems.extend(unlisted(tree, guide));
    problems
}

/// The variants of `enum Step`, as they are written in a flow.
fn kinds(list: &str) -> BTreeSet<String> {
    let file = syn::parse_file(list).unwrap();
    let step = file.items.iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == "Step" => Some(item),
        _ => None,
    });
    step.into_iter().flat_map(|step| &step.variants).map(|v| snake(&v.ident.to_string())).collect()
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// What a kind's row lacks: `| `kind` | `path` | `path` | `path` |`.
fn missing(tree: &Tree, guide: &str, kind: &str) -> Vec<String> {
    let start = format!("| `{kind}` |");
    let Some(row) = guide.lines().find(|line| line.starts_with(&start)) else {
        return vec![format!("{GUIDE}: no row for the kind `{kind}`")];
    };
    let paths: Vec<&str> = row[start.len()..].split('`').skip(1).step_by(2).collect();
    let mut problems = Vec::new();
    for place in PLACES {
        let found = paths.iter().find(|path| path.starts_with(place));
        match found.and_then(|path| tree.files.get(*path)) {
            None => problems.push(format!("{GUIDE}: the row of `{kind}` names no file in {place}")),
            Some(text) if *place == "tests/" && !mentions(text, kind) => {
                problems.push(format!("{}: says nothing of `{kind}`", found.unwrap()));
            }
            Some(_) => {}
        }
    }
    problems
}

/// Whether a text holds the kind as a word: in a flow (`kind: menu`), a name or a sentence.
fn mentions(text: &str, kind: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word == kind)
}

/// Files of the kinds' folders that no row names.
fn unlisted(tree: &Tree, guide: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for place in &PLACES[..2] {
        for (path, _) in tree.matching(place, ".rs") {
            if path != format!("{place}mod.rs") && !guide.contains(&format!("`{path}`")) {
                problems.push(format!("{GUIDE}: no row names {path}"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str =
        "| `ring` | `src/flow/kind/ring.rs` | `src/call/step/ring.rs` | `tests/x.rs` |";

    fn tree(guide: &str, missing: &str) -> Tree {
        let mut tree = Tree::of(&[
            (LIST, "enum Step { Ring(ring::Ring) }"),
            ("src/flow/kind/ring.rs", ""),
            ("src/call/step/ring.rs", ""),
            ("tests/x.rs", "fn ring_tells_the_caller() {}"),
            (GUIDE, guide),
        ]);
        tree.files.remove(missing);
        tree
    }

    #[test]
    fn a_kind_with_everything_in_its_place_passes() {
        assert_eq!(problems(&tree(ROW, "")), [""; 0]);
    }

    #[test]
    fn a_kind_without_a_row_or_one_of_its_files_is_found() {
        assert!(!problems(&tree("", "")).is_empty());
        for path in ["src/flow/kind/ring.rs", "src/call/step/ring.rs", "tests/x.rs"] {
            assert_eq!(problems(&tree(ROW, path)).len(), 1, "{path}");
        }
    }

    #[test]
    fn a_kind_that_no_test_mentions_is_found() {
        let mut silent = tree(ROW, "");
        silent.files.insert("tests/x.rs".into(), "fn bringing() {}".into());
        assert_eq!(problems(&silent), ["tests/x.rs: says nothing of `ring`"]);
    }

    #[test]
    fn a_row_for_nothing_and_a_file_without_a_row_are_found() {
        let mut odd = tree(&format!("{ROW}\n| `sing` | |"), "");
        odd.files.insert("src/call/step/sing.rs".into(), String::new());
        assert_eq!(problems(&odd).len(), 2);
    }
}
