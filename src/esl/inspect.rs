//! Questions about FreeSWITCH itself: what it has, how it is set, what time it has; and answers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::argument::{VariableName, Word};
use super::profiles::records;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspect {
    /// `FreeSWITCH Version 1.10.12-release…`
    Version,
    /// Whether it is ready, and how many sessions there are: see [`load`].
    Status,
    /// The codecs that are loaded: see [`codecs`].
    Codecs,
    /// Whether `${command argument}` runs an API command (`mod_commands.c` ctl_function).
    ApiExpansion,
    /// Its clock, in microseconds since 1970 (`mod_dptools.c` strmicroepoch_api_function).
    Clock,
    /// A global variable; empty where it is unset.
    Global(VariableName),
    /// `true` or `false`.
    HasModule(Word),
    /// One file of its configuration, as it would read it now. There may be passwords in it.
    Settings(ConfigFile),
    /// The whole dialplan of its files (`switch_xml.c` switch_xml_locate without a tag).
    Dialplan,
    /// How `say` speaks a language.
    Language(Word),
}

/// A file of FreeSWITCH's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigFile {
    Switch,
    EventSocket,
    Sofia,
    XmlCurl,
    Lua,
}

impl ConfigFile {
    /// Its name there.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch.conf",
            Self::EventSocket => "event_socket.conf",
            Self::Sofia => "sofia.conf",
            Self::XmlCurl => "xml_curl.conf",
            Self::Lua => "lua.conf",
        }
    }
}

impl fmt::Display for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("version"),
            Self::Status => f.write_str("status"),
            Self::Codecs => f.write_str("show codec as json"),
            Self::ApiExpansion => f.write_str("fsctl api_expansion"),
            Self::Clock => f.write_str("strmicroepoch"),
            Self::Global(name) => write!(f, "global_getvar {}", name.as_str()),
            Self::HasModule(name) => write!(f, "module_exists {}", name.as_str()),
            Self::Settings(file) => {
                write!(f, "xml_locate configuration configuration name {}", file.name())
            }
            Self::Dialplan => f.write_str("xml_locate dialplan"),
            Self::Language(name) => {
                write!(f, "xml_locate languages language name {}", name.as_str())
            }
        }
    }
}

/// How much FreeSWITCH has to do, and how much it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub ready: bool,
    pub sessions: u32,
    pub sessions_max: u32,
    pub per_second_max: u32,
}

/// Reads the answer to [`Inspect::Status`] (`mod_commands.c` status_function); none where it is
/// something else.
pub fn load(text: &str) -> Option<Load> {
    let first = |line: &str| line.split_whitespace().next().and_then(|word| word.parse().ok());
    let line = |part: &str| text.lines().find(|line| line.contains(part));
    let (_, per_second) = line(" per Sec out of max ")?.split_once(" out of max ")?;
    Some(Load {
        ready: line("FreeSWITCH (Version ")?.ends_with("is ready"),
        sessions: first(line("session(s) - peak")?)?,
        sessions_max: first(line("session(s) max")?)?,
        per_second_max: per_second.split(',').next()?.trim().parse().ok()?,
    })
}

/// The codecs that are loaded, by FreeSWITCH's long names: `OPUS (STANDARD)`, `G.711 ulaw`.
///
/// # Errors
/// A sentence when it is not that answer.
pub fn codecs(json: &str) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
    }
    #[derive(Deserialize)]
    struct Rows {
        #[serde(default)]
        rows: Vec<Row>,
    }
    let read: Rows = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok(read.rows.into_iter().map(|row| row.name).collect())
}

/// How a Sofia profile runs. Addresses are what FreeSWITCH made of its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileNetwork {
    /// Where it listens.
    pub sip_ip: String,
    /// The first of its addresses for sound.
    pub rtp_ip: String,
    /// What it says of itself in SIP, where that is another address.
    pub ext_sip_ip: Option<String>,
    /// What it says of itself for sound, where that is another address.
    pub ext_rtp_ip: Option<String>,
    pub context: String,
    pub dialplan: String,
    /// What it offers and takes, such as `OPUS,PCMU`.
    pub codecs: String,
    pub hold_music: String,
}

/// Reads the answer to `sofia xmlstatus profile NAME`; none where no such profile runs.
///
/// # Errors
/// A sentence when it is not that answer.
pub fn network(xml: &str) -> Result<Option<ProfileNetwork>, String> {
    if xml.trim_start().starts_with("Invalid Profile") {
        return Ok(None);
    }
    let found = records(xml, "profile", "profile-info")?.into_iter().next();
    let mut fields: BTreeMap<String, String> = found.ok_or("that says nothing of a profile")?;
    let mut may = |name: &str| fields.remove(name).filter(|text| !text.is_empty());
    Ok(Some(ProfileNetwork {
        ext_sip_ip: may("ext-sip-ip"),
        ext_rtp_ip: may("ext-rtp-ip"),
        sip_ip: may("sip-ip").unwrap_or_default(),
        rtp_ip: may("rtp-ip").unwrap_or_default(),
        context: may("context").unwrap_or_default(),
        dialplan: may("dialplan").unwrap_or_default(),
        codecs: may("inbound-codecs").unwrap_or_default(),
        hold_music: may("hold-music").unwrap_or_default(),
    }))
}

/// Reads, of the answer to `sofia xmlstatus gateway`, each gateway's profile and its proxy's host.
///
/// # Errors
/// A sentence when it is not that answer.
pub fn proxies(xml: &str) -> Result<Vec<(String, String)>, String> {
    let row = |mut fields: BTreeMap<String, String>| {
        let proxy = fields.remove("proxy")?;
        // `sip:host:port;transport=tcp`
        let proxy = proxy.split_once(':').map_or(proxy.as_str(), |(_, rest)| rest);
        let host = proxy.split([':', ';']).next()?.to_owned();
        Some((fields.remove("profile")?, host))
    };
    Ok(records(xml, "gateways", "gateway")?.into_iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_limits_and_what_is_in_use() {
        let text = "UP 0 years, 0 days, 0 hours, 0 minutes, 7 seconds, 1 millisecond, 2 \
            microseconds\nFreeSWITCH (Version 1.10.12-release  64bit) is ready\n12 session(s) \
            since startup\n3 session(s) - peak 4, last 5min 4 \n1 session(s) per Sec out of max \
            50, peak 2, last 5min 2 \n1000 session(s) max\nmin idle cpu 0.00/93.40\nCurrent \
            Stack Size/Max 240K/8192K\n";
        let expected = Load { ready: true, sessions: 3, sessions_max: 1_000, per_second_max: 50 };
        assert_eq!(load(text), Some(expected));
        assert_eq!(load("-ERR status Command not found!"), None);
    }

    #[test]
    fn the_network_of_a_profile_is_what_freeswitch_made_of_it() {
        let xml = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  \
            <profile-info>\n    <name>external</name>\n    <context>callwright</context>\n    \
            <rtp-ip>10.0.0.5</rtp-ip>\n    <rtp-ip>fe80::1</rtp-ip>\n    \
            <ext-rtp-ip>192.0.2.7</ext-rtp-ip>\n    <sip-ip>10.0.0.5</sip-ip>\n    \
            <hold-music>local_stream://moh</hold-music>\n  </profile-info>\n</profile>\n";
        let network = network(xml).unwrap().unwrap();
        assert_eq!((network.rtp_ip.as_str(), network.sip_ip.as_str()), ("10.0.0.5", "10.0.0.5"));
        assert_eq!(network.ext_rtp_ip.as_deref(), Some("192.0.2.7"));
        assert_eq!(network.ext_sip_ip, None);
        assert_eq!(super::network("Invalid Profile!\n"), Ok(None));
        let xml = "<gateways><gateway><name>a</name><profile>external</profile>\
            <proxy>sip:192.0.2.1:5070;transport=tcp</proxy></gateway></gateways>";
        assert_eq!(proxies(xml), Ok(vec![("external".into(), "192.0.2.1".into())]));
    }
}
