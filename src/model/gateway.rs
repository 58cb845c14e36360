//! A tenant's account at a SIP provider: a gateway of FreeSWITCH.

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sip::{AuthWord, Codec, MediaEncryption, ProfileName, SipHost, SipUser};
use crate::base::ids::{GatewayId, GatewayName};

/// Codecs and addresses of one gateway, each at most.
const LIST_MAX: usize = 32;

/// How SIP travels.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, PartialOrd, Ord,
)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[default]
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Where the provider reads who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallerIn {
    /// In From, in the place of the account.
    From,
    /// In Remote-Party-ID; From has the account.
    Rpid,
    /// In P-Asserted-Identity; From has the account.
    #[default]
    Pai,
    /// Nowhere: From has the account.
    Nowhere,
}

/// Where the provider puts the number that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DialedIn {
    #[default]
    To,
    /// In the address that the call is sent to; where that is the account's own, in To.
    Request,
}

/// A gateway as its tenant lays it down, but for the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// The provider's server, which is the domain of the account too.
    pub server: SipHost,
    /// The account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<SipUser>,
    /// What authentication calls the account, where that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_username: Option<AuthWord>,
    /// The realm that the provider asks for, where it is not the server's name. It tells which
    /// gateway a challenge is for that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<AuthWord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_user: Option<SipUser>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_domain: Option<SipHost>,
    /// Where registrations are sent, where that is not the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register_proxy: Option<SipHost>,
    /// Where calls are sent, where that is not the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_proxy: Option<SipHost>,
    #[serde(default)]
    pub transport: Transport,
    /// Whether the account registers; else the provider knows where calls go.
    #[serde(default = "yes")]
    pub register: bool,
    /// For how long a registration is asked, in seconds.
    #[serde(default = "expires")]
    #[schemars(range(min = 60, max = 86_400))]
    pub expires_s: u32,
    /// How long after a registration that failed it is tried again, in seconds; after more of them
    /// it takes longer.
    #[serde(default = "retry")]
    #[schemars(range(min = 5, max = 3_600))]
    pub retry_s: u32,
    /// How often the provider is asked by OPTIONS whether it is there, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 3_600))]
    pub ping_s: Option<u32>,
    #[serde(default)]
    pub caller_in: CallerIn,
    #[serde(default)]
    pub dialed_in: DialedIn,
    /// The codecs of its calls, the best first; without any, those of the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub codecs: Vec<Codec>,
    /// Whether the sound of its calls is encrypted; where the profile is stricter, that counts.
    #[serde(default, skip_serializing_if = "MediaEncryption::is_off")]
    pub encryption: MediaEncryption,
    /// Calls at once, in and out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub channels: Option<u32>,
    /// Networks from which its calls come; without any, wherever FreeSWITCH takes calls from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", length(max = 32))]
    pub addresses: Vec<IpNet>,
    /// The Sofia profile; without one, the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

const fn expires() -> u32 {
    600
}

const fn retry() -> u32 {
    30
}

/// What makes no sense in a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct GatewayFault {
    /// As it is written, such as `settings.ping_s`.
    pub field: &'static str,
    pub why: &'static str,
}

impl GatewaySettings {
    /// A gateway at this server, and all else as it is by default.
    pub fn at(server: SipHost) -> Self {
        Self {
            server,
            username: None,
            auth_username: None,
            realm: None,
            from_user: None,
            from_domain: None,
            register_proxy: None,
            outbound_proxy: None,
            transport: Transport::default(),
            register: true,
            expires_s: expires(),
            retry_s: retry(),
            ping_s: None,
            caller_in: CallerIn::default(),
            dialed_in: DialedIn::default(),
            codecs: Vec::new(),
            encryption: MediaEncryption::default(),
            channels: None,
            addresses: Vec::new(),
            profile: None,
            enabled: true,
        }
    }

    /// # Errors
    /// Names the field.
    pub fn check(&self, has_password: bool) -> Result<(), GatewayFault> {
        let fault = |field, why| Err(GatewayFault { field, why });
        if !(60..=86_400).contains(&self.expires_s) {
            return fault("settings.expires_s", "expected 60 to 86400 seconds");
        }
        if !(5..=3_600).contains(&self.retry_s) {
            return fault("settings.retry_s", "expected 5 to 3600 seconds");
        }
        if self.ping_s.is_some_and(|ping| !(5..=3_600).contains(&ping)) {
            return fault("settings.ping_s", "expected 5 to 3600 seconds");
        }
        if self.channels.is_some_and(|channels| !(1..=10_000).contains(&channels)) {
            return fault("settings.channels", "expected 1 to 10000 calls");
        }
        if self.codecs.len() > LIST_MAX {
            return fault("settings.codecs", "there are more than 32");
        }
        if self.addresses.len() > LIST_MAX {
            return fault("settings.addresses", "there are more than 32");
        }
        if self.register && self.username.is_none() {
            return fault("settings.username", "an account that registers has a name");
        }
        if self.register && !has_password {
            return fault("password", "an account that registers has a password");
        }
        Ok(())
    }
}

/// A gateway of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gateway {
    pub id: GatewayId,
    /// What flows call it.
    pub name: GatewayName,
    pub settings: GatewaySettings,
    /// Whether there is a password.
    pub has_password: bool,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// What FreeSWITCH calls our gateways: this and the id, so that no text of a tenant's is in it and
/// no two are called the same.
const PREFIX: &str = "cw-";

/// FreeSWITCH's name of a gateway.
#[allow(clippy::unwrap_used, reason = "a prefix of ours and hexadecimal digits are such a name")]
pub fn switch_name(id: GatewayId) -> GatewayName {
    format!("{PREFIX}{}", id.0.as_simple()).parse().unwrap()
}

/// The gateway that FreeSWITCH calls so; none where it is not of ours.
pub fn of_switch_name(name: &str) -> Option<GatewayId> {
    let id = name.strip_prefix(PREFIX)?;
    let id = uuid::Uuid::try_parse(id).ok().filter(|_| id.len() == 32)?;
    Some(GatewayId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeswitch_has_a_name_for_it_that_leads_back_and_holds_no_text_of_the_tenants() {
        let id = GatewayId(uuid::Uuid::from_u128(7));
        let name = switch_name(id);
        assert_eq!(name.as_str(), "cw-00000000000000000000000000000007");
        assert_eq!(of_switch_name(name.as_str()), Some(id));
        for other in ["carrier", "cw-", "cw-7", "cw-00000000-0000-0000-0000-000000000007"] {
            assert_eq!(of_switch_name(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        let settings: GatewaySettings =
            serde_json::from_str(r#"{"server": "sip.example"}"#).unwrap();
        let field =
            |settings: &GatewaySettings, password| settings.check(password).unwrap_err().field;
        assert_eq!(field(&settings, true), "settings.username");
        let named = GatewaySettings { username: Some("a".parse().unwrap()), ..settings };
        assert_eq!(field(&named, false), "password");
        assert_eq!(named.check(true), Ok(()));
        let still = GatewaySettings { register: false, username: None, ..named.clone() };
        assert_eq!(still.check(false), Ok(()));
        assert_eq!(
            field(&GatewaySettings { retry_s: 4, ..named.clone() }, true),
            "settings.retry_s"
        );
        assert_eq!(field(&GatewaySettings { ping_s: Some(1), ..named }, true), "settings.ping_s");
        assert!(serde_json::from_str::<GatewaySettings>(r#"{"server": "a;b"}"#).is_err());
    }
}
