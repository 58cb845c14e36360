//! Gateways of `mod_sofia`: what is ordered of them, and how they are.

use std::fmt;

use quick_xml::Reader;
use quick_xml::events::Event as XmlEvent;

use super::argument::{VariableName, Word};
use super::event::Event;
use crate::base::ids::GatewayName;

/// Gateways in one answer, at most.
const GATEWAYS_MAX: usize = 20_000;

/// The commands about gateways (`mod_sofia.c` cmd_profile, cmd_xml_status,
/// sofia_gateway_data_function).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SofiaApi {
    /// Asks for all gateways of all profiles: see [`gateways`].
    Gateways,
    /// Gives a gateway up: it unregisters first, and `sofia::gateway_delete` tells when it is gone.
    Kill { profile: Word, gateway: GatewayName },
    /// Has a profile look for gateways that it does not have yet.
    Rescan { profile: Word },
    /// Has a gateway register now.
    Register { profile: Word, gateway: GatewayName },
    /// Asks for a variable of the calls that go out through a gateway; nothing where it is unset.
    Variable { gateway: GatewayName, name: VariableName },
    /// Has FreeSWITCH read its lists of networks again (`mod_commands.c` reload_acl_function).
    ReloadAcl,
    /// Asks for the name by which this FreeSWITCH introduces itself.
    SwitchName,
}

impl fmt::Display for SofiaApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateways => f.write_str("sofia xmlstatus gateway"),
            Self::Kill { profile, gateway } => {
                write!(f, "sofia profile {} killgw {gateway}", profile.as_str())
            }
            Self::Register { profile, gateway } => {
                write!(f, "sofia profile {} register {gateway}", profile.as_str())
            }
            Self::Rescan { profile } => write!(f, "sofia profile {} rescan", profile.as_str()),
            Self::Variable { gateway, name } => {
                write!(f, "sofia_gateway_data {gateway} ovar {}", name.as_str())
            }
            Self::ReloadAcl => f.write_str("reloadacl"),
            Self::SwitchName => f.write_str("switchname"),
        }
    }
}

/// How a gateway stands with its provider (`mod_sofia.c` sofia_state_names).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegState {
    /// It is to register, or to do it again.
    Unregistered,
    Trying,
    /// The provider said yes; within a second it is registered.
    Registering,
    Registered,
    Unregistering,
    Failed,
    /// It waits until it tries again.
    FailWait,
    /// It does not register.
    NoRegister,
    /// It is about to be deleted.
    Down,
    /// Nobody answered.
    Timeout,
}

impl RegState {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "UNREGED" | "EXPIRED" => Self::Unregistered,
            "TRYING" => Self::Trying,
            "REGISTER" => Self::Registering,
            "REGED" => Self::Registered,
            "UNREGISTER" => Self::Unregistering,
            "FAILED" => Self::Failed,
            "FAIL_WAIT" => Self::FailWait,
            "NOREG" => Self::NoRegister,
            "DOWN" => Self::Down,
            "TIMEOUT" => Self::Timeout,
            _ => return None,
        })
    }
}

/// A gateway as FreeSWITCH has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRow {
    pub name: String,
    pub profile: String,
    pub state: RegState,
    /// Whether calls may go out through it.
    pub up: bool,
}

/// Reads the answer to [`SofiaApi::Gateways`]. Only what has no characters of XML in it is read:
/// FreeSWITCH does not escape the rest everywhere (`mod_sofia.c` xml_gateway_status).
///
/// # Errors
/// A sentence when it is not that answer.
pub fn gateways(xml: &str) -> Result<Vec<GatewayRow>, String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_dangling_amp = true;
    let (mut rows, mut row, mut field) = (Vec::new(), None, Vec::new());
    let mut whole = false;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            XmlEvent::Start(tag) if tag.name().as_ref() == b"gateway" => {
                row = Some(Draft::default())
            }
            XmlEvent::Start(tag) => field = tag.name().as_ref().to_vec(),
            XmlEvent::Text(text) => {
                if let Some(row) = &mut row {
                    row.take(&field, &String::from_utf8_lossy(&text));
                }
            }
            XmlEvent::End(tag) if tag.name().as_ref() == b"gateway" => {
                rows.extend(row.take().and_then(Draft::done));
            }
            XmlEvent::End(tag) => {
                field.clear();
                whole |= tag.name().as_ref() == b"gateways";
            }
            XmlEvent::Eof => break,
            _ => {}
        }
        if rows.len() > GATEWAYS_MAX {
            return Err(format!("there are more than {GATEWAYS_MAX} gateways"));
        }
    }
    if whole { Ok(rows) } else { Err("that is no list of gateways, or not all of it".to_owned()) }
}

#[derive(Debug, Default)]
struct Draft {
    name: String,
    profile: String,
    state: Option<RegState>,
    up: bool,
}

impl Draft {
    fn take(&mut self, field: &[u8], text: &str) {
        match field {
            b"name" => text.clone_into(&mut self.name),
            b"profile" => text.clone_into(&mut self.profile),
            b"state" => self.state = RegState::named(text),
            b"status" => self.up = text == "UP",
            _ => {}
        }
    }

    fn done(self) -> Option<GatewayRow> {
        let Self { name, profile, state, up } = self;
        Some(GatewayRow { name, profile, state: state?, up })
    }
}

/// What is told of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayNews {
    State(GatewayState),
    Deleted { name: String },
}

/// One change of a gateway's state (`sofia_reg.c` sofia_reg_fire_custom_gateway_state_event).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayState {
    pub name: String,
    pub state: RegState,
    pub up: bool,
    /// What the provider answered; 900 and above are sofia-sip's own.
    pub code: Option<u16>,
    pub phrase: String,
    /// Whether anybody ever answered; else the code is FreeSWITCH's own.
    pub heard: bool,
    /// The FreeSWITCH that tells it.
    pub switch: String,
    /// When, in microseconds of FreeSWITCH's clock.
    pub at_us: i64,
}

/// Longest phrase that is kept, in characters.
const PHRASE_MAX: usize = 200;

/// Reads an event; none of another kind.
pub fn news(event: &Event) -> Option<GatewayNews> {
    let text = |name: &str| event.header(name).map(|value| value.text().into_owned());
    let name = text("Gateway")?;
    match text("Event-Subclass")?.as_str() {
        "sofia::gateway_delete" => Some(GatewayNews::Deleted { name }),
        "sofia::gateway_state" => {
            let phrase = text("Phrase").unwrap_or_default();
            Some(GatewayNews::State(GatewayState {
                name,
                state: RegState::named(&text("State")?)?,
                up: text("Ping-Status").as_deref() == Some("UP"),
                code: event.header("Status").and_then(|code| code.number()),
                heard: event.header("Register-Network-IP").is_some(),
                phrase: phrase.chars().filter(|c| !c.is_control()).take(PHRASE_MAX).collect(),
                switch: text("FreeSWITCH-Switchname")?,
                at_us: event.header("Event-Date-Timestamp").and_then(|at| at.number())?,
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_although_freeswitch_leaves_characters_as_they_are() {
        let xml = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<gateways>\n  <gateway>\n    \
            <name>cw-1</name>\n    <profile>external</profile>\n    <realm>a & b</realm>\n    \
            <from>&lt;sip:a@b&gt;</from>\n    <state>REGED</state>\n    <status>UP</status>\n  \
            </gateway>\n  <gateway>\n    <name>x</name>\n    <profile>p</profile>\n    \
            <state>FAIL_WAIT</state>\n    <status>DOWN</status>\n    <retry>12s</retry>\n  \
            </gateway>\n</gateways>\n";
        let rows = gateways(xml).unwrap();
        let shown: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.state, row.up)).collect();
        let expected = [("cw-1", RegState::Registered, true), ("x", RegState::FailWait, false)];
        assert_eq!(shown, expected);
        assert_eq!(rows[0].profile, "external");
        assert_eq!(gateways("<gateways>\n</gateways>\n"), Ok(Vec::new()));
        for bad in ["", "-ERR no reply\n", "<gateways><gateway><name>a</name>"] {
            assert!(gateways(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_state_is_read_with_what_the_provider_said() {
        let json = br#"{"Event-Name": "CUSTOM", "Event-Subclass": "sofia::gateway_state",
            "Gateway": "cw-1", "State": "FAILED", "Ping-Status": "DOWN", "Status": "403",
            "Phrase": "Forbidden\u0007", "Register-Network-IP": "192.0.2.1",
            "FreeSWITCH-Switchname": "one",
            "Event-Date-Timestamp": "1700000000000001"}"#;
        let expected = GatewayState {
            name: "cw-1".into(),
            state: RegState::Failed,
            up: false,
            code: Some(403),
            phrase: "Forbidden".into(),
            heard: true,
            switch: "one".into(),
            at_us: 1_700_000_000_000_001,
        };
        let event = Event::from_json(json).unwrap();
        assert_eq!(news(&event), Some(GatewayNews::State(expected)));
        let other = br#"{"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register"}"#;
        assert_eq!(news(&Event::from_json(other).unwrap()), None);
    }
}
