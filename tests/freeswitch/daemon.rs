//! The daemon and its command line, used as a person uses them.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long the daemon may take to listen.
const START_MAX: Duration = Duration::from_secs(30);
pub(crate) const TENANT: &str = "acme";

pub(crate) struct Daemon {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Daemon {
    /// Sets up a tenant with every flow in `flows/`, then serves. A flow's number is the first word
    /// of its file's name.
    pub(crate) fn start(folder: &Path, port: u16, values: &[(&str, String)]) -> Self {
        let messages = folder.join("messages").display().to_string();
        let spool = folder.join("spool").display().to_string();
        let settings = format!(
            "[switch]\nlisten = \"127.0.0.1:{port}\"\n\
             [store]\nmessage_directory = \"{messages}\"\nspool = \"{spool}\"\n\
             [http]\nallow_private = [\"127.0.0.0/8\"]\n\
             [log]\nfilter = \"info,callwright=debug\"\n"
        );
        fs::write(folder.join("callwright.toml"), settings).unwrap();
        let phones = values.iter().find(|(name, _)| *name == "PHONES_PORT").unwrap();
        let host = format!("127.0.0.1:{}", phones.1);
        let tenant = ["tenant", "add", TENANT, "--sip-host", &host, "--context", "callwright"];
        command_line(folder, &tenant);
        push_flows(folder, values);
        let mut daemon = Self { folder: folder.to_owned(), port, process: serve(folder) };
        daemon.listens();
        daemon
    }

    /// As a power cut would, and then another one.
    pub(crate) fn replace(&mut self) {
        self.kill();
        self.process = serve(&self.folder);
        self.listens();
    }

    #[track_caller]
    fn listens(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let running = self.process.try_wait().unwrap().is_none();
            assert!(running && began.elapsed() < START_MAX, "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("daemon.txt")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `callwright` and gives what it printed.
#[track_caller]
pub(crate) fn command_line(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "callwright {}: {printed}{errors}", arguments.join(" "));
    printed.into_owned()
}

/// What `callwright --json` says.
#[track_caller]
pub(crate) fn json(folder: &Path, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
    serde_json::from_str(&command_line(folder, &all)).unwrap()
}

fn serve(folder: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("daemon.txt"));
    command(folder, &["serve"]).stdout(Stdio::null()).stderr(log.unwrap()).spawn().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callwright"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_remove("CALLWRIGHT_CONFIG");
    command.env("CALLWRIGHT_DATABASE", format!("sqlite:{}", folder.join("calls.db").display()));
    command
}

fn push_flows(folder: &Path, values: &[(&str, String)]) {
    let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/freeswitch/flows");
    for entry in fs::read_dir(flows).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        for (name, value) in values {
            text = text.replace(name, value);
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (number, name) = stem.split_once('-').unwrap();
        let file = folder.join(format!("{name}.yaml"));
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        command_line(folder, &["flow", "push", name, file, "--tenant", TENANT]);
        command_line(folder, &["flow", "publish", name, "--tenant", TENANT]);
        command_line(folder, &["number", "add", number, name, "--tenant", TENANT]);
    }
}
