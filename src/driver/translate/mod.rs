//! Between a call's words and FreeSWITCH's: what happened there becomes an event, what a call
//! orders becomes typed commands. Nothing here keeps state or waits.

pub mod arrival;
pub mod dial;
pub mod legs;
pub mod media;
pub mod room;
pub mod variables;

use std::borrow::Cow;

use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::call::input::{Event, FarNews};
use crate::esl;
use crate::esl::event::EventName;

/// The events without which a call can't be run. Each costs FreeSWITCH a copy of all the channel's
/// variables, so nothing is asked for that can be known otherwise.
pub const SUBSCRIBED: [EventName; 13] = [
    EventName::ChannelAnswer,
    EventName::ChannelBridge,
    EventName::ChannelUnbridge,
    EventName::ChannelHold,
    EventName::ChannelUnhold,
    EventName::ChannelExecuteComplete,
    EventName::ChannelHangup,
    EventName::ChannelHangupComplete,
    EventName::BackgroundJob,
    EventName::Dtmf,
    EventName::RecordStart,
    EventName::RecordStop,
    // Of conference rooms: what concerns the caller itself.
    EventName::Custom,
];

/// What a call hears of an event that tells nothing about one of its orders; hang-ups are not among
/// them.
pub fn event(event: &esl::event::Event) -> Option<Event> {
    match event.name() {
        EventName::Dtmf => event.digit().map(Event::Digit),
        EventName::ChannelAnswer => Some(Event::Answered),
        EventName::ChannelBridge => {
            event.other_leg().map(|other| Event::Bridged { other, target: dial::answering(event) })
        }
        EventName::ChannelUnbridge => Some(Event::Unbridged),
        EventName::Custom => room::news(event).map(Event::Room),
        EventName::ChannelHold => Some(Event::Held(true)),
        EventName::ChannelUnhold => Some(Event::Held(false)),
        EventName::RecordStart => Some(Event::RecordingBegan { path: file(event)? }),
        EventName::RecordStop => Some(Event::RecordingEnded {
            path: file(event)?,
            length_ms: event.variable("record_ms").and_then(|length| length.number()),
            cause: event.text("Record-Completion-Cause").unwrap_or_default().into_owned(),
        }),
        _ => None,
    }
}

/// What a call hears of an event of another channel.
pub fn far(event: &esl::event::Event) -> Option<Event> {
    let channel = event.unique_id()?;
    let news = match event.name() {
        EventName::Dtmf => FarNews::Key(event.digit()?),
        EventName::ChannelAnswer => FarNews::Answered,
        EventName::ChannelBridge => FarNews::Bridged(event.other_leg()?),
        EventName::ChannelUnbridge => FarNews::Unbridged,
        EventName::ChannelHold => FarNews::Held(true),
        EventName::ChannelUnhold => FarNews::Held(false),
        EventName::ChannelPark => FarNews::Parked,
        EventName::Custom => FarNews::Room(room::news(event)?),
        EventName::ChannelHangupComplete => FarNews::HungUp(hangup_cause(event)),
        _ => return None,
    };
    Some(Event::Far { channel, news })
}

/// Whom somebody else has joined the caller to (`switch_ivr_bridge.c` switch_ivr_uuid_bridge).
pub fn replaced(event: &esl::event::Event) -> Option<Event> {
    let source = event.variable("transfer_source")?;
    let (_, other) =
        source.text().rsplit_once(":uuid_br:").map(|(a, b)| (a.len(), b.to_owned()))?;
    let other: ChannelId = other.parse().ok()?;
    let known = event.other_leg().is_some_and(|leg| leg == other);
    let party = event.text("Other-Leg-Destination-Number").filter(|_| known);
    Some(Event::Replaced { other, party: party.unwrap_or_default().into_owned() })
}

/// Where the phone of the channel that is gone sent its other party (`sofia.c`
/// sofia_handle_sip_i_refer).
pub fn refers(event: &esl::event::Event) -> Option<Event> {
    let text = |name| event.variable(name).map(|value| value.text().into_owned());
    let blind = text("transfer_destination").and_then(|to| Some(to.strip_prefix("blind:")?.into()));
    let attended = text("transfer_to").and_then(|to| Some(to.strip_prefix("att:")?.to_owned()));
    let other = attended.as_deref().filter(|_| blind.is_none()).and_then(|to| to.parse().ok());
    (blind.is_some() || attended.is_some()).then_some(Event::Refers { to: blind, other })
}

/// The file of a recording (`switch_ivr_async.c` send_record_stop_event).
fn file(event: &esl::event::Event) -> Option<String> {
    event.text("Record-File-Path").map(Cow::into_owned)
}

/// Whether the caller hung up itself, as far as mod_sofia says (`mod_sofia.c` sofia_on_hangup,
/// `sofia.c` sofia_handle_sip_i_bye). The variable is set after CHANNEL_HANGUP was fired.
pub fn hung_up_by_caller(event: &esl::event::Event) -> Option<bool> {
    let disposition = event.variable("sip_hangup_disposition")?;
    match &*disposition.text() {
        "recv_bye" | "recv_cancel" => Some(true),
        "send_bye" | "send_cancel" | "send_refuse" => Some(false),
        _ => None,
    }
}

/// The cause of a hang-up event.
pub fn hangup_cause(event: &esl::event::Event) -> HangupCause {
    event.hangup_cause().unwrap_or(HangupCause::NormalUnspecified)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn heard(facts: &serde_json::Value) -> esl::event::Event {
        esl::event::Event::from_json(facts.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn whom_somebody_else_joined_the_caller_to_is_read_from_where_the_channel_came_from() {
        let source = |source: &str| {
            heard(&json!({ "Event-Name": "CHANNEL_UNBRIDGE", "Unique-ID": "a-leg",
                "Other-Leg-Unique-ID": "x-leg", "Other-Leg-Destination-Number": "300",
                "variable_transfer_source": source }))
        };
        let other = "x-leg".parse().unwrap();
        let party = "300".to_owned();
        let joined = source("1795409004:3b68e757:uuid_br:x-leg");
        assert_eq!(replaced(&joined), Some(Event::Replaced { other, party }));
        // The number that is told is somebody else's.
        let (other, party) = ("y-leg".parse().unwrap(), String::new());
        let joined = source("1795409004:3b68e757:uuid_br:y-leg");
        assert_eq!(replaced(&joined), Some(Event::Replaced { other, party }));
        for no in ["1795409004:3b68e757:bl_xfer:300/callwright/XML", "", ":uuid_br:", "x:uuid_br"] {
            assert_eq!(replaced(&source(no)), None, "{no:?}");
        }
    }

    #[test]
    fn whom_the_callers_phone_named_is_read_from_what_it_left_on_the_channel() {
        let left = |to: &str, destination: &str| {
            refers(&heard(&json!({ "Event-Name": "CHANNEL_HANGUP", "variable_transfer_to": to,
                "variable_transfer_destination": destination })))
        };
        let blind = Event::Refers { to: Some("300".to_owned()), other: None };
        assert_eq!(left("blind:b-leg", "blind:300"), Some(blind));
        let other = Some("x-leg".parse().unwrap());
        assert_eq!(left("att:x-leg", ""), Some(Event::Refers { to: None, other }));
        assert_eq!(left("", ""), None);
        assert_eq!(left("satt:x-leg", ""), None);
    }
}
