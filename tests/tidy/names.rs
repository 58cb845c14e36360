//! Names: of tests and of types.

use std::collections::BTreeMap;

use crate::source;
use crate::tree::Tree;

/// The fewest words with which a test's name can claim something.
const WORDS_MIN: usize = 3;

/// Words that say what a type is for the programmer instead of what it is.
const EMPTY_ENDINGS: &[&str] = &["Manager", "Handler", "Service", "Helper", "Util", "Utils"];

pub(crate) fn claims(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (path, text) in tree.rust() {
        let functions = source::read(path, text).map(|source| source.functions).unwrap_or_default();
        for test in functions.into_iter().filter(|function| function.is_test) {
            if test.name.split('_').count() < WORDS_MIN {
                problems.push(format!("{path}: `{}` claims nothing", test.name));
            }
            if let Some(other) = seen.insert(test.name.clone(), path) {
                problems.push(format!("{path}: `{}` is also a test in {other}", test.name));
            }
        }
    }
    problems
}

pub(crate) fn types(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in tree.rust() {
        let types = source::read(path, text).map(|source| source.types).unwrap_or_default();
        let empty = |name: &&String| EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending));
        problems.extend(types.iter().filter(empty).map(|name| format!("{path}: `{name}`")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_claims_nothing_is_found() {
        let tree = Tree::of(&[("src/base/x.rs", "#[tokio::test] async fn it_works() {}")]);
        assert_eq!(claims(&tree), ["src/base/x.rs: `it_works` claims nothing"]);
    }

    #[test]
    fn two_tests_of_one_name_are_found() {
        let text = "#[test] fn a_call_ends() {}";
        let tree = Tree::of(&[("src/base/x.rs", text), ("tests/x/main.rs", text)]);
        assert_eq!(claims(&tree).len(), 1);
    }

    #[test]
    fn a_type_named_for_nothing_is_found() {
        let tree = Tree::of(&[("src/base/x.rs", "struct CallManager; struct Managed;")]);
        assert_eq!(types(&tree), ["src/base/x.rs: `CallManager`"]);
    }
}
