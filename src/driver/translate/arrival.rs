//! What the `connect` reply says about a call.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::CallId;
use crate::call::admission::Arriving;
use crate::call::arrival::{Arrival, OWN_PHONE, Via};
use crate::esl::event::Event;
use crate::model::sip::ENCRYPTED_ONLY;

/// Longest text taken from a channel, in bytes; the rest is left behind.
const TEXT_MAX: usize = 4_096;

/// By what a call is led to its tenant and flow. All of it comes from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inquiry {
    pub dialed: String,
    pub caller_number: String,
    /// FusionPBX's variables of the tenant.
    pub domain_uuid: Option<String>,
    pub domain_name: Option<String>,
    /// The gateway through which the call came.
    pub gateway: Option<String>,
    /// The address from which FreeSWITCH got it.
    pub address: Option<String>,
    /// The caller wants its number not to be shown.
    pub private: bool,
    /// The caller is a phone of the tenant's, which has shown its password.
    pub own_phone: bool,
    /// The Sofia profile over which it came.
    pub profile: Option<String>,
    /// Its sound is encrypted.
    pub encrypted: bool,
    /// FreeSWITCH was told that it has to be.
    pub encrypted_only: bool,
}

/// How the dialplan's `socket` action was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Applications run while we speak.
    pub is_async: bool,
    /// Every command is open to us.
    pub full: bool,
}

pub fn mode(event: &Event) -> Mode {
    let is = |header, word| event.header(header).is_some_and(|value| value == word);
    Mode { is_async: is("Socket-Mode", "async"), full: is("Control", "full") }
}

pub fn inquiry(event: &Event) -> Inquiry {
    Inquiry {
        dialed: text(event, "Caller-Destination-Number"),
        caller_number: text(event, "Caller-Caller-ID-Number"),
        domain_uuid: variable(event, "domain_uuid"),
        domain_name: variable(event, "domain_name"),
        gateway: variable(event, "sip_gateway"),
        address: variable(event, "sip_network_ip"),
        // `switch_caller.c` switch_caller_profile_event_set_data.
        private: event.header("Caller-Privacy-Hide-Number").is_some_and(|word| word == "true"),
        own_phone: variable(event, OWN_PHONE[0]).is_some_and(|word| word == "true"),
        profile: variable(event, "sofia_profile_name"),
        encrypted: is_encrypted(event),
        encrypted_only: variable(event, ENCRYPTED_ONLY.0)
            .is_some_and(|word| word == ENCRYPTED_ONLY.1),
    }
}

/// Where FreeSWITCH has not read the offer yet (`sofia.c` sofia_handle_sip_i_state).
const LATER: &str = "DELAYED NEGOTIATION";

/// Whether the sound of a call that comes in is encrypted, or is as soon as there is any. It is
/// known where FreeSWITCH has read the offer; some profiles have it do so only when it needs sound,
/// and with DTLS the keys come still later.
fn is_encrypted(event: &Event) -> bool {
    let read = variable(event, "rtp_has_crypto").is_some_and(|suite| !suite.is_empty());
    let later = variable(event, "endpoint_disposition").is_some_and(|how| how == LATER);
    let offer = variable(event, "switch_r_sdp").unwrap_or_default();
    let media = offer.lines().filter_map(|line| line.strip_prefix("m=audio ")?.split(' ').nth(1));
    let protocols: Vec<_> = media.map(|word| word.strip_suffix('F').unwrap_or(word)).collect();
    let dtls = protocols.contains(&"UDP/TLS/RTP/SAVP") && offer.contains("\na=fingerprint:");
    read || dtls || later && protocols.contains(&"RTP/SAVP")
}

/// The call's facts; `None` when the channel has no usable identity.
pub fn arrival(event: &Event, call: CallId, reads: &BTreeSet<String>) -> Option<Arrival> {
    let mut variables = read(event, reads.iter().map(String::as_str));
    variables.extend(read(event, OWN_PHONE));
    Some(Arrival {
        call,
        channel: event.unique_id()?,
        caller_name: text(event, "Caller-Caller-ID-Name"),
        caller_number: text(event, "Caller-Caller-ID-Number"),
        dialed: text(event, "Caller-Destination-Number"),
        answered: event.header("Answer-State").is_some_and(|state| state == "answered"),
        variables,
        via: Via::default(),
    })
}

/// The facts of a call that found its flow, with its numbers as the tenant reads them.
pub fn arrived(event: &Event, call: CallId, arriving: Arriving) -> Option<(Arrival, Arriving)> {
    let mut reads = arriving.program.channel_variables();
    for program in arriving.screening.flows.values() {
        reads.extend(program.channel_variables());
    }
    let mut arrival = arrival(event, call, &reads)?;
    arrival.via = arriving.via.clone();
    if let Some(number) = &arriving.caller_number {
        let sent = std::mem::replace(&mut arrival.caller_number, number.clone());
        // Where a phone sends no name, FreeSWITCH puts the number in its place.
        if arrival.caller_name == sent {
            arrival.caller_name.clone_from(number);
        }
        arrival.via.sent.caller_number = Some(sent);
    }
    if let Some(number) = &arriving.dialed {
        let sent = std::mem::replace(&mut arrival.dialed, number.clone());
        arrival.via.sent.dialed = Some(sent);
    }
    if let Some(label) = &arriving.label {
        arrival.label(label);
    }
    Some((arrival, arriving))
}

/// Those of the channel's variables that it has.
pub fn read<'a>(
    event: &Event,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), variable(event, name)?));
    names.into_iter().filter_map(value).collect()
}

pub fn variable(event: &Event, name: &str) -> Option<String> {
    let value = event.variable(name)?;
    Some(cut(&value.text()))
}

/// A variable with all its bytes; none where it has more than `most`, or others than text.
pub fn whole(event: &Event, name: &str, most: usize) -> Option<String> {
    let value = event.variable(name)?;
    let text = value.text();
    (!text.is_empty() && text.len() <= most).then(|| text.into_owned())
}

fn text(event: &Event, header: &str) -> String {
    event.text(header).map_or_else(String::new, |text| cut(&text))
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn encrypted(suite: &str, disposition: &str, offer: &str) -> bool {
        let facts = json!({ "variable_rtp_has_crypto": suite,
            "variable_endpoint_disposition": disposition, "variable_switch_r_sdp": offer });
        inquiry(&Event::from_json(facts.to_string().as_bytes()).unwrap()).encrypted
    }

    #[test]
    fn a_call_is_encrypted_where_freeswitch_says_so_or_can_still_only_be() {
        let plain = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";
        let srtp = "v=0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 x inline:y\r\n";
        let dtls = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 A\r\n";
        let suite = "AES_CM_128_HMAC_SHA1_80";
        assert!(encrypted(suite, "RECEIVED", srtp));
        assert!(encrypted("", LATER, srtp));
        assert!(encrypted("", "RECEIVED", dtls));
        assert!(!encrypted("", "RECEIVED", srtp), "none of its suites was taken");
        assert!(!encrypted("", LATER, plain));
        assert!(!encrypted("", "RECEIVED", plain));
        assert!(!encrypted("", LATER, &format!("{plain}a=x:RTP/SAVP\r\n")));
        assert!(!encrypted("", "RECEIVED", &dtls.replace("fingerprint", "x")));
    }
}
