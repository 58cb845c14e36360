//! What a call wants becomes commands to FreeSWITCH and offers to the world.

use std::collections::VecDeque;

use super::{ENDING_MS, Offer, Phase, ROUNDS_MAX, Session};
use crate::base::now::Now;
use crate::call::input::{Event, Input};
use crate::call::output::{Action, ActionId, Output};
use crate::driver::desk::Turn;
use crate::driver::registry::Heed;
use crate::driver::session::running::Joined;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::timeline::Entry;

impl Session {
    /// Carries out what the call wants until it wants nothing more.
    pub(super) fn drain(&mut self, now: Now) {
        let mut heard = VecDeque::new();
        for _ in 0..ROUNDS_MAX {
            let Phase::Running(running) = &mut self.phase else { return };
            match running.call.poll_output() {
                Some(Output::Action(id, action)) => heard.extend(self.act(id, action, now)),
                Some(Output::Query(id, query)) => self.offers.push_back(Offer::Query(id, query)),
                Some(Output::Note(entry)) => self.note(entry),
                Some(Output::Audit(entry)) => self.offers.push_back(Offer::Audit(entry)),
                Some(Output::Answered(obeyed)) => self.offers.push_back(Offer::Answered(obeyed)),
                Some(Output::Recording(note)) => self.tell_recording(note),
                Some(Output::Boundary) => self.boundary(now),
                Some(Output::Typed) => self.write(),
                Some(Output::Ended(record)) => return self.ended(record, now),
                None => match heard.pop_front() {
                    Some(event) => running.call.handle(Input::Event(event), now),
                    None => return self.give_late(now),
                },
            }
        }
    }

    fn give_late(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        if std::mem::take(&mut running.gives) && !running.left && running.parting.is_none() {
            let cut = !running.call.runs_on();
            self.give(cut, now);
        }
    }

    /// What was ordered before is with FreeSWITCH, what follows is not: the moment to write the
    /// call down, or to leave it to another process.
    fn boundary(&mut self, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        if running.left || running.parting.is_some() {
            return;
        }
        if running.hand_over.is_some() && !running.call.is_closing() {
            if !running.call.state().is_moved() {
                let cut = !running.call.state().is_bridged();
                return self.give(cut, now);
            }
            // Who takes over takes for done what the state says is under way.
            running.gives = true;
        }
        self.write();
    }

    pub(super) fn write(&mut self) {
        let Phase::Running(running) = &mut self.phase else { return };
        if running.left || running.parting.is_some() {
            return;
        }
        let state = running.write(!running.call.runs_on());
        self.say(&[state]);
    }

    pub(super) fn note(&mut self, entry: Box<Entry>) {
        if let Some(origin) = &self.origin {
            self.offers.push_back(Offer::Note(origin.tenant, entry));
        }
    }

    fn tell_recording(&mut self, note: Box<RecordingNote>) {
        if let Some(origin) = &self.origin {
            self.offers.push_back(Offer::Recording(origin.tenant, note));
        }
    }

    /// Puts one order to FreeSWITCH; what the call is to hear of it at once.
    fn act(&mut self, id: ActionId, action: Action, now: Now) -> Vec<Event> {
        let Phase::Running(running) = &mut self.phase else { return Vec::new() };
        if running.left {
            return Vec::new();
        }
        if let Action::Tie { channel, tie } = &action {
            let tie = running.tie(channel, tie);
            self.say(tie.as_slice());
            return Vec::new();
        }
        if let Action::Bring { channel, tie } = &action {
            let commands = running.bring(channel, tie);
            self.say(&commands);
            return Vec::new();
        }
        match running.desk.order(id, action, now.mono_ms) {
            Ok(turn) => self.take(Some(id), turn),
            Err(refused) => vec![Event::Refused(id, refused.to_string())],
        }
    }

    pub(super) fn turn(&mut self, id: Option<ActionId>, turn: Turn, now: Now) {
        let events = self.take(id, turn);
        self.hear(events, now);
    }

    fn take(&mut self, id: Option<ActionId>, turn: Turn) -> Vec<Event> {
        let mut events = turn.events;
        self.offers.extend(turn.discard.map(|(path, after)| Offer::Discard(path, after)));
        let heed = |on| if on { Heed::All } else { Heed::Not };
        self.offers.extend(turn.follow.map(|(channel, on)| Offer::Follow(channel, heed(on))));
        let mut refused = None;
        for command in &turn.commands {
            match self.talk.send(command) {
                Ok(ticket) => self.heeded.extend(id.filter(|_| turn.heeded).map(|id| (ticket, id))),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        if let Phase::Running(running) = &mut self.phase {
            running.left |= turn.leaves;
            if turn.joins {
                running.joined = Joined::Ordered;
            }
            if let Some(lent) = turn.lent {
                running.joined = if lent { Joined::Lent } else { Joined::Never };
            }
            if let (Some(refused), Some(id)) = (refused, id) {
                running.desk.forget(id);
                events.push(Event::Refused(id, refused.to_string()));
            }
        }
        events
    }

    fn ended(&mut self, record: Box<CallRecord>, now: Now) {
        let cause = record.termination.cause;
        self.offers.push_back(Offer::Ended(record));
        if let Phase::Running(running) = &self.phase {
            let up = running.parting.is_none() && !running.left && !self.talk.is_over();
            let kill = running.desk.kill(cause);
            if up {
                // Whatever went wrong, no caller is left behind in silence.
                self.say(&[kill]);
            }
        }
        self.phase = match &self.phase {
            Phase::Running(running) if running.taken => Phase::Away,
            _ => Phase::Ending { until_ms: now.mono_ms.saturating_add(ENDING_MS) },
        };
    }
}
