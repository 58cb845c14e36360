//! How calls end or go elsewhere: the order of events in which an ending call is taken apart, the
//! linger after it, and what happens when the controller leaves.

use super::channel::Channel;
use super::events::Kind;
use super::execute::{Activity, End, Frame, Park};
use super::observed::Observed;
use super::wire::Packet;
use super::world::Action;
use crate::base::cause::HangupCause;

/// A bridge notices later than everything else that its call is over, and the connection's
/// listener mostly looks in between: of 100 recorded calls without linger, 78 lost what follows.
const BRIDGE_UNWIND_MS: u64 = 21;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Executing,
    HangingUp,
    Reporting,
}

/// The end of a call, from the hang-up on.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) cause: HangupCause,
    pub(super) state: State,
    /// The call state has become HANGUP.
    pub(super) state_is_down: bool,
    pub(super) unwinds_at: u64,
    /// An application of the call itself hung up: sounds end as if they had been played.
    inside: bool,
    /// CHANNEL_HANGUP_COMPLETE is out.
    pub(super) complete: bool,
}

/// Where a call goes that leaves what it is doing.
#[derive(Debug)]
pub(super) struct Divert {
    /// A transfer goes through routing; otherwise the channel is in CS_RESET, and the dialplan goes
    /// on where it stands.
    pub(super) routing: bool,
    /// Everything the call was doing is over.
    pub(super) has_left: bool,
    /// The other channel to which it goes.
    joins: Option<String>,
    /// Nobody takes the channel out of CS_RESET any more.
    pub(super) stuck: bool,
    actions: Option<Vec<Action>>,
    inside: bool,
}

impl Divert {
    const fn new(routing: bool, inside: bool) -> Self {
        Self { routing, has_left: false, joins: None, stuck: false, actions: None, inside }
    }
}

impl Divert {
    pub(super) fn joins(&self, other: &str) -> bool {
        self.joins.as_deref() == Some(other)
    }
}

impl Channel {
    pub(super) fn hang_up_from_inside(&mut self, cause: HangupCause) {
        self.hang_up_with(cause, true, false);
    }

    pub(super) fn hang_up_from_outside(&mut self, cause: HangupCause, by_caller: bool) {
        self.hang_up_with(cause, false, by_caller);
    }

    fn hang_up_with(&mut self, cause: HangupCause, inside: bool, by_caller: bool) {
        if self.ended.is_some() {
            return;
        }
        let bridged =
            |frame: &Frame| matches!(frame.activity, Activity::Bridge(_) | Activity::Joined(_));
        let bridged = self.stack.iter().any(bridged);
        let delay = if bridged && !inside { BRIDGE_UNWIND_MS } else { 0 };
        self.ended = Some(Ended {
            cause,
            state: State::Executing,
            state_is_down: false,
            unwinds_at: self.ms() + delay,
            inside,
            complete: false,
        });
        self.note(Observed::HungUp { cause, by_caller });
        self.fire(Kind::Hangup, &[], &[]);
        self.hosts = None;
        let now = self.ms();
        if let Some(link) = &mut self.link {
            link.look_later(now);
        }
    }

    /// Takes one application off the stack of a call that has ended.
    pub(super) fn unwind(&mut self) -> bool {
        let Some(ended) = &self.ended else { return false };
        if ended.complete || ended.unwinds_at > self.ms() || self.waits_for_link() {
            return false;
        }
        let inside = ended.inside;
        if self.stack.is_empty() {
            self.report_end();
        } else {
            self.abandon(inside);
        }
        true
    }

    /// Without `async` the call's thread serves the connection and ends only with it.
    pub(super) fn waits_for_link(&self) -> bool {
        let serves = self.stack.last().is_some_and(|f| matches!(f.activity, Activity::Static));
        serves && self.link.as_ref().is_some_and(|link| link.open)
    }

    /// Ends the application on top because the call goes on without it.
    fn abandon(&mut self, inside: bool) {
        let Some(frame) = self.stack.last_mut() else { return };
        match std::mem::replace(&mut frame.activity, Activity::Done) {
            Activity::Park(Park { entered: true, .. }) => {
                self.controlled = false;
                self.fire(Kind::Unpark, &[], &[]);
            }
            Activity::Play(player) => {
                self.stop_player(&player, !inside, false);
                let response = if inside { "FILE PLAYED" } else { "PLAYBACK ERROR" };
                if player.reports {
                    self.respond(response);
                }
            }
            Activity::Collect(collect) => self.abandon_collect(&collect),
            Activity::Record(recorder) => {
                self.stop_recorder(&recorder);
                // A channel that is not ready when a recording ends is hung up (mod_dptools.c,
                // `record_function`).
                self.hang_up_from_inside(HangupCause::DestinationOutOfOrder);
            }
            Activity::Bridge(bridge) => self.abandon_bridge(*bridge),
            Activity::Conference(stay) => self.leave_room(&stay),
            Activity::Joined(joined) => self.abandon_joined(&joined),
            _ => {}
        }
        self.complete(End::Normal);
    }

    fn report_end(&mut self) {
        self.times.hangup = self.now.wall.as_microsecond();
        let cause = self.enter_state(State::HangingUp);
        self.fire(Kind::State, &[], &[]);
        self.stop_all_sessions();
        let before = self.call_state();
        if let Some(ended) = &mut self.ended {
            ended.state_is_down = true;
        }
        self.fire_call_state(before);
        self.enter_state(State::Reporting);
        self.fire(Kind::State, &[], &[]);
        self.final_variables(cause);
        let extra = [("Hangup-Cause", cause.name().as_bytes())];
        self.fire(Kind::HangupComplete, &extra, &[]);
        if let Some(ended) = &mut self.ended {
            ended.complete = true;
        }
        self.jobs.retain(|job| !job.group.eq_ignore_ascii_case(self.call.uuid.as_bytes()));
    }

    fn enter_state(&mut self, state: State) -> HangupCause {
        self.ended.as_mut().map_or(HangupCause::NormalClearing, |ended| {
            ended.state = state;
            ended.cause
        })
    }

    fn final_variables(&mut self, cause: HangupCause) {
        let seconds = |micros: i64| (micros / 1_000_000).to_string().into_bytes();
        let end = self.times.hangup;
        let answered = self.times.answered;
        let billed = if answered > 0 { end - answered } else { 0 };
        for (name, value) in [
            ("hangup_cause", cause.name().as_bytes().to_vec()),
            ("start_epoch", seconds(self.times.created)),
            ("answer_epoch", seconds(answered)),
            ("end_epoch", seconds(end)),
            ("duration", seconds(end - self.times.created)),
            ("billsec", seconds(billed)),
            ("billmsec", (billed / 1_000).to_string().into_bytes()),
        ] {
            self.vars.set(name.as_bytes(), value);
        }
    }

    /// Leaves everything the call is doing for another place of the dialplan.
    pub(super) fn leave(&mut self) -> bool {
        let Some(divert) = self.divert.as_ref().filter(|divert| !divert.stuck) else {
            return false;
        };
        let (inside, routing) = (divert.inside, divert.routing);
        if self.in_socket() && self.stack.len() == 1 {
            return self.leave_socket(inside, routing);
        }
        if !self.stack.is_empty() {
            self.abandon(inside);
            return true;
        }
        if let Some(divert) = &mut self.divert {
            divert.has_left = true;
        }
        if routing {
            self.fire(Kind::State, &[], &[]);
        }
        if self.divert.as_ref().is_some_and(|divert| divert.joins.is_some()) {
            self.fire(Kind::State, &[], &[]);
        }
        let Some(divert) = self.divert.take() else { return false };
        if let Some(actions) = divert.actions {
            self.dialplan = actions.into();
            self.fire(Kind::State, &[], &[]);
        }
        true
    }

    /// After the park everything that waits in the queue is run, on a channel that is not ready:
    /// whatever takes time ends at once. Then `socket_resume` is read a second time and decides
    /// whether the call goes on or stays in CS_RESET (mod_event_socket.c, `socket_function`).
    fn leave_socket(&mut self, inside: bool, routing: bool) -> bool {
        if let Some(packet) = self.queue.pop_front() {
            self.run_message(&packet);
            return true;
        }
        let lets_go = routing || self.resumes();
        self.abandon(inside);
        if !lets_go {
            if let Some(divert) = &mut self.divert {
                divert.stuck = true;
            }
            self.note(Observed::Orphaned);
        }
        true
    }

    /// Sounds can't be heard any more, and calls can't be made.
    pub(super) const fn is_leaving(&self) -> bool {
        self.divert.is_some()
    }

    fn resumes(&self) -> bool {
        let sticky = self.link.as_ref().is_some_and(|link| link.resume);
        sticky || self.vars.is_true("socket_resume")
    }

    /// The next action of the dialplan; without one the call ends.
    pub(super) fn next_action(&mut self) -> bool {
        match self.dialplan.pop_front() {
            Some(action) => self.execute(&action.app, Some(&action.data), false, None),
            None => self.hang_up_from_inside(HangupCause::NormalClearing),
        }
        true
    }

    /// `transfer` and `uuid_transfer`: arguments `extension [dialplan] [context]`.
    pub(super) fn transfer(&mut self, words: &[Vec<u8>], inside: bool) {
        let text = |at: usize, default: &str| {
            words
                .get(at)
                .map_or_else(|| default.to_owned(), |w| String::from_utf8_lossy(w).into_owned())
        };
        let (extension, dialplan) = (text(0, ""), text(1, "XML"));
        let context = text(2, &self.call.context);
        let actions = if dialplan == "inline" {
            extension.split(',').map(inline_action).collect()
        } else {
            self.world
                .extension(&extension)
                .map(<[Action]>::to_vec)
                .unwrap_or_else(|| vec![Action::new("hangup", "NO_ROUTE_DESTINATION")])
        };
        self.note(Observed::Transferred { extension, dialplan, context });
        self.profile += 1;
        self.divert = Some(Divert { actions: Some(actions), ..Divert::new(true, inside) });
    }

    /// The call leaves for a conversation with another channel.
    pub(super) fn divert_to_join(&mut self, other: &str) {
        self.profile += 1;
        let actions = Some(vec![Action::new("uuid_bridge", other)]);
        self.divert =
            Some(Divert { actions, joins: Some(other.to_owned()), ..Divert::new(true, false) });
    }

    pub(super) fn divert_to_applications(&mut self, packet: &Packet) {
        let applications = packet.headers("application").filter(|(name, _)| name.len() == 11);
        let actions = applications.map(|(_, value)| {
            let app = super::wire::until(value, |b| b == b' ');
            let data = value.get(app.len() + 1..).unwrap_or_default().to_vec();
            Action { app: String::from_utf8_lossy(app).into_owned(), data }
        });
        let actions = Some(actions.collect());
        self.divert = Some(Divert { actions, ..Divert::new(true, true) });
    }

    /// The connection ends, from whichever side (mod_event_socket.c, end of `listener_run`).
    pub(super) fn end_link(&mut self) {
        let uuid = self.call.uuid.clone();
        let resumes = self.resumes();
        let Some(link) = self.link.as_mut().filter(|link| link.open) else { return };
        let is_async = link.is_async;
        link.close(&uuid);
        self.controlled = false;
        self.drain_at = self.next_frame();
        if resumes && is_async && self.ended.is_none() && self.divert.is_none() && self.in_socket()
        {
            self.divert = Some(Divert::new(false, false));
        }
    }

    fn in_socket(&self) -> bool {
        self.stack.first().is_some_and(|frame| frame.app == "socket")
    }

    pub(super) fn serve_static(&self) -> super::execute::Served {
        use super::execute::Served;
        if self.link.as_ref().is_some_and(|link| link.open) {
            Served::Waits
        } else {
            Served::Ends(End::Normal)
        }
    }
}

fn inline_action(text: &str) -> Action {
    let (app, data) = text.split_once(':').unwrap_or((text, ""));
    Action::new(app.trim_matches('\''), data.trim_matches('\''))
}
