//! Whether what SIP profiles announce of themselves can be reached.

use std::net::{IpAddr, Ipv4Addr};

use super::super::switch::Switch;
use super::super::{Finding, Readings};
use crate::esl::inspect::ProfileNetwork;

const ONE_WAY: &str = "callers hear nothing, or nobody hears them: sound is sent to an address \
    at which FreeSWITCH is not";
const LOST: &str = "calls break off after half a minute, and can't be ended from the other \
    side: answers are sent to an address at which FreeSWITCH is not";

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Loopback,
    Private,
    Public,
}

/// A profile with its addresses.
struct Profile<'a> {
    name: &'a str,
    network: &'a ProfileNetwork,
    /// Its file.
    file: String,
    /// What it announces in SIP.
    sip: &'a str,
    /// What it announces for sound.
    rtp: &'a str,
}

/// The scopes of the addresses at which a profile is, and of those that it announces.
#[derive(Debug, Clone, Copy)]
struct Scopes {
    is_sip: Scope,
    is_rtp: Scope,
    says_sip: Scope,
    says_rtp: Scope,
}

pub(super) fn check(readings: &Readings) -> Vec<Finding> {
    let of = |switch: &Switch| -> Vec<Finding> {
        switch.profiles.iter().filter_map(|(name, network)| one(switch, name, network)).collect()
    };
    readings.switches.iter().flat_map(of).collect()
}

/// What is wrong with the addresses of a profile, the worst alone.
fn one(switch: &Switch, name: &str, network: &ProfileNetwork) -> Option<Finding> {
    let folder = switch.conf_dir();
    let profile = Profile {
        name,
        network,
        file: format!("{folder}/sip_profiles/{name}.xml"),
        sip: network.ext_sip_ip.as_deref().unwrap_or(&network.sip_ip),
        rtp: network.ext_rtp_ip.as_deref().unwrap_or(&network.rtp_ip),
    };
    let scopes = Scopes {
        is_sip: scope(&network.sip_ip)?,
        is_rtp: scope(&network.rtp_ip)?,
        says_sip: scope(profile.sip)?,
        says_rtp: scope(profile.rtp)?,
    };
    let wrong = profile.loops(scopes).or_else(|| profile.half()).or_else(|| profile.mixes(scopes));
    if let Some((what, why, remedy)) = wrong {
        let found = Finding::error("profile-nat", &switch.name, what).because(why);
        let restart = format!("`fs_cli -x 'sofia profile {name} restart'`, which ends its calls");
        return Some(found.remedy(format!("{remedy}; then {restart}")));
    }
    profile.doubtful(switch, scopes)
}

impl Profile<'_> {
    /// Addresses of the loopback interface beside others.
    fn loops(&self, scopes: Scopes) -> Option<(String, &'static str, String)> {
        let Self { name, network, file, sip, rtp } = self;
        let is_loop = |scope| scope == Scope::Loopback;
        let Scopes { is_sip, is_rtp, says_sip, says_rtp } = scopes;
        if is_loop(is_rtp) && !is_loop(says_rtp) || is_loop(is_sip) && !is_loop(says_sip) {
            let what = format!(
                "the profile `{name}` is at {} and {}, which only this machine reaches, and \
                 announces {sip} for SIP and {rtp} for sound",
                network.sip_ip, network.rtp_ip
            );
            let remedy = format!(
                "set `sip-ip` and `rtp-ip` in {file} (`local_ip_v4` in vars.xml) to an address \
                 of a network interface"
            );
            return Some((what, ONE_WAY, remedy));
        }
        let (wrong, parameter, at, why) = if is_loop(says_rtp) && !is_loop(is_rtp) {
            (rtp, "ext-rtp-ip", &network.rtp_ip, ONE_WAY)
        } else if is_loop(says_sip) && !is_loop(is_sip) {
            (sip, "ext-sip-ip", &network.sip_ip, LOST)
        } else {
            return None;
        };
        let what = format!("the profile `{name}` announces {wrong}, and is at {at}");
        let remedy =
            format!("set `{parameter}` in {file} to the address that the outside sees, or none");
        Some((what, why, remedy))
    }

    /// One of the two says what the outside sees, the other does not.
    fn half(&self) -> Option<(String, &'static str, String)> {
        let Self { name, network, file, sip, rtp } = self;
        let (moves_sip, moves_rtp) = (*sip != network.sip_ip, *rtp != network.rtp_ip);
        if moves_sip == moves_rtp || sip == rtp {
            return None;
        }
        let (set, missing, to, why) = if moves_sip {
            ("ext-sip-ip", "ext-rtp-ip", sip, ONE_WAY)
        } else {
            ("ext-rtp-ip", "ext-sip-ip", rtp, LOST)
        };
        let what = format!(
            "the profile `{name}` announces {sip} in SIP and {rtp} for sound: `{set}` says what \
             the outside sees, and `{missing}` does not"
        );
        Some((what, why, format!("set `{missing}` in {file} to {to} as well")))
    }

    /// A public address and a private one.
    fn mixes(&self, scopes: Scopes) -> Option<(String, &'static str, String)> {
        let Self { name, file, sip, rtp, .. } = self;
        let (parameter, to, why) = match (scopes.says_sip, scopes.says_rtp) {
            (Scope::Public, Scope::Private) => ("ext-rtp-ip", sip, ONE_WAY),
            (Scope::Private, Scope::Public) => ("ext-sip-ip", rtp, LOST),
            _ => return None,
        };
        let what = format!("the profile `{name}` announces {sip} in SIP and {rtp} for sound");
        Some((what, why, format!("set `{parameter}` in {file} to {to} as well")))
    }

    /// What may be right, and often is not.
    fn doubtful(&self, switch: &Switch, scopes: Scopes) -> Option<Finding> {
        let Self { name, file, sip, rtp, .. } = self;
        let warning = |code, what: String| Finding::warning(code, &switch.name, what);
        match (scopes.says_sip, scopes.says_rtp) {
            (Scope::Public, Scope::Public) if sip != rtp => {
                let what = format!("the profile `{name}` announces {sip} in SIP, {rtp} for sound");
                let found = warning("profile-nat", what).because(ONE_WAY);
                Some(found.remedy(format!(
                    "unless this machine really has both addresses, set `ext-sip-ip` and \
                     `ext-rtp-ip` in {file} to the same"
                )))
            }
            (Scope::Loopback, _) => {
                let found =
                    warning("profile-loopback", format!("the profile `{name}` is at {sip}"));
                let why = "only programs on that machine can call, no phone and no provider";
                Some(found.because(why).remedy(format!(
                    "set `sip-ip`, `rtp-ip`, `ext-sip-ip` and `ext-rtp-ip` in {file} \
                     (`local_ip_v4`, `external_sip_ip`, `external_rtp_ip` in vars.xml) to the \
                     address of a network interface"
                )))
            }
            (Scope::Private, Scope::Private) => self.faces_outside(switch),
            _ => None,
        }
    }

    /// A private address is announced to providers that are out in the Internet.
    fn faces_outside(&self, switch: &Switch) -> Option<Finding> {
        let Self { name, file, rtp, .. } = self;
        let gateways = switch.gateways.iter().filter(|(profile, _)| profile == name);
        let mut outside = gateways.filter(|(_, host)| scope(host) == Some(Scope::Public));
        let (_, host) = outside.next()?;
        let what = format!(
            "the profile `{name}` announces the private address {rtp}, and has a gateway at the \
             public {host}"
        );
        let why = "where no router between rewrites it, the provider sends sound to an address \
            that only this network knows: callers hear nothing";
        let found = Finding::warning("profile-nat", &switch.name, what).because(why);
        Some(found.remedy(format!(
            "set `ext-sip-ip` and `ext-rtp-ip` in {file} to the router's public address \
             (`external_sip_ip`, `external_rtp_ip` in vars.xml), and forward the SIP and RTP \
             ports to that machine"
        )))
    }
}

/// From where an address can be reached; none for what is no address, or none in particular.
fn scope(text: &str) -> Option<Scope> {
    let address: IpAddr = text.trim_matches(['[', ']']).parse().ok()?;
    match address.to_canonical() {
        one if one.is_unspecified() => None,
        one if one.is_loopback() => Some(Scope::Loopback),
        IpAddr::V4(one) if one.is_private() || one.is_link_local() || is_shared(one) => {
            Some(Scope::Private)
        }
        IpAddr::V6(one) if one.is_unique_local() || one.is_unicast_link_local() => {
            Some(Scope::Private)
        }
        _ => Some(Scope::Public),
    }
}

/// A provider's own network (RFC 6598).
const fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// What is found with these addresses: bound and announced, SIP first.
    fn with(bound: [&str; 2], says: [Option<&str>; 2]) -> Vec<Finding> {
        let mut readings = sample::healthy();
        let network = readings.switches[0].profiles.get_mut("external").unwrap();
        network.sip_ip = bound[0].into();
        network.rtp_ip = bound[1].into();
        network.ext_sip_ip = says[0].map(str::to_owned);
        network.ext_rtp_ip = says[1].map(str::to_owned);
        check(&readings)
    }

    #[test]
    fn addresses_that_do_not_go_together_are_errors() {
        let (private, public) = ("10.0.0.5", "203.0.113.7");
        let local = "127.0.0.1";
        for (bound, says, remedy) in [
            ([private; 2], [Some(public), None], "ext-rtp-ip"),
            ([private; 2], [None, Some(public)], "ext-sip-ip"),
            ([private; 2], [Some("203.0.113.8"), Some("10.0.0.6")], "ext-rtp-ip"),
            ([private; 2], [Some(public), Some(local)], "ext-rtp-ip"),
            ([private; 2], [Some(local), Some(private)], "ext-sip-ip"),
            ([local; 2], [Some(public), Some(public)], "sip-ip"),
            ([private, local], [None, Some(private)], "rtp-ip"),
        ] {
            let found = with(bound, says);
            assert_eq!(found.len(), 1, "{bound:?} {says:?}");
            assert!(found[0].is_error() && found[0].code == "profile-nat", "{found:?}");
            assert!(found[0].remedy.contains(remedy), "{found:?}");
        }
    }

    #[test]
    fn addresses_that_go_together_are_no_findings() {
        let (private, public) = ("10.0.0.5", "203.0.113.7");
        assert_eq!(with([private; 2], [None, None]), []);
        assert_eq!(with([private; 2], [Some(public); 2]), []);
        assert_eq!(with([public; 2], [None, None]), []);
        let found = with(["127.0.0.1"; 2], [None, None]);
        assert_eq!((found[0].code, found[0].is_error()), ("profile-loopback", false));
        assert_eq!(with([private, public], [Some(public), None]), [], "two interfaces");
        let found = with([private; 2], [Some(public), Some("203.0.113.8")]);
        assert_eq!((found[0].code, found[0].is_error()), ("profile-nat", false));
    }

    #[test]
    fn a_private_address_matters_when_a_provider_is_outside() {
        let mut readings = sample::healthy();
        readings.switches[0].gateways = vec![("external".into(), "10.0.0.9".into())];
        assert_eq!(check(&readings), []);
        readings.switches[0].gateways.push(("external".into(), "198.51.100.1".into()));
        assert_eq!(check(&readings)[0].code, "profile-nat");
    }
}
