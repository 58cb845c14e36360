//! Everything a call needs to run from its first step to its last, fixed when the call begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::ids::{FlowName, GatewayName, PromptName, RoomName, TenantId, VarName};
use crate::base::millis::Millis;

use super::room::RoomSettings;
use super::schedule::Schedules;
use super::talk::TalkSettings;
use super::visit::body_texts;
use super::{Flow, Step};

/// A published version of a flow: it never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub name: FlowName,
    /// 1, 2, 3 …; 0 is a draft, which only a simulation runs.
    pub version: u32,
    pub flow: Flow,
    /// What [`Flow::channel_variables`] says: asked once, since every call needs it.
    reads: BTreeSet<String>,
}

impl Published {
    pub fn new(name: FlowName, version: u32, flow: Flow) -> Self {
        let reads = flow.channel_variables();
        Self { name, version, flow, reads }
    }
}

/// A flow with all that it refers to, in the versions of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub tenant: TenantId,
    /// The tenant's IANA time zone.
    pub timezone: String,
    /// The flow that the call begins with.
    pub main: FlowName,
    /// It and all flows it can reach, by name.
    pub flows: BTreeMap<FlowName, Arc<Published>>,
    /// Files as FreeSWITCH sees them, by prompt.
    pub prompts: BTreeMap<PromptName, PromptFile>,
    pub settings: Settings,
}

impl Program {
    /// The FreeSWITCH variables that its flows read, without `channel.` before them.
    pub fn channel_variables(&self) -> BTreeSet<String> {
        self.flows.values().flat_map(|published| published.reads.iter().cloned()).collect()
    }

    /// The variables that can hold a secret, by flow.
    pub fn secret_variables(&self) -> BTreeMap<FlowName, BTreeSet<VarName>> {
        let none = BTreeSet::new();
        let secrets = |flow: &Flow| flow.secret_variables(&none);
        self.flows.iter().map(|(name, flow)| (name.clone(), secrets(&flow.flow))).collect()
    }
}

impl Flow {
    /// The FreeSWITCH variables that it reads, without `channel.` before them. Names that
    /// FreeSWITCH could not have are left out.
    pub fn channel_variables(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut take = |read: Vec<&str>| {
            let read = read.into_iter().filter_map(|name| name.strip_prefix("channel."));
            names.extend(read.filter(|name| is_channel_variable(name)).map(str::to_owned));
        };
        for step in self.steps.values() {
            step.texts().into_iter().for_each(|place| take(place.text.variables()));
            if let Step::Http(http) = step
                && let Some(body) = &http.body
            {
                let mut found = Vec::new();
                body_texts(body, "", &mut found);
                found.iter().filter_map(|(_, text)| text.as_ref().ok()).for_each(|text| {
                    take(text.variables());
                });
            }
        }
        names
    }
}

fn is_channel_variable(name: &str) -> bool {
    let byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    !name.is_empty() && name.bytes().all(byte)
}

/// A prompt's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptFile {
    /// A path that FreeSWITCH can read, made by us or set by the operator.
    pub path: String,
    /// How long it plays, where known.
    pub length: Option<Millis>,
}

/// What the operator lays down for a tenant's calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Gateways that the tenant's flows may dial through, as FreeSWITCH knows them.
    pub gateways: Vec<GatewayName>,
    /// The tenant's own, by its names for them, with FreeSWITCH's; they come before the others.
    pub own_gateways: BTreeMap<GatewayName, GatewayName>,
    /// Whether it is decided for each number outside by which gateway it is called, if at all.
    pub decides_outside: bool,
    /// Host names and addresses that `dial` may reach by SIP address.
    pub sip_hosts: Vec<String>,
    /// Domain in which extensions are dialed, as FreeSWITCH's directory knows it.
    pub domain: String,
    /// Dialplan contexts that `transfer` may name; the first is the default.
    pub contexts: Vec<String>,
    /// `engine|voice` for text to speech, where an engine is configured.
    pub speech: Option<SpeechEngine>,
    /// Directory in which FreeSWITCH writes messages; absolute.
    pub message_directory: String,
    /// Whether parties' numbers are masked in records.
    pub mask_parties: bool,
    /// The tenant's conference rooms.
    pub rooms: Rooms,
    /// The tenant's opening hours.
    pub schedules: Arc<Schedules>,
    /// The tenant's rules for conversations.
    pub talk: TalkSettings,
    /// Whether the number that was dialed has its calls recorded.
    pub record_number: bool,
}

impl Settings {
    /// FreeSWITCH's name of a gateway through which the tenant may dial: its own of this name, else
    /// one that the operator gave it.
    pub fn gateway(&self, name: &GatewayName) -> Option<&GatewayName> {
        let given = || self.gateways.iter().find(|given| *given == name);
        self.own_gateways.get(name).or_else(given)
    }

    /// The gateway of who names none.
    pub fn first_gateway(&self) -> Option<&GatewayName> {
        self.own_gateways.values().next().or_else(|| self.gateways.first())
    }
}

/// A tenant's rooms by their names.
pub type Rooms = Arc<BTreeMap<RoomName, RoomSettings>>;

/// A text-to-speech engine of FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechEngine {
    pub engine: String,
    pub voice: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_variables_are_found_wherever_they_are_read() {
        let flow: Flow = serde_json::from_str(
            r#"{"callwright": 1, "start": "a", "steps": {
                "a": {"kind": "http", "url": "https://x.example/{channel.sip_h_X-Id}",
                      "body": {"deep": ["{channel.domain_name}"]}, "next": "b"},
                "b": {"kind": "set", "variables": {"x": "channel.lang & dialed"}, "next": "c"},
                "c": {"kind": "play", "prompts": [{"say": "{channel.lang}"}], "next": "a"}}}"#,
        )
        .unwrap();
        let expected = ["domain_name", "lang", "sip_h_X-Id"].map(str::to_owned);
        assert_eq!(flow.channel_variables(), BTreeSet::from(expected));
    }
}
