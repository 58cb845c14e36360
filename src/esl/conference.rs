//! What is asked of a conference room (`mod_conference`): joining it, and its API. No argument of
//! it can hold a word more than it should: `conference_api.c` conference_api_main_real splits at
//! spaces.

use std::fmt::Write;

use crate::base::ids::ChannelId;

use super::application::Sound;
use super::argument::{FilePath, Refused, Why, Word, check_bytes};

/// Longest name of a room, in bytes.
const NAME_MAX: usize = 128;
/// Most flags that are read of a member (`conference_utils.c` conference_utils_set_mflags).
const FLAGS_MAX: usize = 10;
/// The channel variable by which a member of ours is known, its value being the channel's identity.
/// Never that identity alone, of which FreeSWITCH
/// would read the first digits as a member's number (`conference_api.c`
/// conference_api_sub_… by atoi).
pub const MEMBER: &str = "callwright_member";
/// How far a volume goes (`conference_api.c` conference_api_sub_volume_in).
const VOLUME_MAX: i8 = 4;

/// A room's name in FreeSWITCH: lower-case letters, digits, `-` and `_`, nothing that ends a name
/// in the application's argument (`+`, `@`, `:`, space).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomArg(String);

impl RoomArg {
    pub fn new(name: &str) -> Result<Self, Refused> {
        let argument = "room";
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        check_bytes(argument, name, NAME_MAX, allowed)?;
        if name.starts_with('-') {
            return Err(Refused { argument, why: Why::Beginning("-") });
        }
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a member joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinFlag {
    Mute,
    Deaf,
    Moderator,
    /// The room is over when the last member that has this has left.
    EndsIt,
    /// Who makes the room makes it one that waits for a moderator.
    WaitsForModerator,
    /// Must not make the room.
    JoinOnly,
    /// The room is over when fewer than two are left of two or more.
    MinTwo,
}

impl JoinFlag {
    const fn word(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Moderator => "moderator",
            Self::EndsIt => "mandatory_member_endconf",
            Self::WaitsForModerator => "wait-mod",
            Self::JoinOnly => "join-only",
            Self::MinTwo => "mintwo",
        }
    }
}

/// The argument of the application `conference`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub room: RoomArg,
    pub profile: Word,
    pub flags: Vec<JoinFlag>,
}

impl Join {
    pub(super) fn check(&self) -> Result<(), Refused> {
        if self.flags.len() > FLAGS_MAX {
            let why = Why::TooMany(FLAGS_MAX);
            return Err(Refused { argument: "list of flags", why });
        }
        Ok(())
    }

    pub(super) fn checked(&self) -> Result<String, Refused> {
        self.check()?;
        Ok(self.argument())
    }

    pub(super) fn argument(&self) -> String {
        let flags: Vec<_> = self.flags.iter().map(|flag| flag.word()).collect();
        let (room, profile) = (&self.room.0, self.profile.as_str());
        if flags.is_empty() {
            return format!("{room}@{profile}");
        }
        format!("{room}@{profile}+flags{{{}}}", flags.join("|"))
    }
}

/// Who of a room is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// By the number that the room gave.
    Number(u32),
    /// By [`MEMBER`], which we set.
    Ours(ChannelId),
    /// All but moderators.
    Others,
    All,
}

/// What is asked of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomApi {
    /// Asks who is in it, as JSON.
    List,
    Mute {
        member: Member,
        on: bool,
    },
    Deaf {
        member: Member,
        on: bool,
    },
    /// How loud a member is to the others (`own`), or hears them: -4 to 4.
    Volume {
        member: Member,
        own: bool,
        level: i8,
    },
    Kick(Member),
    /// Takes out of the room without saying that it was kicked.
    Leave(Member),
    Lock(bool),
    /// Plays for all.
    Play(Sound),
    /// Begins a recording; or stops one, or all.
    Record {
        path: Option<FilePath>,
        on: bool,
    },
    /// Gives a member the floor.
    Floor(Member),
}

impl RoomApi {
    /// The command without its first word.
    pub(super) fn words(&self, room: &RoomArg) -> String {
        let room = &room.0;
        let is = |on: bool, yes: &'static str, no: &'static str| if on { yes } else { no };
        match self {
            Self::List => format!("{room} json_list"),
            Self::Mute { member, on } => {
                format!("{room} {} {}", is(*on, "mute", "unmute"), member.word())
            }
            Self::Deaf { member, on } => {
                format!("{room} {} {}", is(*on, "deaf", "undeaf"), member.word())
            }
            Self::Volume { member, own, level } => {
                let level = (*level).clamp(-VOLUME_MAX, VOLUME_MAX);
                let side = is(*own, "volume_in", "volume_out");
                format!("{room} {side} {} {level}", member.word())
            }
            Self::Kick(member) => format!("{room} kick {}", member.word()),
            Self::Leave(member) => format!("{room} hup {}", member.word()),
            Self::Lock(on) => format!("{room} {}", is(*on, "lock", "unlock")),
            Self::Play(sound) => {
                let mut words = format!("{room} play ");
                // Writing into a text can't fail.
                let _ = match sound {
                    Sound::File(path) => words.write_str(path.as_str()),
                    Sound::Tones(recipe) => write!(words, "tone_stream://{}", recipe.as_str()),
                    Sound::Silence(ms) => write!(words, "silence_stream://{ms}"),
                };
                words
            }
            Self::Record { path, on } => {
                let path = path.as_ref().map_or("all", FilePath::as_str);
                format!("{room} recording {} {path}", is(*on, "start", "stop"))
            }
            Self::Floor(member) => format!("{room} floor {}", member.word()),
        }
    }
}

impl Member {
    fn word(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Ours(channel) => format!("{MEMBER}={channel}"),
            Self::Others => "non_moderator".to_owned(),
            Self::All => "all".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::esl::application::Application;
    use crate::esl::argument::Tones;
    use crate::esl::command::{Api, Command, Execute};
    use crate::esl::token::ExecuteId;

    fn said(command: RoomApi) -> String {
        let room = RoomArg::new("t1-sales").unwrap();
        let bytes = Command::Api(Api::Room { room, command }).encode().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned()
    }

    #[test]
    fn a_rooms_name_adds_no_word_profile_pin_or_flag() {
        for name in ["", "a b", "a@b", "a+1", "a+flags{moderator}", "bridge:x", "-a", "A", "a\n"] {
            assert!(RoomArg::new(name).is_err(), "{name:?}");
        }
        assert_eq!(RoomArg::new("t0-room_1").unwrap().as_str(), "t0-room_1");
    }

    #[test]
    fn a_member_joins_with_its_flags() {
        let join = Join {
            room: RoomArg::new("t1-sales").unwrap(),
            profile: Word::new("profile", "callwright").unwrap(),
            flags: vec![JoinFlag::Moderator, JoinFlag::Mute],
        };
        let application = Application::Conference(join);
        let bytes = Command::Execute(Execute::new(ExecuteId(1), application)).encode().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let argument = text.split_once("execute-app-arg: ").unwrap().1.trim_end();
        assert_eq!(argument, "t1-sales@callwright+flags{moderator|mute}");
    }

    #[test]
    fn every_order_is_one_line_of_the_rooms_api() {
        let ours = Member::Ours("5d28a6bf-1".parse().unwrap());
        let tones = Tones::new("%(200,0,660)").unwrap();
        let path = FilePath::new("/m/a.wav").unwrap();
        for (order, words) in [
            (RoomApi::List, "json_list".to_owned()),
            (RoomApi::Mute { member: Member::Number(3), on: true }, "mute 3".into()),
            (RoomApi::Mute { member: Member::Others, on: false }, "unmute non_moderator".into()),
            (RoomApi::Deaf { member: ours, on: true }, "deaf callwright_member=5d28a6bf-1".into()),
            (
                RoomApi::Volume { member: Member::Number(2), own: false, level: 99 },
                "volume_out 2 4".into(),
            ),
            (RoomApi::Kick(Member::Number(2)), "kick 2".into()),
            (RoomApi::Leave(Member::All), "hup all".into()),
            (RoomApi::Lock(false), "unlock".into()),
            (RoomApi::Play(Sound::Tones(tones)), "play tone_stream://%(200,0,660)".into()),
            (RoomApi::Record { path: Some(path), on: true }, "recording start /m/a.wav".into()),
            (RoomApi::Floor(Member::Number(1)), "floor 1".into()),
        ] {
            assert_eq!(said(order), format!("api conference t1-sales {words}"));
        }
    }
}
