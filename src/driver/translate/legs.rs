//! Legs that a call orders besides the caller's and those that it dials.

use super::dial::{self, Outlet, variable};
use super::media;
use super::room;
use super::variables::{self, STATE, TIE, pair, set};
use crate::base::cause::HangupCause;
use crate::base::digits::Digits;
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::output::{DialAddress, Media, OriginateOrder, PlaceOrder, Then as Ordered};
use crate::call::{BROUGHT, Tie};
use crate::esl::application::Sound;
use crate::esl::argument::{DialPart, DisplayName, Refused, Sealed, Tones, VariableValue, Word};
use crate::esl::command::{Api, Command};
use crate::esl::dial_string::{DialString, DialValue, DialVariable, Leg, Target};
use crate::esl::originate::{Eavesdrop, Originate, Then};

/// A short tone that disturbs nobody.
const BEEP: &str = "v=-18;%(200,0,1400)";

/// What somebody hears who is not let into a room: congestion (ITU-T E.180).
const REFUSED: &str = "v=-18;%(240,240,425);loops=6";

/// Calls somebody. `beside` is on the FreeSWITCH that is to do it.
///
/// # Errors
/// A value that can't be carried safely.
pub fn originate(
    order: &OriginateOrder,
    beside: &ChannelId,
    outlet: &Outlet,
    away: Option<Word>,
) -> Result<Api, Refused> {
    let mut variables = ringing(order.timeout);
    variables.push(deaf_to_keys());
    variables.extend(shown(order.caller_name.as_deref(), order.caller_number.as_deref())?);
    variables.extend(dial::away(away));
    outside(&mut variables, &order.address, outlet)?;
    let then = match &order.then {
        Ordered::Park => Then::Park,
        Ordered::Eavesdrop { target, speaks } => {
            Then::Eavesdrop(eavesdrop(target.clone(), *speaks))
        }
        Ordered::Room(join) => {
            variables.extend(room::brought(&order.channel, join));
            Then::Conference { join: room::join(join)?, refused: Tones::new(REFUSED)? }
        }
    };
    let target = dial::address(&order.address, &outlet.profile)?;
    Ok(leg(order.channel.clone(), Some(beside.clone()), target, variables, then))
}

/// Where our dialplan takes up a call that we place (`dialplan/callwright.xml`).
const PLACED: &str = "callwright_placed";

/// Calls the caller of a call of ours, who comes to us by the dialplan's `context`, with `state`.
///
/// # Errors
/// A value that can't be carried safely.
pub fn place(
    channel: ChannelId,
    order: &PlaceOrder,
    state: Sealed,
    outlet: &Outlet,
    context: Word,
) -> Result<Api, Refused> {
    let mut variables = ringing(order.timeout);
    variables.extend(shown(order.caller_name.as_deref(), order.caller_number.as_deref())?);
    variables.push(variable(STATE, DialValue::Sealed(state)));
    outside(&mut variables, &order.address, outlet)?;
    let target = dial::address(&order.address, &outlet.profile)?;
    let then = Then::Dialplan { extension: DialPart::new(PLACED)?, context };
    Ok(leg(channel, None, target, variables, then))
}

/// Adds what a leg out of the house has besides, and takes out what that replaces.
fn outside(
    variables: &mut Vec<DialVariable>,
    address: &DialAddress,
    outlet: &Outlet,
) -> Result<(), Refused> {
    let more = dial::outside(address, outlet)?;
    variables.retain(|known| more.iter().all(|new| new.name != known.name));
    variables.extend(more);
    Ok(())
}

/// Nothing that a network plays counts as an answer, and it rings so long.
fn ringing(timeout: Millis) -> Vec<DialVariable> {
    let seconds = DialValue::Number(timeout.whole_seconds().max(1));
    vec![
        variable("ignore_early_media", DialValue::Flag(true)),
        variable("originate_timeout", seconds),
    ]
}

/// What who is called sees.
fn shown(name: Option<&str>, number: Option<&str>) -> Result<Vec<DialVariable>, Refused> {
    let name = name.and_then(DisplayName::cleaned);
    let name = name.map(|name| variable("origination_caller_id_name", DialValue::Name(name)));
    let number = number.map(DialPart::new).transpose()?;
    let number =
        number.map(|number| variable("origination_caller_id_number", DialValue::Part(number)));
    Ok(name.into_iter().chain(number).collect())
}

/// A leg that hears what `from` says, and speaks into what `to` hears.
pub fn relay(channel: ChannelId, from: ChannelId, to: ChannelId) -> Api {
    let target = Target::Eavesdrop(Eavesdrop { target: from, speaks: false, half: true });
    let then = Then::Eavesdrop(eavesdrop(to.clone(), true));
    leg(channel, Some(to), target, vec![deaf_to_keys()], then)
}

pub const fn eavesdrop(target: ChannelId, speaks: bool) -> Eavesdrop {
    Eavesdrop { target, speaks, half: false }
}

#[allow(clippy::unwrap_used, reason = "the recipe is a constant of ours, and well-formed")]
pub fn beep(channel: ChannelId) -> Api {
    Api::Beep { channel, tones: Tones::new(BEEP).unwrap() }
}

/// No key of its phone may change who hears a leg that eavesdrops.
fn deaf_to_keys() -> DialVariable {
    variable(Eavesdrop::KEYS, DialValue::Flag(false))
}

fn leg(
    channel: ChannelId,
    beside: Option<ChannelId>,
    target: Target,
    variables: Vec<DialVariable>,
    then: Then,
) -> Api {
    let leg = Leg { target, variables: Vec::new() };
    let dial = DialString { variables, groups: vec![vec![leg]] };
    Api::Originate(Box::new(Originate { channel, beside, dial, then }))
}

/// Hangs a leg up when it has lasted so long from now on.
pub fn limit(channel: ChannelId, length: Millis) -> Api {
    let seconds = u32::try_from(length.whole_seconds()).unwrap_or(u32::MAX);
    Api::SchedHangup { seconds, channel, cause: HangupCause::AllottedTimeout }
}

/// What a party hears that keeps another waiting: for how long, in ms, and the shortest time from
/// one to the next.
const REMINDER_MS: u64 = 150;
const REMINDED_MS: u64 = 1_000;

fn reminder(every: Millis) -> Result<Tones, Refused> {
    let silence_ms = every.ms().max(REMINDED_MS) - REMINDER_MS;
    Tones::new(&format!("v=-25;%({REMINDER_MS},{silence_ms},850)"))
}

/// Joins two channels that are not the caller's. A channel that is moved by `uuid_transfer` forgets
/// what happens after a bridge (`switch_ivr.c` switch_ivr_session_transfer), so it is told each
/// time.
pub fn connect(one: &ChannelId, other: &ChannelId, keep: bool) -> Vec<Command> {
    let (channel, with) = (one.clone(), other.clone());
    let set = |channel| stays(channel, keep, &[(TIE, "")]);
    vec![set(one), set(other), Command::Api(Api::Bridge { channel, other: with })]
}

/// Whether a channel stays in silence when its conversation is over.
fn stays(channel: &ChannelId, keep: bool, more: &[(&str, &str)]) -> Command {
    let (stay, so_long) = if keep { ("true", STAY) } else { ("", "") };
    let stays = [("park_after_bridge", stay), ("park_timeout", so_long)];
    set(channel, stays.iter().chain(more).map(|(name, value)| pair(name, value)).collect())
}

/// How long a leg is left in silence by a process that is gone, in seconds.
const STAY: &str = "30";

/// Joins the caller to another channel; `back` is where its dialplan takes it afterwards. With
/// `keep` the other channel stays then.
pub fn join(caller: &ChannelId, other: &ChannelId, back: &str, keep: bool) -> [Command; 3] {
    let (channel, with) = (caller.clone(), other.clone());
    let ends = [("hangup_after_bridge", "true")];
    // Until it is joined it stays if whom it speaks with leaves.
    let settings = stays(other, keep, &ends);
    [come_back(caller, back), Command::Api(Api::Bridge { channel, other: with }), settings]
}

/// The same where they are joined already, and the other channel ends with the conversation.
pub fn stay(caller: &ChannelId, other: &ChannelId, back: &str) -> [Command; 2] {
    [stays(other, false, &[("hangup_after_bridge", "true")]), come_back(caller, back)]
}

/// How long FreeSWITCH may take to join two channels of which it has been told.
const JOINED_S: u32 = 1;

/// Has our dialplan bring a channel to us, in the context `away`. Whoever waits for it stays for so
/// long. Of two that FreeSWITCH itself is about to join none may be taken out before that is done:
/// it would hang the other one up (`switch_ivr_bridge.c` uuid_bridge_on_soft_execute).
pub fn bring(channel: &ChannelId, tie: &Tie, sealed: VariableValue, away: Word) -> Vec<Command> {
    let waits = tie.awaited().map(|awaited| stays(awaited, true, &[]));
    let later_s = if tie.is_joined() { JOINED_S } else { 0 };
    let transfer = Command::Api(send_to_us(channel, away, later_s));
    waits.into_iter().chain([variables::tie(channel, sealed), transfer]).collect()
}

/// Has our dialplan bring a channel to us that carries a tie, in so many seconds.
#[allow(clippy::unwrap_used, reason = "the texts are constants of ours, and well-formed")]
pub fn send_to_us(channel: &ChannelId, context: Word, later_s: u32) -> Api {
    let extension = DialPart::new(BROUGHT).unwrap();
    let dialplan = Word::new("dialplan", "XML").unwrap();
    let channel = channel.clone();
    match later_s {
        0 => Api::Transfer { channel, extension, dialplan, context },
        seconds => Api::SchedTransfer { seconds, channel, extension, dialplan, context },
    }
}

/// Lets a channel hear this in the place of what it hears.
///
/// # Errors
/// Something that can't be carried safely.
pub fn tell(channel: ChannelId, media: &Media) -> Result<Api, Refused> {
    Ok(Api::Tell { channel, sounds: media::sounds(media)? })
}

/// Lets channels hear this beside what they hear.
///
/// # Errors
/// Something that can't be carried safely.
pub fn overlay(
    hearers: impl Iterator<Item = ChannelId>,
    media: &Media,
) -> Result<Vec<Command>, Refused> {
    let sounds = media::sounds(media)?;
    let overlay = |channel| Command::Api(Api::Overlay { channel, sounds: sounds.clone() });
    Ok(hearers.map(overlay).collect())
}

/// Lets a channel hear this, and hangs it up.
///
/// # Errors
/// Something that can't be carried safely.
pub fn dismiss(channel: ChannelId, said: &[Media]) -> Result<Api, Refused> {
    let said = said.iter().map(|medium| media::application(medium, &Digits::default()));
    Ok(Api::Dismiss { channel, said: said.collect::<Result<_, _>>()? })
}

/// Where its dialplan takes the caller after a conversation outside of our connection.
pub fn come_back(caller: &ChannelId, back: &str) -> Command {
    let way = format!("callwright_after:XML:{back}");
    set(caller, vec![pair(AFTER, &way)])
}

/// The same no more.
pub fn come_back_no_more(caller: &ChannelId) -> Command {
    set(caller, vec![pair(AFTER, "")])
}

/// `switch_ivr_bridge.c` uuid_bridge_on_soft_execute.
const AFTER: &str = "transfer_after_bridge";

/// Replaces what two parties hear of one another.
///
/// # Errors
/// A sound that can't be carried safely.
pub fn hold(
    [held, other]: [&ChannelId; 2],
    on: bool,
    music: &Media,
    every: Millis,
) -> Result<[Command; 2], Refused> {
    let displace = |channel: &ChannelId, sound| {
        Command::Api(Api::Displace { channel: channel.clone(), on, sound })
    };
    let reminder = Sound::Tones(reminder(every)?);
    Ok([displace(held, media::sound(music)?), displace(other, reminder)])
}
