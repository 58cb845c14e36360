//! Gateways of the simulated FreeSWITCH: it asks for them as mod_xml_curl does, and whoever it
//! registers with says yes, unless the password is the one below.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::StandIn;
use crate::base::masked::Masked;
use crate::simulator::Overheard;

/// A password that no provider takes, for seeing what that looks like.
const WRONG: &str = "wrong";
/// How long a provider takes to answer.
const ANSWER: Duration = Duration::from_millis(300);
/// How long the directory may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where FreeSWITCH asks for gateways, and how it says who it is.
#[derive(Debug, Clone)]
pub struct Directory {
    pub url: String,
    pub user: String,
    pub password: Masked<String>,
}

/// A gateway as it was read.
#[derive(Debug, Clone, Default)]
struct Gateway {
    profile: String,
    mark: String,
    registers: bool,
    refused: bool,
    state: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct Sofia {
    directory: Mutex<Option<Directory>>,
    gateways: Mutex<BTreeMap<String, Gateway>>,
}

impl Sofia {
    pub(super) fn asks(&self, directory: Option<Directory>) {
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = directory;
    }

    fn gateways(&self) -> MutexGuard<'_, BTreeMap<String, Gateway>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn obey(&self, standin: &StandIn, words: &[&str]) -> Vec<u8> {
        let text = match words {
            ["sofia", "xmlstatus"] => "<profiles>\n</profiles>\n".to_owned(),
            ["sofia", "xmlstatus", "gateway"] => self.list(),
            ["sofia", "xmlstatus", "profile", _] => "Invalid Profile!\n".to_owned(),
            ["sofia", "profile", profile, "rescan"] => self.look(standin, profile).await,
            ["sofia", "profile", _, "killgw", gateway] => self.give_up(standin, gateway),
            ["sofia", "profile", _, "register", gateway] => {
                register(standin.clone(), (*gateway).to_owned());
                "+OK\n".to_owned()
            }
            ["sofia_gateway_data", gateway, "ovar", _] => {
                self.gateways().get(*gateway).map(|own| own.mark.clone()).unwrap_or_default()
            }
            _ => "+OK\n".to_owned(),
        };
        text.into_bytes()
    }

    fn list(&self) -> String {
        let mut text = "<gateways>\n".to_owned();
        for (name, gateway) in &*self.gateways() {
            let Gateway { profile, state, .. } = gateway;
            let status = if *state == "FAIL_WAIT" { "DOWN" } else { "UP" };
            text.push_str(&format!(
                "<gateway>\n<name>{name}</name>\n<profile>{profile}</profile>\n\
                 <state>{state}</state>\n<status>{status}</status>\n</gateway>\n"
            ));
        }
        text + "</gateways>\n"
    }

    /// Takes the gateways that a profile lacks (`sofia.c` parse_domain_tag).
    async fn look(&self, standin: &StandIn, profile: &str) -> String {
        let xml = match self.ask(profile).await {
            Ok(xml) => xml,
            Err(error) => {
                tracing::warn!(%error, "the simulated switch can't ask for gateways");
                return "-ERR no directory\n".to_owned();
            }
        };
        for (name, mut gateway) in read(&xml) {
            profile.clone_into(&mut gateway.profile);
            let mut known = self.gateways();
            if !known.contains_key(&name) {
                known.insert(name.clone(), gateway);
                drop(known);
                register(standin.clone(), name);
            }
        }
        "Reload XML [Success]\n+OK scan complete\n".to_owned()
    }

    async fn ask(&self, profile: &str) -> Result<String, reqwest::Error> {
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Directory { url, user, password }) = directory else { return Ok(String::new()) };
        let form = [
            ("hostname", "sim"),
            ("section", "directory"),
            ("tag_name", "domain"),
            ("key_value", "callwright"),
            ("purpose", "gateways"),
            ("profile", profile),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let asked = client.post(url).basic_auth(user, Some(password.reveal())).body(body);
        asked.send().await?.error_for_status()?.text().await
    }

    fn give_up(&self, standin: &StandIn, gateway: &str) -> String {
        if self.gateways().remove(gateway).is_some() {
            let headers = [("Event-Subclass", "sofia::gateway_delete"), ("Gateway", gateway)];
            standin.tell(Overheard::new("CUSTOM", &headers, None));
        }
        "+OK\n".to_owned()
    }

    /// The next state of a gateway that is there, with what the provider answered.
    fn change(&self, name: &str, answered: bool) -> Option<(&'static str, Option<(&str, &str)>)> {
        let mut known = self.gateways();
        let gateway = known.get_mut(name)?;
        let (state, answer) = match (gateway.registers, answered, gateway.refused) {
            (false, ..) => ("NOREG", None),
            (true, false, _) => ("TRYING", None),
            (true, true, false) => ("REGED", Some(("200", "OK"))),
            (true, true, true) => ("FAIL_WAIT", Some(("403", "Forbidden"))),
        };
        gateway.state = state;
        Some((state, answer))
    }
}

/// Registers with whoever that is, by and by.
fn register(standin: StandIn, name: String) {
    tokio::spawn(async move {
        for answered in [false, true] {
            let Some((state, answer)) = standin.0.sofia.change(&name, answered) else { return };
            let state = if state == "FAIL_WAIT" { "FAILED" } else { state };
            let at = Timestamp::now().as_microsecond().to_string();
            let mut headers = vec![
                ("Event-Subclass", "sofia::gateway_state"),
                ("Gateway", name.as_str()),
                ("State", state),
                ("Ping-Status", if state == "FAILED" { "DOWN" } else { "UP" }),
                ("FreeSWITCH-Switchname", "sim"),
                ("Event-Date-Timestamp", at.as_str()),
            ];
            if let Some((status, phrase)) = answer {
                let told = [("Status", status), ("Phrase", phrase)];
                headers.extend(told.into_iter().chain([("Register-Network-IP", "192.0.2.1")]));
            }
            standin.tell(Overheard::new("CUSTOM", &headers, None));
            tokio::time::sleep(ANSWER).await;
        }
    });
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

/// The gateways of an answer; what can't be read ends it.
fn read(xml: &str) -> Vec<(String, Gateway)> {
    let mut reader = Reader::from_str(xml);
    let mut found: Vec<(String, Gateway)> = Vec::new();
    while let Ok(event) = reader.read_event() {
        let (Event::Start(tag) | Event::Empty(tag)) = event else {
            if matches!(event, Event::Eof) {
                break;
            }
            continue;
        };
        let name = attribute(&tag, "name").unwrap_or_default();
        if tag.name().as_ref() == b"gateway" {
            found.push((name, Gateway { state: "TRYING", ..Gateway::default() }));
        } else if let Some((_, gateway)) = found.last_mut() {
            let value = attribute(&tag, "value").unwrap_or_default();
            match name.as_str() {
                "callwright_mark" => gateway.mark = value,
                "register" => gateway.registers = value == "true",
                "password" => gateway.refused = value == WRONG,
                _ => {}
            }
        }
    }
    found
}
