//! The daemon and its command line, used as a person uses them.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sound;
use crate::stub::TRACES;
use crate::switch::{DOMAIN, PASSWORD, Ports};

/// How long the daemon may take to listen.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take until it knows a call, or does what is asked.
const KNOWN_MAX: Duration = Duration::from_secs(20);
pub(crate) const TENANT: &str = "acme";
/// What who waits hears, in Hz.
pub(crate) const MUSIC: f64 = 925.0;
/// What phones show before the name of who calls to talk.
pub(crate) const LABEL: &str = "Sales";
/// The tenant's rules for conversations.
const TALK: &str = "
music: music
park: { slots: 701-709, announce: nothing }
monitor:
  groups: { agents: ['3052540'] }
  supervisors: { '3077540': { may: [listen, whisper, barge], groups: [agents] } }
";

/// Numbers go without their 0 to the carrier that has no line, and then to the other.
const ROUTE: &str = "
prefix: '0'
strip: 1
gateways: [{ gateway: broken }, { gateway: carrier, order: 1 }]
";

/// A schedule that is open all day long.
const SHOP: &str = "
weekly: { mon: ['00:00-24:00'], tue: ['00:00-24:00'], wed: ['00:00-24:00'], thu: ['00:00-24:00'],
  fri: ['00:00-24:00'], sat: ['00:00-24:00'], sun: ['00:00-24:00'] }
";

pub(crate) struct Daemon {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Daemon {
    /// Sets up a tenant with every flow in `flows/`, then serves. A flow's number is the first word
    /// of its file's name.
    pub(crate) fn start(folder: &Path, ports: Ports, values: &[(&str, String)]) -> Self {
        let Ports { daemon: port, event, api, xml_curl, .. } = ports;
        let stub =
            values.iter().find(|(name, _)| *name == "STUB_PORT").map_or("", |(_, port)| port);
        let control = folder.join("control.sock").display().to_string();
        let messages = folder.join("messages").display().to_string();
        let spool = folder.join("spool").display().to_string();
        let settings = format!(
            "[switch]\nlisten = \"127.0.0.1:{port}\"\n\
             [control]\nsocket = \"{control}\"\n\
             [[link]]\naddress = \"127.0.0.1:{event}\"\npassword = \"{PASSWORD}\"\n\
             [store]\nmessage_directory = \"{messages}\"\nspool = \"{spool}\"\n\
             [api]\nlisten = \"127.0.0.1:{api}\"\n\
             [xml_curl]\nlisten = \"127.0.0.1:{xml_curl}\"\npassword = \"{PASSWORD}\"\n\
             [http]\nallow_private = [\"127.0.0.0/8\"]\n\
             [health]\nlisten = \"127.0.0.1:0\"\n\
             [traces]\nendpoint = \"http://127.0.0.1:{stub}{TRACES}\"\n\
             [log]\nfilter = \"info,callwright=debug\"\n"
        );
        fs::write(folder.join("callwright.toml"), settings).unwrap();
        let host = format!("127.0.0.1:{}", ports.phones);
        let tenant = ["tenant", "add", TENANT, "--domain", DOMAIN, "--sip-host", &host];
        let carriers = ["--gateway", "broken", "--gateway", "carrier"];
        let more = ["--context", "callwright"];
        command_line(folder, &[&tenant[..], &more, &carriers].concat());
        fs::write(folder.join("route.yaml"), ROUTE).unwrap();
        command_line(folder, &["outbound", "route", "home", "route.yaml", "--tenant", TENANT]);
        fs::write(folder.join("rules.yaml"), "denied: ['0900']").unwrap();
        command_line(folder, &["outbound", "rules", "rules.yaml", "--tenant", TENANT]);
        fs::write(folder.join("talk.yaml"), TALK).unwrap();
        command_line(folder, &["tenant", "talk", TENANT, "talk.yaml"]);
        let music = folder.join("music.wav");
        sound::write(&music, MUSIC, Duration::from_secs(10));
        let music = music.display().to_string();
        command_line(folder, &["prompt", "add", "music", &music, "--tenant", TENANT]);
        command_line(folder, &["room", "den", "--tenant", TENANT, "set"]);
        command_line(folder, &["room", "hall", "--tenant", TENANT, "set"]);
        fs::write(folder.join("shop.yaml"), SHOP).unwrap();
        command_line(folder, &["schedule", "put", "shop", "shop.yaml", "--tenant", TENANT]);
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

/// The call that this number has made, once the daemon knows it.
#[track_caller]
pub(crate) fn live_call(folder: &Path, caller: &str) -> String {
    let began = Instant::now();
    loop {
        let calls = json(folder, &["calls", "--live"]);
        let calls = calls.as_array().unwrap();
        let known = calls.iter().find(|call| call["known"]["caller_number"] == caller);
        if let Some(known) = known {
            return known["call"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < KNOWN_MAX, "{caller} is not among {calls:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Has `callwright` do something, which it may refuse as long as it does not know all of a call
/// again.
#[track_caller]
pub(crate) fn order(folder: &Path, arguments: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let all: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
        let output = command(folder, &all).stderr(Stdio::piped()).output().unwrap();
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(began.elapsed() < KNOWN_MAX, "callwright {}: {errors}", arguments.join(" "));
        std::thread::sleep(Duration::from_millis(250));
    }
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
        // An x is any digit.
        let pattern = format!("^{}$", number.replace('x', "\\d"));
        let number = if number.contains('x') { &[&pattern, "--pattern"][..] } else { &[number] };
        let file = folder.join(format!("{name}.yaml"));
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        command_line(folder, &["flow", "push", name, file, "--tenant", TENANT]);
        command_line(folder, &["flow", "publish", name, "--tenant", TENANT]);
        let add = [&["number", "add"], number, &[name, "--tenant", TENANT]];
        let label = if name == "talk" { &["--label", LABEL][..] } else { &[] };
        command_line(folder, &[&add.concat(), label].concat());
    }
}
