//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are not public though they look it (IANA IPv4 special-purpose address registry).
const CLOSED_V4: [(Ipv4Addr, u8); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Whether anybody on the internet may have this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !CLOSED_V4.iter().any(|(network, length)| {
        let shift = 32 - u32::from(*length);
        address.to_bits() >> shift == network.to_bits() >> shift
    })
}

/// Only global unicast (2000::/3) and NAT64 count; where an address carries an IPv4 address, that
/// one is judged.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded =
        |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        // NAT64 (RFC 6052); its local prefix 64:ff9b:1::/48 (RFC 8215) is not public.
        (0x0064, 0xff9b) => [c, d, e, f] == [0; 4] && is_public_v4(embedded(g, h)),
        // 6to4 (RFC 3056).
        (0x2002, high) => is_public_v4(embedded(high, c)),
        // Teredo (RFC 4380), ORCHID, benchmarks and other protocol assignments; documentation.
        (0x2001, 0x0000..=0x01ff | 0x0db8) => false,
        // Documentation (RFC 9637).
        (0x3fff, 0x0000..=0x0fff) => false,
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bounds;

    #[test]
    fn no_way_of_writing_a_private_address_makes_it_public() {
        let bounds = Bounds::public_and(&[]);
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:4136:e378::1",
            "2001:db8::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "3fff:fff::1",
        ] {
            assert!(!bounds.hold(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_reached_however_they_are_written() {
        let bounds = Bounds::public_and(&[]);
        for address in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "223.255.255.254",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2606:4700::1111",
        ] {
            assert!(bounds.hold(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_operator_may_open_a_network_and_only_that() {
        let allowed = ["10.20.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let bounds = Bounds::public_and(&allowed);
        for (address, reached) in [
            ("10.20.1.1", true),
            ("::ffff:10.20.1.1", true),
            ("10.21.1.1", false),
            ("fd00::7", true),
            ("fc00::7", false),
        ] {
            assert_eq!(bounds.hold(address.parse().unwrap()), reached, "{address}");
        }
    }
}
