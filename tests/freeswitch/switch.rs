//! A FreeSWITCH of our own, and its inbound Event Socket.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long FreeSWITCH may take to start on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);
/// What the phones speak that can be called, in Hz; each as many phones.
pub(crate) const SPOKEN: [u32; 3] = [525, 625, 775];
const PHONES: u32 = 60;
pub(crate) const DOMAIN: &str = "acme.example";
pub(crate) const PASSWORD: &str = "for-this-test";

/// The ports of one run, none of them fixed.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) event: u16,
    pub(crate) internal: u16,
    pub(crate) external: u16,
    pub(crate) phones: u16,
    pub(crate) daemon: u16,
    pub(crate) api: u16,
    pub(crate) xml_curl: u16,
    /// Of a profile that the daemon keeps.
    pub(crate) desks: u16,
    rtp: u16,
}

impl Ports {
    fn free() -> Self {
        let udp: Vec<_> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let tcp: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let udp: Vec<u16> = udp.iter().map(|s| s.local_addr().unwrap().port()).collect();
        let tcp: Vec<u16> = tcp.iter().map(|s| s.local_addr().unwrap().port()).collect();
        // Below the ports that the kernel gives out; FreeSWITCH tries each before it uses it.
        let rtp = 12_000 + u16::try_from(std::process::id() % 40).unwrap() * 400;
        let [internal, external, phones, desks] = udp[..] else { unreachable!() };
        let [event, daemon, api, xml_curl] = tcp[..] else { unreachable!() };
        Self { event, internal, external, phones, daemon, api, xml_curl, desks, rtp }
    }
}

pub(crate) struct Switch {
    pub(crate) ports: Ports,
    folder: PathBuf,
    process: Child,
    link: Mutex<BufReader<TcpStream>>,
    seen: Arc<Mutex<Seen>>,
}

/// What FreeSWITCH told of.
#[derive(Default)]
struct Seen {
    /// Why each leg that is over has ended.
    ended: BTreeMap<String, String>,
    /// Each recording's file, when it began and when it ended, in microseconds.
    recorded: BTreeMap<String, (u64, Option<u64>)>,
}

impl Switch {
    pub(crate) fn start(prefix: &str, folder: &Path) -> Self {
        let ports = Ports::free();
        configure(folder, ports);
        Self::launch(prefix, folder, ports)
    }

    /// Killed as by a power cut, and started anew on the same ports.
    pub(crate) fn restart(&mut self, prefix: &str) {
        drop(self.process.kill());
        drop(self.process.wait());
        *self = Self::launch(prefix, &self.folder.clone(), self.ports);
    }

    fn launch(prefix: &str, folder: &Path, ports: Ports) -> Self {
        let mut command = Command::new(Path::new(prefix).join("bin/freeswitch"));
        command.args(["-nonat", "-np", "-nf", "-nc", "-conf"]).arg(folder.join("freeswitch-conf"));
        for kind in ["log", "db", "run", "storage", "recordings", "temp", "cache", "certs"] {
            fs::create_dir_all(folder.join(kind)).unwrap();
            command.arg(format!("-{kind}")).arg(folder.join(kind));
        }
        let console = fs::File::create(folder.join("console.txt")).unwrap();
        command.stdin(Stdio::null()).stdout(console.try_clone().unwrap()).stderr(console);
        let mut process = command.spawn().expect("FREESWITCH_PREFIX names an installation");
        let link = connect(ports.event, &mut process);
        let seen = Arc::default();
        watch(connect(ports.event, &mut process), Arc::clone(&seen));
        let link = Mutex::new(link);
        let switch = Self { ports, folder: folder.to_owned(), process, link, seen };
        let began = Instant::now();
        while switch.api("sofia status").matches("RUNNING").count() < 3 {
            assert!(began.elapsed() < START_MAX, "profiles: {}", switch.api("sofia status"));
            std::thread::sleep(Duration::from_millis(100));
        }
        switch
    }

    /// Runs an API command and gives its answer.
    pub(crate) fn api(&self, command: &str) -> String {
        let mut link = self.link.lock().unwrap();
        link.get_mut().write_all(format!("api {command}\n\n").as_bytes()).unwrap();
        frame(&mut link).expect("FreeSWITCH answers").1.trim().to_owned()
    }

    /// Starts an API command that takes its time; its answer is not waited for.
    pub(crate) fn begin(&self, command: &str) {
        let mut link = self.link.lock().unwrap();
        link.get_mut().write_all(format!("bgapi {command}\n\n").as_bytes()).unwrap();
        frame(&mut link).expect("FreeSWITCH answers");
    }

    /// FreeSWITCH's cause for the end of a leg, when it has ended.
    pub(crate) fn ended(&self, uuid: &str) -> Option<String> {
        self.seen.lock().unwrap().ended.get(uuid).cloned()
    }

    /// How long a recording ran by FreeSWITCH's clock, once it is over.
    pub(crate) fn recorded(&self, id: &str) -> Option<Duration> {
        let seen = self.seen.lock().unwrap();
        let (_, (began, ended)) = seen.recorded.iter().find(|(path, _)| path.contains(id))?;
        Some(Duration::from_micros((*ended)? - began))
    }

    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.folder.join("log/freeswitch.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn connect(port: u16, process: &mut Child) -> BufReader<TcpStream> {
    let began = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            panic!("FreeSWITCH ended: {status}");
        }
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut link = BufReader::new(stream);
            frame(&mut link).expect("a greeting");
            link.get_mut().write_all(format!("auth {PASSWORD}\n\n").as_bytes()).unwrap();
            let (head, _) = frame(&mut link).expect("an answer");
            assert!(head.contains("+OK"), "{head}");
            return link;
        }
        assert!(began.elapsed() < START_MAX, "no Event Socket on port {port}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Notes every leg's end, and every recording's, until FreeSWITCH is gone.
fn watch(mut link: BufReader<TcpStream>, seen: Arc<Mutex<Seen>>) {
    let wanted = b"event plain CHANNEL_HANGUP_COMPLETE RECORD_START RECORD_STOP\n\n";
    link.get_mut().write_all(wanted).unwrap();
    std::thread::spawn(move || {
        while let Ok((_, event)) = frame(&mut link) {
            let value = |name| event.lines().find_map(|line: &str| line.strip_prefix(name));
            let at = value("Event-Date-Timestamp: ").and_then(|text| text.parse::<u64>().ok());
            let (name, path) = (value("Event-Name: "), value("Record-File-Path: "));
            let mut seen = seen.lock().unwrap();
            match (name, path, at) {
                (Some("RECORD_START"), Some(path), Some(at)) => {
                    seen.recorded.insert(path.to_owned(), (at, None));
                }
                (Some("RECORD_STOP"), Some(path), at) => {
                    seen.recorded.entry(path.to_owned()).and_modify(|(_, ended)| *ended = at);
                }
                _ => {
                    let (uuid, cause) = (value("Unique-ID: "), value("Hangup-Cause: "));
                    let ended = uuid.zip(cause);
                    seen.ended.extend(ended.map(|(uuid, why)| (uuid.to_owned(), why.to_owned())));
                }
            }
        }
    });
}

/// One frame: its header lines and its body.
fn frame(link: &mut BufReader<TcpStream>) -> std::io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\n\n") {
        if link.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |digits| digits.trim().parse().unwrap())];
    link.read_exact(&mut body)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

/// The project's own files, with other ports and a third profile for the phones.
fn configure(folder: &Path, ports: Ports) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["freeswitch-conf", "dialplan"] {
        copy(&root.join(name), &folder.join(name));
    }
    let phones = root.join("tests/freeswitch/phones");
    let conf = folder.join("freeswitch-conf");
    fs::copy(phones.join("profile.xml"), conf.join("sip_profiles/phones.xml")).unwrap();
    fs::copy(phones.join("dialplan.xml"), folder.join("dialplan/phones.xml")).unwrap();
    let gateways = conf.join("sip_profiles/external/phones.xml");
    fs::copy(phones.join("gateways.xml"), gateways).unwrap();
    fs::write(conf.join("directory/phones.xml"), directory(ports)).unwrap();
    // Whoever registers is put there by its scene.
    fs::create_dir_all(conf.join("sip_profiles/phones")).unwrap();
    let heard = folder.join("heard");
    fs::create_dir_all(&heard).unwrap();
    let settings = [
        ("internal_sip_port", ports.internal.to_string()),
        ("external_sip_port", ports.external.to_string()),
        ("rtp_start_port", ports.rtp.to_string()),
        ("rtp_end_port", (ports.rtp + 399).to_string()),
        ("event_socket_port", ports.event.to_string()),
        ("event_socket_password", PASSWORD.to_owned()),
        ("callwright_address", format!("127.0.0.1:{}", ports.daemon)),
        ("callwright_xml_curl", format!("http://127.0.0.1:{}/freeswitch", ports.xml_curl)),
        ("callwright_xml_curl_password", PASSWORD.to_owned()),
        // The announcement as one tone that the tests know.
        ("callwright_announcement", "tone_stream://%(1000,0,1900)".to_owned()),
    ];
    let mut text = fs::read_to_string(conf.join("vars.xml")).unwrap();
    for (name, value) in settings {
        let start = text.find(&format!("data=\"{name}=")).expect(name);
        let length = text[start..].find("\"/>").unwrap();
        text.replace_range(start..start + length, &format!("data=\"{name}={value}"));
    }
    let set = |what: String| format!("  <X-PRE-PROCESS cmd=\"set\" data=\"{what}\"/>\n");
    let ours = [
        set(format!("phones_port={}", ports.phones)),
        set(format!("phones_heard={}", heard.display())),
        "</include>".to_owned(),
    ];
    fs::write(conf.join("vars.xml"), text.replace("</include>", &ours.concat())).unwrap();
}

/// The phones that can be called, as users of the tenant's domain.
fn directory(ports: Ports) -> String {
    let numbers = (0..PHONES).flat_map(|nth| SPOKEN.map(|hz| called(hz, nth)));
    let users: String = numbers.map(|number| format!("<user id=\"{number}\"/>\n")).collect();
    let to = format!("sofia/external/${{dialed_user}}@127.0.0.1:{}", ports.phones);
    // FreeSWITCH drops a line in which `<include>` stands, whatever else is on it.
    format!(
        "<include>\n<domain name=\"{DOMAIN}\">\n\
         <params><param name=\"dial-string\" value=\"{to}\"/></params>\n\
         <groups><group name=\"phones\"><users>\n{users}</users></group></groups>\n\
         </domain>\n</include>\n"
    )
}

/// The number of a phone that answers and speaks this tone.
pub(crate) fn called(hz: u32, nth: u32) -> String {
    format!("3{hz:04}{nth:02}")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
