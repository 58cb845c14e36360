//! A daemon that is really started, in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long anything may take that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at something that has to happen.
const LOOK: Duration = Duration::from_millis(5);

/// Where daemons run one after another: settings, database, control socket, logs.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A free port, a short grace, and what `settings` says beside.
    pub(crate) fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all = format!("grace = \"1s\"\n{settings}\n[switch]\nlisten = \"127.0.0.1:0\"\n");
        fs::write(folder.path().join("callwright.toml"), all).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::null());
        for name in ["CALLWRIGHT_CONFIG", "CALLWRIGHT_DATABASE", "NOTIFY_SOCKET", "LISTEN_FDS"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs `callwright` with these words, and gives what it prints.
    #[track_caller]
    pub(crate) fn type_line(&self, words: &str) -> String {
        let mut command = self.command(env!("CARGO_BIN_EXE_callwright"));
        command.args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "callwright {words}: {printed}{errors}");
        printed.into_owned()
    }

    /// Starts `callwright` with one argument.
    pub(crate) fn start(&self, argument: &str) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_callwright"));
        command.arg(argument);
        self.spawn(command)
    }

    pub(crate) fn spawn(&self, mut command: Command) -> Running {
        let number = fs::read_dir(self.path()).unwrap().count();
        let log = self.path().join(format!("log-{number}"));
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Running { child, log }
    }

    /// Asks whoever has the control socket.
    pub(crate) fn ask(&self, request: &Value) -> Option<Value> {
        let mut stream = UnixStream::connect(self.path().join("callwright.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    pub(crate) fn status(&self) -> Option<Value> {
        self.ask(&json!({ "do": "status" }))
    }

    /// Waits for a daemon that is not this process, and gives its number.
    #[track_caller]
    pub(crate) fn successor(&self, of: i32, of_whom: &Running) -> i32 {
        eventually(of_whom, || {
            let pid = i32::try_from(self.status()?["pid"].as_i64()?).unwrap();
            (pid != of).then_some(pid)
        })
    }

    #[track_caller]
    pub(crate) fn address(&self, running: &Running) -> SocketAddr {
        eventually(running, || self.status()?["address"].as_str()?.parse().ok())
    }
}

/// A process; it ends with the test.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A supervisor takes its workers with it only if it is asked.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::CONT);
            self.signal(Signal::TERM);
            let began = Instant::now();
            while self.child.try_wait().is_ok_and(|status| status.is_none()) {
                if began.elapsed() > PATIENCE {
                    drop(self.child.kill());
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits until there is something to be had.
#[track_caller]
pub(crate) fn eventually<T>(running: &Running, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come to that:\n{}", running.log());
        std::thread::sleep(LOOK);
    }
}
