//! A gateway as FreeSWITCH is told it: parameters and variables by its own names (`sofia.c`
//! parse_gateways).

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::base::ids::GatewayName;
use crate::base::masked::Masked;
use crate::model::gateway::{CallerIn, DialedIn, GatewaySettings};
use crate::model::sip::{ENCRYPTED_ONLY, ENCRYPTION_OUT, MediaEncryption};
use crate::vault::hex;

/// The variable of a gateway by which it is seen which settings FreeSWITCH has.
pub const MARK: &str = "callwright_mark";
/// Bytes of a digest that make a mark.
const MARK_BYTES: usize = 12;

/// What FreeSWITCH is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// FreeSWITCH's name of it.
    pub name: GatewayName,
    pub profile: String,
    /// Another one where anything is another that FreeSWITCH has to know.
    pub mark: String,
    pub params: Vec<(&'static str, String)>,
    pub variables: Vec<(&'static str, String)>,
    pub password: Option<Secret>,
}

/// What is wiped when it is dropped, and shown nowhere.
pub type Secret = Masked<Zeroizing<String>>;

impl Account {
    pub fn new(
        name: GatewayName,
        settings: &GatewaySettings,
        profile: &str,
        context: &str,
        (password, revision): (Option<Secret>, u32),
    ) -> Self {
        let params = params(settings, context);
        let variables = variables(settings);
        let mut text = format!("{profile}\n{revision}\n{}\n", password.is_some());
        for (name, value) in params.iter().chain(&variables) {
            text.push_str(&format!("{name}={value}\n"));
        }
        let digest = digest(&SHA256, text.as_bytes());
        let mark = hex(digest.as_ref().get(..MARK_BYTES).unwrap_or_default());
        Self { name, profile: profile.to_owned(), mark, params, variables, password }
    }
}

impl Account {
    /// A parameter, where it is given.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn params(settings: &GatewaySettings, context: &str) -> Vec<(&'static str, String)> {
    let yes = |on: bool| if on { "true" } else { "false" }.to_owned();
    let text = |word: &dyn std::fmt::Display| Some(word.to_string());
    let from_caller = settings.caller_in == CallerIn::From;
    let extension = match settings.dialed_in {
        DialedIn::To => "auto_to_user",
        DialedIn::Request => "auto",
    };
    let params = [
        ("proxy", text(&settings.server)),
        ("username", settings.username.as_ref().map(ToString::to_string)),
        ("auth-username", settings.auth_username.as_ref().map(ToString::to_string)),
        ("realm", settings.realm.as_ref().map(ToString::to_string)),
        ("from-user", settings.from_user.as_ref().map(ToString::to_string)),
        ("from-domain", settings.from_domain.as_ref().map(ToString::to_string)),
        ("register-proxy", settings.register_proxy.as_ref().map(ToString::to_string)),
        ("outbound-proxy", settings.outbound_proxy.as_ref().map(ToString::to_string)),
        ("register-transport", text(&settings.transport.name())),
        ("register", Some(yes(settings.register))),
        ("expire-seconds", text(&settings.expires_s)),
        ("retry-seconds", text(&settings.retry_s)),
        ("ping", settings.ping_s.map(|ping| ping.to_string())),
        ("caller-id-in-from", Some(yes(from_caller))),
        ("extension", Some(extension.to_owned())),
        ("context", Some(context.to_owned())),
    ];
    params.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn variables(settings: &GatewaySettings) -> Vec<(&'static str, String)> {
    let caller = match settings.caller_in {
        CallerIn::From | CallerIn::Nowhere => "none",
        CallerIn::Rpid => "rpid",
        CallerIn::Pai => "pid",
    };
    let codecs: Vec<_> = settings.codecs.iter().map(|codec| codec.as_str()).collect();
    let mut variables = vec![("sip_cid_type", caller.to_owned())];
    if !codecs.is_empty() {
        variables.push(("absolute_codec_string", codecs.join(",")));
    }
    variables.extend(encryption(settings.encryption));
    variables
}

/// The variables of calls that are encrypted so.
pub fn encryption(asked: MediaEncryption) -> Vec<(&'static str, String)> {
    let out = asked.word().map(|word| (ENCRYPTION_OUT, word.to_owned()));
    let only = (asked == MediaEncryption::Required).then_some(ENCRYPTED_ONLY);
    out.into_iter().chain(only.map(|(name, word)| (name, word.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(settings: &GatewaySettings, revision: u32) -> Account {
        let name = "cw-1".parse().unwrap();
        Account::new(name, settings, "external", "callwright", (None, revision))
    }

    #[test]
    fn what_is_not_said_is_left_to_freeswitch() {
        let plain = GatewaySettings::at("sip.example:5080".parse().unwrap());
        let account = account(&plain, 0);
        assert_eq!(account.param("proxy"), Some("sip.example:5080"));
        assert_eq!(account.param("register"), Some("true"));
        assert_eq!(account.param("extension"), Some("auto_to_user"));
        assert_eq!(account.param("realm"), None);
        assert_eq!(account.param("ping"), None);
        assert_eq!(account.variables, [("sip_cid_type", "pid".to_owned())]);
    }

    #[test]
    fn encryption_is_asked_of_legs_and_told_of_calls_that_come_in() {
        let of = |encryption| {
            let plain = GatewaySettings::at("sip.example".parse().unwrap());
            let made = account(&GatewaySettings { encryption, ..plain }, 0);
            made.variables.into_iter().skip(1).map(|(name, value)| format!("{name}={value}"))
        };
        assert_eq!(of(MediaEncryption::Off).count(), 0);
        assert!(of(MediaEncryption::Optional).eq(["rtp_secure_media_outbound=optional"]));
        let required = ["rtp_secure_media_outbound=mandatory", "callwright_encryption=required"];
        assert!(of(MediaEncryption::Required).eq(required));
    }

    #[test]
    fn the_mark_is_another_for_whatever_freeswitch_must_load_again_and_for_nothing_else() {
        let plain = GatewaySettings::at("sip.example".parse().unwrap());
        let mark = account(&plain, 0).mark;
        let ours = GatewaySettings {
            channels: Some(3),
            addresses: vec!["192.0.2.0/24".parse().unwrap()],
            ..plain.clone()
        };
        assert_eq!(account(&ours, 0).mark, mark);
        assert_ne!(account(&plain, 1).mark, mark, "another password");
        for other in [
            GatewaySettings { ping_s: Some(30), ..plain.clone() },
            GatewaySettings { codecs: vec!["PCMA".parse().unwrap()], ..plain.clone() },
            GatewaySettings { caller_in: CallerIn::From, ..plain.clone() },
            GatewaySettings { encryption: MediaEncryption::Required, ..plain.clone() },
            GatewaySettings { register: false, ..plain },
        ] {
            assert_ne!(account(&other, 0).mark, mark);
        }
    }
}
