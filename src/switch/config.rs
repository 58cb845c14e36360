//! Settings of the listener.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Where FreeSWITCH finds us, and how much of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address to listen on; FreeSWITCH's `socket` application takes port 8084 by itself.
    pub listen: SocketAddr,
    /// Networks from which FreeSWITCH may connect. The protocol knows no password: whoever connects
    /// and speaks it is believed.
    pub allow: Vec<IpNet>,
    /// Connections held at once, those included that only take a call back to the dialplan.
    pub max_connections: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8084),
            allow: loopback(),
            max_connections: 11_000,
        }
    }
}

impl Config {
    /// Whether FreeSWITCH may connect from `peer`. An IPv4 address that arrives on an IPv6 socket
    /// counts as IPv4.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.allow.iter().any(|network| network.contains(&peer))
    }
}

#[allow(clippy::unwrap_used, reason = "both prefixes fit their addresses")]
fn loopback() -> Vec<IpNet> {
    vec![
        IpNet::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8).unwrap(),
        IpNet::new(std::net::Ipv6Addr::LOCALHOST.into(), 128).unwrap(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_allowed_until_the_operator_says_more() {
        let config = Config::default();
        for (peer, allowed) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(config.allows(peer.parse().unwrap()), allowed, "{peer}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<Config>("listn = \"127.0.0.1:8084\"").is_err());
        assert!(toml::from_str::<Config>("allow = [\"10.0.0.0/8\"]").is_ok());
    }
}
