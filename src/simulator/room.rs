//! A conference room with one caller of ours in it (`mod_conference`): its member, what it is told,
//! and how it ends. Who else is in it is a number.

use super::arguments::split;
use super::channel::Channel;
use super::events::Kind;
use super::execute::{Activity, End, Served};
use super::observed::Observed;
use super::wire::until;

/// The number that a room gives its next member.
const MEMBER: u32 = 7;

/// The caller in a room.
#[derive(Debug)]
pub(super) struct Stay {
    room: Vec<u8>,
    /// As `Speak` and `Hear` say it.
    speaks: bool,
    hears: bool,
    moderator: bool,
    /// It is over when one is left.
    two: bool,
    /// When the world takes the caller out, or ends the room.
    kicked_at: Option<u64>,
    ends_at: Option<u64>,
    /// Somebody has ordered it.
    over: bool,
}

impl Stay {
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        [self.kicked_at, self.ends_at].into_iter().flatten().min()
    }
}

/// A room's name without its profile, and its flags.
fn parts(text: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (name, flags) = match text.windows(7).position(|w| w == b"+flags{") {
        Some(at) => (&text[..at], text.get(at + 7..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    let flags = split(until(flags, |b| b == b'}'), b'|', 10);
    (until(name, |b| b == b'@').to_vec(), flags)
}

/// A room's name, and whether it is over when one is left.
pub(super) fn named(text: &[u8]) -> (Vec<u8>, bool) {
    let (room, flags) = parts(text);
    (room, flags.iter().any(|flag| flag == b"mintwo"))
}

impl Channel {
    /// Whether the caller is in this room.
    pub(super) fn stays_in(&self, room: &[u8]) -> bool {
        self.stack
            .iter()
            .any(|frame| matches!(&frame.activity, Activity::Conference(stay) if stay.room == room))
    }

    /// All others have left the room.
    pub(super) fn stays_alone(&mut self, room: &[u8]) {
        for frame in &mut self.stack {
            if let Activity::Conference(stay) = &mut frame.activity {
                stay.over |= stay.two && stay.room == room;
            }
        }
    }

    pub(super) fn begin_conference(&mut self, text: &[u8]) -> Activity {
        let (room, flags) = parts(text);
        let has = |flag: &[u8]| flags.iter().any(|one| one == flag);
        self.answer();
        let world = self.world.room.clone();
        let enforced = self.vars.get(b"conference_enforce_security").is_none_or(|v| v != b"false");
        let most = self
            .vars
            .get(b"conference_max_members")
            .and_then(|most| String::from_utf8_lossy(most).parse::<u32>().ok());
        self.vars.set(&b"conference_name"[..], room.clone());
        if (world.locked && enforced) || most.is_some_and(|most| world.members >= most) {
            return Activity::Done;
        }
        let after = |length: Option<crate::base::millis::Millis>| {
            length.map(|length| self.ms().saturating_add(length.ms()))
        };
        let stay = Stay {
            speaks: !has(b"mute"),
            hears: !has(b"deaf"),
            moderator: has(b"moderator"),
            two: has(b"mintwo"),
            kicked_at: after(world.kicked_after),
            ends_at: after(world.ends_after),
            over: false,
            room,
        };
        self.vars.set(&b"conference_member_id"[..], MEMBER.to_string().into_bytes());
        let shown = String::from_utf8_lossy(&stay.room).into_owned();
        self.note(Observed::Joined { room: shown, muted: !stay.speaks });
        self.tell_room(&stay, b"add-member");
        Activity::Conference(Box::new(stay))
    }

    pub(super) fn serve_conference(&mut self, stay: &mut Stay) -> Served {
        if stay.kicked_at.is_some_and(|at| at <= self.ms()) {
            self.tell_room(stay, b"kick-member");
            stay.over = true;
        }
        if stay.over || stay.ends_at.is_some_and(|at| at <= self.ms()) {
            self.leave_room(stay);
            return Served::Ends(End::Normal);
        }
        if self.digit_is_due() {
            self.read_digit();
            return Served::Again;
        }
        Served::Waits
    }

    pub(super) fn leave_room(&mut self, stay: &Stay) {
        self.tell_room(stay, b"del-member");
        let room = String::from_utf8_lossy(&stay.room).into_owned();
        self.note(Observed::Left { room });
        self.empties(&stay.room);
    }

    /// `conference NAME command [member]`, as far as it concerns the caller.
    pub(super) fn api_conference(&mut self, args: &[u8]) -> Vec<u8> {
        let words = split(args, b' ', 8);
        let (Some(room), Some(command)) = (words.first(), words.get(1)) else {
            return b"-ERR Conference command not found.\n".to_vec();
        };
        let at = self.stack.iter().rposition(|frame| match &frame.activity {
            Activity::Conference(stay) => stay.room == *room,
            _ => false,
        });
        let Some(at) = at else {
            return [b"-ERR Conference ", &room[..], b" not found\n"].concat();
        };
        let member = words.get(2).map(Vec::as_slice).unwrap_or_default();
        let own = [b"callwright_member=", self.call.uuid.as_bytes()].concat();
        let known = [&own[..], b"7", b"all"].contains(&member);
        let acts: [&[u8]; 8] =
            [b"mute", b"unmute", b"deaf", b"undeaf", b"kick", b"hup", b"volume_in", b"volume_out"];
        if acts.contains(&&command[..]) && !known {
            return match member {
                b"non_moderator" => b"+OK\n".to_vec(),
                _ => [b"-ERR Non-Existant ID ", member, b"\n"].concat(),
            };
        }
        if member == b"all" && [&b"kick"[..], b"hup"].contains(&&command[..]) {
            self.empty(room);
        }
        let frame = &mut self.stack[at];
        let mut activity = std::mem::replace(&mut frame.activity, Activity::Done);
        if let Activity::Conference(stay) = &mut activity {
            self.act_in_room(stay, command);
        }
        self.stack[at].activity = activity;
        [b"+OK ", &command[..], b"\n"].concat()
    }

    fn act_in_room(&mut self, stay: &mut Stay, command: &[u8]) {
        let told: &[u8] = match command {
            b"mute" | b"unmute" => {
                stay.speaks = command == b"unmute";
                if stay.speaks { b"unmute-member" } else { b"mute-member" }
            }
            b"deaf" | b"undeaf" => {
                stay.hears = command == b"undeaf";
                if stay.hears { b"undeaf-member" } else { b"deaf-member" }
            }
            b"kick" => {
                stay.over = true;
                b"kick-member"
            }
            b"hup" => {
                stay.over = true;
                b"hup-member"
            }
            _ => return,
        };
        self.tell_room(stay, told);
    }

    fn tell_room(&mut self, stay: &Stay, action: &[u8]) {
        let word = |yes: bool| -> &'static [u8] { if yes { b"true" } else { b"false" } };
        let kind: &[u8] = if stay.moderator { b"moderator" } else { b"member" };
        let member = MEMBER.to_string();
        let before: [(&str, &[u8]); 1] = [("Event-Subclass", b"conference::maintenance")];
        let after: [(&str, &[u8]); 6] = [
            ("Conference-Name", &stay.room),
            ("Hear", word(stay.hears)),
            ("Speak", word(stay.speaks)),
            ("Member-ID", member.as_bytes()),
            ("Member-Type", kind),
            ("Action", action),
        ];
        self.fire(Kind::Custom, &before, &after);
    }
}
