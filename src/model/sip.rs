//! Words of SIP as tenants write them, each checked where it is read: they go into headers.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::masked::Masked;

/// Longest host, user or realm, in bytes.
const WORD_MAX: usize = 128;
/// Longest password, in bytes. `sofia_reg.c` sofia_reg_handle_sip_r_challenge has 255 for scheme,
/// realm, user and password together.
pub const PASSWORD_MAX: usize = 128;

/// Why a text is not such a word. The text is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is not a {what}: expected {expected}")]
pub struct NotSip {
    what: &'static str,
    expected: &'static str,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotSip;
            fn from_str(text: &str) -> Result<Self, NotSip> {
                let check: fn(&str) -> bool = $check;
                let well_formed = !text.is_empty() && text.len() <= WORD_MAX && check(text);
                let none = NotSip { what: $what, expected: $expected };
                if well_formed { Ok(Self(text.to_owned())) } else { Err(none) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotSip;
            fn try_from(text: String) -> Result<Self, NotSip> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "minLength": 1, "maxLength": WORD_MAX,
                    "description": concat!("A ", $what, ": ", $expected, "."),
                })
            }
        }
    };
}

word!(
    /// Where SIP goes: a host name or an address, with a port where it is not the usual one.
    SipHost,
    "SIP host",
    "a host name, an IPv4 address, or an IPv6 address in brackets, with `:port` if need be",
    is_host
);
word!(
    /// The user of a SIP address.
    SipUser,
    "SIP user",
    "letters, digits and `-_.!~*+=%#`",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*+=%#".contains(&b))
);
word!(
    /// A user or realm of digest authentication. A colon would end it (`sofia-sip` auth_client.c
    /// auc_credentials).
    AuthWord,
    "user or realm of digest authentication",
    "printable characters but `:`, `\"`, `\\`, `<` and `>`",
    |text| text.chars().all(|c| !c.is_control() && !r#":"\<>"#.contains(c))
);
word!(
    /// A codec as FreeSWITCH names it, such as `PCMA` or `OPUS@48000h@20i`.
    Codec,
    "codec",
    "letters, digits and `.@_-`",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".@_-".contains(&b))
);
word!(
    /// A Sofia profile.
    ProfileName,
    "Sofia profile",
    "letters, digits and `._-`, beginning with a letter or digit",
    |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !text.starts_with(['-', '.'])
);

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let name = |host: &str| {
        !host.is_empty()
            && host.split('.').all(|label| {
                let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                !label.is_empty() && label.bytes().all(byte) && !label.starts_with('-')
            })
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name(host),
    };
    host && port
}

/// Whether sound is encrypted (SRTP). Both sides tell their keys in SIP (RFC 4568): whoever can
/// read that can decrypt, so it takes TLS as the transport to keep sound from those who see both.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MediaEncryption {
    /// Calls are made without. A call that comes in with it has it.
    #[default]
    Off,
    /// Calls are offered with and without, in two media lines, of which the other side takes one;
    /// not every SIP device can read that. A call that comes in has it if it brings it.
    Optional,
    /// No call without it: the other side declines what it can't do, and a call that comes in
    /// without is declined with 488, be it a call for help.
    Required,
}

impl MediaEncryption {
    /// Whether nothing is said of it.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }

    /// FreeSWITCH's word for it, for legs that it calls; none where nothing is said
    /// (`switch_core_media.c` switch_core_session_parse_crypto_prefs).
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Optional => Some("optional"),
            Self::Required => Some("mandatory"),
        }
    }
}

/// The channel variable that has [`MediaEncryption::word`] for legs that FreeSWITCH calls.
pub const ENCRYPTION_OUT: &str = "rtp_secure_media_outbound";
/// The same for calls that come in.
pub const ENCRYPTION_IN: &str = "rtp_secure_media_inbound";
/// The channel variable that is `required` where calls come in with encrypted sound only. We
/// decline the others and write that down; FreeSWITCH alone would decline them unseen.
pub const ENCRYPTED_ONLY: (&str, &str) = ("callwright_encryption", "required");

/// A password: any characters but control characters. It is wiped when it is dropped, and shown
/// nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SipPassword(Masked<Zeroizing<String>>);

impl SipPassword {
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether a gateway can use it: sofia-sip takes a colon for the end of the password
    /// (`auth_client.c` auc_credentials).
    pub fn has_colon(&self) -> bool {
        self.reveal().contains(':')
    }
}

impl fmt::Debug for SipPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SipPassword(•••)")
    }
}

impl TryFrom<String> for SipPassword {
    type Error = NotSip;
    fn try_from(text: String) -> Result<Self, NotSip> {
        let text = Zeroizing::new(text);
        if text.is_empty() || text.len() > PASSWORD_MAX || text.chars().any(char::is_control) {
            let expected = "1 to 128 bytes without control characters";
            return Err(NotSip { what: "password", expected });
        }
        Ok(Self(Masked::new(text)))
    }
}

impl JsonSchema for SipPassword {
    fn schema_name() -> Cow<'static, str> {
        "SipPassword".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": PASSWORD_MAX, "writeOnly": true,
            "description": "Any characters but control characters. It is never shown again.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_nothing_that_ends_a_header() {
        for good in ["sip.example.org", "a:5080", "192.0.2.1", "[2001:db8::1]", "[::1]:5061"] {
            assert!(good.parse::<SipHost>().is_ok(), "{good}");
        }
        for bad in
            ["", "a b", "a;x=y", "a>", "a\r\nb", "a:0", "a:70000", "::1", "[x]", "a..b", "-a", "a:"]
        {
            assert!(bad.parse::<SipHost>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_has_any_printable_character_and_is_never_shown() {
        let every: String = (' '..='~').chain("äß€😀".chars()).collect();
        let password = SipPassword::try_from(every.clone()).unwrap();
        assert_eq!(password.reveal(), every);
        assert!(password.has_colon());
        let quoted = serde_json::to_string(&every).unwrap();
        assert_eq!(serde_json::from_str::<SipPassword>(&quoted).unwrap(), password);
        assert_eq!(format!("{password:?}"), "SipPassword(•••)");
        for bad in ["", "a\nb", "a\0", &"x".repeat(PASSWORD_MAX + 1)] {
            let error = SipPassword::try_from(bad.to_owned()).unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn users_and_realms_hold_nothing_that_their_place_in_a_header_would_read() {
        assert!("+49-30.x".parse::<SipUser>().is_ok() && "a@b".parse::<AuthWord>().is_ok());
        for bad in ["a@b", "a;b", "a b", "<a>", "a\n"] {
            assert!(bad.parse::<SipUser>().is_err(), "{bad:?}");
        }
        for bad in ["a:b", "a\"b", "a\\b", "a\r", "<a"] {
            assert!(bad.parse::<AuthWord>().is_err(), "{bad:?}");
        }
    }
}
