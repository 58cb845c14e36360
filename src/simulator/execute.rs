//! Runs applications: the call's own thread of FreeSWITCH, as a stack of what it is doing.
//! Commands that wait in the queue are taken up from inside most applications, so they nest unless
//! `event-lock` keeps them out (switch_ivr.c, `switch_ivr_parse_event`; switch_core_session.c,
//! `switch_core_session_exec`).

use super::arguments::{Pairs, brackets};
use super::bridge::Bridge;
use super::channel::{Channel, PARK_DELAY_MS, Progress};
use super::collect::Collect;
use super::events::Kind;
use super::observed::Observed;
use super::others::Joined;
use super::playback::Player;
use super::record::Recorder;
use super::room::Stay;
use super::variables::expand;
use super::wire::{Packet, atoi};
use crate::base::cause::HangupCause;

/// Applications inside one another (switch_types.h, `SWITCH_MAX_STACKS`).
const MAX_NESTING: usize = 32;
/// Commands waiting to run; one more ends the connection (switch_core_pvt.h).
pub(super) const MAX_QUEUE: usize = 256;
/// A run shorter than this is not repeated, whatever `loops` says (switch_ivr.c).
const SHORTEST_LOOP_MS: u64 = 500;

/// What an application is doing.
#[derive(Debug)]
pub(super) enum Activity {
    /// Nothing more: it completes.
    Done,
    /// `socket`: the connection is not made yet.
    Connecting,
    /// `socket async`: `connect` has not come.
    Unconnected,
    /// `socket` without `async`: the connection is served by this very thread.
    Static,
    Park(Park),
    Play(Player),
    Sleep(Sleep),
    Collect(Box<Collect>),
    Record(Recorder),
    Bridge(Box<Bridge>),
    Conference(Box<Stay>),
    Joined(Joined),
}

#[derive(Debug)]
pub(super) struct Park {
    pub(super) enters_at: u64,
    pub(super) entered: bool,
    /// The application `park`, not a controlled call.
    pub(super) alone: bool,
}

#[derive(Debug)]
pub(super) struct Sleep {
    pub(super) until: u64,
    pub(super) eats_digits: bool,
}

/// How an application came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Normal,
    Broken,
}

/// A command of the controller that is being run.
#[derive(Debug)]
pub(super) struct Order {
    arg: Option<Vec<u8>>,
    uuid: Option<Vec<u8>>,
    uuid_name: Option<Vec<u8>>,
    /// Runs still to come; negative: without end.
    loops: i64,
    started: u64,
}

/// One running application.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) app: String,
    pub(super) data: Option<Vec<u8>>,
    uuid: Vec<u8>,
    uuid_name: Option<Vec<u8>>,
    scoped: bool,
    locked: bool,
    order: Option<Order>,
    pub(super) activity: Activity,
}

/// What serving an activity came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    Waits,
    Again,
    Ends(End),
}

impl Channel {
    /// Does one thing of the call's own thread; false when there is nothing to do now.
    pub(super) fn step(&mut self) -> bool {
        if self.ended.is_some() {
            return self.unwind();
        }
        if self.divert.is_some() {
            return self.leave();
        }
        if self.drains_at().is_some_and(|at| at <= self.ms()) {
            if let Some(packet) = self.queue.pop_front() {
                self.run_message(&packet);
            }
            return true;
        }
        let Some(frame) = self.stack.last_mut() else { return self.next_action() };
        let mut activity = std::mem::replace(&mut frame.activity, Activity::Done);
        let depth = self.stack.len();
        let served = self.serve(&mut activity);
        if let Some(frame) = self.stack.get_mut(depth - 1) {
            frame.activity = activity;
        }
        if let Served::Ends(end) = served {
            self.complete(end);
        }
        served != Served::Waits
    }

    fn serve(&mut self, activity: &mut Activity) -> Served {
        match activity {
            Activity::Done => Served::Ends(End::Normal),
            Activity::Connecting => Served::Waits,
            Activity::Unconnected => self.await_connect(activity),
            Activity::Static => self.serve_static(),
            Activity::Park(park) => self.serve_park(park),
            Activity::Play(player) => self.serve_playback(player),
            Activity::Sleep(sleep) => self.serve_sleep(sleep),
            Activity::Collect(collect) => self.serve_collect(collect),
            Activity::Record(recorder) => self.serve_record(recorder),
            Activity::Bridge(bridge) => self.serve_bridge(bridge),
            Activity::Conference(stay) => self.serve_conference(stay),
            Activity::Joined(joined) => self.serve_joined(joined),
        }
    }

    /// When the queue is looked at next, if something may be taken from it.
    fn drains_at(&self) -> Option<u64> {
        let drains = matches!(
            self.stack.last()?.activity,
            Activity::Park(Park { entered: true, .. })
                | Activity::Play(_)
                | Activity::Sleep(_)
                | Activity::Collect(_)
                | Activity::Record(_)
                | Activity::Bridge(_)
                | Activity::Conference(_)
                | Activity::Joined(_)
        );
        let locked = self.stack.iter().any(|frame| frame.locked);
        (drains && !locked && !self.queue.is_empty()).then_some(self.drain_at)
    }

    pub(super) fn step_deadline(&self) -> Option<u64> {
        if let Some(ended) = &self.ended {
            return (!ended.complete && !self.waits_for_link()).then_some(ended.unwinds_at);
        }
        if let Some(divert) = &self.divert {
            return (!divert.stuck).then_some(self.ms());
        }
        let frame = self.stack.last()?;
        let broken = self.break_at.filter(|_| breakable(&frame.activity));
        let reads = self.reads_digits(&frame.activity);
        let digit = (reads && !self.digits.is_empty()).then_some(self.digit_at);
        let own = match &frame.activity {
            Activity::Done => Some(self.ms()),
            Activity::Park(park) if !park.entered => Some(park.enters_at),
            Activity::Park(park) => (!self.controlled && !park.alone).then_some(self.drain_at),
            Activity::Play(player) => player.until,
            Activity::Sleep(sleep) => Some(sleep.until),
            Activity::Collect(collect) => collect.deadline(),
            Activity::Record(recorder) => recorder.deadline(self),
            Activity::Bridge(bridge) => bridge.deadline(),
            Activity::Conference(stay) if stay.is_over() => Some(self.ms()),
            Activity::Conference(stay) => stay.deadline(),
            Activity::Joined(joined) => (!self.talks_here(joined)).then_some(self.ms()),
            Activity::Connecting | Activity::Unconnected | Activity::Static => None,
        };
        [self.drains_at(), broken, digit, own].into_iter().flatten().min()
    }

    /// Puts a command where the call's thread will find it; false when there is no room.
    pub(super) fn enqueue(&mut self, packet: Packet) -> bool {
        if self.queue.len() >= MAX_QUEUE {
            return false;
        }
        if self.queue.is_empty() {
            self.drain_at = self.next_frame();
        }
        self.queue.push_back(packet);
        true
    }

    pub(super) fn run_message(&mut self, packet: &Packet) {
        match packet.header("call-command") {
            Some(b"execute") => {
                let Some(app) = packet.header("execute-app-name") else { return };
                let plain = packet
                    .header("content-type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/plain"));
                let arg = packet.header("execute-app-arg").map(<[u8]>::to_vec);
                let order = Order {
                    arg: arg.or_else(|| packet.body.clone().filter(|_| plain)),
                    uuid: packet.header("event-uuid").map(<[u8]>::to_vec),
                    uuid_name: packet.header("event-uuid-name").map(<[u8]>::to_vec),
                    loops: packet.header("loops").map_or(1, atoi),
                    started: self.ms(),
                };
                let app = String::from_utf8_lossy(app).into_owned();
                self.start_order(&app, order, packet.is_true("event-lock"));
            }
            Some(b"hangup") => {
                let cause =
                    packet.header("hangup-cause").map_or(HangupCause::NormalClearing, cause_of);
                self.hang_up_from_inside(cause);
            }
            Some(b"xferext") => self.divert_to_applications(packet),
            _ => {}
        }
    }

    fn start_order(&mut self, app: &str, mut order: Order, locked: bool) {
        if order.loops == 0 {
            return;
        }
        for (name, value) in [("app_uuid", &order.uuid), ("app_uuid_name", &order.uuid_name)] {
            if let Some(value) = value {
                self.vars.set(name.as_bytes(), value.clone());
            }
        }
        order.loops -= i64::from(order.loops > 0);
        order.started = self.ms();
        let arg = order.arg.clone();
        self.execute(app, arg.as_deref(), locked, Some(order));
    }

    /// Starts an application, for the controller (`order`) or for the dialplan.
    pub(super) fn execute(
        &mut self,
        app: &str,
        arg: Option<&[u8]>,
        locked: bool,
        order: Option<Order>,
    ) {
        if self.stack.len() >= MAX_NESTING {
            return;
        }
        let Some(needs_media) = super::simple::needs_media(app) else {
            self.note(Observed::UnknownApplication { app: app.chars().take(80).collect() });
            return self.hang_up_from_inside(HangupCause::DestinationOutOfOrder);
        };
        if needs_media && self.progress < Progress::Early {
            self.pre_answer();
        }
        let (data, scope) = self.argument(app, arg, order.is_some());
        let uuid = match self.vars.get(b"app_uuid").map(<[u8]>::to_vec) {
            Some(uuid) => uuid,
            None => self.identity().into_bytes(),
        };
        let uuid_name = self.vars.get(b"app_uuid_name").map(<[u8]>::to_vec);
        for name in ["app_uuid", "app_uuid_name", "current_application_response"] {
            self.vars.unset(name.as_bytes());
        }
        let scoped = scope.is_some();
        if let Some(pairs) = scope {
            self.vars.open_scope(pairs);
        }
        self.vars.set(&b"current_application_data"[..], data.clone().unwrap_or_default());
        self.vars.set(&b"current_application"[..], app.as_bytes().to_vec());
        let frame = Frame {
            app: app.to_owned(),
            data,
            uuid,
            uuid_name,
            scoped,
            locked,
            order,
            activity: Activity::Done,
        };
        self.fire_execution(Kind::Execute, &frame);
        self.break_at = None;
        let data = frame.data.clone();
        self.stack.push(frame);
        let depth = self.stack.len();
        let activity = self.begin(app, data.as_deref());
        if let Some(frame) = self.stack.get_mut(depth - 1) {
            frame.activity = activity;
        }
    }

    /// The argument as the application sees it: expanded, its scope variables taken off.
    fn argument(
        &mut self,
        app: &str,
        arg: Option<&[u8]>,
        from_controller: bool,
    ) -> (Option<Vec<u8>>, Option<Pairs>) {
        let Some(arg) = arg else { return (None, None) };
        if self.vars.is_true("app_disable_expand_variables") {
            return (Some(arg.to_vec()), None);
        }
        let text = self.expanded(app, arg, from_controller);
        match &text[..] {
            [b'%', b'[', ..] => {
                let (pairs, rest) = brackets(&text[1..], b'[', b']');
                (Some(rest.to_vec()), Some(pairs))
            }
            [b'%', mark, b'[', ..] => {
                let chosen = [b"[^^", &[*mark][..], &text[3..]].concat();
                let (pairs, rest) = brackets(&chosen, b'[', b']');
                (Some(rest.to_vec()), Some(pairs))
            }
            _ => (Some(text), None),
        }
    }

    /// The text after expansion. What the controller sends should never contain anything to expand.
    pub(super) fn expanded(&mut self, app: &str, text: &[u8], from_controller: bool) -> Vec<u8> {
        let result = expand(text, &|name| self.lookup(name));
        if from_controller {
            for what in result.replaced {
                let text = String::from_utf8_lossy(&what).chars().take(200).collect();
                self.note(Observed::Expanded { app: app.to_owned(), text });
            }
        }
        result.text
    }

    /// What `${name}` and `getvar` find: a variable, or a field of the caller profile.
    pub(super) fn lookup(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.vars.get(name).map(<[u8]>::to_vec).or_else(|| self.call.field(name))
    }

    fn fire_execution(&mut self, kind: Kind, frame: &Frame) {
        let response = self.vars.get(b"current_application_response").map(<[u8]>::to_vec);
        let response = response.unwrap_or_else(|| b"_none_".to_vec());
        let mut extra = vec![("Application", frame.app.as_bytes())];
        if let Some(data) = frame.data.as_deref().filter(|data| !data.is_empty()) {
            extra.push(("Application-Data", data));
        }
        if kind == Kind::ExecuteComplete {
            extra.push(("Application-Response", &response));
        }
        extra.push(("Application-UUID", &frame.uuid));
        if let Some(name) = &frame.uuid_name {
            extra.push(("Application-UUID-Name", name));
        }
        self.fire(kind, &[], &extra);
    }

    /// Takes the application on top off the stack; runs it again if it was told to loop.
    pub(super) fn complete(&mut self, end: End) {
        let Some(frame) = self.stack.pop() else { return };
        if frame.app != "uuid_bridge" {
            self.fire_execution(Kind::ExecuteComplete, &frame);
        }
        if frame.scoped {
            self.vars.close_scope();
        }
        let Some(order) = frame.order else {
            if frame.app == "socket"
                && self.ended.is_none()
                && self.divert.as_ref().is_none_or(|d| !d.routing)
            {
                self.note(Observed::Released);
            }
            return;
        };
        self.drain_at = match end {
            End::Normal => self.ms(),
            End::Broken => self.next_frame(),
        };
        if end == End::Broken {
            self.break_at = Some(self.next_frame());
        }
        let long_enough = self.ms() - order.started >= SHORTEST_LOOP_MS;
        let goes_on = self.ended.is_none() && self.divert.is_none() && end == End::Normal;
        if goes_on && long_enough && order.loops != 0 {
            self.start_order(&frame.app, order, frame.locked);
        }
    }

    fn await_connect(&self, activity: &mut Activity) -> Served {
        let (connected, open) = match &self.link {
            Some(link) => (link.connected, link.open),
            None => (false, false),
        };
        if open && !connected {
            return Served::Waits;
        }
        let enters_at = self.ms() + PARK_DELAY_MS;
        *activity = Activity::Park(Park { enters_at, entered: false, alone: false });
        Served::Again
    }

    fn serve_park(&mut self, park: &mut Park) -> Served {
        if !park.entered {
            return self.enter_park(park);
        }
        if !self.digits.is_empty() && self.digit_at <= self.ms() {
            self.read_digit();
            return Served::Again;
        }
        if !self.controlled && !park.alone && self.drain_at <= self.ms() {
            self.fire(Kind::Unpark, &[], &[]);
            return Served::Ends(End::Normal);
        }
        Served::Waits
    }

    fn enter_park(&mut self, park: &mut Park) -> Served {
        if park.enters_at > self.ms() {
            return Served::Waits;
        }
        if park.alone && self.controlled {
            return Served::Ends(End::Normal);
        }
        park.entered = true;
        self.controlled = true;
        self.drain_at = self.next_frame();
        self.fire(Kind::Park, &[], &[]);
        if self.link.as_ref().is_none_or(|link| !link.open) && !park.alone {
            self.note(Observed::Orphaned);
        }
        Served::Again
    }

    fn serve_sleep(&mut self, sleep: &Sleep) -> Served {
        if self.take_break() {
            return Served::Ends(End::Broken);
        }
        if !self.digits.is_empty() && self.digit_at <= self.ms() {
            if !sleep.eats_digits {
                return Served::Ends(End::Normal);
            }
            self.read_digit();
            return Served::Again;
        }
        if sleep.until <= self.ms() { Served::Ends(End::Normal) } else { Served::Waits }
    }

    fn reads_digits(&self, activity: &Activity) -> bool {
        match activity {
            Activity::Park(park) => park.entered,
            Activity::Bridge(bridge) => self.bridge_reads_digits(bridge),
            Activity::Play(_)
            | Activity::Sleep(_)
            | Activity::Collect(_)
            | Activity::Record(_)
            | Activity::Conference(_)
            | Activity::Joined(_) => true,
            _ => false,
        }
    }

    /// True when the application was told to stop; it is told once.
    pub(super) fn take_break(&mut self) -> bool {
        let due = self.break_at.is_some_and(|at| at <= self.ms());
        if due {
            self.break_at = None;
        }
        due
    }
}

const fn breakable(activity: &Activity) -> bool {
    matches!(activity, Activity::Play(_) | Activity::Sleep(_) | Activity::Record(_))
        || matches!(activity, Activity::Collect(_))
}

/// A cause by name or number; what is unknown is NORMAL_CLEARING (`switch_channel_str2cause`).
pub(super) fn cause_of(text: &[u8]) -> HangupCause {
    let name = String::from_utf8_lossy(text).to_ascii_uppercase();
    match HangupCause::named(&name) {
        HangupCause::Other => match atoi(text) {
            17 => HangupCause::UserBusy,
            19 => HangupCause::NoAnswer,
            21 => HangupCause::CallRejected,
            _ => HangupCause::NormalClearing,
        },
        cause => cause,
    }
}
