//! A PostgreSQL that a test may stop.

use std::process::Command;

/// A PostgreSQL of this test's own, for it is going to be stopped.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) url: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        // Short, for a socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("callwright-pg.").tempdir_in("/tmp").unwrap();
        let mut cluster = Self { folder, url: String::new() };
        cluster.url = cluster.tell("start");
        cluster
    }

    /// `start` or `stop`; what was said.
    pub(crate) fn tell(&self, what: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
        let output = Command::new(script).arg(what).arg(self.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tests/postgres {what}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
        let stopped = Command::new(script).arg("stop").arg(self.folder.path()).status();
        assert!(stopped.is_ok());
    }
}
