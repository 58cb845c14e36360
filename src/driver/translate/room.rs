//! Conference rooms: joining one, orders to it, and what FreeSWITCH tells of it.

use std::path::Path;

use serde::Deserialize;

use super::dial::variable;
use super::variables::{pair, set};
use crate::base::ids::{ChannelId, RecordingId};
use crate::call::room::{JoinOrder, RoomFacts, RoomNews, RoomOrder, RoomSound, Who};
use crate::esl::application::Sound;
use crate::esl::argument::{FilePath, Refused, Word};
use crate::esl::command::{Api, Command};
use crate::esl::conference::{Join, JoinFlag, MEMBER, Member, RoomApi, RoomArg};
use crate::esl::dial_string::{DialValue, DialVariable};
use crate::esl::event::Event;
use crate::flow::room::Role;
use crate::model::room::{MemberView, RoomView};

/// Our profile in `conference.conf.xml`. Where there is none of this name FreeSWITCH takes its own
/// defaults, which do as well.
const PROFILE: &str = "callwright";
/// Set by FreeSWITCH when the caller is in a room; unset before each.
const MEMBER_ID: &str = "conference_member_id";

/// What the channel needs to know before it joins. FreeSWITCH's own key controls are off, and a
/// room's end leaves the caller with us (`mod_conference.c` conference_function).
///
/// # Errors
/// A value that can't be carried safely.
pub fn settings(channel: &ChannelId, order: &JoinOrder) -> Result<Command, Refused> {
    let music = match &order.music {
        Some(path) => FilePath::new(path)?.as_str().to_owned(),
        None => String::new(),
    };
    let most = order.most.map_or_else(String::new, |most| most.to_string());
    let enforced = if order.passes_lock { "false" } else { "true" };
    let variables = [
        ("conference_controls", "none"),
        ("hangup_after_conference", "false"),
        ("conference_enforce_security", enforced),
        ("conference_max_members", &most),
        ("conference_moh_sound", &music),
        (MEMBER_ID, ""),
        (MEMBER, channel.as_str()),
    ];
    Ok(set(channel, variables.iter().map(|(name, value)| pair(name, value)).collect()))
}

/// What a leg that is called out into a room brings along. It ends with the room, as FreeSWITCH has
/// it where nothing else is said.
pub(super) fn brought(channel: &ChannelId, order: &JoinOrder) -> Vec<DialVariable> {
    let most = order.most.map(|most| DialValue::Number(most.into()));
    let most = most.map(|most| variable("conference_max_members", most));
    let known = variable(MEMBER, DialValue::Channel(channel.clone()));
    let keys = Word::new("controls", "none").map(DialValue::Word);
    let keys = keys.map(|none| variable("conference_controls", none)).ok();
    // FreeSWITCH lets a leg that was called past the lock where nothing else is said.
    let enforced = DialValue::Flag(!order.passes_lock);
    let enforced = variable("conference_enforce_security", enforced);
    most.into_iter().chain(keys).chain([enforced, known]).collect()
}

/// # Errors
/// A value that can't be carried safely.
pub fn join(order: &JoinOrder) -> Result<Join, Refused> {
    let given = [
        (order.muted, JoinFlag::Mute),
        (order.deaf, JoinFlag::Deaf),
        (order.role == Role::Moderator, JoinFlag::Moderator),
        (order.ends_it, JoinFlag::EndsIt),
        (order.waits, JoinFlag::WaitsForModerator),
        (order.ends_alone, JoinFlag::MinTwo),
        (order.joins_only, JoinFlag::JoinOnly),
    ];
    let flags = given.into_iter().filter_map(|(is, flag)| is.then_some(flag));
    Ok(Join {
        room: RoomArg::new(&order.room)?,
        profile: Word::new("profile", PROFILE)?,
        flags: flags.collect(),
    })
}

/// Sends another channel than the caller's to a room.
///
/// # Errors
/// A value that can't be carried safely.
pub fn enter(channel: ChannelId, order: &JoinOrder) -> Result<Vec<Command>, Refused> {
    let settings = settings(&channel, order)?;
    Ok(vec![settings, Command::Api(Api::Enter { channel, join: join(order)? })])
}

/// `me` is the channel in whose name it is ordered.
///
/// # Errors
/// A value that can't be carried safely.
pub fn order(room: &str, order: &RoomOrder, me: &ChannelId) -> Result<Api, Refused> {
    let member = |who: Who| match who {
        Who::Me => Member::Ours(me.clone()),
        Who::Member(number) => Member::Number(number),
        Who::Others => Member::Others,
    };
    let command = match order {
        RoomOrder::Mute { who, on } => RoomApi::Mute { member: member(*who), on: *on },
        RoomOrder::Deaf { who, on } => RoomApi::Deaf { member: member(*who), on: *on },
        RoomOrder::Volume { who, own, level } => {
            RoomApi::Volume { member: member(*who), own: *own, level: *level }
        }
        RoomOrder::Leave(who) => RoomApi::Leave(member(*who)),
        RoomOrder::Kick(who) => RoomApi::Kick(member(*who)),
        RoomOrder::Lock(on) => RoomApi::Lock(*on),
        RoomOrder::Play(RoomSound::File { path }) => {
            RoomApi::Play(Sound::File(FilePath::new(path)?))
        }
        RoomOrder::Play(RoomSound::Tone(tone)) => {
            RoomApi::Play(Sound::Tones(super::media::recipe(tone)?))
        }
        RoomOrder::Record { path, on } => {
            let path = path.as_deref().map(FilePath::new).transpose()?;
            RoomApi::Record { path, on: *on }
        }
        RoomOrder::Floor(who) => RoomApi::Floor(member(*who)),
        RoomOrder::End => RoomApi::Leave(Member::All),
    };
    Ok(Api::Room { room: RoomArg::new(room)?, command })
}

/// An order of somebody who is not in the room.
///
/// # Errors
/// A value that can't be carried safely.
pub fn order_from_outside(room: &str, what: &RoomOrder) -> Result<Api, Refused> {
    order(room, what, &nobody())
}

/// Orders of whoever is not in the room name nobody as themselves.
#[allow(clippy::unwrap_used, reason = "`nobody` is a channel's name")]
fn nobody() -> ChannelId {
    "nobody".parse().unwrap()
}

/// Asks who is in a room.
///
/// # Errors
/// The name can't be carried safely.
pub fn list(room: &str) -> Result<Api, Refused> {
    Ok(Api::Room { room: RoomArg::new(room)?, command: RoomApi::List })
}

/// What a `conference::maintenance` event tells of its member (`conference_event.c`
/// conference_member_add_event_data).
pub(super) fn news(event: &Event) -> Option<RoomNews> {
    let is = |name: &str| event.header(name).is_some_and(|value| value == "true");
    let action = event.header("Action")?;
    Some(match &*action.text() {
        "add-member" => RoomNews::Entered {
            member: event.header("Member-ID").and_then(|id| id.number())?,
            muted: !is("Speak"),
            deaf: !is("Hear"),
        },
        "mute-member" => RoomNews::Muted(true),
        "unmute-member" => RoomNews::Muted(false),
        "deaf-member" => RoomNews::Deaf(true),
        "undeaf-member" => RoomNews::Deaf(false),
        "kick-member" => RoomNews::Kicked,
        _ => return None,
    })
}

/// Whether the channel has been in a room since it was last sent to one.
pub fn was_in(facts: &Event) -> bool {
    facts.variable(MEMBER_ID).is_some_and(|id| !id.text().is_empty())
}

/// The list of one room, or why it can't be read. `None`: there is no such room now.
///
/// # Errors
/// A sentence.
pub fn view(said: &str) -> Result<Option<RoomView>, String> {
    if said.starts_with("-ERR") || said.trim() == "No active conferences." {
        return Ok(None);
    }
    let rooms: Vec<Listed> = serde_json::from_str(said).map_err(|error| error.to_string())?;
    Ok(rooms.into_iter().next().map(Listed::view))
}

pub fn facts(view: &RoomView) -> RoomFacts {
    let members = u32::try_from(view.members.len()).unwrap_or(u32::MAX);
    RoomFacts { locked: view.locked, recorded: view.recording, members }
}

/// `conference … json_list` (`mod_conference.c` conference_jlist).
#[derive(Deserialize)]
struct Listed {
    locked: bool,
    #[serde(default)]
    wait_mod: bool,
    #[serde(default)]
    recording: bool,
    #[serde(default)]
    run_time: u64,
    #[serde(default)]
    members: Vec<ListedMember>,
}

#[derive(Deserialize)]
struct ListedMember {
    #[serde(default)]
    id: Option<u32>,
    #[serde(default)]
    uuid: Option<ChannelId>,
    #[serde(default)]
    caller_id_name: String,
    #[serde(default)]
    caller_id_number: String,
    #[serde(default)]
    record_path: Option<String>,
    #[serde(default)]
    join_time: u64,
    #[serde(default)]
    volume_in: i8,
    #[serde(default)]
    volume_out: i8,
    #[serde(default)]
    flags: ListedFlags,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "so FreeSWITCH writes it")]
struct ListedFlags {
    can_hear: bool,
    can_speak: bool,
    talking: bool,
    has_floor: bool,
    is_moderator: bool,
}

impl Listed {
    fn view(self) -> RoomView {
        let Self { locked, wait_mod, recording, run_time, members } = self;
        // What records the room is listed among its members, without a number.
        let recordings = members.iter().filter_map(ListedMember::recording).collect();
        let members = members.into_iter().filter_map(ListedMember::view).collect();
        RoomView { locked, waits: wait_mod, recording, recordings, age_s: run_time, members }
    }
}

impl ListedMember {
    fn recording(&self) -> Option<RecordingId> {
        Path::new(self.record_path.as_deref()?).file_stem()?.to_str()?.parse().ok()
    }

    fn view(self) -> Option<MemberView> {
        let role = if self.flags.is_moderator { Role::Moderator } else { Role::Member };
        Some(MemberView {
            member: self.id?,
            call: None,
            channel: self.uuid,
            role: role.name().to_owned(),
            name: self.caller_id_name,
            number: self.caller_id_number,
            muted: !self.flags.can_speak,
            deaf: !self.flags.can_hear,
            talks: self.flags.talking,
            has_floor: self.flags.has_floor,
            volume: self.volume_in,
            hears: self.volume_out,
            since_s: self.join_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[{"conference_name": "t1-a", "member_count": 1, "locked": true,
        "wait_mod": false, "recording": true, "run_time": 12, "max_members": 3, "members": [
        {"type": "recording_node", "record_path": "/m/8202039e-cef1-7d3f-9790-991f51721e74.wav",
         "join_time": 0},
        {"type": "caller", "id": 7, "uuid": "8202039e-cef1-4d3f-9790-991f51721e73",
         "caller_id_name": "Ann", "caller_id_number": "100", "join_time": 5, "volume_in": 1,
         "volume_out": -2, "flags": {"can_hear": true, "can_speak": false, "talking": false,
         "has_floor": true, "is_moderator": true}}]}]"#;

    #[test]
    fn a_list_tells_who_is_in_and_how() {
        let listed = view(LIST).unwrap().unwrap();
        assert!(listed.locked && listed.recording && !listed.waits);
        let id = "8202039e-cef1-7d3f-9790-991f51721e74".parse().unwrap();
        assert_eq!(listed.recordings, [id]);
        let [member] = &listed.members[..] else { panic!("{listed:?}") };
        assert_eq!((member.member, member.role.as_str()), (7, "moderator"));
        assert!(member.muted && !member.deaf && member.has_floor);
        assert_eq!((member.volume, member.hears), (1, -2));
        assert_eq!(facts(&listed), RoomFacts { locked: true, recorded: true, members: 1 });
    }

    #[test]
    fn a_room_that_is_not_there_is_none_and_nonsense_is_an_error() {
        assert_eq!(view("-ERR Conference t1-a not found\n"), Ok(None));
        assert!(view("what").is_err());
    }

    #[test]
    fn whoever_joins_is_known_by_a_variable_and_never_by_a_channel() {
        let me = "5d28a6bf-1".parse().unwrap();
        let api = order("t1-a", &RoomOrder::Mute { who: Who::Me, on: true }, &me).unwrap();
        let bytes = Command::Api(api).encode().unwrap();
        let line = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(line.trim(), "api conference t1-a mute callwright_member=5d28a6bf-1");
    }
}
