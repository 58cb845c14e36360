//! The repository's text files, by path.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Folders that hold nothing we wrote.
const SKIPPED: &[&str] =
    &[".git", "target", "tests/data", "tests/fuzz/target", "tests/fuzz/corpus"];

/// Paths relative to the repository's root, with `/`, and what the files say.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn of_repository() -> Self {
        let mut tree = Self::default();
        tree.read(Path::new(env!("CARGO_MANIFEST_DIR")), "");
        assert!(tree.files.contains_key("Cargo.toml"), "this is not the repository's root");
        tree
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
        Self { files }
    }

    fn read(&mut self, folder: &Path, prefix: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if SKIPPED.contains(&path.as_str()) {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                self.read(&entry.path(), &format!("{path}/"));
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                self.files.insert(path, text);
            }
        }
    }

    /// Files whose path begins with `start` and ends with `end`.
    pub(crate) fn matching<'a>(
        &'a self,
        start: &'a str,
        end: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.starts_with(start) && path.ends_with(end))
    }

    /// Rust files of the crate, its tests and its benches.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        ["src/", "tests/", "benches/"].into_iter().flat_map(|folder| self.matching(folder, ".rs"))
    }
}
