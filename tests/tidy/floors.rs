//! The floors: a module uses only modules of lower ones.

use crate::source;
use crate::tree::Tree;

/// From the ground up. Modules of one floor don't know each other.
const FLOORS: &[&[&str]] = &[
    &["base"],
    &["esl", "flow", "model"],
    &["call", "simulator"],
    &["reach", "switch", "store", "telemetry", "vault"],
    &["driver", "keyring", "report"],
    &["archive", "control", "hooks", "sip"],
    &["api", "provision"],
    &["app"],
    &["cli"],
    &["main"],
];

/// Modules that do no I/O and read no clock.
const PURE: &[&str] = &["base", "esl", "flow", "model", "call", "simulator"];

const DENIAL: &str = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top-level module in which a file of `src` lies; none for `lib.rs`, which names them all.
fn module_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let name = inner.split('/').next()?.trim_end_matches(".rs");
    (name != "lib").then_some(name)
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in tree.matching("src/", ".rs") {
        let Some(own) = module_of(path) else { continue };
        let Some(own_floor) = floor(own) else {
            problems.push(format!("{path}: `{own}` stands on no floor: give it one in FLOORS"));
            continue;
        };
        let used = match source::read(path, text) {
            Ok(source) => source.modules,
            Err(error) => {
                problems.push(error);
                continue;
            }
        };
        for name in used.iter().filter(|name| *name != own) {
            // A name without a floor is an item of the crate's root, or of a macro: lib.rs has
            // none.
            if floor(name).is_some_and(|other| other >= own_floor && own != "main") {
                problems.push(format!("{path}: `{own}` must not know `{name}`"));
            }
        }
    }
    problems.dedup();
    problems
}

pub(crate) fn impure(tree: &Tree) -> Vec<String> {
    let heads = PURE.iter().map(|module| (module, format!("src/{module}/mod.rs")));
    let existing = heads.filter_map(|(module, path)| Some((module, tree.files.get(&path)?)));
    existing
        .filter(|(_, text)| !text.lines().any(|line| line == DENIAL))
        .map(|(module, _)| format!("src/{module}/mod.rs lacks {DENIAL}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(path: &str, text: &str) -> Vec<String> {
        problems(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn a_lower_floor_that_calls_up_is_found_however_it_is_written() {
        let ways = [
            "use crate::driver::run;",
            "use crate::{base::ids::Id, driver::{run as _, stop}};",
            "use super::super::driver;",
            "fn f() { crate::driver::run() }",
            "fn f() -> super::super::driver::Run { loop {} }",
            "fn f() { println!(\"{}\", crate::driver::NAME) }",
            "mod inner { use super::super::super::driver; }",
            "struct S { run: Vec<crate::driver::Run> }",
        ];
        for text in ways {
            let found = planted("src/flow/parse.rs", text);
            assert_eq!(found, ["src/flow/parse.rs: `flow` must not know `driver`"], "{text}");
        }
    }

    #[test]
    fn siblings_on_one_floor_that_know_each_other_are_found() {
        assert_eq!(planted("src/esl/mod.rs", "use crate::flow::Flow;").len(), 1);
    }

    #[test]
    fn lower_floors_and_the_own_module_may_be_named() {
        let text =
            "use crate::{base::ids::Id, flow::Flow};\nuse super::input::Event;\nuse std::fmt;";
        assert_eq!(planted("src/call/run.rs", text), [""; 0]);
    }

    #[test]
    fn a_module_without_a_floor_is_found() {
        assert_eq!(planted("src/helpers.rs", "").len(), 1);
    }

    #[test]
    fn a_pure_module_without_its_denial_is_found() {
        assert_eq!(impure(&Tree::of(&[("src/esl/mod.rs", "//! Frames.\n")])).len(), 1);
        assert_eq!(impure(&Tree::of(&[("src/esl/mod.rs", DENIAL)])), [""; 0]);
    }
}
