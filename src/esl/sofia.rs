//! Gateways of `mod_sofia`: what is ordered of them, and how they are.

use std::fmt;

use super::argument::{FilePath, VariableName, Word};
use super::event::Event;
use super::profiles::{Fields, records};
use crate::base::ids::GatewayName;

/// The commands about gateways and profiles (`mod_sofia.c` cmd_profile, cmd_xml_status,
/// sofia_gateway_data_function).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SofiaApi {
    /// Asks for all gateways of all profiles: see [`gateways`].
    Gateways,
    /// Gives a gateway up: it unregisters first, and `sofia::gateway_delete` tells when it is gone.
    Kill { profile: Word, gateway: GatewayName },
    /// Has a profile read again what can change while it runs, and look for gateways that it does
    /// not have yet.
    Rescan { profile: Word },
    /// Has a gateway register now.
    Register { profile: Word, gateway: GatewayName },
    /// Asks for a variable of the calls that go out through a gateway; nothing where it is unset.
    Variable { gateway: GatewayName, name: VariableName },
    /// Asks for all profiles that run: see [`super::profiles::profiles`].
    Profiles,
    /// Asks for one: see [`super::profiles::profile`].
    Profile { profile: Word },
    /// Has a profile started, or more. That it can't be done is said without `-ERR`, and whether
    /// it listens is only seen by asking for it.
    Run { profile: Word, run: Run },
    /// Asks whether a file is there: `true` or `false` (`mod_commands.c` file_exists_function).
    FileExists { path: FilePath },
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
            Self::Profiles => f.write_str("sofia xmlstatus"),
            Self::Profile { profile } => write!(f, "sofia xmlstatus profile {}", profile.as_str()),
            Self::Run { profile, run } => {
                write!(f, "sofia profile {} {}", profile.as_str(), run.name())
            }
            Self::FileExists { path } => write!(f, "file_exists {}", path.as_str()),
            Self::ReloadAcl => f.write_str("reloadacl"),
            Self::SwitchName => f.write_str("switchname"),
        }
    }
}

/// What is to be done with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Start,
    /// Refused in its first ten seconds.
    Restart,
    /// Refused in its first ten seconds.
    Stop,
}

impl Run {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Stop => "stop",
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

/// Reads the answer to [`SofiaApi::Gateways`].
///
/// # Errors
/// A sentence when it is not that answer.
pub fn gateways(xml: &str) -> Result<Vec<GatewayRow>, String> {
    let row = |mut fields: Fields| {
        let mut take = |name: &str| fields.remove(name).unwrap_or_default();
        let state = RegState::named(&take("state"))?;
        let up = take("status") == "UP";
        Some(GatewayRow { name: take("name"), profile: take("profile"), state, up })
    };
    Ok(records(xml, "gateways", "gateway")?.into_iter().filter_map(row).collect())
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
