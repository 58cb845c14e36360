//! Places that belong together.

use std::collections::BTreeSet;

use crate::tree::Tree;

pub(crate) fn migrations(tree: &Tree) -> Vec<String> {
    let names = |folder| -> BTreeSet<&str> {
        tree.matching(folder, ".sql").map(|(path, _)| &path[folder.len()..]).collect()
    };
    let (postgres, sqlite) = (names("migrations/postgres/"), names("migrations/sqlite/"));
    let lonely = postgres.symmetric_difference(&sqlite);
    let mut problems: Vec<String> =
        lonely.map(|name| format!("migrations: {name} is there for one database only")).collect();
    if postgres.is_empty() {
        problems.push("migrations: there are none".into());
    }
    problems
}

pub(crate) fn architecture(tree: &Tree) -> Vec<String> {
    let Some(text) = tree.files.get("ARCHITECTURE.md") else {
        return vec!["ARCHITECTURE.md is missing".into()];
    };
    let modules: BTreeSet<&str> = tree
        .matching("src/", ".rs")
        .filter_map(|(path, _)| path["src/".len()..].split('/').next())
        .map(|name| name.trim_end_matches(".rs"))
        .filter(|name| *name != "lib")
        .collect();
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing = modules.into_iter().filter(|name| !words.contains(name));
    missing.map(|name| format!("ARCHITECTURE.md does not mention `{name}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_for_one_database_only_is_found() {
        let both =
            [("migrations/postgres/0001_first.sql", ""), ("migrations/sqlite/0001_first.sql", "")];
        assert_eq!(migrations(&Tree::of(&both)), [""; 0]);
        assert_eq!(migrations(&Tree::of(&both[..1])).len(), 1);
        assert_eq!(migrations(&Tree::default()).len(), 1);
    }

    #[test]
    fn a_module_that_architecture_does_not_mention_is_found() {
        let tree = |text| {
            Tree::of(&[("src/esl/mod.rs", ""), ("src/lib.rs", ""), ("ARCHITECTURE.md", text)])
        };
        assert_eq!(architecture(&tree("floor 1: `esl`, bytes")), [""; 0]);
        assert_eq!(architecture(&tree("weasels")).len(), 1);
    }
}
