//! One worker process, seen from outside.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::app::sockets::SUPERVISOR;
use crate::control::notify;

/// Longest word of a worker, in bytes.
const WORD_MAX: usize = 4_096;
/// Words read at one look.
const WORDS_MAX: usize = 64;
/// A worker that somebody has stopped for so long (SIGSTOP) is replaced.
const STOPPED_MAX: Duration = Duration::from_millis(500);
/// How long a worker may take to be ready.
const START_MAX: Duration = Duration::from_secs(60);

/// What is run, and with what.
#[derive(Debug, Clone)]
pub struct Program {
    /// Looked up again for each worker: what is installed there meanwhile takes effect.
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
}

/// What a look at a worker shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It takes calls now.
    Ready,
    /// It takes no more calls, and will end.
    Stopping,
    /// It has ended.
    Dead(String),
    /// It does nothing any more, for this reason.
    Stuck(&'static str),
}

/// A worker and what is known of it.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    pid: Pid,
    words: UnixDatagram,
    words_path: PathBuf,
    began: Instant,
    ready: bool,
    stopping: bool,
    beat: Instant,
    stopped: Option<Instant>,
    /// Until when it may live.
    until: Option<Instant>,
    watchdog: Duration,
}

impl Worker {
    /// Starts a worker, which finds its sockets at `sockets`; its words come through a socket in
    /// `folder`.
    pub(super) fn start(
        program: &Program,
        folder: &Path,
        sockets: &Path,
        number: u64,
        watchdog: Duration,
    ) -> io::Result<Self> {
        let words_path = folder.join(format!("words-{number}"));
        let words = UnixDatagram::bind(&words_path)?;
        words.set_nonblocking(true)?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .env(notify::SOCKET, &words_path)
            .env(notify::WATCHDOG, watchdog.as_micros().to_string())
            .env(SUPERVISOR, sockets)
            .env_remove(notify::WATCHDOG_PID)
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = id.ok_or_else(|| io::Error::other("the worker has no number"))?;
        let now = Instant::now();
        Ok(Self {
            child,
            pid,
            words,
            words_path,
            began: now,
            ready: false,
            stopping: false,
            beat: now,
            stopped: None,
            until: None,
            watchdog,
        })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it takes no more calls.
    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Since it was started.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// What has happened to it since the last look.
    pub(super) fn look(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.hear(&mut seen);
        match self.child.try_wait() {
            Ok(Some(status)) => seen.push(Seen::Dead(status.to_string())),
            Ok(None) => seen.extend(self.stuck().map(Seen::Stuck)),
            Err(error) => seen.push(Seen::Dead(error.to_string())),
        }
        seen
    }

    fn hear(&mut self, seen: &mut Vec<Seen>) {
        let mut word = [0; WORD_MAX];
        for _ in 0..WORDS_MAX {
            let Ok(length) = self.words.recv(&mut word) else { return };
            let text = String::from_utf8_lossy(word.get(..length).unwrap_or_default());
            self.beat = Instant::now();
            for line in text.lines() {
                match line {
                    "READY=1" => {
                        self.ready = true;
                        seen.push(Seen::Ready);
                    }
                    "STOPPING=1" => {
                        self.stopping = true;
                        seen.push(Seen::Stopping);
                    }
                    _ => {}
                }
            }
        }
    }

    fn stuck(&mut self) -> Option<&'static str> {
        // Without WNOWAIT the news would be ours; the end is tokio's.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), options).ok().flatten();
        match status.filter(|status| status.stopped()) {
            None => self.stopped = None,
            Some(_) => {
                let since = *self.stopped.get_or_insert_with(Instant::now);
                if since.elapsed() >= STOPPED_MAX {
                    return Some("it was stopped");
                }
            }
        }
        if self.until.is_some_and(|until| until <= Instant::now()) {
            return Some("it does not end");
        }
        if !self.ready {
            return (self.age() > START_MAX).then_some("it does not become ready");
        }
        (self.beat.elapsed() > self.watchdog).then_some("its event loop gives no sign")
    }

    /// Asks it to end, at most so long.
    pub(super) fn end(&mut self, within: Duration) {
        self.until = Some(Instant::now() + within);
        self.signal(Signal::TERM);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // tokio has not waited for it yet: the number is still its own.
        if let Err(error) = kill_process(self.pid, signal) {
            tracing::debug!(pid = self.pid(), %error, "a signal did not arrive");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The directory goes with the supervisor anyway.
        let _ = std::fs::remove_file(&self.words_path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks until something is seen.
    async fn see(worker: &mut Worker) -> Vec<Seen> {
        for _ in 0..4_000 {
            let seen = worker.look();
            if !seen.is_empty() {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("nothing is seen");
    }

    #[tokio::test]
    async fn a_worker_whose_loop_gives_no_sign_is_found_stuck() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program {
            path: "sleep".into(),
            arguments: vec!["600".into()],
            environment: Vec::new(),
        };
        let watchdog = Duration::from_millis(100);
        let sockets = folder.path().join("sockets");
        let mut worker = Worker::start(&program, folder.path(), &sockets, 1, watchdog).unwrap();
        assert_eq!(worker.look(), []);
        let words = UnixDatagram::unbound().unwrap();
        words.connect(folder.path().join("words-1")).unwrap();
        words.send(b"READY=1\nSTATUS=ready: 0 calls").unwrap();
        assert_eq!(see(&mut worker).await, [Seen::Ready]);
        words.send(b"WATCHDOG=1").unwrap();
        assert_eq!(see(&mut worker).await, [Seen::Stuck("its event loop gives no sign")]);
        worker.kill();
        let mut seen = worker.look();
        while !matches!(seen.as_slice(), [Seen::Dead(_)]) {
            seen = see(&mut worker).await;
        }
    }
}
