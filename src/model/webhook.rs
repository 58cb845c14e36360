//! Webhooks: where a tenant has its events sent, and what became of each.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::event::Types;
use crate::base::ids::{DeliveryId, TenantId, WebhookName};

/// Longest address, in bytes.
const URL_MAX: usize = 2_048;

/// Where events are sent: an address over http or https that holds no name or password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > URL_MAX {
            return Err(format!("an address has at most {URL_MAX} bytes"));
        }
        let url = Url::parse(&text).map_err(|error| format!("the address is wrong: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err("the address begins with https:// and a host".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a name or password has no place in the address: check the signature".into()
            );
        }
        if url.fragment().is_some() {
            return Err("the part behind # is sent to nobody: leave it out".into());
        }
        Ok(Self(url))
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0.into()
    }
}

impl JsonSchema for WebhookUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookUrl".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "uri", "maxLength": URL_MAX, "pattern": "^https?://",
        })
    }
}

/// A webhook as its tenant lays it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Over https, unless the operator opened the receiver's network.
    pub url: WebhookUrl,
    /// Only these types, such as `call.ended` or `gateway.*`; all of them where there are none.
    #[serde(default)]
    pub types: Types,
    /// Whether anything is sent. One that is enabled again goes on where it stopped, as far as
    /// events are kept.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// That Callwright disabled it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    pub since: Timestamp,
    /// In words.
    pub reason: String,
}

/// A webhook; its secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Webhook {
    pub name: WebhookName,
    pub url: WebhookUrl,
    pub types: Types,
    pub enabled: bool,
    /// Where Callwright disabled it: until it is enabled again.
    pub disabled: Option<Disabled>,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// How far a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Progress {
    /// Events up to this one were delivered, given up, are not wanted, or are among those that
    /// wait.
    pub sequence: u64,
    /// Deliveries that wait, most of them for another attempt where it fails.
    pub waiting: u64,
    /// Since when every attempt failed.
    pub failing_since: Option<Timestamp>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// For its first attempt, for another, or for an earlier event of the same call.
    Waiting,
    Delivered,
    /// It was given up after the last attempt; it can be replayed.
    Failed,
    /// A gap: events were forgotten before they could be sent.
    Lost,
}

impl DeliveryState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// What a webhook is to be sent, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Delivery {
    pub id: DeliveryId,
    /// The event's; of a gap that of the last event that is lost.
    pub sequence: u64,
    /// The header `webhook-id`, the same in each attempt.
    pub webhook_id: String,
    /// The event's; of a gap `gap`.
    #[serde(rename = "type")]
    pub kind: String,
    pub state: DeliveryState,
    pub attempts: u32,
    /// The status that was answered last.
    pub status: Option<u16>,
    /// What was wrong the last time, in words.
    pub error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub latency_ms: Option<u64>,
    pub created: Timestamp,
    /// When the last attempt was over.
    pub tried: Option<Timestamp>,
    /// When the next attempt is due, at the earliest.
    pub due: Option<Timestamp>,
}

/// The type under which gaps stand in the log.
pub const GAP: &str = "gap";
/// The type of an event that is sent to try a webhook out.
pub const TEST: &str = "webhook.test";

/// What tells an event from all others, in each attempt. A full stop would part it from the time in
/// what is signed.
pub fn message_id(tenant: TenantId, sequence: u64) -> String {
    format!("evt_{}_{sequence}", tenant.0.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_the_web_and_holds_no_secret() {
        let read = |text: &str| WebhookUrl::try_from(text.to_owned());
        for good in ["https://example.org/hooks?of=acme", "http://10.0.0.1:8080/", "https://[::1]/"]
        {
            assert_eq!(String::from(read(good).unwrap()), good);
        }
        let long = format!("https://example.org/{}", "a".repeat(URL_MAX));
        for bad in [
            "example.org",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://ann:pass@example.org/",
            "https://ann@example.org/",
            "https://example.org/#part",
            "https://",
            &long,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_left_out_is_enabled_and_for_all_types() {
        let read = serde_json::from_str::<WebhookSettings>;
        let settings = read(r#"{"url":"https://example.org/"}"#).unwrap();
        assert!(settings.enabled && settings.types.want("call.ended"));
        assert!(read(r#"{"url":"https://example.org/","secret":"x"}"#).is_err());
    }
}
