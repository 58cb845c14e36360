//! Lists of networks.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether an address is in one of them.
pub fn hold(networks: &[IpNet], address: IpAddr) -> bool {
    // An IPv4 peer of a socket for both is shown as ::ffff:a.b.c.d.
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// This machine.
pub fn local() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"].into_iter().filter_map(|network| network.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_either_family() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(hold(&local(), address.parse().unwrap()), "{address}");
        }
        for address in ["192.0.2.1", "::2", "::ffff:192.0.2.1"] {
            assert!(!hold(&local(), address.parse().unwrap()), "{address}");
        }
    }
}
