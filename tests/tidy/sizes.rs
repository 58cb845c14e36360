//! Functions and lines that fit on a page.

use crate::source;
use crate::tree::Tree;

const LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Functions allowed to be longer, as `path: name`. The list only becomes shorter.
pub(crate) const LONG: &[&str] = &[];

/// Files allowed to have wider lines. The list only becomes shorter.
pub(crate) const WIDE: &[&str] = &["src/flow/parse/tests.rs"];

pub(crate) fn long_functions(tree: &Tree, allowed: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = Vec::new();
    for (path, text) in tree.rust() {
        let functions = source::read(path, text).map(|source| source.functions).unwrap_or_default();
        for function in functions.iter().filter(|function| function.lines > LINES_MAX) {
            let name = format!("{path}: {}", function.name);
            if !allowed.contains(&name.as_str()) {
                problems.push(format!("{name} has {} lines", function.lines));
            }
            used.push(name);
        }
    }
    problems.extend(unused(allowed, &used));
    problems
}

pub(crate) fn wide_lines(tree: &Tree, allowed: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = Vec::new();
    for (path, text) in tree.rust() {
        for (number, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                if !allowed.contains(&path) {
                    problems.push(format!("{path}:{}: {columns} columns", number + 1));
                }
                used.push(path.to_owned());
            }
        }
    }
    problems.extend(unused(allowed, &used));
    problems
}

fn unused<'a>(allowed: &'a [&str], used: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let idle = allowed.iter().filter(|entry| !used.iter().any(|name| name == **entry));
    idle.map(|entry| format!("{entry} is allowed what it no longer needs: take it off the list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_71_lines_is_found_and_one_of_70_is_not() {
        let function =
            |lines: usize| format!("impl S {{\nfn f() {{\n{}}}\n}}", ";\n".repeat(lines - 2));
        let tree = |lines| Tree::of(&[("src/base/x.rs", function(lines).as_str())]);
        assert_eq!(long_functions(&tree(71), &[]), ["src/base/x.rs: f has 71 lines"]);
        assert_eq!(long_functions(&tree(70), &[]), [""; 0]);
        assert_eq!(long_functions(&tree(71), &["src/base/x.rs: f"]), [""; 0]);
    }

    #[test]
    fn a_line_of_101_characters_is_found_and_one_of_100_is_not() {
        let tree = |columns: usize| Tree::of(&[("tests/x/main.rs", "ü".repeat(columns).as_str())]);
        assert_eq!(wide_lines(&tree(101), &[]), ["tests/x/main.rs:1: 101 columns"]);
        assert_eq!(wide_lines(&tree(100), &[]), [""; 0]);
    }

    #[test]
    fn an_allowance_that_is_no_longer_needed_is_found() {
        assert_eq!(wide_lines(&Tree::default(), &["src/base/x.rs"]).len(), 1);
        assert_eq!(long_functions(&Tree::default(), &["src/base/x.rs: f"]).len(), 1);
    }
}
