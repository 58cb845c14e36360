//! The operator's Sofia profiles as FreeSWITCH is told them: parameters by its own names (`sofia.c`
//! config_sofia).

use ring::digest::{SHA256, digest};

use super::GATEWAY_DOMAIN;
use super::config::Config;
use crate::model::gateway::Transport;
use crate::model::profile::{Profile, ProfileFor, ProfileSettings, ProfileTls, RestartWhen};
use crate::model::sip::MediaEncryption;
use crate::vault::hex;

/// Bytes of a digest that make half a mark.
const MARK_BYTES: usize = 8;
/// What begins a mark.
const MARKED: &str = "callwright";

/// Parameters that a profile takes over while it runs (`sofia.c` config_sofia, where it was started
/// already); all others are read when it starts.
const READ_AGAIN: [&str; 5] = [
    "inbound-codec-prefs",
    "outbound-codec-prefs",
    "apply-nat-acl",
    "aggressive-nat-detection",
    "nat-options-ping",
];

/// Tells the settings of a profile from others. FreeSWITCH keeps it in `presence-hosts`, a list of
/// hosts that only counts where presence is managed, and tells it (`mod_sofia.c` cmd_xml_status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// Of what it reads when it starts.
    start: String,
    /// Of what it reads again.
    again: String,
}

impl Mark {
    fn of(params: &[(&'static str, String)]) -> Self {
        let is_again = |name: &str| READ_AGAIN.contains(&name);
        let (mut start, mut again) = (String::new(), String::new());
        for (name, value) in params {
            // One that is left out stays as it was, so whether it is there counts for the start.
            let (text, value) = if is_again(name) {
                (&mut again, value.as_str())
            } else {
                (&mut start, value.as_str())
            };
            text.push_str(&format!("{name}={value}\n"));
            if is_again(name) {
                start.push_str(&format!("{name}\n"));
            }
        }
        Self { start: short(&start), again: short(&again) }
    }

    /// None where it is no mark of ours.
    pub(super) fn read(hosts: &str) -> Option<Self> {
        let (start, again) = hosts.strip_prefix(MARKED)?.strip_prefix('-')?.split_once('-')?;
        Some(Self { start: start.to_owned(), again: again.to_owned() })
    }

    fn text(&self) -> String {
        format!("{MARKED}-{}-{}", self.start, self.again)
    }

    /// Whether what has the one comes to have the other by reading again.
    pub(super) fn starts_as(&self, other: &Self) -> bool {
        self.start == other.start
    }
}

fn short(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    hex(digest.as_ref().get(..MARK_BYTES).unwrap_or_default())
}

/// A profile with all that FreeSWITCH reads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SofiaProfile {
    pub name: String,
    /// The domain in which it looks for gateways.
    pub domain: &'static str,
    pub params: Vec<(&'static str, String)>,
    /// FreeSWITCH has no parameter for it: each call is told.
    pub encryption: MediaEncryption,
    pub(super) mark: Mark,
    pub(super) restart: RestartWhen,
    pub(super) enabled: bool,
    /// Whether phones register at it.
    pub(super) of_phones: bool,
    /// The file that TLS needs.
    pub(super) certificate: Option<String>,
    /// Ports and the address where it is to listen.
    pub(super) listens: (Vec<u16>, Option<String>),
}

impl SofiaProfile {
    pub(super) fn new(profile: &Profile, config: &Config) -> Self {
        let settings = &profile.settings;
        let mut params = params(settings, config.context.as_str());
        let mark = Mark::of(&params);
        params.push(("presence-hosts", mark.text()));
        let plain = is_plain(settings).then_some(settings.port);
        let ports = plain.into_iter().chain(settings.tls.as_ref().map(|tls| tls.port)).collect();
        Self {
            name: profile.name.to_string(),
            domain: GATEWAY_DOMAIN,
            params,
            encryption: settings.encryption,
            mark,
            restart: settings.restart,
            enabled: settings.enabled,
            of_phones: settings.whom == ProfileFor::Phones,
            certificate: settings.tls.as_ref().map(|tls| format!("{}/agent.pem", tls.certificates)),
            listens: (ports, settings.address.map(|address| address.to_string())),
        }
    }
}

#[cfg(test)]
impl SofiaProfile {
    pub(crate) fn with_params(name: &str, params: Params) -> Self {
        let made = tests::profile(r#"{"for": "phones", "port": 5070}"#);
        Self { name: name.to_owned(), params, ..made }
    }
}

fn is_plain(settings: &ProfileSettings) -> bool {
    settings.has(Transport::Udp) || settings.has(Transport::Tcp)
}

type Params = Vec<(&'static str, String)>;

fn given(params: &[(&'static str, &str)]) -> Params {
    params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn params(settings: &ProfileSettings, context: &str) -> Params {
    let yes = |on: bool| if on { "true" } else { "false" }.to_owned();
    let address = settings.address.map_or_else(|| "auto".to_owned(), |address| address.to_string());
    let mut params = vec![
        ("sip-ip", address.clone()),
        ("rtp-ip", address),
        ("sip-port", settings.port.to_string()),
        ("context", context.to_owned()),
        ("apply-nat-acl", if settings.nat { "nat.auto" } else { "none" }.to_owned()),
        ("aggressive-nat-detection", yes(settings.nat)),
    ];
    params.extend(given(&[
        ("dialplan", "XML"),
        ("local-network-acl", "localnet.auto"),
        ("rtp-timer-name", "soft"),
        ("rtp-autofix-timing", "true"),
        ("dtmf-type", "rfc2833"),
        ("liberal-dtmf", "true"),
        ("manage-presence", "false"),
        ("inbound-codec-negotiation", "generous"),
        ("max-proceeding", "1000"),
        // A port that was just given up is free a moment later.
        ("bind-attempts", "2"),
        ("bind-attempt-interval", "1"),
    ]));
    params.extend(whom(settings));
    if let Some(external) = settings.external_address {
        params.extend(["ext-sip-ip", "ext-rtp-ip"].map(|name| (name, external.to_string())));
    }
    if !settings.codecs.is_empty() {
        let codecs: Vec<_> = settings.codecs.iter().map(|codec| codec.as_str()).collect();
        let names = ["inbound-codec-prefs", "outbound-codec-prefs"];
        params.extend(names.map(|name| (name, codecs.join(","))));
    }
    match (settings.has(Transport::Udp), settings.has(Transport::Tcp)) {
        (true, false) => params.push(("bind-params", "transport=udp".to_owned())),
        (false, true) => params.push(("bind-params", "transport=tcp".to_owned())),
        _ => {}
    }
    params.extend(settings.tls.iter().flat_map(|tls| secure(tls, !is_plain(settings))));
    params
}

fn whom(settings: &ProfileSettings) -> Params {
    match settings.whom {
        ProfileFor::Phones => {
            let mut params = given(&[
                ("auth-calls", "true"),
                ("accept-blind-reg", "false"),
                // A phone is known in its own domain, whomever it calls.
                ("challenge-realm", "auto_from"),
                ("inbound-reg-force-matching-username", "true"),
                ("log-auth-failures", "true"),
                ("nonce-ttl", "60"),
            ]);
            let pinged = if settings.nat { "true" } else { "false" };
            params.push(("nat-options-ping", pinged.to_owned()));
            if settings.nat {
                params.push(("NDLB-received-in-nat-reg-contact", "true".to_owned()));
            }
            params
        }
        ProfileFor::Providers => {
            given(&[("auth-calls", "false"), ("apply-inbound-acl", "providers")])
        }
    }
}

fn secure(tls: &ProfileTls, only: bool) -> Params {
    let yes = |on: bool| if on { "true" } else { "false" }.to_owned();
    vec![
        ("tls", yes(true)),
        ("tls-only", yes(only)),
        ("tls-bind-params", "transport=tls".to_owned()),
        ("tls-sip-port", tls.port.to_string()),
        ("tls-cert-dir", tls.certificates.clone()),
        ("tls-version", "tlsv1.2,tlsv1.3".to_owned()),
        ("tls-verify-policy", if tls.verify { "out" } else { "none" }.to_owned()),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;

    pub(crate) fn profile(json: &str) -> SofiaProfile {
        let profile = Profile {
            name: "cw-a".parse().unwrap(),
            settings: serde_json::from_str(json).unwrap(),
            created: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
        };
        SofiaProfile::new(&profile, &Config::default())
    }

    fn param<'a>(profile: &'a SofiaProfile, name: &str) -> Option<&'a str> {
        let found = profile.params.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    const PLAIN: &str = r#"{"for": "providers", "port": 5070}"#;

    #[test]
    fn the_mark_says_whether_reading_again_is_enough() {
        let plain = profile(PLAIN).mark;
        assert_eq!(Mark::read(&plain.text()), Some(plain.clone()));
        for (again, change) in [
            (true, r#""nat": false"#),
            (false, r#""codecs": ["PCMA"]"#),
            (false, r#""address": "192.0.2.1""#),
            (false, r#""external_address": "192.0.2.1""#),
            (false, r#""transports": ["udp"]"#),
        ] {
            let other = profile(&PLAIN.replace('}', &format!(", {change}}}"))).mark;
            assert_ne!(other, plain, "{change}");
            assert_eq!(other.starts_as(&plain), again, "{change}");
        }
        let codecs =
            |list: &str| profile(&PLAIN.replace('}', &format!(r#", "codecs": [{list}]}}"#))).mark;
        assert_ne!(codecs(r#""PCMA""#), codecs(r#""PCMU""#));
        assert!(codecs(r#""PCMA""#).starts_as(&codecs(r#""PCMU""#)));
        for change in [r#""restart": "now""#, r#""encryption": "required""#] {
            let same = profile(&PLAIN.replace('}', &format!(", {change}}}"))).mark;
            assert_eq!(same, plain, "its profile need not know of {change}");
        }
        for other in ["", "example.com", "callwright", "callwright-1"] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }

    #[test]
    fn calls_without_a_password_come_from_listed_networks_only() {
        let providers = profile(PLAIN);
        assert_eq!(param(&providers, "auth-calls"), Some("false"));
        assert_eq!(param(&providers, "apply-inbound-acl"), Some("providers"));
        let phones = profile(r#"{"for": "phones", "port": 5070}"#);
        assert_eq!(param(&phones, "auth-calls"), Some("true"));
        assert_eq!(param(&phones, "accept-blind-reg"), Some("false"));
        assert_eq!(param(&phones, "challenge-realm"), Some("auto_from"));
    }

    #[test]
    fn transports_are_bound_as_they_are_listed() {
        let of = |transports: &str| {
            let tls = if transports.contains("tls") {
                r#", "tls": {"port": 5071, "certificates": "/c"}"#
            } else {
                ""
            };
            let json =
                format!(r#"{{"for": "phones", "port": 5070, "transports": [{transports}]{tls}}}"#);
            let made = profile(&json);
            let read = |name: &str| param(&made, name).map(str::to_owned);
            (read("bind-params"), read("tls"), read("tls-only"), made.listens.0)
        };
        let text = |text: &str| Some(text.to_owned());
        let both = of(r#""udp", "tcp""#);
        assert_eq!(both, (None, None, None, vec![5070]));
        assert_eq!(of(r#""tcp""#).0, text("transport=tcp"));
        let (bind, tls, only, ports) = of(r#""udp", "tls""#);
        assert_eq!((bind, tls, only), (text("transport=udp"), text("true"), text("false")));
        assert_eq!(ports, [5070, 5071]);
        let (_, _, only, ports) = of(r#""tls""#);
        assert_eq!((only, ports), (text("true"), vec![5071]));
    }
}
