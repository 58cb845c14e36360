//! A FreeSWITCH as far as its `mod_sofia` and its Event Socket matter here: it asks mod_xml_curl's
//! question where the real one does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use callwright::switch::link::LinkConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const CORE: &str = "929d0d60-700f-4c1d-8036-9a283b06828a";

/// A profile that runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) gateways: BTreeMap<String, String>,
    /// How often it was started, and read again.
    pub(crate) started: u32,
    pub(crate) read_again: u32,
    pub(crate) calls: u32,
    /// It was started less than ten seconds ago.
    pub(crate) young: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Sofia {
    pub(crate) profiles: BTreeMap<String, Running>,
    /// Ports that other programs have.
    pub(crate) taken: BTreeSet<String>,
    pub(crate) files: BTreeSet<String>,
    /// All commands.
    pub(crate) seen: Vec<String>,
    xml_curl: String,
    tell: Option<mpsc::UnboundedSender<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeSwitch {
    address: String,
    state: Arc<Mutex<Sofia>>,
}

impl FakeSwitch {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let own = Self { address, state: Arc::default() };
        let serving = own.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        own.lock().profiles.insert("external".to_owned(), Running::default());
        own
    }

    pub(crate) fn link(&self) -> LinkConfig {
        LinkConfig { address: self.address.clone(), ..LinkConfig::default() }
    }

    /// Where mod_xml_curl asks.
    pub(crate) fn asks(&self, xml_curl: String) {
        self.lock().xml_curl = xml_curl;
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Sofia> {
        self.state.lock().unwrap()
    }

    /// Tells an event.
    pub(crate) fn tell(&self, headers: &str) {
        let body = format!("Event-Name: CUSTOM\n{headers}\n\n");
        let event =
            format!("Content-Length: {}\nContent-Type: text/event-plain\n\n{body}", body.len());
        self.lock().tell.as_ref().unwrap().send(event).unwrap();
    }

    async fn serve(self, stream: TcpStream) {
        let (mut reader, mut writer) = stream.into_split();
        let (say, mut said) = mpsc::unbounded_channel::<String>();
        self.lock().tell = Some(say.clone());
        tokio::spawn(async move {
            while let Some(text) = said.recv().await {
                if writer.write_all(text.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
        say.send("Content-Type: auth/request\n\n".to_owned()).unwrap();
        let mut read = Vec::new();
        while reader.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
            while let Some(end) = read.windows(2).position(|pair| pair == b"\n\n") {
                let packet = String::from_utf8(read.drain(..end + 2).collect()).unwrap();
                for text in self.answer(packet.trim_end()).await {
                    drop(say.send(text));
                }
            }
        }
    }

    async fn answer(&self, packet: &str) -> Vec<String> {
        if packet.starts_with("api global_getvar core_uuid") {
            let length = CORE.len();
            return vec![format!("Content-Type: api/response\nContent-Length: {length}\n\n{CORE}")];
        }
        let Some((command, id)) = packet.split_once("\nJob-UUID: ") else {
            return vec!["Content-Type: command/reply\nReply-Text: +OK accepted\n\n".to_owned()];
        };
        let command = command.trim_start_matches("bgapi ");
        self.lock().seen.push(command.to_owned());
        let words: Vec<&str> = command.split(' ').collect();
        let output = self.run(&words).await;
        let body = format!(
            "Event-Name: BACKGROUND_JOB\nJob-UUID: {id}\nContent-Length: {}\n\n{output}",
            output.len()
        );
        vec![
            format!(
                "Content-Type: command/reply\nReply-Text: +OK Job-UUID: {id}\nJob-UUID: {id}\n\n"
            ),
            format!("Content-Length: {}\nContent-Type: text/event-plain\n\n{body}", body.len()),
        ]
    }

    async fn run(&self, words: &[&str]) -> String {
        match words {
            ["switchname"] => "one".to_owned(),
            ["sofia", "xmlstatus"] => self.lock().list(),
            ["sofia", "xmlstatus", "gateway"] => self.lock().gateways(),
            ["sofia", "xmlstatus", "profile", name] => self.lock().show(name),
            ["sofia", "profile", name, "start"] => self.start(name).await,
            ["sofia", "profile", name, "rescan"] => self.rescan(name).await,
            ["sofia", "profile", name, "restart"] if self.lock().is_young(name) => {
                format!("Profile {name} must be up for at least 10 seconds to stop/restart.\n")
            }
            ["sofia", "profile", name, "restart"] => {
                self.lock().profiles.remove(*name);
                self.load(name, false).await;
                format!("Reload XML [Success]\nrestarting: {name}")
            }
            ["sofia", "profile", name, "stop"] => {
                self.lock().profiles.remove(*name);
                format!("Reload XML [Success]\nstopping: {name}")
            }
            ["sofia_gateway_data", gateway, "ovar", _] => self.lock().mark(gateway),
            ["file_exists", path] => self.lock().files.contains(*path).to_string(),
            _ => "+OK\n".to_owned(),
        }
    }

    async fn start(&self, name: &str) -> String {
        if self.load(name, true).await {
            return format!("Reload XML [Success]\n{name} started successfully\n");
        }
        format!("Reload XML [Success]\nFailure starting {name}\n")
    }

    async fn rescan(&self, name: &str) -> String {
        if !self.lock().profiles.contains_key(name) {
            return format!("Invalid Profile [{name}]");
        }
        if name.starts_with("cw-") {
            self.load(name, true).await;
        } else {
            self.look(name).await;
        }
        "Reload XML [Success]\n+OK scan complete\n".to_owned()
    }

    /// Whether it is told of such a profile; where its port is taken it ends later, and says
    /// nothing.
    async fn load(&self, name: &str, again: bool) -> bool {
        let mut form = vec![("key_value", "sofia.conf"), ("profile", name)];
        form.extend(again.then_some(("reconfig", "true")));
        let xml = self.ask("configuration", &form).await;
        let params = params(&xml, "settings");
        if params.is_empty() {
            return false;
        }
        {
            let mut state = self.lock();
            if state.taken.contains(params.get("sip-port").map_or("", String::as_str)) {
                return true;
            }
            let own = state.profiles.entry(name.to_owned()).or_default();
            let began = own.started == 0;
            own.params.extend(params);
            own.started += u32::from(began);
            own.read_again += u32::from(!began);
        }
        self.look(name).await;
        true
    }

    /// Has a profile take the gateways that it lacks.
    async fn look(&self, name: &str) {
        let form = [
            ("tag_name", "domain"),
            ("key_value", "callwright"),
            ("purpose", "gateways"),
            ("profile", name),
        ];
        let xml = self.ask("directory", &form).await;
        let read = roxmltree::Document::parse(&xml).unwrap();
        let gateways = read.descendants().filter(|node| node.has_tag_name("gateway"));
        let found: Vec<_> = gateways
            .map(|node| {
                let mark = node
                    .descendants()
                    .find(|node| node.attribute("name") == Some("callwright_mark"));
                let mark = mark.and_then(|node| node.attribute("value")).unwrap();
                (node.attribute("name").unwrap().to_owned(), mark.to_owned())
            })
            .collect();
        if let Some(profile) = self.lock().profiles.get_mut(name) {
            for (gateway, mark) in found {
                profile.gateways.entry(gateway).or_insert(mark);
            }
        }
    }

    async fn ask(&self, section: &str, form: &[(&str, &str)]) -> String {
        let url = format!("http://{}/freeswitch", self.lock().xml_curl);
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("hostname", "one"), ("section", section)])
            .extend_pairs(form)
            .finish();
        let client = reqwest::Client::new();
        let asked = client.post(url).basic_auth("freeswitch", Some("between us")).body(body);
        asked.send().await.unwrap().text().await.unwrap()
    }
}

fn params(xml: &str, within: &str) -> BTreeMap<String, String> {
    let read = roxmltree::Document::parse(xml).unwrap();
    let params = read.descendants().filter(|node| {
        node.has_tag_name("param") && node.parent().is_some_and(|one| one.has_tag_name(within))
    });
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    params.map(|node| (text(node.attribute("name")), text(node.attribute("value")))).collect()
}

impl Sofia {
    fn is_young(&self, name: &str) -> bool {
        self.profiles.get(name).is_some_and(|profile| profile.young)
    }

    fn list(&self) -> String {
        let mut text = "<profiles>\n".to_owned();
        for (name, profile) in &self.profiles {
            let (port, calls) = (profile.params.get("sip-port"), profile.calls);
            let port = port.map_or("5080", String::as_str);
            text.push_str(&format!(
                "<profile>\n<name>{name}</name>\n<type>profile</type>\n\
                 <data>sip:mod_sofia@127.0.0.1:{port}</data>\n\
                 <state>RUNNING ({calls})</state>\n</profile>\n"
            ));
        }
        text + "</profiles>\n"
    }

    fn show(&self, name: &str) -> String {
        let Some(profile) = self.profiles.get(name) else { return "Invalid Profile!\n".into() };
        let hosts = profile.params.get("presence-hosts").map_or("", String::as_str);
        format!(
            "<profile>\n<profile-info>\n<name>{name}</name>\n<pres-hosts>{hosts}</pres-hosts>\n\
             <registrations>7</registrations>\n</profile-info>\n</profile>\n"
        )
    }

    fn gateways(&self) -> String {
        let mut text = "<gateways>\n".to_owned();
        for (profile, running) in &self.profiles {
            for gateway in running.gateways.keys() {
                text.push_str(&format!(
                    "<gateway>\n<name>{gateway}</name>\n<profile>{profile}</profile>\n\
                     <state>REGED</state>\n<status>UP</status>\n</gateway>\n"
                ));
            }
        }
        text + "</gateways>\n"
    }

    fn mark(&self, gateway: &str) -> String {
        let found = self.profiles.values().find_map(|profile| profile.gateways.get(gateway));
        found.cloned().unwrap_or_default()
    }
}
