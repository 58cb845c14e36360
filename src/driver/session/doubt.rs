//! A session whose process stood still: FreeSWITCH went on with its call, and another process may
//! have it by now. Not a word is said on the connection, and nothing that it brings is heard,
//! before FreeSWITCH has said how the channel is.

use std::collections::VecDeque;

use super::{GREETING_MS, Phase, Session, moved};
use crate::base::now::Now;
use crate::driver::registry::When;
use crate::esl::command::{Api, Command};
use crate::esl::event::{Event, EventName};
use crate::esl::happening::{Happening, Ticket};

/// What is asked, and what came meanwhile.
#[derive(Debug)]
pub(super) struct Doubt {
    asked: Option<Ticket>,
    pub(super) until_ms: u64,
    heard: VecDeque<Happening>,
    /// What came is heard now.
    over: bool,
}

/// What a happening says of a channel.
enum Sign {
    Nothing,
    /// Somebody sent it elsewhere.
    Moved,
    /// The call, or the connection, is over: nothing can be spoilt any more.
    Ended,
    /// It is where it was.
    Stands,
}

impl Session {
    /// The process stood still for long.
    pub fn woken(&mut self, now: Now) {
        let Phase::Running(running) = &self.phase else { return };
        if self.doubt.is_some() {
            return;
        }
        let ask = Command::Api(Api::Dump { channel: running.channel.clone() });
        let asked = self.talk.send(&ask).ok();
        let until_ms = now.mono_ms.saturating_add(GREETING_MS);
        let doubt = Doubt { asked, until_ms, heard: VecDeque::new(), over: false };
        self.doubt = Some(Box::new(doubt));
    }

    /// The next happening that may be heard.
    pub(super) fn next_happening(&mut self, now: Now) -> Option<Happening> {
        while self.doubt.as_ref().is_some_and(|doubt| !doubt.over) {
            let happening = self.talk.poll()?;
            let sign = self.sign(&happening);
            if let Some(doubt) = &mut self.doubt {
                doubt.heard.push_back(happening);
                doubt.over = !matches!(sign, Sign::Nothing);
            }
            match sign {
                Sign::Moved => self.superseded(),
                // It was in silence: what was played and pressed meanwhile is of the past.
                Sign::Stands => self.hand_over(When::Now, now),
                Sign::Ended | Sign::Nothing => {}
            }
        }
        let slept = self.doubt.as_mut().and_then(|doubt| doubt.heard.pop_front());
        if slept.is_none() {
            self.doubt = None;
        }
        slept.or_else(|| self.talk.poll())
    }

    /// FreeSWITCH does not say how the channel is.
    pub(super) fn give_up_doubt(&mut self, now: Now) {
        tracing::warn!(call = %self.call, "FreeSWITCH does not say how the channel is");
        self.doubt = None;
        self.hand_over(When::Now, now);
    }

    fn sign(&self, happening: &Happening) -> Sign {
        let Phase::Running(running) = &self.phase else { return Sign::Ended };
        let asked = self.doubt.as_ref().and_then(|doubt| doubt.asked);
        match happening {
            Happening::Disconnected(_) => Sign::Ended,
            Happening::Output { ticket, output } if Some(*ticket) == asked => {
                match Event::from_json(output) {
                    Ok(facts) if moved(running, &facts) => Sign::Moved,
                    Ok(_) => Sign::Stands,
                    // There is no such channel any more; its end comes, or came.
                    Err(_) => Sign::Ended,
                }
            }
            other => match other.event() {
                Some(event) if event.name() == EventName::ChannelHangup => Sign::Ended,
                Some(event) if moved(running, event) => Sign::Moved,
                Some(_) | None => Sign::Nothing,
            },
        }
    }
}
