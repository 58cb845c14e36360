//! `conference`: the caller joins a room of the tenant. The room is the switch's: it goes on while
//! nobody is here, and tells what becomes of its member.
//!
//! The PIN decides the role, and the role what the caller's keys may do. Before joining it is asked
//! where the room is: on two FreeSWITCHes it would be two rooms.

mod keys;
mod name;
mod pin;
mod seat;
mod typed;

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::ids::RoomName;
use crate::call::input::{Answer, Ending};
use crate::call::listen::Listening;
use crate::call::output::{Action, Query};
use crate::call::room::{JoinOrder, RoomFound, RoomNews, RoomOrder, RoomQuery};
use crate::call::state::{Awaited, State};
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::flow::kind::conference::Conference;
use crate::flow::kind::gather::Keys;
use crate::flow::room::{Closed, Permission, Role, RoomSettings, address};
use crate::flow::{Exits, Outcome};
use crate::model::room::Who;

pub(in crate::call) use keys::Asks;
pub(in crate::call) use seat::{ENTRY, EXIT, Seat, Whose};
pub(in crate::call) use typed::{Typed, Typing};

/// How long the question where a room is may take.
const ASK_MS: u64 = 3_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectRoom {
    #[serde(flatten)]
    seat: Seat,
    name: RoomName,
    expect: Expect,
    #[serde(default, skip_serializing_if = "Typing::is_nothing")]
    typing: Typing,
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

/// The same for who is called out: it comes into a room that is there, or not at all.
pub(in crate::call) fn order_to_invite(
    state: &State,
    name: &RoomName,
    settings: &RoomSettings,
    role: Role,
) -> JoinOrder {
    let order = order_to_join(state, name, settings, role);
    JoinOrder { joins_only: true, waits: false, ..order }
}

fn settings(call: &Call, name: &RoomName) -> Option<RoomSettings> {
    call.program.settings.rooms.get(name).cloned()
}

const fn callers<'a>(room: &'a RoomName, number: &'a str) -> Whose<'a> {
    Whose { who: Who::Caller, room: Some(room), party: number }
}

/// A question that nobody answered has found nothing.
fn found_in(answer: Answer) -> RoomFound {
    match answer {
        Answer::Room(found) => found,
        Answer::Http(_)
        | Answer::Park(_)
        | Answer::Queue(_)
        | Answer::Admit(_)
        | Answer::Outbound(_)
        | Answer::Spoken(_) => RoomFound::default(),
    }
}

impl ExpectRoom {
    fn new(call: &Call, name: RoomName, role: Role) -> Self {
        Self {
            seat: Seat::new(address(call.state.tenant(), &name), role),
            name,
            expect: Expect::Place { refused: false },
            typing: Typing::default(),
            kicked: false,
            leaves: false,
            named: None,
        }
    }

    /// The room in which the caller is, as FreeSWITCH knows it.
    pub(in crate::call) fn entered(&self) -> Option<&str> {
        self.seat.entered()
    }

    fn ask_place(&mut self, call: &mut Call, refused: bool) -> Next {
        self.expect = Expect::Place { refused };
        let question = format!("where the room {} is", self.name);
        call.worth_writing();
        call.ask(Query::Room(RoomQuery { room: self.seat.room.clone() }), question, ASK_MS);
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
                self.asked(call, &settings, &found_in(answer));
                Next::Wait
            }
            (Heard::Key(key), Expect::End) => {
                self.key(call, &settings, key);
                Next::Wait
            }
            (Heard::Due(Timer::NextKey), Expect::End) => {
                self.keys_overdue(call, &settings);
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
        match settings.admits(self.seat.role, facts.locked, facts.members) {
            Ok(()) => {}
            Err(Closed::Locked) => {
                return Next::leave(Outcome::Locked, format!("the room {name} is locked"));
            }
            Err(Closed::Full) => {
                let why = format!("the room {name} has {} members", facts.members);
                return Next::leave(Outcome::Full, why);
            }
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
        let mut order = order_to_join(&call.state, &self.name, settings, self.seat.role);
        order.muted |= step.muted;
        order.deaf |= step.deaf;
        order.music = music;
        (self.seat.muted, self.seat.deaf) = (order.muted, order.deaf);
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
    pub(in crate::call) fn invitation(
        &self,
        call: &Call,
        role: Role,
    ) -> Result<(RoomName, JoinOrder), String> {
        let settings = settings(call, &self.name).ok_or("the tenant has this room no more")?;
        let order = order_to_invite(&call.state, &self.name, &settings, role);
        Ok((self.name.clone(), order))
    }

    fn news(&mut self, call: &mut Call, settings: &RoomSettings, news: RoomNews) {
        let first = self.seat.hear(news);
        let caller = call.state.arrival.caller_number.clone();
        self.seat.note(call, callers(&self.name, &caller), news);
        match news {
            RoomNews::Entered { .. } => {
                self.expect = Expect::End;
                if first && settings.tones {
                    self.seat.tone(call, ENTRY);
                }
                if first {
                    self.play_name(call);
                }
            }
            RoomNews::Kicked => self.kicked = true,
            RoomNews::Muted(_) | RoomNews::Deaf(_) => {}
        }
        call.worth_writing();
    }

    fn order(&self, call: &mut Call, order: RoomOrder) {
        self.seat.order(call, None, order);
    }

    fn ended(&mut self, call: &mut Call, settings: &RoomSettings, ending: &Ending) -> Next {
        if let Some(why) = describe::failure(ending) {
            return Next::failed(why);
        }
        if self.seat.member.is_none() {
            return self.ask_place(call, true);
        }
        self.over(call, settings)
    }

    /// A caller who hangs up has left the room too.
    pub(in crate::call) fn hung_up(mut self, call: &mut Call) {
        let settings = settings(call, &self.name).unwrap_or_default();
        if self.seat.member.is_some() {
            self.say_goodbye(call, &settings);
        } else {
            self.forget_name(call);
        }
    }

    /// The others hear that the caller is gone.
    fn say_goodbye(&mut self, call: &mut Call, settings: &RoomSettings) {
        if settings.tones {
            self.seat.tone(call, EXIT);
        }
        self.play_name(call);
        self.forget_name(call);
        let caller = call.state.arrival.caller_number.clone();
        self.seat.leave(call, callers(&self.name, &caller));
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
