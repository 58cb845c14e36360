//! `conference`: the caller joins a room of the tenant. The room is the switch's: it goes on while
//! nobody is here, and tells what becomes of its member.
//!
//! The PIN decides the role, and the role what the caller's keys may do. Before joining it is asked
//! where the room is: on two FreeSWITCHes it would be two rooms.

mod keys;
mod name;
mod pin;

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::ids::RoomName;
use crate::base::millis::Millis;
use crate::call::input::{Answer, Ending};
use crate::call::listen::Listening;
use crate::call::output::{Action, Query};
use crate::call::room::{JoinOrder, RoomFound, RoomNews, RoomOrder, RoomQuery, RoomSound};
use crate::call::state::{Awaited, State};
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::flow::kind::conference::Conference;
use crate::flow::kind::gather::Keys;
use crate::flow::prompt::TonePrompt;
use crate::flow::room::{Permission, Role, RoomSettings, address};
use crate::flow::{Exits, Outcome};

/// How long the question where a room is may take.
const ASK_MS: u64 = 3_000;
/// The tones when somebody comes and goes: two frequencies in Hz, then how long in ms.
const ENTRY: ([u16; 2], u64) = ([660, 880], 150);
const EXIT: ([u16; 2], u64) = ([440, 330], 150);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectRoom {
    /// As FreeSWITCH knows it.
    room: String,
    name: RoomName,
    role: Role,
    expect: Expect,
    /// The room's number of the caller, once it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<u32>,
    #[serde(default, skip_serializing_if = "is_not")]
    muted: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    deaf: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    volume: i8,
    #[serde(default, skip_serializing_if = "is_not")]
    kicked: bool,
    /// The caller wants to leave.
    #[serde(default, skip_serializing_if = "is_not")]
    leaves: bool,
    /// Whether the caller has said a name, once that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Pin(Listening),
    /// Where the room is. `refused`: FreeSWITCH did not let the caller in.
    Place {
        refused: bool,
    },
    /// The end of what is played before the caller says a name.
    NamePrompt,
    Name,
    Entry,
    End,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(value: &bool) -> bool {
    !*value
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(value: &i8) -> bool {
    *value == 0
}

pub(in crate::call) fn enter(call: &mut Call, step: &Conference) -> (Running, Next) {
    let text = call.render(&step.room).0;
    let name = text.trim().parse::<RoomName>();
    let settings = name.as_ref().ok().and_then(|name| settings(call, name));
    let (Ok(name), Some(settings)) = (name, settings) else {
        let why = format!("the tenant has no room `{}`", describe::clean(&text));
        return (Running::Nothing, Next::leave(Outcome::NoRoom, why));
    };
    let mut state = Box::new(ExpectRoom::new(call, name, step.role.unwrap_or_default()));
    let next = if step.role.is_none() && settings.asks() {
        state.ask_pin(call, step, &settings)
    } else {
        call.drop_keys_ahead();
        state.ask_place(call, false)
    };
    (Running::Conference(state), next)
}

/// `was_in`: the channel has been in the room since it was last ordered there. Then FreeSWITCH has
/// left it by now: it opens no connection before.
pub(in crate::call) fn resume(
    call: &mut Call,
    step: &Conference,
    mut state: Box<ExpectRoom>,
    was_in: bool,
) -> (Running, Next) {
    let settings = settings(call, &state.name).unwrap_or_default();
    let next = match &state.expect {
        Expect::Pin(_) => state.resume_pin(call, step, &settings),
        Expect::Place { .. } => state.ask_place(call, false),
        Expect::NamePrompt | Expect::Name => state.ask_name(call, step),
        Expect::Entry if !was_in => state.ask_place(call, false),
        Expect::Entry | Expect::End => state.over(call, &settings),
    };
    (Running::Conference(state), next)
}

/// The caller is sent to a room of the tenant: no step says how, and no PIN is asked.
pub(in crate::call) fn sent(call: &mut Call, name: RoomName) -> (Box<ExpectRoom>, Next) {
    let mut state = Box::new(ExpectRoom::new(call, name, Role::Member));
    // Nobody is asked for a name either.
    state.named = Some(false);
    call.drop_keys_ahead();
    let next = state.ask_place(call, false);
    (state, next)
}

/// The step that stands for nothing but being in a room.
#[allow(clippy::unwrap_used, reason = "the texts are constants of ours")]
pub(in crate::call) fn plain() -> Conference {
    Conference {
        room: "room".parse().unwrap(),
        role: Some(Role::Member),
        prompts: Vec::new(),
        keys: Keys::default(),
        name_prompts: Vec::new(),
        muted: false,
        deaf: false,
        next: "next".parse().unwrap(),
        on: Exits::default(),
    }
}

/// How somebody with this role joins a room.
pub(in crate::call) fn order_to_join(
    state: &State,
    name: &RoomName,
    settings: &RoomSettings,
    role: Role,
) -> JoinOrder {
    let member = role == Role::Member;
    JoinOrder {
        role,
        muted: !settings.may(role, Permission::Speak) || (member && settings.join_muted),
        deaf: member && settings.join_deaf,
        ends_it: settings.end_with_moderator && !member,
        waits: settings.wait_for_moderator,
        most: settings.most,
        passes_lock: settings.may(role, Permission::Lock),
        ..JoinOrder::plain(address(state.tenant(), name))
    }
}

fn settings(call: &Call, name: &RoomName) -> Option<RoomSettings> {
    call.program.settings.rooms.get(name).cloned()
}

/// A question that nobody answered has found nothing.
fn found_in(answer: Answer) -> RoomFound {
    match answer {
        Answer::Room(found) => found,
        Answer::Http(_) | Answer::Park(_) | Answer::Queue(_) => RoomFound::default(),
    }
}

impl ExpectRoom {
    fn new(call: &Call, name: RoomName, role: Role) -> Self {
        Self {
            room: address(call.state.tenant(), &name),
            name,
            role,
            expect: Expect::Place { refused: false },
            member: None,
            muted: false,
            deaf: false,
            volume: 0,
            kicked: false,
            leaves: false,
            named: None,
        }
    }

    /// The room in which the caller is, as FreeSWITCH knows it.
    pub(in crate::call) fn entered(&self) -> Option<&str> {
        self.member.map(|_| self.room.as_str())
    }

    fn ask_place(&mut self, call: &mut Call, refused: bool) -> Next {
        self.expect = Expect::Place { refused };
        let question = format!("where the room {} is", self.name);
        call.worth_writing();
        call.ask(Query::Room(RoomQuery { room: self.room.clone() }), question, ASK_MS);
        Next::Wait
    }

    pub(in crate::call) fn hear(
        &mut self,
        call: &mut Call,
        step: &Conference,
        heard: Heard,
    ) -> Next {
        // A room that was taken back while the caller is in it has no keys any more.
        let settings = settings(call, &self.name).unwrap_or_default();
        match (heard, &self.expect) {
            (heard, Expect::Pin(_)) => self.hear_pin(call, step, &settings, heard),
            (Heard::Answer(answer), Expect::Place { refused }) => {
                self.found(call, step, &settings, &found_in(answer), *refused)
            }
            (Heard::Answer(answer), Expect::End) => {
                self.record(call, &found_in(answer));
                Next::Wait
            }
            (Heard::Key(key), Expect::End) => {
                self.key(call, &settings, key);
                Next::Wait
            }
            (Heard::Due(Timer::NextKey), Expect::End) => {
                call.live.typed.clear();
                Next::Wait
            }
            (Heard::Room(news), Expect::Entry | Expect::End) => {
                self.news(call, &settings, news);
                Next::Wait
            }
            (Heard::Ended(ending), Expect::NamePrompt) => self.name_prompted(call, &ending),
            (Heard::Ended(ending), Expect::Name) => self.name_said(call, &ending),
            (Heard::Ended(ending), Expect::Entry | Expect::End) => {
                self.ended(call, &settings, &ending)
            }
            (
                Heard::Key(_)
                | Heard::Answer(_)
                | Heard::Due(_)
                | Heard::Bridged(_)
                | Heard::Ended(_)
                | Heard::Room(_),
                _,
            ) => Next::Wait,
        }
    }

    fn found(
        &mut self,
        call: &mut Call,
        step: &Conference,
        settings: &RoomSettings,
        found: &RoomFound,
        refused: bool,
    ) -> Next {
        let name = &self.name;
        if let Some(elsewhere) = &found.elsewhere {
            let elsewhere = describe::clean(elsewhere);
            let why = format!(
                "the room {name} is on another FreeSWITCH ({elsewhere}): a room can't be on two"
            );
            return Next::failed(why);
        }
        let facts = found.here.unwrap_or_default();
        if facts.locked && !settings.may(self.role, Permission::Lock) {
            return Next::leave(Outcome::Locked, format!("the room {name} is locked"));
        }
        if settings.most.is_some_and(|most| facts.members >= most) {
            let why = format!("the room {name} has {} members", facts.members);
            return Next::leave(Outcome::Full, why);
        }
        if refused {
            let why = format!("FreeSWITCH lets nobody into the room {name}: locked or full");
            return Next::leave(Outcome::Locked, why);
        }
        self.join(call, step, settings)
    }

    fn join(&mut self, call: &mut Call, step: &Conference, settings: &RoomSettings) -> Next {
        if settings.names && self.named.is_none() {
            return self.ask_name(call, step);
        }
        let music = settings.music.as_ref().and_then(|name| {
            let file = call.program.prompts.get(name);
            file.map(|file| file.path.clone())
        });
        if music.is_none() && settings.music.is_some() {
            call.notice("the room's music is missing");
        }
        let mut order = order_to_join(&call.state, &self.name, settings, self.role);
        order.muted |= step.muted;
        order.deaf |= step.deaf;
        order.music = music;
        (self.muted, self.deaf) = (order.muted, order.deaf);
        self.expect = Expect::Entry;
        call.worth_writing();
        // However long it lasts: the call's own limit ends it.
        call.expect_for_long(Action::JoinRoom(Box::new(order)), Awaited::Conference);
        Next::Wait
    }

    /// How somebody joins whom the caller has called out into the room.
    ///
    /// # Errors
    /// The room is the tenant's no more.
    pub(in crate::call) fn invitation(&self, call: &Call, role: Role) -> Result<JoinOrder, String> {
        let settings = settings(call, &self.name).ok_or("the tenant has this room no more")?;
        let order = order_to_join(&call.state, &self.name, &settings, role);
        Ok(JoinOrder { joins_only: true, waits: false, ..order })
    }

    fn news(&mut self, call: &mut Call, settings: &RoomSettings, news: RoomNews) {
        match news {
            RoomNews::Entered { member, muted, deaf } => {
                let first = self.member.replace(member).is_none();
                (self.muted, self.deaf) = (muted, deaf);
                self.expect = Expect::End;
                let (name, role) = (&self.name, self.role);
                call.notice(format!("in the room {name} as {role}, member {member}"));
                if first && settings.tones {
                    self.tone(call, ENTRY);
                }
                if first {
                    self.play_name(call);
                }
            }
            RoomNews::Muted(on) => {
                self.muted = on;
                call.notice(if on { "muted in the room" } else { "heard in the room again" });
            }
            RoomNews::Deaf(on) => {
                self.deaf = on;
                call.notice(if on { "deaf in the room" } else { "hears the room again" });
            }
            RoomNews::Kicked => {
                self.kicked = true;
                call.notice("taken out of the room");
            }
        }
        call.worth_writing();
    }

    fn tone(&self, call: &mut Call, (tones, ms): ([u16; 2], u64)) {
        for tone in tones {
            let (on, off) = (Millis(ms), Millis(0));
            let tone = TonePrompt { tone: vec![tone], on, off, times: 1 };
            self.order(call, RoomOrder::Play(RoomSound::Tone(tone)));
        }
    }

    fn order(&self, call: &mut Call, order: RoomOrder) {
        call.order(Action::Room { room: self.room.clone(), order });
    }

    fn ended(&mut self, call: &mut Call, settings: &RoomSettings, ending: &Ending) -> Next {
        if let Some(why) = describe::failure(ending) {
            return Next::failed(why);
        }
        if self.member.is_none() {
            return self.ask_place(call, true);
        }
        self.over(call, settings)
    }

    /// A caller who hangs up has left the room too.
    pub(in crate::call) fn hung_up(mut self, call: &mut Call) {
        let settings = settings(call, &self.name).unwrap_or_default();
        if self.member.is_some() {
            self.say_goodbye(call, &settings);
        } else {
            self.forget_name(call);
        }
    }

    /// The others hear that the caller is gone.
    fn say_goodbye(&mut self, call: &mut Call, settings: &RoomSettings) {
        if settings.tones {
            self.tone(call, EXIT);
        }
        self.play_name(call);
        self.forget_name(call);
        self.member = None;
    }

    /// The caller is in the room no more.
    fn over(&mut self, call: &mut Call, settings: &RoomSettings) -> Next {
        self.say_goodbye(call, settings);
        if self.kicked {
            Next::leave(Outcome::Kicked, "somebody took the caller out of the room")
        } else if self.leaves {
            Next::leave(Outcome::Done, "the caller left the room")
        } else {
            Next::leave(Outcome::Ended, "the room is over for the caller")
        }
    }
}
