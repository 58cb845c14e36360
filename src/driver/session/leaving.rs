//! How a session lets go of its call: to another process, to another connection, or after a fault.

use bytes::BytesMut;

use super::{DRAINING, ENDING_MS, Leave, Offer, Phase, Session};
use crate::base::cause::HangupCause;
use crate::base::now::Now;
use crate::call::input::Event;
use crate::call::output::Output;
use crate::driver::registry::When;
use crate::esl::command::{Api, Command};

impl Session {
    /// Hangs up and writes the call down, by what is known since its beginning.
    pub fn leave(&mut self, now: Now) -> Leave {
        let running = matches!(self.phase, Phase::Running(_));
        self.phase = Phase::Closed;
        let Some(origin) = self.origin.take().filter(|_| running) else {
            let bytes = Command::Exit.encode().unwrap_or_default();
            return Leave { bytes, record: None };
        };
        let cause = HangupCause::NormalTemporaryFailure;
        let kill = Command::Api(Api::Kill { channel: origin.channel.clone(), cause });
        let mut bytes = BytesMut::new();
        for command in [kill, Command::Exit] {
            bytes.extend_from_slice(&command.encode().unwrap_or_default());
        }
        let record = Some(Box::new(origin.record(self.call, cause, now)));
        Leave { bytes: bytes.freeze(), record }
    }

    /// A call whose end nobody has told may be up, and on its way to another connection.
    pub(super) fn disconnected(&mut self, reason: &str, now: Now) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::Running(running) = phase else { return };
        let known = running.left || running.call.is_closing();
        let event = match running.parting {
            Some(parting) => Event::HungUp { cause: parting.cause, by_caller: None },
            None if known => Event::LinkLost { reason: reason.to_owned() },
            None => {
                tracing::info!(call = %self.call, reason, "a call lost its connection");
                return self.offers.push_back(Offer::Adrift(running));
            }
        };
        self.phase = Phase::Running(running);
        self.hear(vec![event], now);
        self.phase = Phase::Closed;
    }

    /// Lets another process have the call. It is written on its channel; what runs there and must
    /// not be cut goes on.
    pub fn hand_over(&mut self, when: When, now: Now) {
        let Phase::Running(running) = &mut self.phase else {
            return self.decline(DRAINING);
        };
        if running.left || running.call.is_closing() || running.parting.is_some() {
            return;
        }
        running.hand_over = running.hand_over.max(Some(when));
        if when == When::Now || running.call.state().is_bridged() {
            let cut = !running.call.runs_on();
            self.give(cut, now);
        }
    }

    /// Whether the caller speaks with somebody.
    pub fn talks(&self) -> bool {
        matches!(&self.phase, Phase::Running(running) if running.call.state().is_bridged())
    }

    /// Another connection has the call: this one keeps still until FreeSWITCH closes it.
    pub fn superseded(&mut self) {
        if let Phase::Running(_) = self.phase {
            tracing::info!(call = %self.call, "a call has another connection now");
            self.offers.push_back(Offer::HandedOver);
            self.phase = Phase::Away;
        }
    }

    /// The dialplan brings the call back on another connection, or it ends on its way there.
    pub(super) fn brought_back(&mut self) {
        if let Phase::Running(running) = std::mem::replace(&mut self.phase, Phase::Away) {
            tracing::info!(call = %self.call, "the call is on its way to another connection");
            self.offers.push_back(Offer::Adrift(running));
        }
    }

    pub(super) fn give(&mut self, cut: bool, now: Now) {
        let Phase::Running(running) = &mut self.phase else { return };
        running.call.hand_over("the process is about to stop and gives the call to the next");
        let mut notes = Vec::new();
        while let Some(output) = running.call.poll_output() {
            if let Output::Note(entry) = output {
                notes.push(entry);
            }
        }
        let state = running.write(cut);
        notes.into_iter().for_each(|entry| self.note(entry));
        self.say(&[state, Command::Exit]);
        self.offers.push_back(Offer::HandedOver);
        self.phase = Phase::Ending { until_ms: now.mono_ms.saturating_add(ENDING_MS) };
    }
}
