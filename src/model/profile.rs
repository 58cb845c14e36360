//! Sofia profiles that the operator keeps here: where FreeSWITCH speaks SIP, and how.

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gateway::Transport;
use super::sip::{Codec, MediaEncryption, ProfileName};

/// What the names of these profiles begin with: FreeSWITCH's own files have others.
pub const PREFIX: &str = "cw-";
/// Codecs of one profile.
const CODECS_MAX: usize = 32;
/// Longest path, in bytes.
const PATH_MAX: usize = 255;

/// For whom a profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileFor {
    /// Each call and registration is asked for a password.
    Phones,
    /// Calls come from the networks of gateways and of FreeSWITCH's list `providers`, without a
    /// password.
    Providers,
}

/// When a profile is started anew, or stopped: that ends its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartWhen {
    /// When it has no call. As long as it has one, it goes on as it was.
    #[default]
    Idle,
    /// At once.
    Now,
}

/// TLS of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileTls {
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The directory on FreeSWITCH's machine that has its certificate and key in `agent.pem`, and
    /// in `cafile.pem` those whom it trusts; absolute.
    #[schemars(length(min = 1, max = 255))]
    pub certificates: String,
    /// Whether the certificates of servers that it connects to are checked.
    #[serde(default)]
    pub verify: bool,
}

/// A profile as the operator lays it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileSettings {
    #[serde(rename = "for")]
    pub whom: ProfileFor,
    /// Where it listens by UDP and TCP.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// How SIP may travel: UDP and TCP where nothing is said; TLS where `tls` is given, alone or
    /// with others.
    #[serde(default = "plain")]
    #[schemars(length(min = 1, max = 3))]
    pub transports: Vec<Transport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ProfileTls>,
    /// The address at which it listens, for SIP and sound; without one, FreeSWITCH's own guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// The address by which others reach it, where it stands behind a NAT itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub external_address: Option<IpAddr>,
    /// Whether those at the other end may be behind a NAT: they are answered where they were heard
    /// from, and phones are kept in reach by OPTIONS.
    #[serde(default = "yes")]
    pub nat: bool,
    /// The best first; without any, all that FreeSWITCH has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub codecs: Vec<Codec>,
    /// Whether the sound of calls over it is encrypted; where a gateway or an extension is
    /// stricter, that counts. A change is in force for the next call.
    #[serde(default, skip_serializing_if = "MediaEncryption::is_off")]
    pub encryption: MediaEncryption,
    #[serde(default)]
    pub restart: RestartWhen,
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

fn plain() -> Vec<Transport> {
    vec![Transport::Udp, Transport::Tcp]
}

/// What makes no sense in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct ProfileFault {
    pub field: &'static str,
    pub why: &'static str,
}

impl ProfileSettings {
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), ProfileFault> {
        let fault = |field, why| Err(ProfileFault { field, why });
        if self.port == 0 {
            return fault("port", "expected 1 to 65535");
        }
        if self.codecs.len() > CODECS_MAX {
            return fault("codecs", "there are more than 32");
        }
        let addresses = [("address", self.address), ("external_address", self.external_address)];
        for (field, address) in addresses {
            if address.is_some_and(|address| address.is_unspecified() || address.is_multicast()) {
                return fault(field, "expected the address of one machine");
            }
        }
        let mut transports = self.transports.clone();
        transports.sort_unstable();
        transports.dedup();
        if transports.is_empty() || transports.len() != self.transports.len() {
            return fault("transports", "expected one to three, each once");
        }
        match (&self.tls, self.has(Transport::Tls)) {
            (None, false) => Ok(()),
            (None, true) => fault("tls", "`transports` has TLS: say its port and certificates"),
            (Some(_), false) => fault("transports", "`tls` is given: expected `tls` here"),
            (Some(tls), true) => tls.check(self.port),
        }
    }

    /// Whether SIP may travel so.
    pub fn has(&self, transport: Transport) -> bool {
        self.transports.contains(&transport)
    }

    /// Whether both could not listen at once on one machine.
    pub fn meets(&self, other: &Self) -> bool {
        let ports = |settings: &Self| {
            let plain = settings.has(Transport::Udp) || settings.has(Transport::Tcp);
            [plain.then_some(settings.port), settings.tls.as_ref().map(|tls| tls.port)]
        };
        let others = ports(other);
        let same_port = ports(self).into_iter().flatten().any(|port| others.contains(&Some(port)));
        let apart = match (self.address, other.address) {
            (Some(own), Some(other)) => own != other,
            _ => false,
        };
        same_port && !apart
    }
}

impl ProfileTls {
    fn check(&self, plain: u16) -> Result<(), ProfileFault> {
        let fault = |field, why| Err(ProfileFault { field, why });
        if self.port == 0 || self.port == plain {
            return fault("tls.port", "expected 1 to 65535, and not `port`");
        }
        let path = &self.certificates;
        let byte = |b: u8| b.is_ascii_alphanumeric() || b"/_.-+".contains(&b);
        let up = path.split('/').any(|part| part == "..");
        if !path.starts_with('/') || path.len() > PATH_MAX || !path.bytes().all(byte) || up {
            return fault(
                "tls.certificates",
                "expected an absolute path of letters, digits and `/_.-+`, without `..`",
            );
        }
        Ok(())
    }
}

/// A profile of the operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    pub name: ProfileName,
    pub settings: ProfileSettings,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// Whether a profile of this name is kept here, and not in FreeSWITCH's own files.
pub fn is_own(name: &str) -> bool {
    name.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> ProfileSettings {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_profile_that_makes_no_sense_is_refused_by_its_field() {
        let good = read(r#"{"for": "phones", "port": 5070}"#);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(good.transports, [Transport::Udp, Transport::Tcp]);
        let tls = r#""tls": {"port": 5071, "certificates": "/etc/tls"}"#;
        let secure =
            format!(r#"{{"for": "providers", "port": 5070, "transports": ["tls"], {tls}}}"#);
        assert_eq!(read(&secure).check(), Ok(()));
        for (field, json) in [
            ("port", r#"{"for": "phones", "port": 0}"#.to_owned()),
            ("address", r#"{"for": "phones", "port": 1, "address": "0.0.0.0"}"#.to_owned()),
            ("transports", r#"{"for": "phones", "port": 1, "transports": []}"#.to_owned()),
            ("transports", r#"{"for": "phones", "port": 1, "transports": ["udp", "udp"]}"#.into()),
            ("tls", r#"{"for": "phones", "port": 1, "transports": ["tls"]}"#.to_owned()),
            ("transports", format!(r#"{{"for": "phones", "port": 1, {tls}}}"#)),
            ("tls.port", secure.replace("5071", "5070")),
            ("tls.certificates", secure.replace("/etc/tls", "tls")),
            ("tls.certificates", secure.replace("/etc/tls", "/etc/../x")),
            ("tls.certificates", secure.replace("/etc/tls", "/etc/a b")),
        ] {
            assert_eq!(read(&json).check().unwrap_err().field, field, "{json}");
        }
    }

    #[test]
    fn two_meet_where_one_port_of_one_address_would_be_both() {
        let at = |port, more: &str| read(&format!(r#"{{"for": "phones", "port": {port}{more}}}"#));
        let (here, there) = (r#", "address": "192.0.2.1""#, r#", "address": "192.0.2.2""#);
        assert!(at(5070, "").meets(&at(5070, here)));
        assert!(at(5070, here).meets(&at(5070, here)));
        assert!(!at(5070, here).meets(&at(5070, there)));
        assert!(!at(5070, "").meets(&at(5071, "")));
        let tls = |transports: &str| {
            let tls = r#""tls": {"port": 5071, "certificates": "/c"}"#;
            at(5070, &format!(r#", "transports": [{transports}], {tls}"#))
        };
        assert!(tls(r#""udp", "tls""#).meets(&at(5071, "")));
        assert!(tls(r#""udp", "tls""#).meets(&at(5070, "")));
        assert!(!tls(r#""tls""#).meets(&at(5070, "")), "it does not listen there");
    }
}
