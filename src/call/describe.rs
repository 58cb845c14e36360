//! Orders, endings and answers in words, for the timeline. Nothing secret, nothing long.

use super::input::{Answer, Dialed, Ending};
use super::outbound::OutboundFound;
use super::output::{Action, DialAddress, DialOrder, Media, RecordChange};
use super::park::ParkFound;
use super::room::RoomOrder;
use crate::base::digits::Digits;
use crate::flow::kind::answer::RejectReason;
use crate::flow::kind::http::Method;

/// Texts from outside are cut to this many characters in notes.
const TEXT_SHOWN: usize = 120;
/// Things to play that are named one by one.
const MEDIA_SHOWN: usize = 6;

/// A text from outside, on one line and not longer than a note bears.
pub(in crate::call) fn clean(text: &str) -> String {
    let mut shown: String =
        text.chars().take(TEXT_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(TEXT_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

pub(in crate::call) fn action(action: &Action, party: impl Fn(&str) -> String) -> String {
    match action {
        Action::Answer => "answer".into(),
        Action::Ring => "ring".into(),
        Action::Reject(reason) => format!("decline: {}", declined(*reason)),
        Action::Play { media, stop_on } => play(media, stop_on),
        Action::Silence => "stop playing".into(),
        Action::Record(order) => format!("record up to {}", order.max_length),
        Action::Dial(order) => format!("dial {}", targets(order, party)),
        Action::CancelDial => "give up the dial".into(),
        Action::SetVariables(variables) => {
            let names: Vec<&str> = variables.keys().map(String::as_str).collect();
            format!("set {}", names.join(", "))
        }
        Action::Discard { path, .. } => format!("throw away {}", clean(path)),
        Action::Transfer { extension, context } => {
            format!("transfer to {} in {}", party(extension), clean(context))
        }
        Action::JoinRoom(order) => format!("join the room as {}", order.role),
        Action::Room { order, .. } => room(order).to_owned(),
        Action::Hold { held, on: true, .. } => format!("let {held} wait"),
        Action::Hold { held, on: false, .. } => format!("let {held} wait no more"),
        Action::Enter { channel, .. } => format!("send {channel} to the room"),
        Action::Return { other } => format!("bring the caller back from {other}"),
        Action::Tie { channel, .. } => format!("tie {channel} to the call"),
        Action::Bring { channel, .. } => format!("let {channel} go on in a call of its own"),
        Action::Join { other, .. } => format!("join the caller to {other}"),
        Action::Take { other } => format!("take {other} out of its slot"),
        Action::Lend(true) => "let another call have the caller".into(),
        Action::Lend(false) => "let no other call have the caller".into(),
        Action::Dismiss { channel, said } => {
            let said: Vec<String> = said.iter().map(medium).collect();
            format!("let {channel} hear {}, and hang it up", said.join(", "))
        }
        Action::Connect { one, other, .. } => format!("join {one} to {other}"),
        Action::Await { channel, sound } => format!("let {channel} hear {}", medium(sound)),
        Action::Follow { channel, on } => {
            format!("{} to {channel}", if *on { "listen" } else { "listen no more" })
        }
        Action::Originate(order) => format!("call {}", address(&order.address, &party)),
        Action::Place(order) => format!("call {}", address(&order.address, &party)),
        Action::Limit { channel, length } => format!("let {channel} last {length} at most"),
        Action::Drop { channel, .. } => format!("hang up {channel}"),
        Action::Eavesdrop { channel, target, speaks: false } => {
            format!("let {channel} listen at {target}")
        }
        Action::Eavesdrop { channel, target, speaks: true } => {
            format!("let {channel} listen at {target} and speak to it")
        }
        Action::Relay { from, to, .. } => format!("let {from} speak to {to} too"),
        Action::SendKeys { channel, keys, .. } => {
            format!("send keys to {channel}: {}", keys.keys())
        }
        Action::AskBack { channel } => format!("ask {channel} to take the call back"),
        Action::PickUp => "answer".into(),
        Action::Tell { channel, media } => format!("let {channel} hear {}", medium(media)),
        Action::Beep { channel } => format!("a tone for {channel}"),
        Action::RecordCall { path, change } => recording(path, *change),
        Action::Overlay { media, .. } => format!("let be heard besides: {}", medium(media)),
        Action::Hangup(cause) => format!("hang up: {cause}"),
        Action::Release { refused } => format!("give back to the dialplan: {}", clean(refused)),
    }
}

fn recording(path: &str, change: RecordChange) -> String {
    match change {
        RecordChange::Start { .. } => format!("record the call to {}", clean(path)),
        RecordChange::Stop => "stop recording the call".into(),
        RecordChange::Pause => "pause the recording".into(),
        RecordChange::Resume => "go on with the recording".into(),
        RecordChange::Mask => "mask the recording".into(),
        RecordChange::Unmask => "end the recording's mask".into(),
    }
}

const fn room(order: &RoomOrder) -> &'static str {
    match order {
        RoomOrder::Mute { on: true, .. } => "mute in the room",
        RoomOrder::Mute { on: false, .. } => "unmute in the room",
        RoomOrder::Deaf { on: true, .. } => "make deaf in the room",
        RoomOrder::Deaf { on: false, .. } => "let hear the room",
        RoomOrder::Volume { .. } => "set a volume in the room",
        RoomOrder::Leave(_) => "leave the room",
        RoomOrder::Kick(_) => "take out of the room",
        RoomOrder::Lock(true) => "lock the room",
        RoomOrder::Lock(false) => "unlock the room",
        RoomOrder::Play(_) => "play to the room",
        RoomOrder::Record { on: true, .. } => "record the room",
        RoomOrder::Record { on: false, .. } => "stop recording the room",
        RoomOrder::Floor(_) => "give the floor",
        RoomOrder::End => "end the room",
    }
}

/// Why a call is declined, in words.
pub(in crate::call) const fn declined(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Busy => "busy",
        RejectReason::Declined => "declined",
        RejectReason::NotFound => "not found",
        RejectReason::Unavailable => "unavailable",
        RejectReason::Forbidden => "forbidden",
        RejectReason::Congestion => "congestion",
        RejectReason::NotAcceptable => "not acceptable",
    }
}

pub(in crate::call) const fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

fn play(media: &[Media], stop_on: &Digits) -> String {
    let mut shown: Vec<String> = media.iter().take(MEDIA_SHOWN).map(medium).collect();
    if media.len() > MEDIA_SHOWN {
        shown.push(format!("{} more", media.len() - MEDIA_SHOWN));
    }
    let keys = if stop_on.is_empty() { "" } else { ", until a key" };
    format!("play {}{keys}", shown.join(", "))
}

fn medium(media: &Media) -> String {
    match media {
        Media::File { name, .. } => name.clone(),
        Media::Tone(_) => "a tone".into(),
        Media::Silence(length) => format!("{length} of silence"),
        Media::Say { kind, .. } => format!("{kind:?} spoken").to_lowercase(),
        Media::Words { .. } => "a value spoken".into(),
        Media::Speak { .. } => "text to speech".into(),
    }
}

/// Who is called by an order, if anybody is.
pub(in crate::call) fn called(action: &Action, party: impl Fn(&str) -> String) -> Option<String> {
    match action {
        Action::Dial(order) => Some(targets(order, party)),
        Action::Originate(order) => Some(address(&order.address, &party)),
        _ => None,
    }
}

fn targets(order: &DialOrder, party: impl Fn(&str) -> String) -> String {
    let targets: Vec<_> =
        order.targets.iter().map(|target| address(&target.address, &party)).collect();
    targets.join(", ")
}

/// Where a target is, with its number as `party` lets it be shown.
pub(in crate::call) fn address(address: &DialAddress, party: &impl Fn(&str) -> String) -> String {
    match address {
        DialAddress::Extension { extension, .. } => party(extension),
        DialAddress::Number { number, gateway, .. } => format!("{} by {gateway}", party(number)),
        DialAddress::Outside { number, .. } => party(number),
        DialAddress::Sip { user, host } => format!("{}@{}", party(user), clean(host)),
    }
}

pub(in crate::call) fn ending(ending: &Ending) -> String {
    match ending {
        Ending::Finished => "finished".into(),
        Ending::FileMissing { file } => format!("file missing: {}", clean(file)),
        Ending::Recorded { length_ms, terminator } => {
            let by = if terminator.is_some() { ", ended by a key" } else { "" };
            format!("recorded {length_ms} ms{by}")
        }
        Ending::Dialed(dialed) => dialed_in_words(dialed),
        Ending::Failed { detail } => format!("failed: {}", clean(detail)),
    }
}

fn dialed_in_words(dialed: &Dialed) -> String {
    if dialed.answered {
        format!("conversation over: {}", dialed.cause)
    } else {
        format!("not answered: {}", dialed.cause)
    }
}

pub(in crate::call) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Http(Ok(answer)) => {
            format!("status {}, {} bytes", answer.status, answer.body.len())
        }
        Answer::Http(Err(failure)) => clean(&failure.to_string()),
        Answer::Park(found) => parked(found),
        Answer::Queue(_) => "of the queue".into(),
        Answer::Admit(_) => "of the limits".into(),
        Answer::Outbound(OutboundFound::By(way)) => format!("by the gateway {}", way.name),
        Answer::Outbound(OutboundFound::Refused(refusal)) => clean(&refusal.to_string()),
        Answer::Outbound(OutboundFound::Unknown) => "not known".into(),
        Answer::Spoken(Ok(_)) => "of the words".into(),
        Answer::Spoken(Err(why)) => clean(why),
        Answer::Room(found) => match (&found.elsewhere, found.here, found.known) {
            (Some(elsewhere), ..) => format!("on another FreeSWITCH: {}", clean(elsewhere)),
            (None, Some(here), _) => format!("here, {} in it", here.members),
            (None, None, true) => "nobody is in it".into(),
            (None, None, false) => "not known".into(),
        },
    }
}

fn parked(found: &ParkFound) -> String {
    match found {
        ParkFound::In(slot) => format!("in slot {slot}"),
        ParkFound::Full => "no slot is free".into(),
        ParkFound::Out(None) => "in no slot".into(),
        ParkFound::Out(Some(taker)) => format!("taken by {}", clean(&taker.party)),
        ParkFound::Taken { call, .. } => format!("it is call {call}"),
        ParkFound::Empty => "nobody is in it".into(),
        ParkFound::Elsewhere(core) => format!("on another FreeSWITCH: {core}"),
        ParkFound::Unknown(why) => format!("not known: {}", clean(why)),
    }
}

/// The ending as a failure, where it is one.
pub(in crate::call) fn failure(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Finished | Ending::Recorded { .. } | Ending::Dialed(_) => None,
        Ending::FileMissing { file } => Some(format!("the file {} is missing", clean(file))),
        Ending::Failed { detail } => Some(clean(detail)),
    }
}
